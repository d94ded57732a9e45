/**
 * npm run fuzz -- [--seconds N] [--runs N] [--seed S] [--json FILE]
 *
 * Millions of requests that are valid, nearly valid or not at all, against the receiver's whole way. Ends with exit code 1 and the seed
 * that repeats it where a property does not hold, or where one input holds the event loop longer than 100 ms.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type FuzzReport, runFuzz } from './run.ts';

const HELD_MS_MAX = 100;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'string' },
  },
});
const given = (text: string | undefined) => (text === undefined ? undefined : Number(text));
const runs = given(values.runs);
const startMs = performance.now();

try {
  const report = await runFuzz({
    seed: given(values.seed) ?? Math.floor(Math.random() * 2 ** 32),
    runs: runs ?? Infinity,
    seconds: given(values.seconds) ?? (runs === undefined ? 60 : Infinity),
    socketEvery: 10,
    progress: (report) => {
      if (report.runs % 10_000 === 9_999) console.error(summary(report));
    },
  });
  console.log(summary(report));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  // CPU time: what other processes do to the clock is no property of ours.
  if (report.inputMsMax > HELD_MS_MAX) {
    console.error(`one input held the event loop for ${report.inputMsMax.toFixed(0)} ms, more than ${HELD_MS_MAX}`);
    process.exitCode = 1;
  }
} catch (error) {
  console.error((error as Error).stack, '\n', (error as Error).cause);
  process.exitCode = 1;
}

function summary({
  seed,
  runs,
  inputs,
  refused,
  events,
  undecodable,
  sent,
  inputMsMax,
  loopMsMax,
}: FuzzReport): string {
  const answers = Object.entries(sent).map(([status, count]) => `${count} × ${status}`);
  return [
    `seed ${seed}: ${runs} runs, ${inputs} inputs in ${((performance.now() - startMs) / 1000).toFixed(0)} s`,
    `${refused} refused, ${events} events read back, ${undecodable} of them broken inside`,
    `over sockets ${answers.join(', ')}`,
    `longest input ${inputMsMax.toFixed(1)} ms, loop delayed at most ${loopMsMax.toFixed(1)} ms`,
  ].join('; ');
}
