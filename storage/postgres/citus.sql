-- Spreads the warm tier over the workers of a Citus cluster. Run once, by hand, on the coordinator, after the first start of ai-debug has
-- made the schema and before there is much in it (existing rows are moved, which locks each table meanwhile):
--
--   psql "$DEBUG_PG_URL" -f storage/postgres/citus.sql
--
-- Every table is distributed by `shard` (0 to 1023), which is in each of its keys, so that nothing has to change: no unique index,
-- foreign key or sequence reaches over two shards. Rows that are read together have the same shard: a component's minutes, states and
-- resources by the component, a trace's correlation by the trace. Partitions of a day are spread with their table, also those that are made later.
-- What names no shard in its condition asks all workers at once: lists, and blocks by time or key.

CREATE EXTENSION IF NOT EXISTS citus;

-- Small, the same on every worker: what each commit, merge and lease looks at.
SELECT create_reference_table('ai_debug.migration');
SELECT create_reference_table('ai_debug.ledger');
SELECT create_reference_table('ai_debug.lease');
SELECT create_reference_table('ai_debug.block_version');

SELECT create_distributed_table('ai_debug.block', 'shard');
SELECT create_distributed_table('ai_debug.block_key', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.component_minute', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.component_hour', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.template_hour', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.edge_hour', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.counted_hour', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.template_minute', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.edge_minute', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.template', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.trace_correlation', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.snapshot', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.resource', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.insight', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.session', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.received_request', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.tenant_commit', 'shard', colocate_with => 'ai_debug.block');
SELECT create_distributed_table('ai_debug.committed_block', 'shard', colocate_with => 'ai_debug.block');
