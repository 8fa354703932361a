/**
 * What the API takes and answers, field by field, in the words of its reference (docs/api.md). No code.
 * `tests/types.ts` holds every type here against the service's OpenAPI document.
 */

/** A moment as the API writes it: `2024-01-01T00:00:00.000Z`. */
export type Timestamp = string;

/** A moment to filter by: ISO 8601, UTC where no zone is given, or a `Date`. */
export type DateInput = string | Date;

/** A known word, or one that a newer service may add. Editors still complete the known ones. */
export type Open<Known extends string> = Known | (string & Record<never, never>);

export type MessageStatus =
  | 'QUEUED'
  | 'SENDING'
  | 'SENT'
  | 'DELIVERED'
  | 'FAILED'
  | 'UNDELIVERED'
  | 'BLOCKED';
export type Direction = 'OUTBOUND' | 'INBOUND';
export type MessageEventType = Open<MessageStatus | 'DEFERRED' | 'OUTCOME_UNKNOWN' | 'RECEIPT_OVERDUE'>;

/** One message to send; `templateAlias` or `templateId` says which text. */
export interface SendParams {
  /** Recipient in E.164 format. */
  to: string;
  /** A custom alias of your organization, or a pool alias. */
  templateAlias?: string | null;
  templateId?: number | null;
  /** The template's variables. */
  templateModel?: Record<string, unknown> | null;
  /** For filtering; 1 to 255 characters. */
  tag?: string | null;
  /** Kept with the message and given back. */
  metadata?: Record<string, unknown> | null;
}

/** What became of one message; in a batch also of one that was refused. */
export interface SendResult {
  to: string;
  submittedAt: Timestamp;
  /** `null` where nothing was stored. */
  messageId: string | null;
  /**
   * 0 accepted, 1001 invalid number, 1002 template not found, 1003 template not approved, 1004 no pool number
   * for the country, 1005 SMS not enabled, 1006 recipient opted out (recorded as BLOCKED), 1000 anything else.
   */
  errorCode: number;
  /** `OK`, or why not. */
  message: string;
}

/** What became of a message sent alone: it is stored, else the call is rejected. */
export interface StoredResult extends SendResult {
  messageId: string;
}

export interface MessageEvent {
  eventType: MessageEventType;
  timestamp: Timestamp;
}

/** A message in a list. */
export interface MessageSummary {
  messageId: string;
  from: string;
  to: string;
  status: MessageStatus;
  direction: Direction;
  segments: number;
  country: string;
  tag: string | null;
  queuedAt: Timestamp | null;
  sentAt: Timestamp | null;
  deliveredAt: Timestamp | null;
  failedAt: Timestamp | null;
}

/** A message with its events. */
export interface Message extends MessageSummary {
  providerMessageId: string | null;
  body: string;
  metadata: Record<string, unknown>;
  errorCode: string | null;
  errorMessage: string | null;
  events: MessageEvent[];
}

/** An event of the ledger as CloudEvents 1.0. */
export interface LedgerEvent {
  id: string;
  /** `sms.delivered`. */
  type: string;
  source: string;
  /** What it happened to. */
  subject: string;
  time: Timestamp;
  organization: string;
  /** Place among the events of its subject. */
  version: number;
  /** Place in the whole ledger. */
  position: number;
  sequence: string;
  /** The name of the stored format. */
  topic: string;
  data: Record<string, unknown>;
  specversion: string;
  datacontenttype: string;
}

/** Every event of a message, oldest first. */
export interface MessageHistory {
  messageId: string;
  events: LedgerEvent[];
}

/** Of a list that can be read page by page. */
export interface Page {
  /** How many there are in all, not on this page. */
  totalCount: number;
  /** Leads to the next page; `null` on the last. */
  nextCursor: string | null;
}

export interface PageParams {
  /** 1 to 500; the service's default is 100. */
  count?: number;
  offset?: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
}

export interface ListParams extends PageParams {
  status?: MessageStatus;
  direction?: Direction;
  tag?: string;
  /** Inclusive. */
  fromDate?: DateInput;
  /** Exclusive. */
  toDate?: DateInput;
}

export interface MessageList extends Page {
  messages: MessageSummary[];
}

export interface ListInboundParams extends PageParams {
  /** Who wrote. */
  fromNumber?: string;
  /** Which of your numbers was written to. */
  toNumber?: string;
  /** Inclusive. */
  fromDate?: DateInput;
  /** Exclusive. */
  toDate?: DateInput;
}

export interface InboundMessage {
  messageId: string;
  providerMessageId: string | null;
  from: string;
  to: string;
  body: string;
  receivedAt: Timestamp;
  /** The message sent that it probably answers. */
  inReplyTo: string | null;
}

export interface InboundMessageList extends Page {
  messages: InboundMessage[];
}

/** What a send would do; nothing was stored. */
export interface Preview {
  to: string;
  /** The sender that would be used. */
  from: string;
  /** Why that one. */
  fromReason: string;
  country: string;
  /** The rendered text. */
  body: string;
  encoding: 'GSM_7' | 'UCS_2';
  segments: number;
  /** The characters that make UCS-2, with its shorter segments, necessary. */
  forcingCharacters: ForcingCharacter[];
  templateId: number;
  templateVersion: number;
  /** Whether the recipient is suppressed for this sender. */
  blocked: boolean;
  blockedReason: string | null;
}

export interface ForcingCharacter {
  character: string;
  /** `U+2019`. */
  codePoint: string;
  /** Where it stands in `body`. */
  index: number;
}

export type SuppressionReason = 'MANUAL' | 'OPT_OUT' | 'CARRIER';

export interface Suppression {
  phoneNumber: string;
  suppressed: boolean;
  reason: SuppressionReason;
  /** `ALL` senders, the senders of the `POOL`, or one sender's number. */
  scope: string;
  /** What the recipient wrote to opt out. */
  keyword: string | null;
  /** The inbound message that did it. */
  messageId: string | null;
  note: string | null;
  createdAt: Timestamp;
}

export interface SuppressionList extends Page {
  suppressions: Suppression[];
}

/** Of one number: whether anything may be sent to it, and by what not. */
export interface SuppressionState {
  phoneNumber: string;
  suppressed: boolean;
  reason: SuppressionReason | null;
  suppressions: Suppression[];
}

export interface AddSuppressionParams {
  phoneNumber: string;
  /** `MANUAL` if left out. */
  reason?: SuppressionReason;
  note?: string | null;
}

/** Who or what opted a number out or in, when and by which word; oldest first. */
export interface SuppressionHistory {
  phoneNumber: string;
  events: LedgerEvent[];
}

export type WebhookEvent =
  | 'sms.queued'
  | 'sms.sending'
  | 'sms.sent'
  | 'sms.delivered'
  | 'sms.failed'
  | 'sms.undelivered'
  | 'sms.blocked'
  | 'sms.inbound';

export interface Webhook {
  webhookId: string;
  url: string;
  events: WebhookEvent[];
  description: string | null;
  active: boolean;
  createdAt: Timestamp;
  updatedAt: Timestamp;
}

export interface CreatedWebhook extends Webhook {
  /** For checking signatures. Shown this once. */
  secret: string;
}

export interface WebhookList {
  totalCount: number;
  webhooks: Webhook[];
}

export interface CreateWebhookParams {
  url: string;
  events: WebhookEvent[];
  description?: string | null;
  active?: boolean;
}

/** What is left out stays as it is. */
export type UpdateWebhookParams = Partial<CreateWebhookParams>;
