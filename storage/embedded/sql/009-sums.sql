-- Hours of templates and of calls, counted as those of components are (008-hours.sql), under the same mark.

-- What was marked before has no such hours: it is counted again.
DELETE FROM counted_hour;

-- Of hours that are not counted what lies here means nothing, as in component_hour.
-- Query: the errors of an hour, or all of it. Price: one or two rows a template, component and hour, once.
CREATE TABLE template_hour (
  tenant         TEXT    NOT NULL,
  hour           INTEGER NOT NULL,
  with_errors    INTEGER NOT NULL, -- 1: the sum of minutes that have an error; 0: of those that have none
  template_id    TEXT    NOT NULL,
  component_key  INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  count          INTEGER NOT NULL,
  severity_max   INTEGER NOT NULL,
  first_time     INTEGER NOT NULL,
  last_time      INTEGER NOT NULL,
  example_event_id TEXT  NOT NULL,
  PRIMARY KEY (tenant, hour, with_errors, template_id, component_key)
) STRICT, WITHOUT ROWID;

-- Query: the hours of a window. Price: a row an edge and hour, once.
CREATE TABLE edge_hour (
  tenant         TEXT    NOT NULL,
  hour           INTEGER NOT NULL,
  edge_key       INTEGER NOT NULL,
  kind           TEXT    NOT NULL,
  from_type      TEXT    NOT NULL,
  from_id        TEXT    NOT NULL,
  to_type        TEXT    NOT NULL,
  to_id          TEXT    NOT NULL,
  calls          INTEGER NOT NULL,
  errors         INTEGER NOT NULL,
  latency        BLOB    NOT NULL, -- model/sketch.ts
  PRIMARY KEY (tenant, hour, edge_key)
) STRICT, WITHOUT ROWID;

-- Of errors, those that no template tells of (model/rollup.ts): where there are none, no block is looked into for them. Null: not known.
ALTER TABLE component_minute ADD COLUMN untold INTEGER;
ALTER TABLE component_hour ADD COLUMN untold INTEGER;
