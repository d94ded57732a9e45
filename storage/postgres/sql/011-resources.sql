-- Who speaks, and what it says of itself: a resource's attributes by their content, once for each component that spoke with them. No
-- sequence, and nothing refers to it: blocks hold their own copy, and any process gives the same attributes the same key (decision 027).

CREATE TABLE resource (
  component_key bigint   NOT NULL,
  first_time    bigint   NOT NULL, -- nanoseconds; both are only ever widened
  last_time     bigint   NOT NULL,
  day           date     NOT NULL, -- until which it is kept
  shard         smallint NOT NULL, -- of the component: what it is asked by
  tenant_id     text     NOT NULL COLLATE "C",
  resource_hash text     NOT NULL COLLATE "C", -- of the attributes
  component_type text    NOT NULL,
  component_id  text     NOT NULL,
  attributes    json     NOT NULL, -- json, not jsonb, as of a snapshot: it keeps numbers and NUL as they came
  -- Query: a component's resources; a flush widens the times. Price: a row a resource and minute.
  PRIMARY KEY (tenant_id, component_key, resource_hash, shard)
) WITH (fillfactor = 70);

-- As every other table of a tenant's (006-row-security.sql).
ALTER TABLE resource ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON resource FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
