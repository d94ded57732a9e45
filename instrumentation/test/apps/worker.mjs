import { fork } from 'node:child_process';
import { isMainThread, Worker } from 'node:worker_threads';

if (process.argv[2] === 'child') console.log('from the child process');
else if (isMainThread) {
  console.log('from the main thread');
  new Worker(new URL(import.meta.url));
  fork(new URL(import.meta.url), ['child']);
} else console.log('from the worker');
