#!/usr/bin/env node
/**
 * The command. Any Node from 12.20 on can parse this file. One that lacks what the server needs hands over to the Node that npm
 * installed beside it: packages per platform, so that no install script has to run.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as zlib from 'node:zlib';

// Of all that the server takes from Node, zstd came last: 22.15 and 23.8.
const isNewEnough = 'zstdDecompressSync' in zlib;
// npx leaves us behind when it is told to end.
if (process.env.npm_command !== undefined) import('../dist/commands/end-with-parent.js');
if (isNewEnough) import('../dist/cli.js');
else handOver();

function handOver() {
  const node = packagedNode();
  if (node === undefined || process.env.AI_DEBUG_HANDED_OVER) {
    console.error(
      [
        `ai-debug needs Node 22.15 or newer; this is ${process.version} and npm installed no other beside it.`,
        'Install a newer Node, or install this package again without --omit=optional or --no-optional.',
      ].join('\n'),
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, AI_DEBUG_HANDED_OVER: '1' },
  });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to both of us; said twice it would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`ai-debug could not start ${node}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? code : 128 + constants.signals[signal];
  });
}

/** The runtime among our optional dependencies that fits this machine. */
function packagedNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const prefix = platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`${prefix}-${platform}-${process.arch}/package.json`);
    return join(dirname(manifest), require(manifest).bin.node);
  } catch {
    return undefined;
  }
}
