import { EventEmitter } from 'node:events';
import { type Context, context } from '@opentelemetry/api';

/**
 * From now on all listeners of an emitter run within a context, whoever adds them and whenever: Node calls them from the connection,
 * whose context is that of whatever opened it. One method is shadowed on the one object, where OpenTelemetry's `context.bind` shadows
 * eight and wraps every listener.
 *
 * @param before is told of every event first, outside of the context
 */
export function emitWithin(
  emitter: EventEmitter,
  ctx: Context,
  before?: (event: string | symbol, ...args: unknown[]) => void,
): void {
  const emit = emitter.emit;
  const isPlain = emit === EventEmitter.prototype.emit;
  emitter.emit = function (this: EventEmitter, event: string | symbol, ...args: unknown[]): boolean {
    before?.(event, ...args);
    // Most events of a request are heard by nobody. ('error' is one that Node throws then.)
    if (isPlain && event !== 'error' && this.listenerCount(event) === 0) return false;
    if (context.active() === ctx) return emit.call(this, event, ...args);
    return context.with(ctx, emit, this, event, ...args) as boolean;
  };
}
