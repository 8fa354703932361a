/** One API call over `fetch`: URL and headers, time limit, attempts, and errors. Knows no endpoint. */

import { ConnectionError, errorFor, RequestTimeoutError, ServiceError, SmsLedgerError } from './errors.js';
import { mayRetry, retryAfterSeconds, sleep, waitMs } from './retries.js';

export interface TransactionalOptions {
  /** A SENDING or SERVER key. `undefined` is taken so that `process.env` may be given; it is an error. */
  apiKey: string | undefined;
  /** `http://127.0.0.1:8080/v1` if left out. Without a path, `/v1` is added. */
  baseUrl?: string | undefined;
  /** For one attempt, its answer included; 15,000 if left out. */
  timeoutMs?: number;
  /** Attempts after the first; 3 if left out. */
  maxRetries?: number;
  /** Used instead of the global one. */
  fetch?: typeof globalThis.fetch;
}

/** Options of a single call. */
export interface RequestOptions {
  /** Ends the call, also between attempts; it is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Instead of the client's. */
  timeoutMs?: number;
  /** Instead of the client's. */
  maxRetries?: number;
}

export interface SendOptions extends RequestOptions {
  /**
   * 1 to 255 visible ASCII characters, kept for 24 hours: the same key with the same message is answered with
   * the first answer and sends nothing. If left out, each call has a random one for its attempts.
   */
  idempotencyKey?: string;
}

export interface ListOptions extends RequestOptions {
  /** The list waits (at most 2 s) until it shows what `client.position` was then: read your own writes. */
  position?: number;
}

type Query = Record<string, string | number | boolean | Date | null | undefined>;

export interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the base URL; ids and numbers as they are. */
  path: readonly string[];
  query?: object;
  body?: unknown;
  /** False where doing it twice is not the same as once. */
  repeatable?: boolean;
  idempotencyKey?: string;
  options?: ListOptions;
}

const TIMEOUT_MS = 15_000;
const RETRIES_MAX = 3;
const EXCERPT_CHARACTERS = 200;
/** Of timers; more would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Transport {
  /** The highest `Ledger-Position` of any answer so far. */
  position = 0;
  readonly #baseUrl: string;
  readonly #apiKey: string;
  readonly #timeoutMs: number;
  readonly #maxRetries: number;
  readonly #fetch: typeof globalThis.fetch;

  /** Throws TypeError where key or URL cannot be ones. */
  constructor(options: TransactionalOptions) {
    if (!options.apiKey) throw new TypeError('apiKey: give the API key, a text like sk_sending_…');
    this.#apiKey = options.apiKey;
    this.#baseUrl = withVersion(options.baseUrl ?? 'http://127.0.0.1:8080/v1');
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#maxRetries = options.maxRetries ?? RETRIES_MAX;
    // Called through a variable: as our own method, the browser's would complain about its `this`.
    const fetch = options.fetch ?? globalThis.fetch;
    this.#fetch = (input, init) => fetch(input, init);
    this.#headers({ method: 'GET', path: [] }); // a key that no header can carry is told at once
  }

  /** The answer's JSON, `undefined` where it has none. Rejects with SmsLedgerError or the signal's reason. */
  async call<Answer>(call: Call): Promise<Answer> {
    const { signal, timeoutMs = this.#timeoutMs, maxRetries = this.#maxRetries } = call.options ?? {};
    // Made once: every attempt is the same request, with the same idempotency key.
    const url = this.#baseUrl + pathOf(call) + queryString(call.query);
    const request: RequestInit = { method: call.method, headers: this.#headers(call), redirect: 'manual' };
    if (call.body !== undefined) request.body = JSON.stringify(call.body);
    for (let attempt = 0; ; attempt += 1) {
      signal?.throwIfAborted();
      try {
        return (await this.#attempt(url, request, timeoutMs, call)) as Answer;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof SmsLedgerError)) throw error;
        // What an earlier attempt deleted, whose answer was lost, is not there any more: as wanted.
        if (call.method === 'DELETE' && attempt > 0 && error.statusCode === 404) return undefined as Answer;
        if (attempt >= maxRetries || !mayRetry(error, call.repeatable ?? true)) throw error;
        await sleep(waitMs(attempt, error), signal);
      }
    }
  }

  async #attempt(url: string, request: RequestInit, timeoutMs: number, call: Call): Promise<unknown> {
    const { idempotencyKey = null, options } = call;
    const controller = new AbortController();
    const stop = () => controller.abort(options?.signal?.reason);
    options?.signal?.addEventListener('abort', stop, { once: true });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      controller.abort();
    }, Math.min(timeoutMs, TIMER_MS_MAX));
    try {
      const answer = await this.#fetch(url, { ...request, signal: controller.signal });
      return this.#read(answer, await answer.text(), idempotencyKey);
    } catch (cause) {
      if (cause instanceof SmsLedgerError) throw cause;
      const what = `${call.method} ${pathOf(call)}`;
      if (late) {
        const message = `${what}: no answer within ${timeoutMs} ms`;
        throw new RequestTimeoutError(message, { code: 'TIMEOUT', idempotencyKey, cause });
      }
      const message = `${what}: no answer (${reasonOf(cause)})`;
      throw new ConnectionError(message, { code: 'CONNECTION_FAILED', idempotencyKey, cause });
    } finally {
      clearTimeout(timer);
      options?.signal?.removeEventListener('abort', stop);
    }
  }

  #read(answer: Response, text: string, idempotencyKey: string | null): unknown {
    const position = Number(answer.headers.get('Ledger-Position'));
    if (position > this.position) this.position = position;
    if (answer.ok && text === '') return undefined;
    const json = parsed(text);
    if (answer.ok && json !== undefined) return json;
    const details = {
      statusCode: answer.status,
      requestId: answer.headers.get('X-Request-Id'),
      retryAfter: retryAfterSeconds(answer.headers.get('Retry-After')),
      idempotencyKey,
    };
    const error = (json as { error?: { code?: unknown; message?: unknown; errorCode?: unknown } } | null)?.error;
    if (!answer.ok && typeof error?.code === 'string') {
      const errorCode = typeof error.errorCode === 'number' ? error.errorCode : null;
      throw errorFor(String(error.message ?? error.code), { ...details, code: error.code, errorCode });
    }
    const location = answer.headers.get('Location');
    const excerpt = location ? `it redirects to ${location}` : text.slice(0, EXCERPT_CHARACTERS);
    const message = `not an answer of the API, check baseUrl (status ${answer.status}): ${excerpt}`;
    if (answer.ok) throw new ServiceError(message, { ...details, code: 'UNEXPECTED_ANSWER' });
    throw errorFor(message, { ...details, code: 'UNEXPECTED_ANSWER' });
  }

  #headers({ body, idempotencyKey, options }: Call): Headers {
    const headers = new Headers({ Accept: 'application/json', Authorization: `Bearer ${this.#apiKey}` });
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    if (idempotencyKey !== undefined) headers.set('Idempotency-Key', idempotencyKey);
    if (options?.position !== undefined) headers.set('Ledger-Position', String(options.position));
    return headers;
  }
}

/** Throws TypeError for an id or number that would lead to another path. */
function pathOf({ path }: Call): string {
  for (const value of path) {
    if (typeof value !== 'string' || ['', '.', '..'].includes(value)) {
      throw new TypeError(`not an id or a phone number: '${String(value)}'`);
    }
  }
  return path.map((value) => `/${encodeURIComponent(value)}`).join('');
}

function withVersion(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new TypeError(`baseUrl: expected a URL such as http://127.0.0.1:8080/v1, not '${baseUrl}'`);
  }
  const path = url.pathname.replace(/\/+$/, '');
  return url.origin + (path || '/v1');
}

function queryString(query: object = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query as Query)) {
    if (value === undefined || value === null) continue;
    parameters.set(name, value instanceof Date ? value.toISOString() : String(value));
  }
  const text = parameters.toString();
  return text && `?${text}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Node's `fetch failed` has the reason in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || (cause as { code?: string }).code || cause.name;
}
