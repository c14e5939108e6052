-- Idempotency keys of requests that began no deployment of their own: one of that release was under way, or it was active already. `deployment`: 0 where none is known.
CREATE TABLE kept_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  app TEXT NOT NULL,
  key TEXT NOT NULL,
  release TEXT NOT NULL,
  deployment INTEGER NOT NULL,
  already INTEGER NOT NULL,
  UNIQUE (app, key)
) STRICT;
