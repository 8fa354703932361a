"""The SMS API of the first seed: send, batch, get, events, list. Reads, calls a use case, renders; nothing else."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post

from smsledger.application import cloud_events
from smsledger.application.accept import Accepted
from smsledger.application.ledger import MessageMissing
from smsledger.domain.errors import LedgerError
from smsledger.domain.message import fold
from smsledger.projections.messages import list_messages

from .auth import require_key
from .errors import MessageNotFound, ProjectionBehind
from .openapi import BatchOperation, EventsOperation, ListOperation, MessageOperation, SendOperation
from .parameters import decode_batch, decode_send, list_page, message_id_of, wanted_position
from .services import Services, services_of
from .wire import (
    EventList,
    MessageDetail,
    MessageList,
    SendResult,
    render_message,
    render_result,
    render_row,
    timestamp,
)

POSITION = "Ledger-Position"

_encode = msgspec.json.Encoder().encode
_JSON = "application/json"

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
    services = services_of(request)
    key = await require_key(request, services)
    command = decode_send(await request.body())
    organization = await services.directory.organization(key.organization_id)
    (result,) = await services.accept.accept(organization, key, (command,))
    if isinstance(result, LedgerError):
        raise result
    answer = render_result(command.to, timestamp(result.at) or "", result)
    return _json(answer, result.position)


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
    services = services_of(request)
    key = await require_key(request, services)
    items = decode_batch(await request.body())
    organization = await services.directory.organization(key.organization_id)
    results = await services.accept.accept(organization, key, [command for _, command in items])
    accepted = [result for result in results if isinstance(result, Accepted)]
    at = timestamp(accepted[0].at if accepted else services.clock()) or ""
    answers = [render_result(to, at, result) for (to, _), result in zip(items, results, strict=True)]
    return _json(answers, max((result.position for result in accepted), default=None))


@get(
    "/sms/{messageId:str}",
    operation_id="getMessage",
    operation_class=MessageOperation,
    summary="Get a message",
    tags=["Messages"],
)
async def get_message(request: AnyRequest) -> Response[MessageDetail]:
    """A message folded from its own events: current at once, before any projection."""
    services = services_of(request)
    key = await require_key(request, services)
    wanted = message_id_of(request.path_params["messageId"])
    events = (await services.reader.load([wanted])).get(wanted)
    if not events or events[0].organization_id != key.organization_id:
        raise MessageNotFound
    message = fold(wanted, [recorded.event for recorded in events])
    if message is None:
        raise MessageMissing(message_id=wanted)
    return _json(render_message(message, events), events[-1].position)


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
    key = await require_key(request, services)
    message_id = request.path_params["messageId"]
    events = await services.reader.history(message_id_of(message_id))
    if not events or events[0].organization_id != key.organization_id:
        raise MessageNotFound
    answer = EventList(message_id, [msgspec.Raw(cloud_events.encode(event)) for event in events])
    return _json(answer, events[-1].position)


@get(
    "/sms/messages",
    operation_id="listMessages",
    operation_class=ListOperation,
    summary="List messages",
    tags=["Messages"],
)
async def get_messages(request: AnyRequest) -> Response[MessageList]:
    """Messages of the organization, newest first, with the exact number of all that fit."""
    services = services_of(request)
    key = await require_key(request, services)
    wanted, page = list_page(request.query_params)
    await _wait_for_position(request, services)
    async with services.read_connection() as conn:
        found = await list_messages(conn, key.organization_id, wanted, page)
    answer = MessageList(found.total_count, [render_row(row) for row in found.messages], found.next_cursor)
    return _json(answer, found.position)


async def _wait_for_position(request: AnyRequest, services: Services) -> None:
    """Read-your-writes on demand: wait until the lists show the position that the client has seen."""
    position = wanted_position(request.scope["headers"])
    if position is None:
        return
    waited_s = services.position_wait_s_max
    if not await services.watch.wait_for_position(position, waited_s):
        raise ProjectionBehind(position=position, waited_s=waited_s)


def _json(answer: Any, position: int | None) -> Response[Any]:
    headers = {} if position is None else {POSITION: str(position)}
    return Response(_encode(answer), media_type=_JSON, headers=headers)


HANDLERS = [send_sms, send_batch, get_messages, get_message, get_events]
