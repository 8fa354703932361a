/** `client.sms`: messages. A SENDING key is enough. */

import { entriesOf } from './pages.js';
import { Suppressions } from './suppressions.js';
import type { ListOptions, RequestOptions, SendOptions, Transport } from './transport.js';
import type {
  InboundMessage,
  InboundMessageList,
  ListInboundParams,
  ListParams,
  Message,
  MessageHistory,
  MessageList,
  MessageSummary,
  Preview,
  SendParams,
  SendResult,
  StoredResult,
} from './types.js';
import { Webhooks } from './webhooks.js';

export class Sms {
  readonly suppressions: Suppressions;
  readonly webhooks: Webhooks;
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.suppressions = new Suppressions(transport);
    this.webhooks = new Webhooks(transport);
  }

  /**
   * Sends one message. When this resolves, the message is durable; it goes to the carrier afterwards.
   *
   * A suppressed recipient is a result: `errorCode` 1006, and the message is recorded as BLOCKED.
   */
  send(message: SendParams, options?: SendOptions): Promise<StoredResult> {
    return this.#send(['sms'], message, options);
  }

  /** Sends 1 to 500 messages in one transaction; a result for each, in order. A refused one is a result too. */
  sendBatch(messages: readonly SendParams[], options?: SendOptions): Promise<SendResult[]> {
    return this.#send(['sms', 'batch'], messages, options);
  }

  /** What sending this would do: text, segments, sender, whether it would be blocked. Nothing is stored. */
  preview(message: SendParams, options?: RequestOptions): Promise<Preview> {
    return this.#transport.call({ method: 'POST', path: ['sms', 'preview'], body: message, options });
  }

  /** A message with its events, current at once. */
  get(messageId: string, options?: RequestOptions): Promise<Message> {
    return this.#transport.call({ method: 'GET', path: ['sms', messageId], options });
  }

  /** Every event of a message as the ledger stored it, as CloudEvents. */
  events(messageId: string, options?: RequestOptions): Promise<MessageHistory> {
    return this.#transport.call({ method: 'GET', path: ['sms', messageId, 'events'], options });
  }

  /** One page of messages, newest first. */
  list(params: ListParams = {}, options?: ListOptions): Promise<MessageList> {
    return this.#transport.call({ method: 'GET', path: ['sms', 'messages'], query: params, options });
  }

  /** All messages that fit, newest first; `count` is the size of a page. */
  iterate(params: Omit<ListParams, 'offset' | 'cursor'> = {}, options?: ListOptions) {
    return entriesOf<MessageList, MessageSummary>(
      (cursor) => this.list({ ...params, cursor }, options),
      (page) => page.messages,
    );
  }

  /** One page of messages that were sent to you, newest first. */
  listInbound(params: ListInboundParams = {}, options?: ListOptions): Promise<InboundMessageList> {
    return this.#transport.call({ method: 'GET', path: ['sms', 'inbound'], query: params, options });
  }

  /** All messages that were sent to you and fit, newest first; `count` is the size of a page. */
  iterateInbound(params: Omit<ListInboundParams, 'offset' | 'cursor'> = {}, options?: ListOptions) {
    return entriesOf<InboundMessageList, InboundMessage>(
      (cursor) => this.listInbound({ ...params, cursor }, options),
      (page) => page.messages,
    );
  }

  #send<Answer>(path: readonly string[], body: unknown, options: SendOptions = {}): Promise<Answer> {
    const { idempotencyKey = randomKey() } = options;
    return this.#transport.call({ method: 'POST', path, body, idempotencyKey, options });
  }
}

/** 128 bits in hex; `crypto.randomUUID` is missing in browsers where a page came over plain http. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
