-- Instances that `berth stop APP/PROCESS.N` stopped stay so when berthd or the machine starts again.
ALTER TABLE instances ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
