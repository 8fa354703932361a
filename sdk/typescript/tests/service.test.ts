/** What goes beyond the page, against a running service. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthenticationError, IdempotencyError, InvalidRequestError, NotFoundError, Transactional } from 'smsledger-client';

const baseUrl = process.env.TRANSACTIONAL_BASE_URL;
const client = new Transactional({ apiKey: process.env.TRANSACTIONAL_API_KEY, baseUrl });

const message = { to: '+14155550123', templateAlias: 'otp', templateModel: { code: '123' } };

test('all pages show each of our own messages once, as soon as they are sent', async () => {
  const tag = 'pages';
  const results = await client.sms.sendBatch(Array.from({ length: 25 }, () => ({ ...message, tag })));
  const listed: string[] = [];
  for await (const { messageId } of client.sms.iterate({ tag, count: 10 }, { position: client.position })) {
    listed.push(messageId);
  }
  assert.deepEqual(listed.sort(), results.map(({ messageId }) => messageId).sort());
});

test('the same key sends once; another message with it is refused', async () => {
  const idempotencyKey = 'order-17';
  const first = await client.sms.send({ ...message, tag: 'once' }, { idempotencyKey });
  assert.deepEqual(await client.sms.send({ ...message, tag: 'once' }, { idempotencyKey }), first);
  const { totalCount } = await client.sms.list({ tag: 'once' }, { position: client.position });
  assert.equal(totalCount, 1);
  await assert.rejects(client.sms.send({ ...message, tag: 'twice' }, { idempotencyKey }), (error) => {
    assert.ok(error instanceof IdempotencyError);
    assert.deepEqual([error.statusCode, error.code], [422, 'IDEMPOTENCY_KEY_REUSED']);
    return true;
  });
});

test('the service’s refusals are typed errors', async () => {
  await assert.rejects(client.sms.send({ ...message, to: '0123' }), (error) => {
    assert.ok(error instanceof InvalidRequestError);
    assert.deepEqual([error.code, error.errorCode, error.statusCode], ['INVALID_REQUEST', 1001, 400]);
    assert.ok(error.requestId);
    return true;
  });
  await assert.rejects(client.sms.send({ ...message, templateAlias: 'nobodys' }), (error) => {
    assert.ok(error instanceof NotFoundError);
    assert.deepEqual([error.code, error.errorCode], ['TEMPLATE_NOT_FOUND', 1002]);
    return true;
  });
  const stranger = new Transactional({ apiKey: 'sk_server_nobodys', baseUrl });
  await assert.rejects(stranger.sms.list(), AuthenticationError);
});

test('an item that is refused is a result among its neighbours', async () => {
  const results = await client.sms.sendBatch([message, { ...message, to: '0123' }, message]);
  assert.deepEqual(results.map(({ errorCode }) => errorCode), [0, 1001, 0]);
  assert.equal(results[1]?.messageId, null);
});

test('the events of a message are told from its first on', async () => {
  const { messageId } = await client.sms.send(message);
  const { events } = await client.sms.events(String(messageId));
  assert.deepEqual([events[0]?.type, events[0]?.version, events[0]?.subject], ['sms.queued', 1, messageId]);
});

test('a preview tells text, segments and what makes them short, and stores nothing', async () => {
  const { totalCount } = await client.sms.list({}, { position: client.position });
  const preview = await client.sms.preview({ ...message, templateModel: { code: '1’2' } });
  assert.deepEqual([preview.body, preview.encoding, preview.segments], ['Code: 1’2', 'UCS_2', 1]);
  assert.deepEqual(preview.forcingCharacters, [{ character: '’', codePoint: 'U+2019', index: 7 }]);
  assert.equal((await client.sms.list({}, { position: client.position })).totalCount, totalCount);
});

test('a suppressed number is told everywhere: why, since when, and as a result of a send', async () => {
  const phoneNumber = '+14155550199';
  const { suppressions } = client.sms;
  const added = await suppressions.add({ phoneNumber, note: 'asked by telephone' });
  assert.deepEqual([added.reason, added.scope, added.note], ['MANUAL', 'ALL', 'asked by telephone']);
  assert.deepEqual(await suppressions.add({ phoneNumber }), added);
  assert.deepEqual((await suppressions.get(phoneNumber)).suppressions, [added]);
  const result = await client.sms.send({ ...message, to: phoneNumber });
  assert.equal(result.errorCode, 1006);
  assert.equal((await client.sms.get(String(result.messageId))).status, 'BLOCKED');
  assert.equal((await client.sms.preview({ ...message, to: phoneNumber })).blocked, true);
  const listed: string[] = [];
  for await (const entry of suppressions.iterate({ count: 1 })) listed.push(entry.phoneNumber);
  assert.ok(listed.includes(phoneNumber));
  await suppressions.remove(phoneNumber);
  await suppressions.remove(phoneNumber);
  assert.equal((await suppressions.history(phoneNumber)).events.length, 2);
});
