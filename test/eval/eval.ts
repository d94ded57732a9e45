/**
 * Measures the insight engine on labelled data that is no part of the project:
 *
 *   npm run eval -- [NAME…] --data FOLDER [--predictions FOLDER] [--json FILE] [--demo-minutes N] [--stress]
 *
 * Without a name every evaluation runs. Exit code 2 when the data is absent or the arguments make no sense.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { evaluateAnomalies } from './anomalies.ts';
import { evaluateAsk } from './ask.ts';
import { type Evaluation, NoData } from './evaluation.ts';
import { evaluateQuiet } from './quiet.ts';
import { evaluateRca } from './rca.ts';
import { evaluateTemplates } from './templates.ts';
import { evaluateTokens } from './tokens.ts';

const EVALUATIONS: Record<string, Evaluation> = {
  templates: evaluateTemplates,
  rca: evaluateRca,
  quiet: evaluateQuiet,
  anomalies: evaluateAnomalies,
  tokens: evaluateTokens,
  ask: evaluateAsk,
};

const { values: args, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    predictions: { type: 'string' },
    json: { type: 'string' },
    'demo-minutes': { type: 'string', default: '0' },
    stress: { type: 'boolean', default: false },
  },
});
const names = positionals.length === 0 ? Object.keys(EVALUATIONS) : positionals;
const demoMinutes = Number(args['demo-minutes']);
if (!(demoMinutes >= 0)) {
  console.error('--demo-minutes is a number of minutes');
  process.exit(2);
}
const unknown = names.filter((name) => EVALUATIONS[name] === undefined);
/** They make their own data. */
const WITHOUT_DATA = new Set(['tokens', 'ask', ...(demoMinutes > 0 ? ['quiet'] : [])]);
if (unknown.length > 0 || (args.data === undefined && names.some((name) => !WITHOUT_DATA.has(name)))) {
  const reason = unknown.length > 0 ? `no evaluation is called ${unknown.join(', ')}` : '--data FOLDER is missing';
  console.error(`${reason}; usage: eval [${Object.keys(EVALUATIONS).join('|')}…] --data FOLDER`);
  process.exit(2);
}

const figures: Record<string, unknown> = {};
for (const name of names) {
  console.log(`== ${name}`);
  try {
    figures[name] = await EVALUATIONS[name]!({
      data: args.data ?? '',
      predictions: args.predictions === undefined ? null : join(args.predictions, name),
      demoMinutes,
      stress: args.stress,
      print: (line) => console.log(line),
    });
  } catch (error) {
    if (!(error instanceof NoData)) throw error;
    console.error(`${name}: ${error.message}`);
    process.exitCode = 2;
  }
}
if (args.json !== undefined) {
  mkdirSync(dirname(args.json), { recursive: true });
  writeFileSync(args.json, `${JSON.stringify(figures, null, 2)}\n`);
}
