/**
 * The examples of UseTransactional's page (seed "SDK Reference") as they stand there, with another import and
 * a base URL, against a running service. What the page leaves open is asserted between them.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotFoundError, Transactional } from 'smsledger-client';

const client = new Transactional({
  apiKey: process.env.TRANSACTIONAL_API_KEY,
  baseUrl: process.env.TRANSACTIONAL_BASE_URL,
});

test('SMS methods', async () => {
  // Send single SMS
  const result = await client.sms.send({
    to: '+14155551234',
    templateAlias: 'otp-verification',
    templateModel: { code: '123456' },
  });
  assert.deepEqual([result.to, result.errorCode, result.message], ['+14155551234', 0, 'OK']);

  // Send batch SMS
  const results = await client.sms.sendBatch([
    { to: '+14155551234', templateAlias: 'otp', templateModel: { code: '111' } },
    { to: '+14155555678', templateAlias: 'otp', templateModel: { code: '222' } },
  ]);
  assert.deepEqual(results.map(({ to, errorCode }) => [to, errorCode]), [
    ['+14155551234', 0],
    ['+14155555678', 0],
  ]);

  // Get message details
  await assert.rejects(async () => {
    const message = await client.sms.get('sms_abc123');
    return message;
  }, NotFoundError); // the page's id is nobody's
  const message = await client.sms.get(result.messageId);
  assert.equal(message.body, 'Your verification code is 123456');
  assert.equal(message.events[0]?.eventType, 'QUEUED');

  // List messages
  const messages = await client.sms.list({
    count: 50,
    status: 'DELIVERED',
    tag: 'verification',
  });
  assert.equal(messages.totalCount, messages.messages.length);

  // List inbound messages
  const inbound = await client.sms.listInbound({
    count: 50,
    fromDate: '2024-01-01T00:00:00Z',
  });
  assert.equal(inbound.totalCount, inbound.messages.length);
});

test('Suppressions methods', async () => {
  // List suppressions
  const suppressions = await client.sms.suppressions.list();
  assert.equal(suppressions.totalCount, 0);

  // Check if suppressed
  const isSuppressed = await client.sms.suppressions.check('+14155551234');
  assert.equal(isSuppressed, false);

  // Add suppression
  await client.sms.suppressions.add({
    phoneNumber: '+14155551234',
    reason: 'MANUAL',
  });
  assert.equal(await client.sms.suppressions.check('+14155551234'), true);

  // Remove suppression
  await client.sms.suppressions.remove('+14155551234');
  assert.equal(await client.sms.suppressions.check('+14155551234'), false);
});

test('Webhooks methods', async () => {
  // List webhooks
  const webhooks = await client.sms.webhooks.list();
  assert.deepEqual(webhooks, { totalCount: 0, webhooks: [] });

  // Create webhook
  const webhook = await client.sms.webhooks.create({
    url: 'https://your-app.com/webhooks/sms',
    events: ['sms.delivered', 'sms.failed'],
  });
  assert.match(webhook.secret, /^whsec_/);
  const { webhookId } = webhook;

  // Update webhook
  await client.sms.webhooks.update(webhookId, {
    events: ['sms.delivered', 'sms.failed', 'sms.inbound'],
  });
  const { events } = await client.sms.webhooks.get(webhookId);
  assert.deepEqual([...events].sort(), ['sms.delivered', 'sms.failed', 'sms.inbound']);

  // Delete webhook
  await client.sms.webhooks.delete(webhookId);
  await assert.rejects(client.sms.webhooks.get(webhookId), { code: 'WEBHOOK_NOT_FOUND' });
});
