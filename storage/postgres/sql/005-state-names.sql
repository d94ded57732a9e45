-- A component may have several states, each with a name (debug.state.name): what is said of one is not about another.
ALTER TABLE snapshot ADD COLUMN state_name text;

-- Query: error patterns of a window, without reading what is said in it besides. Price: 1.5 µs a template and minute with an error.
CREATE INDEX template_minute_errors ON template_minute (tenant_id, minute) WHERE severity_max >= 17;
