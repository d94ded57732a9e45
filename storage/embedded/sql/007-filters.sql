-- What decides that a block cannot hold what is searched for, beside it and not in its index: a search through a day asks the filters of all
-- of its blocks, 2 to 4 kB each, and reads the index and the payload of those alone that may have something.

CREATE TABLE block_filter (
  block       INTEGER PRIMARY KEY,
  id          BLOB    NOT NULL, -- of the block: its number may be given again
  texts       BLOB    NOT NULL, -- of messages, model/text-filter.ts; empty: it cannot say
  attributes  BLOB    NOT NULL  -- of pairs of key and value, model/attribute-filter.ts
) STRICT;

-- Blocks from before components with errors had a key of their own are found by this one. Price: nothing; no block gets it any more.
INSERT INTO block_key (tenant, key, width, id, time_min, block) SELECT tenant, 0, width, id, time_min, block FROM block;
