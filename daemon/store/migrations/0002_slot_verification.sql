-- What the last comparison of a slot with its signed manifest and indexes found.
ALTER TABLE slots ADD COLUMN verified_at TEXT NOT NULL DEFAULT '';
ALTER TABLE slots ADD COLUMN drifted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE slots ADD COLUMN drift TEXT NOT NULL DEFAULT '';
