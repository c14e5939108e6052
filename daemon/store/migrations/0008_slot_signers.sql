-- Who signed for a slot's release when it was taken: a role, and ids of its keys. Empty where that was not written down.
ALTER TABLE slots ADD COLUMN signed_by TEXT NOT NULL DEFAULT '';    -- "web"
ALTER TABLE slots ADD COLUMN signing_keys TEXT NOT NULL DEFAULT ''; -- hex, by spaces
