import { expect, test } from 'vitest';
import * as ws from 'ws';
import { textFrame } from './frame.ts';

// What its clients read frames with, which its types leave out.
const { Receiver } = ws as unknown as { Receiver: new (options: object) => NodeJS.WritableStream };

test.each([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])('%i bytes are one message to a client', async (bytes) => {
  const text = 'ü'.repeat(Math.floor(bytes / 2)) + 'x'.repeat(bytes % 2);
  const heard: string[] = [];
  const receiver = new Receiver({ isServer: false, maxPayload: 1 << 20 });
  receiver.on('message', (data: Buffer, isBinary: boolean) => heard.push(`${isBinary}${data}`));
  receiver.write(textFrame(text));
  receiver.write(textFrame('next'));
  await new Promise(setImmediate);
  expect(heard).toEqual([`false${text}`, 'falsenext']);
});
