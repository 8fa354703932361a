"""The organization's suppressions: who must not be sent to, why, since when, and how that came about.

Reads, calls a use case, renders; nothing else. The page names these methods in its SDKs and shows no requests, so
the paths and fields are this API's own.
"""

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post

from smsledger.application import cloud_events
from smsledger.application.directory import ApiKey
from smsledger.domain.consent import ALL, Cause, Consent, Reason, Suppressed, strongest
from smsledger.domain.ids import render_message_id

from .auth import SERVER_KINDS, require_key
from .errors import InvalidRequest
from .fast_lane import POSITION
from .openapi_suppressions import (
    AddOperation,
    CheckOperation,
    HistoryOperation,
    RemoveOperation,
    SuppressionListOperation,
)
from .parameters import decode_body, encode_position, phone_number, suppression_page
from .services import Services, services_of
from .wire import timestamp

_encode = msgspec.json.Encoder().encode

AnyRequest = Request[Any, Any, Any]

NOTE_CHARACTERS_MAX = 500


class AddSuppression(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Body of `POST /v1/sms/suppressions`."""

    phone_number: str
    reason: Reason = Reason.MANUAL
    note: str | None = None


class Suppression(msgspec.Struct, rename="camel"):
    """A suppression that stands."""

    phone_number: str
    suppressed: bool
    reason: str
    scope: str
    keyword: str | None
    message_id: str | None
    note: str | None
    created_at: str


class SuppressionCheck(msgspec.Struct, rename="camel"):
    """Whether a number is suppressed, for the strongest reason, and by what."""

    phone_number: str
    suppressed: bool
    reason: str | None
    suppressions: list[Suppression]


class SuppressionList(msgspec.Struct, rename="camel"):
    """A page of suppressions. `nextCursor` leads to the next page; null on the last."""

    total_count: int
    suppressions: list[Suppression]
    next_cursor: str | None


class SuppressionHistory(msgspec.Struct, rename="camel"):
    """A number's consent, as CloudEvents."""

    phone_number: str
    events: list[msgspec.Raw]


_add_decoder = msgspec.json.Decoder(AddSuppression)


@get(
    "/sms/suppressions",
    operation_id="listSuppressions",
    operation_class=SuppressionListOperation,
    summary="List suppressions",
    tags=["Suppressions"],
)
async def list_suppressions(request: AnyRequest) -> Response[SuppressionList]:
    """Those who are suppressed, newest first; what was answered before is in it without waiting."""
    services, key = await _asked(request)
    page, before = suppression_page(request.query_params)
    found = await services.suppressions.page(
        key.organization_id, count=page.count, offset=page.offset, before=before
    )
    answer = SuppressionList(
        found.total_count,
        [render_suppression(event) for event in found.suppressions],
        None if found.next_before is None else encode_position(found.next_before),
    )
    return _respond(answer, 0)


@post(
    "/sms/suppressions",
    status_code=201,
    operation_id="addSuppression",
    operation_class=AddOperation,
    summary="Suppress a number",
    tags=["Suppressions"],
)
async def add_suppression(request: AnyRequest) -> Response[Suppression]:
    """From now on nothing is sent to the number. One that stands already for as strong a reason is answered with 200."""
    services, key = await _asked(request)
    wanted = decode_body(_add_decoder, await request.body())
    number = phone_number(services.numbers, wanted.phone_number, field="phoneNumber")
    if wanted.note is not None and (len(wanted.note) > NOTE_CHARACTERS_MAX or "\x00" in wanted.note):
        raise InvalidRequest(problem=f"note: at most {NOTE_CHARACTERS_MAX} characters, none of them U+0000")
    cause = Cause(key_id=key.key_id, note=wanted.note)
    standing = await services.consents.suppress(
        key.organization_id, number, reason=wanted.reason, cause=cause
    )
    answer = render_suppression(standing.consent.suppressions[ALL])
    return _respond(answer, standing.position, status=201 if standing.changed else 200)


@get(
    "/sms/suppressions/{phoneNumber:str}",
    operation_id="checkSuppression",
    operation_class=CheckOperation,
    summary="Check a number",
    tags=["Suppressions"],
)
async def check_suppression(request: AnyRequest) -> Response[SuppressionCheck]:
    """Whether the number is suppressed, for some or for all senders."""
    services, key = await _asked(request)
    number = _number(services, request)
    standing = await services.consents.check(key.organization_id, number)
    return _respond(render_check(standing.consent), standing.position)


@delete(
    "/sms/suppressions/{phoneNumber:str}",
    status_code=204,
    operation_id="removeSuppression",
    operation_class=RemoveOperation,
    summary="Take suppressions back",
    tags=["Suppressions"],
)
async def remove_suppression(request: AnyRequest) -> Response[None]:
    """Every suppression of the number ends, whatever its reason; where there is none, nothing happens."""
    services, key = await _asked(request)
    number = _number(services, request)
    standing = await services.consents.restore(key.organization_id, number, cause=Cause(key_id=key.key_id))
    return Response(None, status_code=204, headers=_headers(standing.position))


@get(
    "/sms/suppressions/{phoneNumber:str}/history",
    operation_id="getSuppressionHistory",
    operation_class=HistoryOperation,
    summary="Get a number's history",
    tags=["Suppressions"],
)
async def get_history(request: AnyRequest) -> Response[SuppressionHistory]:
    """Who or what opted out or in, when, by which keyword of which inbound message: every event as it was stored."""
    services, key = await _asked(request)
    number = _number(services, request)
    events = await services.consents.history(key.organization_id, number)
    answer = SuppressionHistory(number, [msgspec.Raw(cloud_events.encode(event)) for event in events])
    return _respond(answer, events[-1].position if events else 0)


def render_suppression(event: Suppressed) -> Suppression:
    """A suppression, from the event that made it."""
    message_id = None if event.message_id is None else render_message_id(event.message_id, inbound=True)
    return Suppression(
        phone_number=event.number,
        suppressed=True,
        reason=event.reason,
        scope=event.scope,
        keyword=event.keyword,
        message_id=message_id,
        note=event.note,
        created_at=timestamp(event.at) or "",
    )


def render_check(consent: Consent) -> SuppressionCheck:
    """What stands against sending to a number, newest first."""
    standing = list(consent.suppressions.values())[::-1]
    return SuppressionCheck(
        phone_number=consent.number,
        suppressed=bool(standing),
        reason=strongest(standing),
        suppressions=[render_suppression(event) for event in standing],
    )


async def _asked(request: AnyRequest) -> tuple[Services, ApiKey]:
    services = services_of(request)
    return services, await require_key(request.scope, services, SERVER_KINDS)


def _number(services: Services, request: AnyRequest) -> str:
    return phone_number(services.numbers, request.path_params["phoneNumber"], field="phoneNumber")


def _headers(position: int) -> dict[str, str]:
    return {POSITION.decode(): str(position)} if position else {}


def _respond(answer: msgspec.Struct, position: int, *, status: int = 200) -> Response[Any]:
    return Response(
        _encode(answer), status_code=status, media_type="application/json", headers=_headers(position)
    )


HANDLERS = [list_suppressions, add_suppression, check_suppression, remove_suppression, get_history]
