/** Which statement of a question took longest, and how PostgreSQL ran it: what stands behind an answer that misses its goal. */
import pg from 'pg';

export interface Statement {
  text: string;
  values: unknown[];
  ms: number;
}

/** Watches every query of this process. @returns what hands out the slowest since it was last asked */
export function watchStatements(): () => Statement | null {
  let slowest: Statement | null = null;
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function watched(this: pg.Client, ...parameters: unknown[]) {
    const begin = performance.now();
    const [asked, values] = parameters as [string | Partial<Statement>, unknown];
    const statement = typeof asked === 'string' ? { text: asked, values } : asked;
    const note = () => {
      const ms = performance.now() - begin;
      if (statement.text === undefined || ms <= (slowest?.ms ?? 0)) return;
      slowest = { text: statement.text, values: Array.isArray(statement.values) ? statement.values : [], ms };
    };
    // A pool asks with a callback, whatever it asks.
    const callback = parameters.findIndex((parameter) => typeof parameter === 'function');
    if (callback >= 0) {
      const told = parameters[callback] as (...results: unknown[]) => void;
      parameters[callback] = (...results: unknown[]) => {
        note();
        told(...results);
      };
    }
    return Reflect.apply(query, this, parameters);
  } as typeof query;
  return () => {
    const found = slowest;
    slowest = null;
    return found;
  };
}

export async function planOf(client: pg.Client, { text, values }: Statement): Promise<string> {
  const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) ${text}`, values);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}
