-- A component may have several states, each with a name (debug.state.name): what is said of one is not about another.
ALTER TABLE snapshot ADD COLUMN state_name TEXT;

-- Error patterns of a window, without reading what is said in it besides.
CREATE INDEX template_minute_errors ON template_minute (tenant, minute) WHERE severity_max >= 17;
