/** Client of smsledger's SMS API. */

export { Transactional } from './client.js';
export {
  AuthenticationError,
  ConnectionError,
  IdempotencyError,
  InvalidRequestError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitedError,
  RequestTimeoutError,
  ServiceError,
  SmsLedgerError,
  type ErrorCode,
} from './errors.js';
export type { Sms } from './sms.js';
export type { Suppressions } from './suppressions.js';
export type { ListOptions, RequestOptions, SendOptions, TransactionalOptions } from './transport.js';
export type * from './types.js';
export type { Webhooks } from './webhooks.js';
