-- Blocks of OTLP records and the keys under which they are found, one partition of each per day, made ahead and dropped whole
-- (partitions.ts). A block's id begins with the time of its newest record, so that the order of ids is newest first.
-- shard (0 to 1023) is in every key, so that `create_distributed_table(…, 'shard')` is all that Citus needs.

CREATE TABLE block (
  time_min      bigint   NOT NULL, -- nanoseconds, clipped at 2^63 - 1 (year 2262); the block itself has them exactly
  block_id      uuid     NOT NULL,
  day           date     NOT NULL,
  shard         smallint NOT NULL,
  reach         smallint NOT NULL, -- class of its time range, REACHES in blocks.ts: how far before its id's time it may begin
  tenant_id     text     NOT NULL COLLATE "C",
  block_index   bytea    NOT NULL,
  payload       bytea    NOT NULL,
  -- Query: blocks of a tenant newest first, or around a moment; whether a block is there already; a block's payload.
  -- Price: nothing to be seen in an event, one entry in order of time for each block of 512.
  PRIMARY KEY (tenant_id, reach, block_id, day, shard)
) PARTITION BY RANGE (day);

-- Both are zstd already: PostgreSQL's own compression would only cost time.
ALTER TABLE block ALTER COLUMN block_index SET STORAGE EXTERNAL, ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE TABLE block_key (
  key           bigint   NOT NULL, -- hash of a correlation, trace, operation or component: a third the size of the text
  block_id      uuid     NOT NULL,
  day           date     NOT NULL,
  shard         smallint NOT NULL,
  reach         smallint NOT NULL,
  tenant_id     text     NOT NULL COLLATE "C",
  -- Query: the blocks of a correlation, trace, operation or component, newest first, or around a moment.
  -- Price: 2 to 5 µs a key row (a b-tree on a random key), 0.1 to 0.5 key rows an event.
  PRIMARY KEY (tenant_id, key, reach, block_id, day, shard)
) PARTITION BY RANGE (day);

-- Up to where the entries of each receiver's journal are committed. Written in the same transaction as what it counts.
CREATE TABLE ledger (
  journal       text     NOT NULL COLLATE "C" PRIMARY KEY,
  position      bigint   NOT NULL
);
