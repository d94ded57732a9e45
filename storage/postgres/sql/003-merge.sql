-- Small blocks of quiet hours are merged. A reader sees the blocks of one version from its first to its last, so that no merge ever
-- hides a record from it or shows it twice: what a merge replaces stays for those who began before it, and goes a little later.

-- One row: the version of all that was merged so far, in nanoseconds of the clock and always growing; and the one before which
-- what was replaced is gone, so that a reader of an older one learns that it took too long.
CREATE TABLE block_version (
  version       bigint   NOT NULL,
  forgotten     bigint   NOT NULL
);
INSERT INTO block_version VALUES (0, 0);

ALTER TABLE block
  ADD COLUMN merged_at bigint NOT NULL DEFAULT 0, -- the versions that see it: from this one on
  ADD COLUMN replaced_at bigint NOT NULL DEFAULT 9223372036854775807, -- and below this one
  ADD COLUMN records smallint NOT NULL DEFAULT 0; -- 0 where nobody counted: of blocks as they were committed

-- Query: what is to be merged of a day; what was replaced and may go. Price: 2 µs a block below 32 kB; larger ones are not in it.
CREATE INDEX block_small ON block (tenant_id, day, shard, block_id)
  WHERE octet_length(payload) < 32768 AND records < 1024;

-- Who may do what one process at a time should: merge, archive. Also what a restored day is kept by.
CREATE TABLE lease (
  name          text     NOT NULL COLLATE "C" PRIMARY KEY,
  holder        text     NOT NULL,
  expires_at    timestamptz NOT NULL
);
