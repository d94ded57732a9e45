/**
 * Put by `build.ts` in the place of the global timers for all that is bundled into `register`. The SDK's retries and
 * export deadlines hold the event loop: an app whose receiver is away would linger up to ten seconds after its work is
 * done. A timer of ours is never a reason to stay alive.
 */
function unrefSetTimeout(...args: Parameters<typeof globalThis.setTimeout>): NodeJS.Timeout {
  return globalThis.setTimeout(...args).unref();
}

function unrefSetInterval(...args: Parameters<typeof globalThis.setInterval>): NodeJS.Timeout {
  return globalThis.setInterval(...args).unref();
}

export { unrefSetInterval as setInterval, unrefSetTimeout as setTimeout };
