"""Events as a person reads them: one line of what matters, personal data hidden unless it is asked for.

Used by `timeline` and `tail`. Which fields are personal is marked in the domain; machines get CloudEvents instead.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from smsledger.application import cloud_events
from smsledger.domain.consent import Restored, Suppressed
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event, Stored, event_name, personal_fields
from smsledger.domain.ids import render_message_id
from smsledger.domain.ledger_events import LEDGER_EVENTS
from smsledger.domain.message import (
    Blocked,
    Deferred,
    Delivered,
    Failed,
    OutcomeUnknown,
    Queued,
    ReceiptOverdue,
    Received,
    Sending,
    Sent,
    Undelivered,
)

PROVIDER_TIME_DIFFERS_S = 1.0
"""The carrier's own time is told where it is this far from the ledger's."""

NAME_WIDTH = 15

_COLOURS = {
    "queued": "white",
    "sending": "blue",
    "deferred": "yellow",
    "sent": "cyan",
    "delivered": "green",
    "received": "green",
    "undelivered": "red",
    "failed": "red",
    "outcome_unknown": "red",
    "receipt_overdue": "red",
    "blocked": "magenta",
    "suppressed": "magenta",
    "restored": "green",
}

EVENT_NAMES = frozenset(event_name(topic) for topic in LEDGER_EVENTS.types)
"""The types of events, as `tail --type` takes them."""

_NUMBER_FIELDS = ("recipient", "sender", "number")


def colour_of(name: str) -> str:
    """The colour of an event or status, by its name in any case."""
    return _COLOURS.get(name.lower(), "white")


def decoded(stored: Stored) -> Event | None:
    """The event; None where its type or its bytes are not known to this release."""
    try:
        return LEDGER_EVENTS.decode(stored.topic, stored.state)
    except (LedgerError, msgspec.DecodeError):
        return None


def masked_number(number: str) -> str:
    """A number as it may be shown to anybody: its beginning and its end."""
    if len(number) < 8:
        return "*" * len(number)
    return f"{number[:4]}{'*' * (len(number) - 6)}{number[-2:]}"


def details(event: Event | None, *, reveal: bool) -> str:
    """What an event says beyond its name, in a few words."""
    if event is None:
        return "(not known to this release)"
    parts = _PARTS[type(event)](event, reveal)
    provider_at: datetime | None = getattr(event, "provider_at", None)
    if provider_at is not None and abs((provider_at - event.at).total_seconds()) >= PROVIDER_TIME_DIFFERS_S:
        parts.append(f"carrier's time {utc_text(provider_at)}")
    return ", ".join(part for part in parts if part)


def _queued(event: Queued, reveal: bool) -> list[str]:
    to = event.recipient if reveal else masked_number(event.recipient)
    return [
        f"from {event.sender} to {to}",
        event.sender_reason,
        f"{segments_text(event.segments, event.encoding)}",
    ]


def _received(event: Received, reveal: bool) -> list[str]:
    sender = event.sender if reveal else masked_number(event.sender)
    return [f"from {sender} to {event.recipient}", f"by {event.carrier}", event.provider_message_id]


def _consent(event: Suppressed | Restored, reveal: bool) -> list[str]:
    said = ""
    if event.keyword is not None:
        said = f"by {event.keyword}"
        if event.message_id is not None:
            said += f" in {render_message_id(event.message_id, inbound=True)}"
    return [
        event.number if reveal else masked_number(event.number),
        f"scope {event.scope}",
        event.reason,
        said,
        f"by key {event.key_id}" if event.key_id else "",
        event.note or "" if reveal else "",
    ]


_PARTS: dict[type[Event], Callable[[Any, bool], list[str]]] = {
    Suppressed: _consent,
    Restored: _consent,
    Queued: _queued,
    Received: _received,
    Blocked: lambda event, _: [event.error_code, event.reason],
    Sending: lambda event, _: [_attempt(event), _carrier(event)],
    Deferred: lambda event, _: [
        _attempt(event),
        event.error_code,
        event.reason,
        f"again at {utc_text(event.retry_at)}",
    ],
    Sent: lambda event, _: [_attempt(event), _carrier(event), event.provider_message_id or "by receipt"],
    Delivered: lambda event, _: [_carrier(event)],
    Undelivered: lambda event, _: [_carrier(event), event.error_code, event.reason],
    Failed: lambda event, _: [_attempt(event), _carrier(event), event.error_code, event.reason],
    OutcomeUnknown: lambda event, _: [_attempt(event), _carrier(event), event.reason],
    ReceiptOverdue: lambda event, _: [f"no receipt within {span_text(timedelta(seconds=event.waited_s))}"],
}


def _attempt(event: Sending | Deferred | Sent | Failed | OutcomeUnknown) -> str:
    return f"attempt {event.attempt}" if event.attempt else ""


def _carrier(event: Sending | Sent | Delivered | Undelivered | Failed | OutcomeUnknown) -> str:
    return f"by {event.carrier}" if event.carrier else ""


def cloud_event(stored: Stored, *, reveal: bool) -> bytes:
    """The event for machines. Unless revealed, numbers are masked, other personal fields left out and named."""
    if reveal:
        return cloud_events.encode(stored)
    cls = LEDGER_EVENTS.types.get(stored.topic)
    data: dict[str, Any] = msgspec.json.decode(stored.state)
    hidden = [name for name in (personal_fields(cls) if cls else data) if name in data]
    for name in hidden:
        value = data.pop(name)
        if name in _NUMBER_FIELDS and isinstance(value, str):
            data[name] = masked_number(value)
    shown = msgspec.structs.replace(stored, state=msgspec.json.encode(data))
    envelope: dict[str, Any] = msgspec.json.decode(cloud_events.encode(shown))
    return msgspec.json.encode(envelope | {"hidden": hidden} if hidden else envelope)


def event_label(stored: Stored) -> str:
    """`message.queued.v1` as `QUEUED`."""
    return event_name(stored.topic).upper()


def utc_text(moment: datetime) -> str:
    """A moment in UTC, to the millisecond."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}Z"


def local_text(moment: datetime) -> str:
    """A moment by this machine's time zone, to the millisecond."""
    local = moment.astimezone()
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}{offset[:3]}:{offset[3:5]}"


def span_text(span: timedelta) -> str:
    """A span of time in the two units that matter: `52 ms`, `1.250 s`, `3 min 2 s`, `2 h 5 min`, `3 d 4 h`."""
    seconds = span.total_seconds()
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 1:
        return f"{sign}{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{sign}{seconds:.3f} s"
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min")):
        if whole >= size:
            return f"{sign}{whole // size} {unit} {whole % size // smaller} {smaller_unit}"
    return f"{sign}{whole // 60} min {whole % 60} s"


def segments_text(segments: int, encoding: str) -> str:
    """`1 segment GSM-7`."""
    return f"{segments} segment{'' if segments == 1 else 's'} {encoding.replace('_', '-')}".rstrip()
