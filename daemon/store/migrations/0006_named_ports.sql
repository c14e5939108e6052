-- Private ports that an instance has beside that of `instances`, by the names that its spec gives them.
CREATE TABLE instance_ports (
  app TEXT NOT NULL,
  process TEXT NOT NULL,
  number INTEGER NOT NULL,
  release TEXT NOT NULL,
  name TEXT NOT NULL,
  port INTEGER NOT NULL UNIQUE,
  PRIMARY KEY (app, process, number, release, name),
  FOREIGN KEY (app, process, number, release) REFERENCES instances (app, process, number, release) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
