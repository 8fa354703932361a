/** `client.sms.webhooks`: URLs that are told what happens to messages. Needs a SERVER key. */

import type { RequestOptions, Transport } from './transport.js';
import type { CreatedWebhook, CreateWebhookParams, UpdateWebhookParams, Webhook, WebhookList } from './types.js';

const PATH = ['sms', 'webhooks'];

export class Webhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(options?: RequestOptions): Promise<WebhookList> {
    return this.#transport.call({ method: 'GET', path: PATH, options });
  }

  get(webhookId: string, options?: RequestOptions): Promise<Webhook> {
    return this.#transport.call({ method: 'GET', path: [...PATH, webhookId], options });
  }

  /**
   * Registers a URL; the answer has the secret, which is shown this once.
   *
   * Not tried again where the answer was lost, because that could register it twice: look at `list` then.
   */
  create(params: CreateWebhookParams, options?: RequestOptions): Promise<CreatedWebhook> {
    return this.#transport.call({ method: 'POST', path: PATH, body: params, repeatable: false, options });
  }

  /** Changes what is given. */
  update(webhookId: string, params: UpdateWebhookParams, options?: RequestOptions): Promise<Webhook> {
    return this.#transport.call({ method: 'PATCH', path: [...PATH, webhookId], body: params, options });
  }

  async delete(webhookId: string, options?: RequestOptions): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: [...PATH, webhookId], options });
  }
}
