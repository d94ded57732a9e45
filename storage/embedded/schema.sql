-- user_version = 10

-- journal_mode = wal

-- auto_vacuum = 2

-- page_size = 4096

CREATE TABLE block (
  block       INTEGER PRIMARY KEY, -- this file's own number, so that keys need no second look-up; never leaves it
  tenant      TEXT    NOT NULL,
  shard       INTEGER NOT NULL,
  day         TEXT    NOT NULL,    -- YYYY-MM-DD, the partition in which it is archived and dropped
  id          BLOB    NOT NULL,    -- 16 bytes
  width       INTEGER NOT NULL,    -- class of its time range, WIDTHS in blocks.ts: bounds how far behind its id it may begin
  time_min    INTEGER NOT NULL,    -- nanoseconds, clipped at 2^63 - 1; the block itself has it exactly
  records     INTEGER NOT NULL,
  -- The payload last: who reads the index walks over none of its pages.
  block_index BLOB    NOT NULL,
  payload     BLOB    NOT NULL
) STRICT;

CREATE INDEX block_by_day ON block (day, tenant);

CREATE UNIQUE INDEX block_by_time ON block (tenant, width, id, time_min);

CREATE TABLE block_change (
  block         INTEGER PRIMARY KEY,
  visible_from  INTEGER NOT NULL, -- versions: from this one on, and below that one
  visible_until INTEGER NOT NULL
) STRICT;

CREATE TABLE block_filter (
  block       INTEGER PRIMARY KEY,
  id          BLOB    NOT NULL, -- of the block: its number may be given again
  texts       BLOB    NOT NULL, -- of messages, model/text-filter.ts; empty: it cannot say
  attributes  BLOB    NOT NULL  -- of pairs of key and value, model/attribute-filter.ts
) STRICT;

CREATE TABLE block_key (
  tenant      TEXT    NOT NULL,
  key         INTEGER NOT NULL,    -- 64-bit hash, as signed
  width       INTEGER NOT NULL,
  id          BLOB    NOT NULL,
  time_min    INTEGER NOT NULL,
  block       INTEGER NOT NULL,
  PRIMARY KEY (tenant, key, width, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX block_small ON block (tenant, day, shard, id) WHERE records < 1024;

CREATE TABLE block_version (
  version       INTEGER NOT NULL,
  forgotten     INTEGER NOT NULL
) STRICT;

CREATE TABLE component_hour (
  tenant         TEXT    NOT NULL,
  hour           INTEGER NOT NULL,
  component_key  INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  total          INTEGER NOT NULL,
  errors         INTEGER NOT NULL,
  critical       INTEGER NOT NULL, untold INTEGER,
  PRIMARY KEY (tenant, hour, component_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE component_minute (
  tenant         TEXT    NOT NULL,
  minute         INTEGER NOT NULL,
  component_key  INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  total          INTEGER NOT NULL,
  errors         INTEGER NOT NULL,
  critical       INTEGER NOT NULL,
  latency        BLOB    NOT NULL, untold INTEGER, -- model/sketch.ts
  PRIMARY KEY (tenant, minute, component_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX component_minute_by_component ON component_minute (tenant, component_key, minute);

CREATE TABLE counted_hour (
  tenant         TEXT    NOT NULL,
  hour           INTEGER NOT NULL, -- its start, nanoseconds
  PRIMARY KEY (tenant, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE edge_hour (
  tenant         TEXT    NOT NULL,
  hour           INTEGER NOT NULL,
  edge_key       INTEGER NOT NULL,
  kind           TEXT    NOT NULL,
  from_type      TEXT    NOT NULL,
  from_id        TEXT    NOT NULL,
  to_type        TEXT    NOT NULL,
  to_id          TEXT    NOT NULL,
  calls          INTEGER NOT NULL,
  errors         INTEGER NOT NULL,
  latency        BLOB    NOT NULL, -- model/sketch.ts
  PRIMARY KEY (tenant, hour, edge_key)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE insight (
  insight        INTEGER PRIMARY KEY,
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL,
  insight_type   TEXT    NOT NULL,
  severity       TEXT    NOT NULL,
  scope          TEXT    NOT NULL,
  state          TEXT    NOT NULL,
  correlation_id TEXT,
  operation_id   TEXT,
  last_seen      INTEGER NOT NULL,
  document       TEXT    NOT NULL -- JSON
) STRICT;

CREATE UNIQUE INDEX insight_by_id ON insight (tenant, id);

CREATE INDEX insight_by_last_seen ON insight (tenant, last_seen, id);

CREATE TABLE insight_component (
  insight        INTEGER NOT NULL,
  component_id   TEXT    NOT NULL,
  component_type TEXT    NOT NULL,
  PRIMARY KEY (insight, component_id, component_type)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
  name          TEXT    PRIMARY KEY,
  holder        TEXT    NOT NULL,
  expires_at    INTEGER NOT NULL -- nanoseconds
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
  journal     TEXT    PRIMARY KEY,
  position    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE received_request (
  tenant        TEXT    NOT NULL,
  id            BLOB    NOT NULL, -- 16 bytes: hash of the ids of all its records
  received_at   INTEGER NOT NULL, -- nanoseconds, of the commit
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX received_request_by_time ON received_request (received_at);

CREATE TABLE resource (
  resource       INTEGER PRIMARY KEY,
  tenant         TEXT    NOT NULL,
  component_key  INTEGER NOT NULL,
  hash           TEXT    NOT NULL, -- of the attributes: every process gives them the same
  first_time     INTEGER NOT NULL, -- nanoseconds; both are only ever widened
  last_time      INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  attributes     TEXT    NOT NULL  -- JSON
) STRICT;

CREATE UNIQUE INDEX resource_by_component ON resource (tenant, component_key, hash);

CREATE TABLE session (
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL,
  active         INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  document       TEXT    NOT NULL, -- JSON
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot (
  snapshot        INTEGER PRIMARY KEY,
  tenant          TEXT    NOT NULL,
  id              TEXT    NOT NULL,
  time            INTEGER NOT NULL,
  component_key   INTEGER NOT NULL,
  operation_key   INTEGER,
  correlation_key INTEGER,
  component_type  TEXT    NOT NULL,
  component_id    TEXT    NOT NULL,
  node_id         TEXT,
  operation_id    TEXT,
  correlation_id  TEXT,
  checkpoint_name TEXT,
  snapshot_type   TEXT    NOT NULL,
  state_data      TEXT    NOT NULL -- JSON
, state_name TEXT) STRICT;

CREATE INDEX snapshot_by_component ON snapshot (tenant, component_key, time, id);

CREATE INDEX snapshot_by_correlation ON snapshot (tenant, correlation_key, time, id) WHERE correlation_key IS NOT NULL;

CREATE UNIQUE INDEX snapshot_by_id ON snapshot (tenant, id);

CREATE INDEX snapshot_by_operation ON snapshot (tenant, operation_key, time, id) WHERE operation_key IS NOT NULL;

CREATE INDEX snapshot_by_time ON snapshot (tenant, time, id);

CREATE TABLE template (
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL,
  text           TEXT    NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE template_hour (
  tenant         TEXT    NOT NULL,
  hour           INTEGER NOT NULL,
  with_errors    INTEGER NOT NULL, -- 1: the sum of minutes that have an error; 0: of those that have none
  template_id    TEXT    NOT NULL,
  component_key  INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  count          INTEGER NOT NULL,
  severity_max   INTEGER NOT NULL,
  first_time     INTEGER NOT NULL,
  last_time      INTEGER NOT NULL,
  example_event_id TEXT  NOT NULL,
  PRIMARY KEY (tenant, hour, with_errors, template_id, component_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE template_minute (
  tenant         TEXT    NOT NULL,
  minute         INTEGER NOT NULL,
  template_id    TEXT    NOT NULL,
  component_key  INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  count          INTEGER NOT NULL,
  severity_max   INTEGER NOT NULL,
  first_time     INTEGER NOT NULL,
  last_time      INTEGER NOT NULL,
  example_event_id TEXT  NOT NULL, -- the newest seen
  PRIMARY KEY (tenant, minute, template_id, component_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX template_minute_by_template ON template_minute (tenant, template_id, minute);

CREATE INDEX template_minute_errors ON template_minute (tenant, minute) WHERE severity_max >= 17;

CREATE TABLE trace_correlation (
  tenant         TEXT    NOT NULL,
  trace_id       BLOB    NOT NULL, -- 16 bytes
  time           INTEGER NOT NULL,
  correlation_key INTEGER NOT NULL,
  correlation_id TEXT    NOT NULL,
  PRIMARY KEY (tenant, trace_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX trace_correlation_by_correlation ON trace_correlation (tenant, correlation_key);
