-- Small blocks of quiet hours are merged. A reader sees the blocks of one version from its first to its last, so that no merge ever
-- hides a record from it or shows it twice: what a merge replaces stays for those who began before it, and goes a little later.

-- One row: the version of all that was merged so far, in nanoseconds of the clock and always growing; and the one before which
-- what was replaced is gone, so that a reader of an older one learns that it took too long.
CREATE TABLE block_version (
  version       INTEGER NOT NULL,
  forgotten     INTEGER NOT NULL
) STRICT;
INSERT INTO block_version VALUES (0, 0);

-- Blocks that not every reader may see: those merged and those replaced within the last minutes. The others are in no row here.
CREATE TABLE block_change (
  block         INTEGER PRIMARY KEY,
  visible_from  INTEGER NOT NULL, -- versions: from this one on, and below that one
  visible_until INTEGER NOT NULL
) STRICT;

-- Query: what is to be merged of a day. Price: 40 bytes and 2 µs a block of fewer than 1,024 records; larger ones are not in it.
CREATE INDEX block_small ON block (tenant, day, shard, id) WHERE records < 1024;

-- Who may do what one process at a time should: merge, archive. Also what a restored day is kept by.
CREATE TABLE lease (
  name          TEXT    PRIMARY KEY,
  holder        TEXT    NOT NULL,
  expires_at    INTEGER NOT NULL -- nanoseconds
) STRICT, WITHOUT ROWID;
