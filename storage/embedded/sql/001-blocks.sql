-- Blocks of OTLP records and the keys under which they are found. An id begins with the time of the block's newest record,
-- big-endian, so that the order of ids is the order of time.

CREATE TABLE block (
  block       INTEGER PRIMARY KEY, -- this file's own number, so that keys need no second look-up; never leaves it
  tenant      TEXT    NOT NULL,
  shard       INTEGER NOT NULL,
  day         TEXT    NOT NULL,    -- YYYY-MM-DD, the partition in which it is archived and dropped
  id          BLOB    NOT NULL,    -- 16 bytes
  width       INTEGER NOT NULL,    -- class of its time range, WIDTHS in blocks.ts: bounds how far behind its id it may begin
  time_min    INTEGER NOT NULL,    -- nanoseconds, clipped at 2^63 - 1; the block itself has it exactly
  records     INTEGER NOT NULL,
  -- The payload last: who reads the index walks over none of its pages.
  block_index BLOB    NOT NULL,
  payload     BLOB    NOT NULL
) STRICT;

-- Query: blocks of a tenant newest first, or around a moment; whether a block is there already.
-- Price: 50 bytes a block (512 records), in order of time: not to be seen in the commit.
CREATE UNIQUE INDEX block_by_time ON block (tenant, width, id, time_min);

-- Query: which days there are, what the archive copies, what dropping a day takes away. Price: 25 bytes a block, in order of time.
CREATE INDEX block_by_day ON block (day, tenant);

-- Query: the blocks of a correlation, trace, operation or component, newest first.
-- Price: 55 bytes and 2 µs a key of a block, the random b-tree of this schema; there are 0.1 to 0.5 keys a record.
CREATE TABLE block_key (
  tenant      TEXT    NOT NULL,
  key         INTEGER NOT NULL,    -- 64-bit hash, as signed
  width       INTEGER NOT NULL,
  id          BLOB    NOT NULL,
  time_min    INTEGER NOT NULL,
  block       INTEGER NOT NULL,
  PRIMARY KEY (tenant, key, width, id)
) STRICT, WITHOUT ROWID;

-- Up to where the entries of each journal are committed, written in the transaction that commits them.
CREATE TABLE ledger (
  journal     TEXT    PRIMARY KEY,
  position    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
