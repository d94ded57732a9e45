-- What decides that a block cannot hold what is searched for, beside it and not in its index: a search through a day asks the filters of all
-- of its blocks, 2 to 4 kB each, and reads the index and the payload of those alone that may have something.

ALTER TABLE block
  ADD COLUMN texts bytea,      -- of messages, model/text-filter.ts; empty: it cannot say; null: of a version from before there were any
  ADD COLUMN attributes bytea; -- of pairs of key and value, model/attribute-filter.ts

-- Bits that look like chance: compressing them would only cost time.
ALTER TABLE block ALTER COLUMN texts SET STORAGE EXTERNAL, ALTER COLUMN attributes SET STORAGE EXTERNAL;

-- Query: blocks that may have errors of a component and no key that says so, since an older version wrote them. Price: nothing; it is
-- empty as soon as those have left.
CREATE INDEX block_older ON block (tenant_id, reach, block_id, day, shard) WHERE texts IS NULL;
