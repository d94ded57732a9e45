-- Hours of templates and of calls, counted as those of components are (010-hours.sql), under the same mark.

-- Whether the hour is counted whole. A mark is there before; versions before this one counted the components alone.
ALTER TABLE counted_hour ADD COLUMN whole boolean NOT NULL DEFAULT false;

-- Of hours that are not counted what lies here means nothing, as in component_hour.
CREATE TABLE template_hour (
  component_key bigint   NOT NULL,
  hour          bigint   NOT NULL,
  count         bigint   NOT NULL,
  first_time    bigint   NOT NULL,
  last_time     bigint   NOT NULL,
  severity_max  smallint NOT NULL,
  shard         smallint NOT NULL,
  with_errors   boolean  NOT NULL, -- the sum of minutes that have an error, or of those that have none
  tenant_id     text     NOT NULL COLLATE "C",
  template_id   text     NOT NULL COLLATE "C",
  component_type text    NOT NULL,
  component_id  text     NOT NULL,
  example_event_id text  NOT NULL COLLATE "C",
  -- Query: the errors of an hour, or all of it. Price: one or two rows a template, component and hour, once.
  PRIMARY KEY (tenant_id, hour, with_errors, template_id, component_key, shard)
);

-- Query: whether a template was seen in some hours. Price: an entry a row, once.
CREATE INDEX template_hour_by_template ON template_hour (tenant_id, template_id, hour);

CREATE TABLE edge_hour (
  edge_key      bigint   NOT NULL,
  hour          bigint   NOT NULL,
  calls         bigint   NOT NULL,
  errors        bigint   NOT NULL,
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  kind          text     NOT NULL,
  from_type     text     NOT NULL,
  from_id       text     NOT NULL,
  to_type       text     NOT NULL,
  to_id         text     NOT NULL,
  latency       bytea    NOT NULL,
  -- Query: the hours of a window. Price: a row an edge and hour, once.
  PRIMARY KEY (tenant_id, hour, edge_key, shard)
);

ALTER TABLE template_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE edge_hour ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_tenant ON template_hour FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON edge_hour FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));

-- Of errors, those that no template tells of (model/rollup.ts): where there are none, no block is looked into for them. Null: not known.
ALTER TABLE component_minute ADD COLUMN untold bigint;
ALTER TABLE component_hour ADD COLUMN untold bigint;
