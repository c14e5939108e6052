-- Copies of apps' data, beside data/ in the app's folder: what a deployment began with, and what a revert put away.
CREATE TABLE data_copies (
  app TEXT NOT NULL,
  folder TEXT NOT NULL,
  deployment INTEGER NOT NULL,
  release TEXT NOT NULL,
  before INTEGER NOT NULL,
  method TEXT NOT NULL,
  state TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  since TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (app, folder)
) STRICT, WITHOUT ROWID;

-- Copies that are being put in the place of data/: there until it is done, so that a start finishes it.
CREATE TABLE data_moves (
  app TEXT PRIMARY KEY,
  folder TEXT NOT NULL,
  aside TEXT NOT NULL,
  deployment INTEGER NOT NULL,
  release TEXT NOT NULL,
  before INTEGER NOT NULL,
  method TEXT NOT NULL,
  since TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
