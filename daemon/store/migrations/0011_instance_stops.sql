-- Who stopped a single instance, when and why. Empty where it is not stopped, or that was not written down.
ALTER TABLE instances ADD COLUMN stopped_by TEXT NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN stopped_at TEXT NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN stopped_why TEXT NOT NULL DEFAULT '';
