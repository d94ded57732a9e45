-- Who speaks, and what it says of itself: a resource's attributes by their content, once for each component that spoke with them.
CREATE TABLE resource (
  resource       INTEGER PRIMARY KEY,
  tenant         TEXT    NOT NULL,
  component_key  INTEGER NOT NULL,
  hash           TEXT    NOT NULL, -- of the attributes: every process gives them the same
  first_time     INTEGER NOT NULL, -- nanoseconds; both are only ever widened
  last_time      INTEGER NOT NULL,
  component_type TEXT    NOT NULL,
  component_id   TEXT    NOT NULL,
  attributes     TEXT    NOT NULL  -- JSON
) STRICT;

-- Query: a component's resources; a flush widens the times. Price: a look a resource and minute.
CREATE UNIQUE INDEX resource_by_component ON resource (tenant, component_key, hash);
