import * as nodeModule from 'node:module';
import type { Instrumentation } from '@opentelemetry/instrumentation';
import { register, supportsSyncHooks } from 'import-in-the-middle/register-hooks.mjs';

/**
 * Lets the instrumentations see ES modules that the app imports; CommonJS ones they hook by themselves. Only modules that
 * somebody instruments are intercepted: every other import keeps its speed and its line numbers.
 */
export function hookImports(instrumentations: Instrumentation[]): void {
  const include = [...new Set(instrumentations.flatMap(instrumentedPackages))];
  if (include.length === 0) return;
  if (supportsSyncHooks()) {
    register({ include });
    return;
  }
  // Node 22.15 to 22.22.2 and 24.0 to 24.11.0 need the loader thread. Started from `--require` it breaks the app's start,
  // so the CommonJS twin, which has no `import.meta.filename`, watches only what is required there.
  if (import.meta.filename === undefined) return;
  nodeModule.register('import-in-the-middle/hook.mjs', import.meta.url, { data: { include } });
}

function instrumentedPackages(instrumentation: Instrumentation): string[] {
  const definitions = (instrumentation as { getModuleDefinitions?: () => { name: string }[] }).getModuleDefinitions?.();
  return (definitions ?? []).map(({ name }) => name).filter((name) => !nodeModule.isBuiltin(name));
}
