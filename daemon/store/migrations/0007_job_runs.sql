-- The last run of each job of an app: what is under way, or how it ended.
CREATE TABLE job_runs (
  app TEXT NOT NULL REFERENCES apps (app),
  process TEXT NOT NULL,
  run INTEGER NOT NULL,
  release TEXT NOT NULL,
  deployment INTEGER NOT NULL,
  asked_by TEXT NOT NULL,
  why TEXT NOT NULL,
  state TEXT NOT NULL,
  result TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  began_at TEXT NOT NULL,
  ended_at TEXT NOT NULL,
  succeeded_at TEXT NOT NULL,
  PRIMARY KEY (app, process)
) STRICT, WITHOUT ROWID;
