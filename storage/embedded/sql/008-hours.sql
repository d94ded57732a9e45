-- Minutes of an hour that has ended, added up for each component: a day of forty components is 960 rows and not 57,600. They are only ever
-- derived: a flush that brings anything to an hour takes its mark away, and it is its minutes again until it is counted anew.

-- Hours that are counted, each with all of its components.
CREATE TABLE counted_hour (
  tenant         TEXT    NOT NULL,
  hour           INTEGER NOT NULL, -- its start, nanoseconds
  PRIMARY KEY (tenant, hour)
) STRICT, WITHOUT ROWID;

-- Of hours that are not counted what lies here means nothing.
CREATE TABLE component_hour (
  tenant         TEXT    NOT NULL,
  hour           INTEGER NOT NULL,
  component_key  INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  total          INTEGER NOT NULL,
  errors         INTEGER NOT NULL,
  critical       INTEGER NOT NULL,
  PRIMARY KEY (tenant, hour, component_key)
) STRICT, WITHOUT ROWID;
