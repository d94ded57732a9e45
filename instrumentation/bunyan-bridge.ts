import { type Attributes, logs } from '@opentelemetry/api';
import { InstrumentationBase, InstrumentationNodeModuleDefinition } from '@opentelemetry/instrumentation';
import { printOnly } from './console-bridge.ts';
import { severityOf } from './logger-levels.ts';
import { linesAreBridged } from './other-instrumentations.ts';
import packageJson from './package.json' with { type: 'json' };
import { traceFields } from './trace-fields.ts';

/**
 * Sends what bunyan logs, and puts the trace ids into its lines. Every record of every logger and child passes `_emit` of the shared
 * prototype once, serialized as the app has said and before it is written to the streams, whichever these are.
 */
export class BunyanBridge extends InstrumentationBase {
  constructor() {
    super(packageJson.name, packageJson.version, {});
  }

  protected override init(): InstrumentationNodeModuleDefinition[] {
    const bridge = (exports: unknown): unknown => {
      const { prototype } = ((exports as { default?: Bunyan }).default ?? exports) as Bunyan;
      if (bridged.has(prototype)) return exports;
      bridged.add(prototype);
      linesAreBridged('bunyan');
      const emitted = prototype._emit;
      prototype._emit = function (record, noemit) {
        Object.assign(record, traceFields());
        if (!noemit) emit(record, this.constructor.nameFromLevel);
        return printOnly(() => emitted.call(this, record, noemit));
      };
      return exports;
    };
    return [new InstrumentationNodeModuleDefinition('bunyan', ['>=1 <2'], bridge)];
  }
}

interface Bunyan {
  prototype: {
    constructor: { nameFromLevel?: Record<number, string> };
    _emit(record: BunyanRecord, noemit?: boolean): unknown;
  };
}

interface BunyanRecord extends Record<string, unknown> {
  level: number;
  msg: string;
}

const bridged = new WeakSet<object>();

function emit(record: BunyanRecord, names: Record<number, string> | undefined): void {
  try {
    const { time, level, msg, err, v, hostname, pid, trace_id, span_id, trace_flags, ...attributes } = record;
    const { 'otel.event.name': eventName, ...said } = attributes;
    const severityText = names?.[level];
    logs.getLogger(packageJson.name, packageJson.version).emit({
      severityNumber: severityOf(level),
      body: msg,
      attributes: said as Attributes,
      ...(time instanceof Date ? { timestamp: time } : {}),
      ...(severityText === undefined ? {} : { severityText }),
      ...(typeof eventName === 'string' ? { eventName } : {}),
      ...(err === undefined ? {} : { exception: err }),
    });
  } catch {}
}
