-- An app keeps its uid while data of it is on the disk, also after it was removed: what it owns must not fall to another app.
CREATE TABLE uids (
  app TEXT PRIMARY KEY,
  uid INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
  app TEXT PRIMARY KEY REFERENCES uids (app),
  active TEXT NOT NULL DEFAULT '',
  previous TEXT NOT NULL DEFAULT '',
  held TEXT NOT NULL DEFAULT '',
  stopped INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Apps that were removed with their data, until the folders are gone.
CREATE TABLE purges (
  app TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE deployments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app TEXT NOT NULL,
  release TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  from_release TEXT NOT NULL,
  decided INTEGER NOT NULL,
  manifest_sha256 TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  why TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  force INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  ended_at TEXT NOT NULL,
  bake_until_ms INTEGER NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX deployments_by_key ON deployments (app, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX deployments_by_app ON deployments (app, id);
CREATE INDEX deployments_unfinished ON deployments (id) WHERE ended_at = '';

CREATE TABLE rejected (
  app TEXT NOT NULL,
  release TEXT NOT NULL,
  manifest_sha256 TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (app, release)
) STRICT, WITHOUT ROWID;

CREATE TABLE slots (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  app TEXT NOT NULL REFERENCES apps (app),
  release TEXT NOT NULL,
  manifest_sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sealed_at TEXT NOT NULL,
  pinned INTEGER NOT NULL,
  UNIQUE (app, release)
) STRICT;

CREATE TABLE instances (
  app TEXT NOT NULL REFERENCES apps (app),
  process TEXT NOT NULL,
  number INTEGER NOT NULL,
  release TEXT NOT NULL,
  port INTEGER NOT NULL,
  PRIMARY KEY (app, process, number, release)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX instances_by_port ON instances (port) WHERE port <> 0;

-- The private port given last: one that was just given back rests while others are free.
CREATE TABLE last_port (
  port INTEGER NOT NULL
) STRICT;
INSERT INTO last_port (port) VALUES (0);

CREATE TABLE scales (
  app TEXT NOT NULL REFERENCES apps (app),
  process TEXT NOT NULL,
  number INTEGER NOT NULL,
  spec_number INTEGER NOT NULL,
  PRIMARY KEY (app, process)
) STRICT, WITHOUT ROWID;

-- Events of changes that are committed, until they stand in events.log.
CREATE TABLE outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  app TEXT NOT NULL,
  data TEXT NOT NULL
) STRICT;
