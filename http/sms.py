"""The SMS API of the first seed: send, batch, get, events, list. Reads, calls a use case, renders; nothing else."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import MultiDict
from litestar.types import Scope

from smsledger.application import cloud_events
from smsledger.application.accept import Accepted, Result
from smsledger.application.directory import ApiKey
from smsledger.application.idempotency import Given, OnceFor
from smsledger.application.ledger import MessageMissing
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Recorded, Stored
from smsledger.domain.ids import render_aggregate_id
from smsledger.domain.message import Received, fold
from smsledger.projections.messages import MessageFilter, MessagePage, Page, list_messages

from .auth import require_key
from .errors import InvalidRequest, MessageNotFound, ProjectionBehind
from .fast_lane import POSITION, REPLAYED, Answer
from .idempotency import fingerprint, idempotency_key
from .openapi import (
    BatchOperation,
    EventsOperation,
    InboundListOperation,
    ListOperation,
    MessageOperation,
    SendOperation,
)
from .parameters import decode_batch, decode_send, inbound_page, list_page, message_id_of, wanted_position
from .services import Services, services_of
from .wire import (
    EventList,
    InboundList,
    MessageDetail,
    MessageList,
    SendResult,
    render_inbound,
    render_message,
    render_result,
    render_row,
    timestamp,
)

_encode = msgspec.json.Encoder().encode

AnyRequest = Request[Any, Any, Any]


@post(
    "/sms",
    status_code=200,
    operation_id="sendSms",
    operation_class=SendOperation,
    summary="Send an SMS",
    tags=["Messages"],
)
async def send_sms(request: AnyRequest) -> Response[SendResult]:
    """Accept one message. The answer comes when it is durable; sending it is the dispatcher's."""
    return _respond(await send(services_of(request), request.scope, await request.body()))


async def send(services: Services, scope: Scope, body: bytes) -> Answer:
    """`POST /v1/sms`."""
    key = await require_key(scope, services)
    repeated = idempotency_key(scope["headers"])
    command = decode_send(body)
    organization = await services.directory.organization(key.organization_id)
    if repeated is None:
        return _one(command.to, await services.accept.accept(organization, key, (command,)))

    async def work(once_for: OnceFor) -> Given:
        results = await services.accept.accept(
            organization, key, (command,), lambda found: once_for(_one(command.to, found).body)
        )
        return _given(_one(command.to, results))

    asked = fingerprint("/v1/sms", body)
    return _answer(await services.repeatable.run(key.organization_id, repeated, asked, work))


def _one(to: str, results: Sequence[Result]) -> Answer:
    """The answer to a single send. Raises the error that it ended with."""
    (result,) = results
    if isinstance(result, LedgerError):
        raise result
    return Answer(_encode(render_result(to, timestamp(result.at) or "", result)), result.position)


@post(
    "/sms/batch",
    status_code=200,
    operation_id="sendSmsBatch",
    operation_class=BatchOperation,
    summary="Send a batch of SMS",
    tags=["Messages"],
)
async def send_batch(request: AnyRequest) -> Response[list[SendResult]]:
    """Accept 1 to 500 messages in one transaction; results in the order sent."""
    return _respond(await send_many(services_of(request), request.scope, await request.body()))


async def send_many(services: Services, scope: Scope, body: bytes) -> Answer:
    """`POST /v1/sms/batch`."""
    key = await require_key(scope, services)
    repeated = idempotency_key(scope["headers"])
    items = decode_batch(body)
    organization = await services.directory.organization(key.organization_id)
    commands = [command for _, command in items]

    def many(results: Sequence[Result]) -> Answer:
        accepted = next((result for result in results if isinstance(result, Accepted)), None)
        at = timestamp(accepted.at if accepted else services.clock()) or ""
        rendered = [render_result(to, at, result) for (to, _), result in zip(items, results, strict=True)]
        return Answer(_encode(rendered), _last_position(results))

    if repeated is None:
        return many(await services.accept.accept(organization, key, commands))

    async def work(once_for: OnceFor) -> Given:
        results = await services.accept.accept(
            organization, key, commands, lambda found: once_for(many(found).body)
        )
        return _given(many(results))

    asked = fingerprint("/v1/sms/batch", body)
    return _answer(await services.repeatable.run(key.organization_id, repeated, asked, work))


def _last_position(results: Sequence[Result]) -> int | None:
    return max((result.position for result in results if isinstance(result, Accepted)), default=None)


def _given(answer: Answer) -> Given:
    return Given(answer.body, answer.position)


def _answer(given: Given) -> Answer:
    return Answer(given.answer, given.position, given.replayed)


@get(
    "/sms/{messageId:str}",
    operation_id="getMessage",
    operation_class=MessageOperation,
    summary="Get a message",
    tags=["Messages"],
)
async def get_message(request: AnyRequest) -> Response[MessageDetail]:
    """A message folded from its own events: current at once, before any projection."""
    message_id = request.path_params["messageId"]
    return _respond(await show(services_of(request), request.scope, message_id))


async def show(services: Services, scope: Scope, message_id: str) -> Answer:
    """`GET /v1/sms/{messageId}`."""
    key = await require_key(scope, services)
    wanted = message_id_of(message_id)
    events = (await services.reader.load([wanted])).get(wanted)
    if not events or not _is_theirs(events[0], message_id, key):
        raise MessageNotFound
    message = fold(wanted, [recorded.event for recorded in events])
    if message is None:
        raise MessageMissing(message_id=wanted)
    return Answer(_encode(render_message(message, events)), events[-1].position)


def _is_theirs(first: Recorded[Any] | Stored, message_id: str, key: ApiKey) -> bool:
    """Whether the first event is that of a message of the key's organization, of the direction that the id says.

    A UUID says no direction; it is that of a message, and not of a consent.
    """
    if first.organization_id != key.organization_id or not first.topic.startswith("message."):
        return False
    return message_id in (render_aggregate_id(first.topic, first.aggregate_id), str(first.aggregate_id))


@get(
    "/sms/{messageId:str}/events",
    operation_id="getMessageEvents",
    operation_class=EventsOperation,
    summary="Get a message's events",
    tags=["Messages"],
)
async def get_events(request: AnyRequest) -> Response[EventList]:
    """A message's timeline: every event as it was stored, as CloudEvents in version order."""
    services = services_of(request)
    key = await require_key(request.scope, services)
    message_id = request.path_params["messageId"]
    events = await services.reader.history(message_id_of(message_id))
    if not events or not _is_theirs(events[0], message_id, key):
        raise MessageNotFound
    shown_id = render_aggregate_id(events[0].topic, events[0].aggregate_id)
    answer = EventList(shown_id, [msgspec.Raw(cloud_events.encode(event)) for event in events])
    return _respond(Answer(_encode(answer), events[-1].position))


@get(
    "/sms/messages",
    operation_id="listMessages",
    operation_class=ListOperation,
    summary="List messages",
    tags=["Messages"],
)
async def get_messages(request: AnyRequest) -> Response[MessageList]:
    """Messages of the organization, newest first, with the exact number of all that fit."""
    found = await _list(request, list_page)
    messages = [render_row(row) for row in found.messages]
    return _respond(
        Answer(_encode(MessageList(found.total_count, messages, found.next_cursor)), found.position)
    )


@get(
    "/sms/inbound",
    operation_id="listInboundMessages",
    operation_class=InboundListOperation,
    summary="List inbound messages",
    tags=["Messages"],
)
async def get_inbound(request: AnyRequest) -> Response[InboundList]:
    """Messages that phones sent to the organization's numbers, newest first, with the exact number of all that fit."""
    found = await _list(request, inbound_page)
    # Of the attribution the read model keeps nothing: it is asked for here alone, and never sorted or searched by.
    histories = await services_of(request).reader.load([row.message_id for row in found.messages])
    answered = {
        message_id: events[0].event.in_reply_to
        for message_id, events in histories.items()
        if isinstance(events[0].event, Received)
    }
    messages = [render_inbound(row, answered.get(row.message_id)) for row in found.messages]
    return _respond(
        Answer(_encode(InboundList(found.total_count, messages, found.next_cursor)), found.position)
    )


async def _list(
    request: AnyRequest, read: Callable[[MultiDict[str]], tuple[MessageFilter, Page]]
) -> MessagePage:
    services = services_of(request)
    key = await require_key(request.scope, services)
    wanted, page = read(request.query_params)
    seen = await _wait_for_position(request, services)
    async with services.read_connection() as conn:
        found = await list_messages(conn, key.organization_id, wanted, page)
    if found.position < seen:  # the read model went back, as after a crash of PostgreSQL, and comes again
        raise ProjectionBehind(position=seen, waited_s=services.position_wait_s_max)
    return found


async def _wait_for_position(request: AnyRequest, services: Services) -> int:
    """Read-your-writes on demand: wait until the lists show the position that the client has seen; 0: none."""
    position = wanted_position(request.scope["headers"])
    if position is None:
        return 0
    if position > services.watch.seen and position > (last := await services.reader.last_position()):
        raise InvalidRequest(
            problem=f"Ledger-Position: the ledger has come to position {last} only; give one that an answer gave you"
        )
    waited_s = services.position_wait_s_max
    if not await services.watch.wait_for_position(position, waited_s):
        raise ProjectionBehind(position=position, waited_s=waited_s)
    return position


def _respond(answer: Answer) -> Response[Any]:
    headers = {} if answer.position is None else {POSITION.decode(): str(answer.position)}
    if answer.replayed:
        headers[REPLAYED.decode()] = "true"
    return Response(answer.body, media_type="application/json", headers=headers)


HANDLERS = [send_sms, send_batch, get_messages, get_inbound, get_message, get_events]
