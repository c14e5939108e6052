-- Who holds an app, since when, and whether a newer release ends it.
ALTER TABLE apps ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN held_at TEXT NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN held_firmly INTEGER NOT NULL DEFAULT 0;

-- A row while the node is drained: no app runs, and no deployment is taken.
CREATE TABLE drain (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  at TEXT NOT NULL,
  asked_by TEXT NOT NULL,
  why TEXT NOT NULL
) STRICT;
