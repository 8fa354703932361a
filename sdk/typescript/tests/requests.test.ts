/** What goes over the wire, what comes back, and as which error; and pages. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as esm from 'smsledger-client';
import {
  AuthenticationError,
  IdempotencyError,
  InvalidRequestError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitedError,
  ServiceError,
  SmsLedgerError,
  Transactional,
} from 'smsledger-client';
import { ACCEPTED, MESSAGE, refusal, scripted } from './scripted_server.js';

test('each method asks for its own path', () =>
  scripted([{ body: { suppressed: true } }], async ({ client: { sms }, asked }) => {
    const events = ['sms.delivered' as const];
    const calls: [() => Promise<unknown>, string][] = [
      [() => sms.send(MESSAGE), 'POST /v1/sms'],
      [() => sms.sendBatch([MESSAGE]), 'POST /v1/sms/batch'],
      [() => sms.preview(MESSAGE), 'POST /v1/sms/preview'],
      [() => sms.get('sms_1'), 'GET /v1/sms/sms_1'],
      [() => sms.events('sms_1'), 'GET /v1/sms/sms_1/events'],
      [() => sms.list(), 'GET /v1/sms/messages'],
      [() => sms.listInbound({ fromNumber: '+1415' }), 'GET /v1/sms/inbound?fromNumber=%2B1415'],
      [() => sms.suppressions.list({ count: 5 }), 'GET /v1/sms/suppressions?count=5'],
      [() => sms.suppressions.get('+1415'), 'GET /v1/sms/suppressions/%2B1415'],
      [() => sms.suppressions.check('+1415'), 'GET /v1/sms/suppressions/%2B1415'],
      [() => sms.suppressions.history('+1415'), 'GET /v1/sms/suppressions/%2B1415/history'],
      [() => sms.suppressions.add({ phoneNumber: '+1415' }), 'POST /v1/sms/suppressions'],
      [() => sms.suppressions.remove('+1415'), 'DELETE /v1/sms/suppressions/%2B1415'],
      [() => sms.webhooks.list(), 'GET /v1/sms/webhooks'],
      [() => sms.webhooks.get('wh_1'), 'GET /v1/sms/webhooks/wh_1'],
      [() => sms.webhooks.create({ url: 'https://a.b', events }), 'POST /v1/sms/webhooks'],
      [() => sms.webhooks.update('wh_1', { events }), 'PATCH /v1/sms/webhooks/wh_1'],
      [() => sms.webhooks.delete('wh_1'), 'DELETE /v1/sms/webhooks/wh_1'],
    ];
    for (const [call] of calls) await call();
    assert.deepEqual(
      asked.map(({ method, url }) => `${method} ${url}`),
      calls.map(([, expected]) => expected),
    );
    assert.ok(asked.every(({ headers }) => headers.authorization === 'Bearer sk_test'));
  }));

test('filters are sent as text, dates in UTC, and what is undefined not at all', () =>
  scripted([{ body: {} }], async ({ client, asked }) => {
    const fromDate = new Date('2024-01-01T01:00:00+01:00');
    await client.sms.list({ count: 50, tag: 'ä&b', status: undefined, fromDate, toDate: '2024-01-31' });
    const query = 'count=50&tag=%C3%A4%26b&fromDate=2024-01-01T00%3A00%3A00.000Z&toDate=2024-01-31';
    assert.equal(asked[0]?.url, `/v1/sms/messages?${query}`);
  }));

const kinds: [number, string, typeof SmsLedgerError][] = [
  [400, 'INVALID_REQUEST', InvalidRequestError],
  [400, 'NO_POOL_NUMBER', InvalidRequestError],
  [401, 'UNAUTHORIZED', AuthenticationError],
  [403, 'SMS_NOT_ENABLED', PermissionDeniedError],
  [404, 'TEMPLATE_NOT_FOUND', NotFoundError],
  [409, 'IDEMPOTENCY_KEY_IN_USE', IdempotencyError],
  [413, 'REQUEST_TOO_LARGE', InvalidRequestError],
  [422, 'IDEMPOTENCY_KEY_REUSED', IdempotencyError],
  [429, 'RATE_LIMITED', RateLimitedError],
  [500, 'INTERNAL_ERROR', ServiceError],
  [503, 'LEDGER_BUSY', ServiceError],
];

for (const [status, code, kind] of kinds) {
  test(`${status} ${code} is a ${kind.name} with all that the answer says`, () => {
    const headers = { 'X-Request-Id': 'req_7', 'Retry-After': '2' };
    const answer = { ...refusal(status, code, { errorCode: 1002 }), headers };
    return scripted([answer], async ({ client }) => {
      const send = client.sms.send(MESSAGE, { idempotencyKey: 'k', maxRetries: 0 });
      await assert.rejects(send, (error) => {
        assert.ok(error instanceof SmsLedgerError && error instanceof kind);
        assert.deepEqual(
          { ...error, message: error.message },
          {
            name: kind.name,
            code,
            message: `${code} it is`,
            errorCode: 1002,
            statusCode: status,
            requestId: 'req_7',
            retryAfter: 2,
            idempotencyKey: 'k',
          },
        );
        return true;
      });
    });
  });
}

test('a refused item of a batch is a result', () => {
  const refused = { ...ACCEPTED, messageId: null, errorCode: 1001, message: 'not a phone number' };
  return scripted([{ body: [ACCEPTED, refused] }], async ({ client }) => {
    assert.deepEqual(await client.sms.sendBatch([MESSAGE, { ...MESSAGE, to: '1' }]), [ACCEPTED, refused]);
  });
});

test('an answer that is not the API’s says so, and where it leads', async () => {
  await scripted([{ body: '<html>Welcome</html>' }], async ({ client }) => {
    await assert.rejects(client.sms.list(), (error) => {
      assert.ok(error instanceof ServiceError);
      assert.deepEqual([error.code, error.statusCode], ['UNEXPECTED_ANSWER', 200]);
      assert.match(error.message, /baseUrl.*Welcome/);
      return true;
    });
  });
  // Followed, a POST would become a GET.
  await scripted([{ status: 301, headers: { Location: 'https://sms.example/v1/sms' } }], async ({ client }) => {
    await assert.rejects(client.sms.send(MESSAGE), /redirects to https:\/\/sms\.example/);
  });
});

test('a missing key, URL, id or number is told before anything is sent', () =>
  scripted([{ body: {} }], async ({ client, asked, url }) => {
    assert.throws(() => new Transactional({ apiKey: undefined, baseUrl: url }), /apiKey/);
    assert.throws(() => new Transactional({ apiKey: 'a\nb', baseUrl: url }), TypeError);
    assert.throws(() => new Transactional({ apiKey: 'a', baseUrl: 'nowhere' }), TypeError);
    await assert.rejects(client.sms.get(''), TypeError);
    await assert.rejects(client.sms.get('..'), TypeError);
    await assert.rejects(client.sms.suppressions.check(''), TypeError);
    assert.equal(asked.length, 0);
  }));

test('the base URL may stand with or without its version, and below a path', () =>
  scripted([{ body: {} }], async ({ url, asked }) => {
    for (const baseUrl of [url, `${url}/`, `${url}/v1`, `${url}/v1/`, `${url}/sms-api/v1`]) {
      await new Transactional({ apiKey: 'a', baseUrl }).sms.get('x');
    }
    assert.deepEqual(
      asked.map((request) => request.url),
      [...Array<string>(4).fill('/v1/sms/x'), '/sms-api/v1/sms/x'],
    );
  }));

test('every page is read, each from the cursor of the one before, and no more than is looked at', async () => {
  const pages = [
    { body: { totalCount: 3, messages: [{ messageId: 'c' }, { messageId: 'b' }], nextCursor: 'p2' } },
    { body: { totalCount: 3, messages: [{ messageId: 'a' }], nextCursor: null } },
  ];
  await scripted(pages, async ({ client, asked }) => {
    const ids: string[] = [];
    for await (const message of client.sms.iterate({ count: 2, tag: 't' })) ids.push(message.messageId);
    assert.deepEqual(ids, ['c', 'b', 'a']);
    assert.deepEqual(
      asked.map(({ url }) => url),
      ['/v1/sms/messages?count=2&tag=t', '/v1/sms/messages?count=2&tag=t&cursor=p2'],
    );
  });
  await scripted(pages, async ({ client, asked }) => {
    for await (const message of client.sms.iterateInbound()) if (message.messageId === 'b') break;
    assert.deepEqual(asked.map(({ url }) => url), ['/v1/sms/inbound']);
  });
  const suppressions = [{ phoneNumber: '+1415' }];
  await scripted([{ body: { totalCount: 1, suppressions, nextCursor: null } }], async ({ client }) => {
    const numbers: string[] = [];
    for await (const { phoneNumber } of client.sms.suppressions.iterate()) numbers.push(phoneNumber);
    assert.deepEqual(numbers, ['+1415']);
  });
});

test('the client knows how far it has seen, and a list can be told to show it', () =>
  scripted([{ body: ACCEPTED, headers: { 'Ledger-Position': '42' } }, { body: {} }], async ({ client, asked }) => {
    assert.equal(client.position, 0);
    await client.sms.send(MESSAGE);
    assert.equal(client.position, 42);
    await client.sms.list({}, { position: client.position });
    assert.equal(asked[1]?.headers['ledger-position'], '42');
  }));

test('CommonJS code requires the same client', () => {
  const required = createRequire(import.meta.url)('smsledger-client') as typeof esm;
  assert.deepEqual(Object.keys(required).sort(), Object.keys(esm).sort());
  assert.ok(new required.Transactional({ apiKey: 'a' }).sms);
});
