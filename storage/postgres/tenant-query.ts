/**
 * A read as the role that sees one tenant. Role and tenant are set by a statement of its own, which travels in the same message and
 * runs in the same transaction as what is asked. So it costs no way to the server and back, and leaves nothing on the connection: the
 * next read may be another tenant's, and a pooler between us may give the next transaction another connection.
 */
import pg from 'pg';

export const READER = 'ai_debug_reader';

/** What `pg` calls of a query and its types do not have. */
const Query = pg.Query as unknown as new (
  config: pg.QueryConfig & { queryMode: 'extended' },
) => {
  submit(connection: pg.Connection): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: pg.Connection): void;
};

/** For {@link pg.Pool.query}. */
export class TenantQuery extends Query {
  readonly #tenant: string;
  #isReader = false;

  constructor(tenant: string, text: string, values: unknown[]) {
    // Also without values: a text of the simple protocol would be a transaction of its own.
    super({ text, values, queryMode: 'extended' });
    this.#tenant = tenant;
  }

  override submit(connection: pg.Connection): void {
    connection.stream.cork();
    try {
      connection.parse({ name: '', text: AS_READER, types: [] }, true);
      connection.bind({ portal: '', statement: '', values: [this.#tenant] }, true);
      connection.execute({ portal: '' }, true);
      super.submit(connection);
    } finally {
      connection.stream.uncork();
    }
  }

  /** What the first statement answers is for nobody. */
  override handleDataRow(message: unknown): void {
    if (this.#isReader) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: pg.Connection): void {
    if (this.#isReader) super.handleCommandComplete(message, connection);
    this.#isReader = true;
  }
}

// Until the transaction ends, which is with the statement behind it.
const AS_READER = `SELECT set_config('role', '${READER}', true), set_config('ai_debug.tenant', $1, true)`;
