/** placeholder while the lead writes it */
import type { Signal } from '../model/block.ts';
/** OTLP/JSON request body to its protobuf twin. @throws DebugError MALFORMED with what was wrong and where */
export declare function jsonToProtobuf(signal: Signal, body: Uint8Array): Uint8Array;
