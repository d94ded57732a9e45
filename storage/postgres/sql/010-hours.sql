-- Minutes of an hour that has ended, added up for each component: a day of forty components is 960 rows and not 57,600. They are only ever
-- derived: a flush that brings anything to an hour takes its mark away, and it is its minutes again until it is counted anew.

-- Hours that are counted, each with all of its components.
CREATE TABLE counted_hour (
  hour          bigint   NOT NULL, -- its start, nanoseconds
  shard         smallint NOT NULL, -- 0: one row a tenant and hour
  tenant_id     text     NOT NULL COLLATE "C",
  -- Query: which hours of a window are counted. Price: a look for each hour that a flush brings anything to, which finds nothing.
  PRIMARY KEY (tenant_id, hour, shard)
);

-- Of hours that are not counted what lies here means nothing.
CREATE TABLE component_hour (
  component_key bigint   NOT NULL,
  hour          bigint   NOT NULL,
  total         bigint   NOT NULL,
  errors        bigint   NOT NULL,
  critical      bigint   NOT NULL,
  shard         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  component_type text    NOT NULL,
  component_id  text     NOT NULL,
  -- Query: the hours of a window. Price: a row a component and hour, once.
  PRIMARY KEY (tenant_id, hour, component_key, shard)
);

ALTER TABLE counted_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE component_hour ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_tenant ON counted_hour FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON component_hour FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
