-- Who calls whom, per minute. A flush may take back what an earlier one counted (model/rollup.ts), so that counts may be 0.

CREATE TABLE edge_minute (
  edge_key      bigint   NOT NULL, -- hash of kind and both ends
  minute        bigint   NOT NULL, -- its start, nanoseconds
  calls         bigint   NOT NULL,
  errors        bigint   NOT NULL,
  day           date     NOT NULL,
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  kind          text     NOT NULL,
  from_type     text     NOT NULL,
  from_id       text     NOT NULL,
  to_type       text     NOT NULL,
  to_id         text     NOT NULL,
  latency       bytea    NOT NULL, -- a mergeable sketch, model/sketch.ts
  -- Query: all edges in a window; each flush adds to its rows. Price: a row an edge and flush; the key grows with time.
  PRIMARY KEY (tenant_id, minute, edge_key, shard)
) WITH (fillfactor = 70);

CREATE INDEX edge_minute_by_day ON edge_minute USING brin (day);

-- As every other table of a tenant's (006-row-security.sql).
ALTER TABLE edge_minute ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON edge_minute FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
