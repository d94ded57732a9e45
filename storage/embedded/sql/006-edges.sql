-- Who calls whom, per minute. A flush may take back what an earlier one counted (model/rollup.ts), so that counts may be 0.

-- Query: all edges in a window (the key); the upsert of each flush. Price: a row an edge and flush, nothing a span.
CREATE TABLE edge_minute (
  tenant         TEXT    NOT NULL,
  minute         INTEGER NOT NULL,
  edge_key       INTEGER NOT NULL, -- hash of kind and both ends
  kind           TEXT    NOT NULL,
  from_type      TEXT    NOT NULL,
  from_id        TEXT    NOT NULL,
  to_type        TEXT    NOT NULL,
  to_id          TEXT    NOT NULL,
  calls          INTEGER NOT NULL,
  errors         INTEGER NOT NULL,
  latency        BLOB    NOT NULL, -- model/sketch.ts
  PRIMARY KEY (tenant, minute, edge_key)
) STRICT, WITHOUT ROWID;
