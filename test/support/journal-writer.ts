/**
 * Writes to a journal until it is killed, and says on stdout which entries were acknowledged: `<sequence>\n` each, after the
 * append resolved. Started by the tests that kill it: `node journal-writer.ts <directory> <first sequence> <segment bytes>`.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createJournal } from '../../receiver/journal.ts';

/** Known from the sequence alone, of sizes from none to some pages. */
export function bodyOf(sequence: number): Uint8Array {
  return Buffer.alloc((sequence * 7919) % 20_000, `${sequence},`);
}

async function main(directory: string, first: number, segmentBytes: number): Promise<void> {
  const journal = createJournal({
    directory,
    bytesMax: 1 << 30,
    segmentBytes,
    memoryBytesMax: 0,
    clock: systemClock(),
    log: createLogger('silent'),
    meter: createMeter(),
  });
  await journal.start();
  let next = first;
  const write = async (): Promise<never> => {
    for (;;) {
      const sequence = next++;
      const body = bodyOf(sequence);
      await journal.append({ signal: 'log', tenant: 't', receivedAt: BigInt(sequence), body, index: null });
      writeSync(1, `${sequence}\n`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, write));
}

const CONCURRENCY = 8;

if (import.meta.main) await main(process.argv[2]!, Number(process.argv[3]), Number(process.argv[4]));
