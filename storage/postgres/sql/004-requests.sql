-- Requests of the last hour, so that one which was sent again is stored once, whichever of several receivers took it and whatever was
-- restarted meanwhile. Written in the transaction that commits their records.
CREATE TABLE received_request (
  received_at   bigint   NOT NULL, -- nanoseconds, of the commit
  shard         smallint NOT NULL,
  request_id    uuid     NOT NULL, -- hash of the ids of all its records
  tenant_id     text     NOT NULL COLLATE "C",
  -- Price: one random b-tree, of a row a request.
  PRIMARY KEY (tenant_id, request_id, shard)
);

-- Query: what may be forgotten. Price: nothing to be seen.
CREATE INDEX received_request_by_time ON received_request USING brin (received_at);
