-- What is small or changes. Texts that clients choose may be of any length, where an index entry ends at 2,704 bytes: keys hold
-- their 64-bit hashes (component_key and its like, the same as in block_key) and the texts stand beside.
-- `day` is the day until which retention counts: the row's own, or that of its arrival for an old capture.

CREATE TABLE component_minute (
  component_key bigint   NOT NULL,
  minute        bigint   NOT NULL, -- its start, nanoseconds
  total         bigint   NOT NULL,
  errors        bigint   NOT NULL,
  critical      bigint   NOT NULL,
  day           date     NOT NULL,
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  component_type text    NOT NULL,
  component_id  text     NOT NULL,
  latency       bytea    NOT NULL, -- a mergeable sketch, model/sketch.ts
  -- Query: the minutes of one component; each flush adds to its row.
  -- Price: 3 µs a component and flush, nothing an event.
  PRIMARY KEY (tenant_id, component_key, minute, shard)
-- Each row is updated by every flush of its minute: room for the new versions on the same page keeps the indexes untouched.
) WITH (fillfactor = 70);

-- Query: all components in a window. Price: 1.5 µs a component and minute, the key grows with time.
CREATE INDEX component_minute_by_minute ON component_minute (tenant_id, minute);

CREATE TABLE template_minute (
  component_key bigint   NOT NULL,
  minute        bigint   NOT NULL,
  count         bigint   NOT NULL,
  first_time    bigint   NOT NULL,
  last_time     bigint   NOT NULL,
  day           date     NOT NULL,
  severity_max  smallint NOT NULL,
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  template_id   text     NOT NULL COLLATE "C",
  component_type text    NOT NULL,
  component_id  text     NOT NULL,
  example_event_id text  NOT NULL COLLATE "C",
  -- Query: the minutes of one template; each flush adds to its row. Price: 3 µs a template and flush.
  PRIMARY KEY (tenant_id, template_id, component_key, minute, shard)
) WITH (fillfactor = 70);

-- Query: all templates in a window. Price: 1.5 µs a template and minute, the key grows with time.
CREATE INDEX template_minute_by_minute ON template_minute (tenant_id, minute);

CREATE TABLE template (
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  template_id   text     NOT NULL COLLATE "C", -- hash of the text: every process gives it the same id
  template_text text     NOT NULL,
  -- Query: texts of templates by id. Price: nothing once a template is known.
  PRIMARY KEY (tenant_id, template_id, shard)
);

CREATE TABLE trace_correlation (
  trace_key     bigint   NOT NULL,
  correlation_key bigint NOT NULL,
  time          bigint   NOT NULL,
  day           date     NOT NULL,
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  trace_id      text     NOT NULL COLLATE "C",
  correlation_id text    NOT NULL COLLATE "C",
  -- Query: the correlation of some traces. Price: 3 µs a trace that names one.
  PRIMARY KEY (tenant_id, trace_key, shard)
);

-- Query: the traces of a correlation. Price: 3 µs a trace that names one.
CREATE INDEX trace_correlation_by_correlation ON trace_correlation (tenant_id, correlation_key);

CREATE TABLE snapshot (
  component_key bigint   NOT NULL,
  operation_key bigint,
  correlation_key bigint,
  time          bigint   NOT NULL,
  day           date     NOT NULL,
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  snapshot_id   text     NOT NULL COLLATE "C",
  component_type text    NOT NULL,
  component_id  text     NOT NULL,
  node_id       text,
  operation_id  text,
  correlation_id text,
  checkpoint_name text,
  snapshot_type text     NOT NULL,
  state_data    json     NOT NULL, -- json, not jsonb: 6 µs cheaper, and it keeps numbers and NUL as they came
  -- Query: whether a snapshot is there already. Price of this and the four below: 2 to 5 µs a snapshot each, a handful a minute.
  PRIMARY KEY (tenant_id, snapshot_id, shard)
);

-- Query: the latest state of a component.
CREATE INDEX snapshot_by_component ON snapshot (tenant_id, component_key, time);
-- Query: the states of all nodes in one operation.
CREATE INDEX snapshot_by_operation ON snapshot (tenant_id, operation_key, time) WHERE operation_key IS NOT NULL;
-- Query: the states along one correlation.
CREATE INDEX snapshot_by_correlation ON snapshot (tenant_id, correlation_key, time) WHERE correlation_key IS NOT NULL;
-- Query: all states in a window.
CREATE INDEX snapshot_by_time ON snapshot (tenant_id, time);

CREATE TABLE insight (
  last_seen     bigint   NOT NULL,
  expires_at    bigint   NOT NULL,
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  insight_id    text     NOT NULL COLLATE "C",
  insight_type  text     NOT NULL,
  severity      text     NOT NULL,
  scope         text     NOT NULL,
  state         text     NOT NULL,
  correlation_id text,
  operation_id  text,
  affected_types text[]  NOT NULL, -- of affected_components, type and id in the same position
  affected_ids  text[]   NOT NULL,
  doc           json     NOT NULL, -- the insight as it is answered; the columns only find it
  -- Query: one insight. Price of this and the one below: 2 to 5 µs a change of an insight each.
  PRIMARY KEY (tenant_id, insight_id, shard)
);

-- Query: lists, newest first; other conditions are read from the rows, of which there are thousands.
CREATE INDEX insight_by_last_seen ON insight (tenant_id, last_seen, insight_id);

CREATE TABLE session (
  created_at    bigint   NOT NULL,
  shard         smallint NOT NULL,
  active        boolean  NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  session_id    text     NOT NULL COLLATE "C",
  doc           json     NOT NULL,
  -- Query: one session; lists sort the tenant's few. Price: nothing to speak of.
  PRIMARY KEY (tenant_id, session_id, shard)
);

-- Retention deletes by day. A BRIN index costs nothing to keep and rows come nearly in this order.
CREATE INDEX component_minute_by_day ON component_minute USING brin (day);
CREATE INDEX template_minute_by_day ON template_minute USING brin (day);
CREATE INDEX trace_correlation_by_day ON trace_correlation USING brin (day);
CREATE INDEX snapshot_by_day ON snapshot USING brin (day);
