/** The client: a key, a base URL, and what can be done with them. */

import { Sms } from './sms.js';
import { Transport, type TransactionalOptions } from './transport.js';

/**
 * A client of one organization. It holds no connection that needs closing, and may be shared.
 *
 * ```ts
 * const client = new Transactional({ apiKey: process.env.SMSLEDGER_KEY, baseUrl: 'http://127.0.0.1:8080/v1' });
 * await client.sms.send({ to: '+14155551234', templateAlias: 'otp-verification', templateModel: { code: '1' } });
 * ```
 */
export class Transactional {
  readonly sms: Sms;
  readonly #transport: Transport;

  /** Throws TypeError where there is no API key or the base URL is not one. */
  constructor(options: TransactionalOptions) {
    this.#transport = new Transport(options);
    this.sms = new Sms(this.#transport);
  }

  /** How far in the ledger this client has seen; for the option `position` of lists. */
  get position(): number {
    return this.#transport.position;
  }
}
