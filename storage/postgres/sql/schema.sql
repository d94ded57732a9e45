-- The schema that the migrations make; written by migrate.test.ts (vitest -u), compared in every run.

CREATE TABLE block (
  time_min bigint NOT NULL,
  block_id uuid NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  reach smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  block_index bytea NOT NULL STORAGE e,
  payload bytea NOT NULL STORAGE e,
  merged_at bigint NOT NULL DEFAULT 0,
  replaced_at bigint NOT NULL DEFAULT '9223372036854775807'::bigint,
  records smallint NOT NULL DEFAULT 0,
  texts bytea STORAGE e,
  attributes bytea STORAGE e,
  PRIMARY KEY (tenant_id, reach, block_id, day, shard)
) PARTITION BY RANGE (day);

CREATE INDEX block_older ON ONLY ai_debug.block USING btree (tenant_id, reach, block_id, day, shard) WHERE (texts IS NULL);

CREATE INDEX block_small ON ONLY ai_debug.block USING btree (tenant_id, day, shard, block_id) WHERE ((octet_length(payload) < 32768) AND (records < 1024));

ALTER TABLE block ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON block FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE block_key (
  key bigint NOT NULL,
  block_id uuid NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  reach smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, key, reach, block_id, day, shard)
) PARTITION BY RANGE (day);

ALTER TABLE block_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON block_key FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE block_version (
  version bigint NOT NULL,
  forgotten bigint NOT NULL
);

CREATE TABLE committed_block (
  commit bigint NOT NULL,
  committed_at bigint NOT NULL,
  block_id uuid NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  reach smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  journal text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, commit, block_id, shard)
);

CREATE INDEX committed_block_by_time ON committed_block USING brin (committed_at);

ALTER TABLE committed_block ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON committed_block FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE component_hour (
  component_key bigint NOT NULL,
  hour bigint NOT NULL,
  total bigint NOT NULL,
  errors bigint NOT NULL,
  critical bigint NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  component_type text NOT NULL,
  component_id text NOT NULL,
  untold bigint,
  PRIMARY KEY (tenant_id, hour, component_key, shard)
);

ALTER TABLE component_hour ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON component_hour FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE component_minute (
  component_key bigint NOT NULL,
  minute bigint NOT NULL,
  total bigint NOT NULL,
  errors bigint NOT NULL,
  critical bigint NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  component_type text NOT NULL,
  component_id text NOT NULL,
  latency bytea NOT NULL,
  untold bigint,
  PRIMARY KEY (tenant_id, component_key, minute, shard)
) WITH (fillfactor=70);

CREATE INDEX component_minute_by_day ON component_minute USING brin (day);

CREATE INDEX component_minute_by_minute ON component_minute USING btree (tenant_id, minute);

ALTER TABLE component_minute ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON component_minute FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE counted_hour (
  hour bigint NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  whole boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, hour, shard)
);

ALTER TABLE counted_hour ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON counted_hour FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE edge_hour (
  edge_key bigint NOT NULL,
  hour bigint NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  from_type text NOT NULL,
  from_id text NOT NULL,
  to_type text NOT NULL,
  to_id text NOT NULL,
  latency bytea NOT NULL,
  PRIMARY KEY (tenant_id, hour, edge_key, shard)
);

ALTER TABLE edge_hour ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON edge_hour FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE edge_minute (
  edge_key bigint NOT NULL,
  minute bigint NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  from_type text NOT NULL,
  from_id text NOT NULL,
  to_type text NOT NULL,
  to_id text NOT NULL,
  latency bytea NOT NULL,
  PRIMARY KEY (tenant_id, minute, edge_key, shard)
) WITH (fillfactor=70);

CREATE INDEX edge_minute_by_day ON edge_minute USING brin (day);

ALTER TABLE edge_minute ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON edge_minute FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE insight (
  last_seen bigint NOT NULL,
  expires_at bigint NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  insight_id text COLLATE "C" NOT NULL,
  insight_type text NOT NULL,
  severity text NOT NULL,
  scope text NOT NULL,
  state text NOT NULL,
  correlation_id text,
  operation_id text,
  affected_types text[] NOT NULL,
  affected_ids text[] NOT NULL,
  doc json NOT NULL,
  PRIMARY KEY (tenant_id, insight_id, shard)
);

CREATE INDEX insight_by_last_seen ON insight USING btree (tenant_id, last_seen, insight_id);

ALTER TABLE insight ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON insight FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE lease (
  name text COLLATE "C" NOT NULL,
  holder text NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE ledger (
  journal text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (journal)
);

CREATE TABLE migration (
  name text NOT NULL,
  applied_at timestamp with time zone NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE received_request (
  received_at bigint NOT NULL,
  shard smallint NOT NULL,
  request_id uuid NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, request_id, shard)
);

CREATE INDEX received_request_by_time ON received_request USING brin (received_at);

ALTER TABLE received_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON received_request FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE resource (
  component_key bigint NOT NULL,
  first_time bigint NOT NULL,
  last_time bigint NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  resource_hash text COLLATE "C" NOT NULL,
  component_type text NOT NULL,
  component_id text NOT NULL,
  attributes json NOT NULL,
  PRIMARY KEY (tenant_id, component_key, resource_hash, shard)
) WITH (fillfactor=70);

ALTER TABLE resource ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON resource FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE session (
  created_at bigint NOT NULL,
  shard smallint NOT NULL,
  active boolean NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  doc json NOT NULL,
  PRIMARY KEY (tenant_id, session_id, shard)
);

ALTER TABLE session ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON session FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE snapshot (
  component_key bigint NOT NULL,
  operation_key bigint,
  correlation_key bigint,
  time bigint NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  snapshot_id text COLLATE "C" NOT NULL,
  component_type text NOT NULL,
  component_id text NOT NULL,
  node_id text,
  operation_id text,
  correlation_id text,
  checkpoint_name text,
  snapshot_type text NOT NULL,
  state_data json NOT NULL,
  state_name text,
  PRIMARY KEY (tenant_id, snapshot_id, shard)
);

ALTER TABLE snapshot ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON snapshot FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE INDEX snapshot_by_component ON snapshot USING btree (tenant_id, component_key, "time");

CREATE INDEX snapshot_by_correlation ON snapshot USING btree (tenant_id, correlation_key, "time") WHERE (correlation_key IS NOT NULL);

CREATE INDEX snapshot_by_day ON snapshot USING brin (day);

CREATE INDEX snapshot_by_operation ON snapshot USING btree (tenant_id, operation_key, "time") WHERE (operation_key IS NOT NULL);

CREATE INDEX snapshot_by_time ON snapshot USING btree (tenant_id, "time");

CREATE TABLE template (
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  template_id text COLLATE "C" NOT NULL,
  template_text text NOT NULL,
  PRIMARY KEY (tenant_id, template_id, shard)
);

ALTER TABLE template ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON template FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE template_hour (
  component_key bigint NOT NULL,
  hour bigint NOT NULL,
  count bigint NOT NULL,
  first_time bigint NOT NULL,
  last_time bigint NOT NULL,
  severity_max smallint NOT NULL,
  shard smallint NOT NULL,
  with_errors boolean NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  template_id text COLLATE "C" NOT NULL,
  component_type text NOT NULL,
  component_id text NOT NULL,
  example_event_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, hour, with_errors, template_id, component_key, shard)
);

ALTER TABLE template_hour ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON template_hour FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE INDEX template_hour_by_template ON template_hour USING btree (tenant_id, template_id, hour);

CREATE TABLE template_minute (
  component_key bigint NOT NULL,
  minute bigint NOT NULL,
  count bigint NOT NULL,
  first_time bigint NOT NULL,
  last_time bigint NOT NULL,
  day date NOT NULL,
  severity_max smallint NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  template_id text COLLATE "C" NOT NULL,
  component_type text NOT NULL,
  component_id text NOT NULL,
  example_event_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, template_id, component_key, minute, shard)
) WITH (fillfactor=70);

ALTER TABLE template_minute ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON template_minute FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE INDEX template_minute_by_day ON template_minute USING brin (day);

CREATE INDEX template_minute_by_minute ON template_minute USING btree (tenant_id, minute);

CREATE INDEX template_minute_errors ON template_minute USING btree (tenant_id, minute) WHERE (severity_max >= 17);

CREATE TABLE tenant_commit (
  commit bigint NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, shard)
);

ALTER TABLE tenant_commit ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenant_commit FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE TABLE trace_correlation (
  trace_key bigint NOT NULL,
  correlation_key bigint NOT NULL,
  time bigint NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  tenant_id text COLLATE "C" NOT NULL,
  trace_id text COLLATE "C" NOT NULL,
  correlation_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, trace_key, shard)
);

ALTER TABLE trace_correlation ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON trace_correlation FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant'::text, true));

CREATE INDEX trace_correlation_by_correlation ON trace_correlation USING btree (tenant_id, correlation_key);

CREATE INDEX trace_correlation_by_day ON trace_correlation USING brin (day);
