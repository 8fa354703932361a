/** `client.sms.suppressions`: numbers that nothing may be sent to. Needs a SERVER key. */

import { entriesOf } from './pages.js';
import type { RequestOptions, Transport } from './transport.js';
import type {
  AddSuppressionParams,
  PageParams,
  Suppression,
  SuppressionHistory,
  SuppressionList,
  SuppressionState,
} from './types.js';

const PATH = ['sms', 'suppressions'];

export class Suppressions {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** One page, newest first. */
  list(params: PageParams = {}, options?: RequestOptions): Promise<SuppressionList> {
    return this.#transport.call({ method: 'GET', path: PATH, query: params, options });
  }

  /** All of them, newest first; `count` is the size of a page. */
  iterate(params: Omit<PageParams, 'offset' | 'cursor'> = {}, options?: RequestOptions) {
    return entriesOf<SuppressionList, Suppression>(
      (cursor) => this.list({ ...params, cursor }, options),
      (page) => page.suppressions,
    );
  }

  /** Whether the number is suppressed for any sender; `get` says why. */
  async check(phoneNumber: string, options?: RequestOptions): Promise<boolean> {
    return (await this.get(phoneNumber, options)).suppressed;
  }

  /** Whether and why, for which senders, and since when. */
  get(phoneNumber: string, options?: RequestOptions): Promise<SuppressionState> {
    return this.#transport.call({ method: 'GET', path: [...PATH, phoneNumber], options });
  }

  /** Suppresses a number for every sender. One that is there already is answered as it is. */
  add(params: AddSuppressionParams, options?: RequestOptions): Promise<Suppression> {
    return this.#transport.call({ method: 'POST', path: PATH, body: params, options });
  }

  /** Allows sending to the number again, from every sender. Also good where nothing was suppressed. */
  async remove(phoneNumber: string, options?: RequestOptions): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: [...PATH, phoneNumber], options });
  }

  /** Every opt-out and opt-in of the number. */
  history(phoneNumber: string, options?: RequestOptions): Promise<SuppressionHistory> {
    return this.#transport.call({ method: 'GET', path: [...PATH, phoneNumber, 'history'], options });
  }
}
