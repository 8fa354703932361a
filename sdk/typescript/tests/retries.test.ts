/** Attempts: which failures are tried again, with which key, after how long, and how a call is ended. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionError, RequestTimeoutError, ServiceError, SmsLedgerError, Transactional } from 'smsledger-client';
import { ACCEPTED, MESSAGE, refusal, scripted, type Step } from './scripted_server.js';

const transient: [string, Step][] = [
  ['a connection that breaks before the answer', 'drop'],
  ['a connection that breaks within the answer', 'cut'],
  ['408', refusal(408, 'TIMEOUT')],
  ['429', refusal(429, 'RATE_LIMITED')],
  ['500', refusal(500, 'INTERNAL_ERROR')],
  ['503', refusal(503, 'LEDGER_BUSY')],
  ['a page of a proxy', { status: 502, body: '<html>Bad Gateway</html>' }],
  ['its own attempt still being carried out', refusal(409, 'IDEMPOTENCY_KEY_IN_USE')],
];

for (const [what, step] of transient) {
  test(`after ${what} the same message is sent again with the same key`, () =>
    scripted([step, { body: ACCEPTED }], async ({ client, asked }) => {
      assert.deepEqual(await client.sms.send(MESSAGE), ACCEPTED);
      const [first, second] = asked;
      assert.equal(asked.length, 2);
      assert.match(String(first?.headers['idempotency-key']), /^[0-9a-f]{32}$/);
      assert.equal(first?.headers['idempotency-key'], second?.headers['idempotency-key']);
      assert.deepEqual([first?.body, second?.body], [MESSAGE, MESSAGE]);
    }));
}

for (const status of [400, 401, 403, 404, 405, 413, 422]) {
  test(`${status} is final`, () =>
    scripted([refusal(status, 'NO')], async ({ client, asked }) => {
      await assert.rejects(client.sms.send(MESSAGE), SmsLedgerError);
      assert.equal(asked.length, 1);
    }));
}

test('each call has a key of its own, and one may be given', () =>
  scripted([{ body: ACCEPTED }], async ({ client, asked }) => {
    await client.sms.send(MESSAGE);
    await client.sms.send(MESSAGE);
    await client.sms.send(MESSAGE, { idempotencyKey: 'order-17' });
    await client.sms.sendBatch([MESSAGE], { idempotencyKey: 'night-4' });
    await client.sms.get('sms_1');
    const keys = asked.map(({ headers }) => headers['idempotency-key']);
    assert.notEqual(keys[0], keys[1]);
    assert.deepEqual(keys.slice(2), ['order-17', 'night-4', undefined]);
  }));

test('after the last attempt the error tells the key, so that sending again cannot send twice', () =>
  scripted(['drop'], async ({ client, asked }) => {
    await assert.rejects(client.sms.send(MESSAGE, { maxRetries: 1 }), (error) => {
      assert.ok(error instanceof ConnectionError && !(error instanceof RequestTimeoutError));
      assert.equal(error.code, 'CONNECTION_FAILED');
      assert.equal(error.statusCode, null);
      assert.equal(error.idempotencyKey, asked[0]?.headers['idempotency-key']);
      return true;
    });
    assert.equal(asked.length, 2);
  }));

test('it waits as long as Retry-After says', () =>
  scripted(
    [{ ...refusal(429, 'RATE_LIMITED'), headers: { 'Retry-After': '1' } }, { body: ACCEPTED }],
    async ({ client, asked }) => {
      await client.sms.send(MESSAGE);
      assert.ok((asked[1]?.at ?? 0) - (asked[0]?.at ?? 0) >= 990);
    },
  ));

test('a Retry-After of more than a minute is for the caller to decide', () =>
  scripted([{ ...refusal(503, 'AWAY'), headers: { 'Retry-After': '3600' } }], async ({ client, asked }) => {
    await assert.rejects(client.sms.send(MESSAGE), (error) => {
      assert.ok(error instanceof ServiceError);
      assert.equal(error.retryAfter, 3600);
      return true;
    });
    assert.equal(asked.length, 1);
  }));

test('a Retry-After may be a date', () =>
  scripted(
    [{ ...refusal(503, 'AWAY'), headers: { 'Retry-After': 'Fri, 01 Jan 2100 00:00:00 GMT' } }],
    async ({ client }) => {
      await assert.rejects(client.sms.send(MESSAGE), (error) => {
        assert.ok(error instanceof ServiceError);
        assert.ok((error.retryAfter ?? 0) > 1_000_000);
        return true;
      });
    },
  ));

test('an attempt without an answer ends after the time limit and is made again', () =>
  scripted(['silence', { body: ACCEPTED }], async ({ client, asked }) => {
    assert.deepEqual(await client.sms.send(MESSAGE, { timeoutMs: 300 }), ACCEPTED);
    assert.ok(asked.length >= 2); // on a busy machine the answer may be late as well
    assert.equal(asked[0]?.headers['idempotency-key'], asked[1]?.headers['idempotency-key']);
  }));

test('a time limit that is reached at every attempt is an error of its own', () =>
  scripted(['silence'], async ({ client }) => {
    const send = client.sms.send(MESSAGE, { timeoutMs: 50, maxRetries: 0 });
    await assert.rejects(send, (error) => {
      assert.ok(error instanceof RequestTimeoutError && error instanceof ConnectionError);
      assert.deepEqual([error.code, error.message], ['TIMEOUT', 'POST /sms: no answer within 50 ms']);
      return true;
    });
  }));

test('a signal ends a call while it waits for an answer', () =>
  scripted(['silence'], async ({ client, asked }) => {
    const stop = new AbortController();
    const ended = assert.rejects(client.sms.send(MESSAGE, { signal: stop.signal }), /enough/);
    while (asked.length === 0) await new Promise(setImmediate);
    stop.abort(new Error('enough'));
    await ended;
    assert.equal(asked.length, 1);
  }));

test('a signal ends a call between attempts', async () => {
  let asked = 0;
  const fetch = () => {
    asked += 1;
    return Promise.resolve(new Response('', { status: 503, headers: { 'Retry-After': '50' } }));
  };
  const client = new Transactional({ apiKey: 'a', fetch });
  const stop = new AbortController();
  const ended = assert.rejects(client.sms.send(MESSAGE, { signal: stop.signal }), /enough/);
  await new Promise(setImmediate); // an answer without a network is read by then
  stop.abort(new Error('enough'));
  await ended;
  assert.equal(asked, 1);
});

test('a signal that is aborted already sends nothing', () =>
  scripted([{ body: ACCEPTED }], async ({ client, asked }) => {
    await assert.rejects(client.sms.send(MESSAGE, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    assert.equal(asked.length, 0);
  }));

test('a webhook is never registered twice: a lost answer is an error, a refused attempt is made again', async () => {
  const webhook = { url: 'https://your-app.com/webhooks/sms', events: ['sms.delivered' as const] };
  await scripted(['drop'], async ({ client, asked }) => {
    await assert.rejects(client.sms.webhooks.create(webhook), ConnectionError);
    assert.equal(asked.length, 1);
  });
  await scripted([refusal(429, 'RATE_LIMITED'), { status: 201, body: {} }], async ({ client, asked }) => {
    await client.sms.webhooks.create(webhook);
    assert.equal(asked.length, 2);
  });
});

test('what the first attempt deleted before its answer was lost counts as deleted', async () => {
  const missing = refusal(404, 'WEBHOOK_NOT_FOUND');
  await scripted(['drop', missing], async ({ client, asked }) => {
    await client.sms.webhooks.delete('wh_1');
    assert.deepEqual(asked.map(({ method }) => method), ['DELETE', 'DELETE']);
  });
  await scripted([missing], async ({ client }) => {
    await assert.rejects(client.sms.webhooks.delete('wh_1'), { code: 'WEBHOOK_NOT_FOUND' });
  });
});
