/**
 * A read with settings of its own: as the role that sees one tenant, or of a statement that the connection keeps planned. They are set by
 * a statement before, which travels in the same message and runs in the same transaction as what is asked. So it costs no way to the
 * server and back, and leaves nothing on the connection: the next read may be another tenant's, and a pooler between us may give the next
 * transaction another connection.
 */
import pg from 'pg';

export const READER = 'ai_debug_reader';

/** What `pg` calls of a query and its types do not have. */
const Query = pg.Query as unknown as new (
  config: pg.QueryConfig & { queryMode: 'extended'; name?: string },
) => {
  submit(connection: pg.Connection): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: pg.Connection): void;
};

export interface ReadSettings {
  /** Absent: as the owner, who sees all. */
  asReaderOf?: string;
  /**
   * Under which the connection keeps the statement, planned for any values: over the partitions of eleven days planning takes 3 to 30 ms
   * and running 1. Absent: it is planned for these values alone.
   */
  name?: string;
}

/** For {@link pg.Pool.query}. */
export class SettingQuery extends Query {
  readonly #settings: ReadSettings;
  #isSet = false;

  constructor(text: string, values: unknown[], settings: ReadSettings) {
    // Also without values: a text of the simple protocol would be a transaction of its own.
    super({ text, values, queryMode: 'extended', ...(settings.name !== undefined && { name: settings.name }) });
    this.#settings = settings;
  }

  override submit(connection: pg.Connection): void {
    const { asReaderOf, name } = this.#settings;
    const settings = [...(asReaderOf === undefined ? [] : AS_READER), ...(name === undefined ? [] : FOR_ANY_VALUES)];
    connection.stream.cork();
    try {
      connection.parse({ name: '', text: `SELECT ${settings.join(', ')}`, types: [] }, true);
      connection.bind({ portal: '', statement: '', values: asReaderOf === undefined ? [] : [asReaderOf] }, true);
      connection.execute({ portal: '' }, true);
      super.submit(connection);
    } finally {
      connection.stream.uncork();
    }
  }

  /** What the first statement answers is for nobody. */
  override handleDataRow(message: unknown): void {
    if (this.#isSet) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: pg.Connection): void {
    if (this.#isSet) super.handleCommandComplete(message, connection);
    this.#isSet = true;
  }
}

// Until the transaction ends, which is with the statement behind it.
const AS_READER = [`set_config('role', '${READER}', true)`, `set_config('ai_debug.tenant', $1, true)`];
const FOR_ANY_VALUES = [`set_config('plan_cache_mode', 'force_generic_plan', true)`];
