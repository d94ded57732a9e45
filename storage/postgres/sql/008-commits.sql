-- What receivers tell each other: the commits of a tenant in their order, and the blocks that each brought. A receiver that commits hears
-- first what others did since its last look, so that a record that came to two of them is stored and counted once, in whatever company.

-- The last commit of each tenant. Its row is what two receivers wait for: none of them commits what it has not compared with the other's.
CREATE TABLE tenant_commit (
  commit        bigint   NOT NULL,
  shard         smallint NOT NULL, -- 0: one row a tenant
  tenant_id     text     NOT NULL COLLATE "C",
  PRIMARY KEY (tenant_id, shard)
);

-- The blocks of the last hour's commits.
CREATE TABLE committed_block (
  commit        bigint   NOT NULL,
  committed_at  bigint   NOT NULL, -- nanoseconds
  block_id      uuid     NOT NULL,
  day           date     NOT NULL,
  shard         smallint NOT NULL,
  reach         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  journal       text     NOT NULL COLLATE "C",
  -- Query: the commits behind the last look. Price: a row a block, in order of time.
  PRIMARY KEY (tenant_id, commit, block_id, shard)
);

-- Query: what may be forgotten. Price: nothing to be seen.
CREATE INDEX committed_block_by_time ON committed_block USING brin (committed_at);

ALTER TABLE tenant_commit ENABLE ROW LEVEL SECURITY;
ALTER TABLE committed_block ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_tenant ON tenant_commit FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON committed_block FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
