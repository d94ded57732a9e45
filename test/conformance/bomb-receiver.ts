/** A receiver in a process of its own, so that what a bomb costs can be told from what a test runner does. Its parent asks for the peak by a line. */
import { createInterface } from 'node:readline';
import { startReceiver } from '../support/receiver.ts';

const receiver = await startReceiver({ requestBytesMax: 64 << 20 });
const peakBytes = () => process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ http: receiver.http, peakBytes: peakBytes() })}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  const entries = await receiver.journalled();
  const last = entries.at(-1);
  if (last !== undefined) await receiver.journal.release(last.position);
  process.stdout.write(`${JSON.stringify({ peakBytes: peakBytes() })}\n`);
}
await receiver.stop();
