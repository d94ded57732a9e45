import { format } from 'node:util';
import { type AnyValue, type Attributes, logs, SeverityNumber } from '@opentelemetry/api';
import { InstrumentationBase, InstrumentationNodeModuleDefinition } from '@opentelemetry/instrumentation';
import { anyValue } from './any-value.ts';
import { printOnly } from './console-bridge.ts';
import packageJson from './package.json' with { type: 'json' };

/**
 * Sends what Nest's own logger says: it writes to stdout and stderr past `console`, and it is where Nest tells of the exceptions that its
 * handlers throw. Every line passes `printMessages` of the shared prototype once, whatever its format. An app that has given Nest
 * another logger (pino, winston) does not come here.
 */
export class NestBridge extends InstrumentationBase {
  constructor() {
    super(packageJson.name, packageJson.version, {});
  }

  protected override init(): InstrumentationNodeModuleDefinition[] {
    const bridge = (exports: unknown): unknown => {
      const prototype = (exports as { ConsoleLogger?: { prototype: NestLogger } }).ConsoleLogger?.prototype;
      if (prototype === undefined || bridged.has(prototype)) return exports;
      bridged.add(prototype);
      const { printMessages } = prototype;
      prototype.printMessages = function (messages, context, level, stream, stack, params) {
        for (const message of messages) emit(this, message, { context, level, stream, stack, params });
        return printOnly(() => printMessages.call(this, messages, context, level, stream, stack, params));
      };
      return exports;
    };
    return [new InstrumentationNodeModuleDefinition('@nestjs/common', ['>=9 <13'], bridge)];
  }
}

/** `stack` since Nest 11, `params` and what redacts since Nest 12. */
interface NestLogger {
  printMessages(
    messages: unknown[],
    context?: string,
    level?: string,
    stream?: string,
    stack?: string,
    params?: object,
  ): unknown;
  redactor?: unknown;
  redact?(value: unknown): unknown;
}

interface Said {
  context: string | undefined;
  level: string | undefined;
  stream: string | undefined;
  stack: string | undefined;
  params: object | undefined;
}

const bridged = new WeakSet<object>();

const SEVERITY: Record<string, SeverityNumber> = {
  verbose: SeverityNumber.TRACE,
  debug: SeverityNumber.DEBUG,
  log: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
};

function emit(logger: NestLogger, message: unknown, { context, level = 'log', stream, stack, params }: Said): void {
  try {
    const shown = (value: unknown): unknown => (logger.redactor && logger.redact ? logger.redact(value) : value);
    const attributes: Attributes = { 'log.iostream': stream ?? 'stdout' };
    if (context) attributes.context = context;
    if (params !== undefined) Object.assign(attributes, anyValue(shown({ ...params })));
    const exception = message instanceof Error ? message : exceptionOf(stack);
    logs.getLogger(packageJson.name, packageJson.version).emit({
      severityNumber: SEVERITY[level] ?? SeverityNumber.INFO,
      severityText: level,
      body: bodyOf(message instanceof Error ? `${message.name}: ${message.message}` : shown(message)),
      attributes,
      ...(exception === undefined ? {} : { exception }),
    });
  } catch {}
}

function bodyOf(message: unknown): AnyValue {
  const isPlain = typeof message === 'object' && message !== null;
  return isPlain ? anyValue(message) : format('%s', message);
}

/** Of its printed form, which is all that `error(message, stack)` is given. */
function exceptionOf(stack: string | undefined): unknown {
  const [, name, message] = /^(\w+)(?:: (.*))?/.exec(stack ?? '') ?? [];
  return name === undefined ? undefined : { name, message, stack };
}
