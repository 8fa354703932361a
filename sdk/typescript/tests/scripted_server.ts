/** A server on a port of its own that answers each request as the test says, and remembers what it was asked. */

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transactional, type TransactionalOptions } from 'smsledger-client';

export interface Asked {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: unknown;
  at: number;
}

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** As JSON, a text as it stands. */
  body?: unknown;
}

/** What happens to one request: an answer, the connection closed before or amid one, or nothing at all. */
export type Step = Answer | 'drop' | 'cut' | 'silence';

export interface Scripted {
  url: string;
  asked: Asked[];
  client: Transactional;
}

/** Runs `use` with a server that takes the steps in turn, the last for all that follow. */
export async function scripted(
  steps: readonly Step[],
  use: (server: Scripted) => Promise<void>,
  options: Partial<TransactionalOptions> = {},
): Promise<void> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { method = '', url = '', headers } = request;
    asked.push({ method, url, headers, body: text ? JSON.parse(text) : undefined, at: Date.now() });
    const step = steps[Math.min(asked.length, steps.length) - 1] ?? 'drop';
    if (step === 'silence') return;
    if (step === 'drop') return void request.socket.destroy();
    if (step === 'cut') {
      response.writeHead(200, { 'Content-Length': '100' }).write('{');
      return void setImmediate(() => request.socket.destroy());
    }
    const { status = 200, body, headers: more = {} } = step;
    response.writeHead(status, { 'Content-Type': 'application/json', ...more });
    response.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await use({ url, asked, client: new Transactional({ apiKey: 'sk_test', baseUrl: url, ...options }) });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** An error in the API's envelope. */
export function refusal(status: number, code: string, more: Record<string, unknown> = {}): Answer {
  return { status, body: { error: { code, message: `${code} it is`, statusCode: status, ...more } } };
}

export const ACCEPTED = {
  to: '+14155551234',
  submittedAt: '2024-01-01T00:00:00.000Z',
  messageId: 'sms_01hk153x00e45bavdxkn2xkbtr',
  errorCode: 0,
  message: 'OK',
};

export const MESSAGE = { to: '+14155551234', templateAlias: 'otp', templateModel: { code: '1' } };
