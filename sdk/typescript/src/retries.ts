/** When a request is tried again and after how long. Decides only; `transport.ts` acts. */

import { ConnectionError, type SmsLedgerError } from './errors.js';

const FIRST_WAIT_MS = 250;
const WAIT_MS_MAX = 8_000;
/** Told to wait longer than this, the caller is told instead. */
const RETRY_AFTER_S_MAX = 60;

/**
 * Whether the same request may be tried again.
 *
 * One that is not safe to repeat is tried again only after 429, which is answered before anything is done.
 * A key in use means that our own earlier attempt, whose answer was lost, is still being carried out.
 */
export function mayRetry(error: SmsLedgerError, repeatable: boolean): boolean {
  if ((error.retryAfter ?? 0) > RETRY_AFTER_S_MAX) return false;
  if (error.statusCode === 429) return true;
  if (!repeatable) return false;
  if (error instanceof ConnectionError || error.code === 'IDEMPOTENCY_KEY_IN_USE') return true;
  const status = error.statusCode ?? 0;
  return status === 408 || status >= 500;
}

/** Milliseconds before attempt `attempt` + 1 (the first attempt is 0): growing, spread by chance, never early. */
export function waitMs(attempt: number, error: SmsLedgerError, chance: number = Math.random()): number {
  const ceiling = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** attempt);
  return (error.retryAfter ?? 0) * 1_000 + (ceiling / 2) * (1 + chance);
}

/** Seconds that a `Retry-After` header asks for, which has seconds or a date; `null` where it has neither. */
export function retryAfterSeconds(header: string | null, now: number = Date.now()): number | null {
  if (header === null) return null;
  if (/^\d+(\.\d+)?$/.test(header)) return Number(header);
  const moment = Date.parse(header);
  return Number.isNaN(moment) ? null : Math.max(0, (moment - now) / 1_000);
}

/** Waits; rejects with the signal's reason as soon as it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
