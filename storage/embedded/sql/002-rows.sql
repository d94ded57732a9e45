-- What is small or changes. Senders choose component ids, so that they may be of any length: keys hold the 64-bit hash
-- (component_key, the same as in block_key, as signed) and the text stands beside. All times are nanoseconds, clipped at 2^63 - 1.

-- Query: all components in a window (the key); the upsert of each flush.
-- Price: 3 µs a component and flush, for the merge of its sketch; nothing an event.
CREATE TABLE component_minute (
  tenant         TEXT    NOT NULL,
  minute         INTEGER NOT NULL,
  component_key  INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  total          INTEGER NOT NULL,
  errors         INTEGER NOT NULL,
  critical       INTEGER NOT NULL,
  latency        BLOB    NOT NULL, -- model/sketch.ts
  PRIMARY KEY (tenant, minute, component_key)
) STRICT, WITHOUT ROWID;

-- Query: the minutes of one component. Price: 30 bytes once a component and minute.
CREATE INDEX component_minute_by_component ON component_minute (tenant, component_key, minute);

-- Query: all templates in a window (the key); the upsert of each flush. Price: 2 µs a template and flush.
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

-- Query: the minutes of one template. Price: 45 bytes once a template and minute.
CREATE INDEX template_minute_by_template ON template_minute (tenant, template_id, minute);

CREATE TABLE template (
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL,
  text           TEXT    NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

-- Query: the correlations of some traces (the key). Price of this and the index below: 4 µs and 150 bytes a trace that names one.
CREATE TABLE trace_correlation (
  tenant         TEXT    NOT NULL,
  trace_id       BLOB    NOT NULL, -- 16 bytes
  time           INTEGER NOT NULL,
  correlation_key INTEGER NOT NULL,
  correlation_id TEXT    NOT NULL,
  PRIMARY KEY (tenant, trace_id)
) STRICT, WITHOUT ROWID;

-- Query: the traces of a correlation.
CREATE INDEX trace_correlation_by_correlation ON trace_correlation (tenant, correlation_key);

-- A handful a minute: the price of an index is not to be seen here.
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
) STRICT;

-- Query: whether a snapshot is there already.
CREATE UNIQUE INDEX snapshot_by_id ON snapshot (tenant, id);
-- Query: all states in a window.
CREATE INDEX snapshot_by_time ON snapshot (tenant, time, id);
-- Query: the latest state of a component.
CREATE INDEX snapshot_by_component ON snapshot (tenant, component_key, time, id);
-- Query: the states of all nodes in one operation.
CREATE INDEX snapshot_by_operation ON snapshot (tenant, operation_key, time, id) WHERE operation_key IS NOT NULL;
-- Query: the states along one correlation.
CREATE INDEX snapshot_by_correlation ON snapshot (tenant, correlation_key, time, id) WHERE correlation_key IS NOT NULL;

-- Thousands, changed now and then. The document is the insight; the columns only find it.
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

-- Query: one insight, and its change.
CREATE UNIQUE INDEX insight_by_id ON insight (tenant, id);
-- Query: lists, newest first; other conditions are read from the rows.
CREATE INDEX insight_by_last_seen ON insight (tenant, last_seen, id);

-- Query: the insights of a component, by id and by type, without opening their documents.
CREATE TABLE insight_component (
  insight        INTEGER NOT NULL,
  component_id   TEXT    NOT NULL,
  component_type TEXT    NOT NULL,
  PRIMARY KEY (insight, component_id, component_type)
) STRICT, WITHOUT ROWID;

-- Dozens, made by hand.
CREATE TABLE session (
  tenant         TEXT    NOT NULL,
  id             TEXT    NOT NULL,
  active         INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  document       TEXT    NOT NULL, -- JSON
  PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
