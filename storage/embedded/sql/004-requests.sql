-- Requests of the last hour, so that one which was sent again is stored once, whatever was restarted meanwhile. Written in the
-- transaction that commits their records.
CREATE TABLE received_request (
  tenant        TEXT    NOT NULL,
  id            BLOB    NOT NULL, -- 16 bytes: hash of the ids of all its records
  received_at   INTEGER NOT NULL, -- nanoseconds, of the commit
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Query: what is forgotten in each commit. Price: a row a request, in order of time.
CREATE INDEX received_request_by_time ON received_request (received_at);
