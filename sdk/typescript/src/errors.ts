/**
 * What a call may be rejected with: `SmsLedgerError` and its kinds. Where an `AbortSignal` ended a call, the
 * signal's own reason is thrown instead, as by `fetch`. A refused item of a batch is a result, not an error.
 */

/** Error codes of the API; the last three are the client's own. */
export type ErrorCode =
  | 'INVALID_REQUEST'
  | 'NO_POOL_NUMBER'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'SMS_NOT_ENABLED'
  | 'TEMPLATE_NOT_APPROVED'
  | 'TEMPLATE_NOT_FOUND'
  | 'MESSAGE_NOT_FOUND'
  | 'WEBHOOK_NOT_FOUND'
  | 'TOO_MANY_WEBHOOKS'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'IDEMPOTENCY_KEY_IN_USE'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'REQUEST_TOO_LARGE'
  | 'RATE_LIMITED'
  | 'INTERNAL_ERROR'
  | 'LEDGER_BUSY'
  | 'LEDGER_UNAVAILABLE'
  | 'PROJECTION_BEHIND'
  | 'CONNECTION_FAILED'
  | 'TIMEOUT'
  | 'UNEXPECTED_ANSWER'
  | (string & Record<never, never>);

export interface ErrorDetails {
  code: ErrorCode;
  errorCode?: number | null;
  statusCode?: number | null;
  requestId?: string | null;
  retryAfter?: number | null;
  idempotencyKey?: string | null;
  cause?: unknown;
}

/** A call that did not succeed. */
export class SmsLedgerError extends Error {
  /** For programs: `TEMPLATE_NOT_FOUND`. */
  readonly code: ErrorCode;
  /** The numeric code (1001 to 1006), where the case has one. */
  readonly errorCode: number | null;
  /** The HTTP status; `null` where there was no answer. */
  readonly statusCode: number | null;
  /** The answer's `X-Request-Id`, for those who run the service. */
  readonly requestId: string | null;
  /** Seconds after which trying again makes sense, where the service said so. */
  readonly retryAfter: number | null;
  /** The key that the send went out with: sending again with it cannot send twice. `null` for other calls. */
  readonly idempotencyKey: string | null;

  constructor(message: string, details: ErrorDetails) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = new.target.name;
    this.code = details.code;
    this.errorCode = details.errorCode ?? null;
    this.statusCode = details.statusCode ?? null;
    this.requestId = details.requestId ?? null;
    this.retryAfter = details.retryAfter ?? null;
    this.idempotencyKey = details.idempotencyKey ?? null;
  }
}

/** The request is wrong as it stands; the message names the field. */
export class InvalidRequestError extends SmsLedgerError {}

/** 401: no API key, or not a valid one. */
export class AuthenticationError extends SmsLedgerError {}

/** 403: the key, or the organization, may not do this. */
export class PermissionDeniedError extends SmsLedgerError {}

/** 404: there is no such message, template or webhook. */
export class NotFoundError extends SmsLedgerError {}

/** 409, or 422: the idempotency key is in use, or was used for something else. */
export class IdempotencyError extends SmsLedgerError {}

/** 429: too many requests. */
export class RateLimitedError extends SmsLedgerError {}

/** 5xx, or an answer that is not the API's. */
export class ServiceError extends SmsLedgerError {}

/** No answer: whether the request was carried out is not known. */
export class ConnectionError extends SmsLedgerError {}

/** No answer in time: whether the request was carried out is not known. */
export class RequestTimeoutError extends ConnectionError {}

/** The kind of error for an HTTP status and the code of the API. */
export function errorFor(message: string, details: ErrorDetails & { statusCode: number }): SmsLedgerError {
  return new (kindOf(details.statusCode, details.code))(message, details);
}

function kindOf(status: number, code: string): typeof SmsLedgerError {
  if (code.startsWith('IDEMPOTENCY_KEY_')) return IdempotencyError;
  if (status === 401) return AuthenticationError;
  if (status === 403) return PermissionDeniedError;
  if (status === 404) return NotFoundError;
  if (status === 429) return RateLimitedError;
  return status >= 400 && status < 500 ? InvalidRequestError : ServiceError;
}
