import { expect, test } from 'vitest';
import * as ws from 'ws';
import { framesOf, textMessage } from './frame.ts';

// What its clients read frames with, which its types leave out.
const { Receiver } = ws as unknown as { Receiver: new (options: object) => NodeJS.WritableStream };

test.each([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])('%i bytes are one message to a client', async (bytes) => {
  const text = 'ü'.repeat(Math.floor(bytes / 2)) + 'x'.repeat(bytes % 2);
  const heard: string[] = [];
  const receiver = new Receiver({ isServer: false, maxPayload: 1 << 20 });
  receiver.on('message', (data: Buffer, isBinary: boolean) => heard.push(`${isBinary}${data}`));
  const whole = Buffer.from(text);
  const half = 2 * Math.floor(bytes / 4);
  const messages = [
    textMessage(whole.subarray(0, half), whole.subarray(half)),
    textMessage(Buffer.from('next')),
    textMessage(whole),
  ];
  const frames = framesOf(messages);
  expect(frames.length).toBe(messages.reduce((sum, { length }) => sum + length, 0));
  receiver.write(frames);
  await new Promise(setImmediate);
  expect(heard).toEqual([`false${text}`, 'falsenext', `false${text}`]);
});
