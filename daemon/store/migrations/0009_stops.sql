-- Who stopped an app, when and why. Empty where it is not stopped, or that was not written down.
ALTER TABLE apps ADD COLUMN stopped_by TEXT NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN stopped_at TEXT NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN stopped_why TEXT NOT NULL DEFAULT '';
