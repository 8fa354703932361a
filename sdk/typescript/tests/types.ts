/**
 * The public types against the service's OpenAPI document (`openapi.ts` is generated from it); tsc is the test.
 *
 * Two types agree if they have the same fields at every depth, ours may be sent where the document's is
 * expected, and the document's may be read as ours once our words (`'SENT' | …`) count as any text: the
 * document says `string` where we list the words.
 */

import type * as client from 'smsledger-client';
import type { paths } from './openapi.js';

type Content<T> = T extends { content: { 'application/json': infer Body } } ? Body : never;
type At<T, K> = K extends keyof T ? T[K] : never;
type Method<Path extends keyof paths, Name extends string> = At<paths[Path], Name>;
type Answer<Path extends keyof paths, Name extends string, Status extends number = 200> = Content<
  At<At<Method<Path, Name>, 'responses'>, Status>
>;
type Body<Path extends keyof paths, Name extends string> = Content<At<Method<Path, Name>, 'requestBody'>>;
type Query<Path extends keyof paths> = NonNullable<At<At<Method<Path, 'get'>, 'parameters'>, 'query'>>;

/** `a`, `b`, `b.c`: every field at every depth. */
type Fields<T> = T extends readonly (infer Item)[]
  ? Fields<Item>
  : T extends string | number | boolean
    ? never
    : T extends object
    ? string extends keyof T
      ? never
      : { [K in keyof T & string]-?: K | `${K}.${Fields<NonNullable<T[K]>>}` }[keyof T & string]
    : never;

type Widened<T> = T extends string
  ? string
  : T extends readonly (infer Item)[]
    ? Widened<Item>[]
    : T extends object
      ? { [K in keyof T]: Widened<T[K]> }
      : T;

type Agrees<Ours, Theirs> = [Theirs] extends [never]
  ? 'the document has no such thing'
  : [Fields<Ours>] extends [Fields<Theirs>]
    ? [Fields<Theirs>] extends [Fields<Ours>]
      ? [Ours] extends [Theirs]
        ? [Theirs] extends [Widened<Ours>]
          ? true
          : 'the document allows what our type does not'
        : 'our type allows what the document does not'
      : ['our type lacks', Exclude<Fields<Theirs>, Fields<Ours>>]
    : ['the document lacks', Exclude<Fields<Ours>, Fields<Theirs>>];

/** Parameters: what we take as a Date is sent as text. */
type Sent<Params> = { [K in keyof Params]: Exclude<Params[K], Date> };

type True<T extends true> = T;
type False<T extends false> = T;

export type Agreements = [
  True<Agrees<client.SendParams, Body<'/v1/sms', 'post'>>>,
  True<Agrees<client.SendResult, Answer<'/v1/sms', 'post'>>>,
  True<Agrees<client.SendParams[], Body<'/v1/sms/batch', 'post'>>>,
  True<Agrees<client.SendResult[], Answer<'/v1/sms/batch', 'post'>>>,
  True<Agrees<client.Message, Answer<'/v1/sms/{messageId}', 'get'>>>,
  True<Agrees<client.MessageHistory, Answer<'/v1/sms/{messageId}/events', 'get'>>>,
  True<Agrees<Sent<client.ListParams>, Query<'/v1/sms/messages'>>>,
  True<Agrees<client.MessageList, Answer<'/v1/sms/messages', 'get'>>>,
  True<Agrees<Sent<client.ListInboundParams>, Query<'/v1/sms/inbound'>>>,
  True<Agrees<client.InboundMessageList, Answer<'/v1/sms/inbound', 'get'>>>,
  True<Agrees<client.SendParams, Body<'/v1/sms/preview', 'post'>>>,
  True<Agrees<client.Preview, Answer<'/v1/sms/preview', 'post'>>>,
  True<Agrees<client.PageParams, Query<'/v1/sms/suppressions'>>>,
  True<Agrees<client.SuppressionList, Answer<'/v1/sms/suppressions', 'get'>>>,
  True<Agrees<client.AddSuppressionParams, Body<'/v1/sms/suppressions', 'post'>>>,
  True<Agrees<client.Suppression, Answer<'/v1/sms/suppressions', 'post'>>>,
  True<Agrees<client.Suppression, Answer<'/v1/sms/suppressions', 'post', 201>>>,
  True<Agrees<client.SuppressionState, Answer<'/v1/sms/suppressions/{phoneNumber}', 'get'>>>,
  True<Agrees<client.SuppressionHistory, Answer<'/v1/sms/suppressions/{phoneNumber}/history', 'get'>>>,
  True<Agrees<client.WebhookList, Answer<'/v1/sms/webhooks', 'get'>>>,
  True<Agrees<client.CreateWebhookParams, Body<'/v1/sms/webhooks', 'post'>>>,
  True<Agrees<client.CreatedWebhook, Answer<'/v1/sms/webhooks', 'post', 201>>>,
  True<Agrees<client.Webhook, Answer<'/v1/sms/webhooks/{webhookId}', 'get'>>>,
  True<Agrees<client.UpdateWebhookParams, Body<'/v1/sms/webhooks/{webhookId}', 'patch'>>>,
  True<Agrees<client.Webhook, Answer<'/v1/sms/webhooks/{webhookId}', 'patch'>>>,
];

/** That a difference is found, at any depth and of any kind. */
type Theirs = { a: string; b: { c: number | null }[] };
type Differs<Ours> = Agrees<Ours, Theirs> extends true ? true : false;
export type Planted = [
  True<Differs<{ a: 'word'; b: { c: number | null }[] }>>,
  False<Differs<{ a: string }>>,
  False<Differs<{ a: string; b: { c: number | null; d: string }[] }>>,
  False<Differs<{ a: string; b: { c: number }[] }>>,
  False<Differs<{ a: string | null; b: { c: number | null }[] }>>,
  False<Differs<{ a: number; b: { c: number | null }[] }>>,
  False<Agrees<{ a: string }, never> extends true ? true : false>,
];
