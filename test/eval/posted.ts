/** Events as applications post them, told by who said what how long ago. */
import { formatNanos } from '../../model/time.ts';
import type { PostedEvent } from '../../query/records.ts';

export function telling(nowMs: number) {
  const events: PostedEvent[] = [];
  const tell = (
    minutesAgo: number,
    type: string,
    id: string,
    level: PostedEvent['level'],
    message: string,
    more: Partial<PostedEvent> = {},
  ) =>
    events.push({
      event_type: level === 'ERROR' ? 'error' : 'log',
      component_type: type,
      component_id: id,
      correlation_id: `${id}-run-${Math.floor(minutesAgo / 5)}`,
      level,
      message,
      timestamp: formatNanos(BigInt(Math.round(nowMs - minutesAgo * 60_000)) * 1_000_000n),
      ...more,
    });
  /** What a step of an operation reports. */
  const step = (operation_id: string, data: Record<string, string | number>) => ({ operation_id, data });
  return { events, tell, step };
}
