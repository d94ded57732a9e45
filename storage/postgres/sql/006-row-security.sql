-- The second wall between tenants: whoever reads these tables and does not own them sees the rows of one tenant, the one of the
-- transaction's setting, and none where there is no such setting. Their owner writes by COPY, which the server refuses under policies:
-- so policies do not bind the owner (no FORCE), and reads go as another role (row-security.ts). Partitions are read through their
-- tables alone: nobody but the owner has a right to one.

ALTER TABLE block ENABLE ROW LEVEL SECURITY;
ALTER TABLE block_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE component_minute ENABLE ROW LEVEL SECURITY;
ALTER TABLE template_minute ENABLE ROW LEVEL SECURITY;
ALTER TABLE template ENABLE ROW LEVEL SECURITY;
ALTER TABLE trace_correlation ENABLE ROW LEVEL SECURITY;
ALTER TABLE snapshot ENABLE ROW LEVEL SECURITY;
ALTER TABLE insight ENABLE ROW LEVEL SECURITY;
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE received_request ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_tenant ON block FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON block_key FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON component_minute FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON template_minute FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON template FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON trace_correlation FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON snapshot FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON insight FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON session FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
CREATE POLICY own_tenant ON received_request FOR SELECT USING (tenant_id = current_setting('ai_debug.tenant', true));
