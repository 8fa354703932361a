"""What the SMS API reads and writes, field by field as in the seed's page. No logic but rendering."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import field

from smsledger.application import clock
from smsledger.application.accept import Accepted, SendCommand
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Recorded, event_name
from smsledger.domain.ids import render_message_id
from smsledger.domain.message import Message
from smsledger.domain.status import Direction
from smsledger.projections.messages import MessageRow

from .errors import OK, SUPPRESSED, kind_of, message_of


class SendSms(SendCommand, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Body of `POST /v1/sms`, and an item of a batch."""


class SendResult(msgspec.Struct, rename="camel"):
    """Answer to a send; in a batch one per item, in order."""

    to: str
    submitted_at: str
    message_id: str | None
    error_code: int
    message: str


class MessageEvent(msgspec.Struct, rename="camel"):
    """One step of a message's life."""

    event_type: str
    timestamp: str


class MessageDetail(msgspec.Struct, rename="camel"):
    """A message, as its own events leave it."""

    message_id: str
    provider_message_id: str | None
    from_: str = field(name="from")
    to: str
    body: str
    status: str
    direction: str
    segments: int
    country: str
    tag: str | None
    metadata: dict[str, Any]
    error_code: str | None
    error_message: str | None
    queued_at: str | None
    sent_at: str | None
    delivered_at: str | None
    failed_at: str | None
    events: list[MessageEvent]


class MessageListItem(msgspec.Struct, rename="camel"):
    """A message in a list."""

    message_id: str
    from_: str = field(name="from")
    to: str
    status: str
    direction: str
    segments: int
    country: str
    tag: str | None
    queued_at: str | None
    sent_at: str | None
    delivered_at: str | None
    failed_at: str | None


class MessageList(msgspec.Struct, rename="camel"):
    """A page of messages. `nextCursor` leads to the next page; null on the last."""

    total_count: int
    messages: list[MessageListItem]
    next_cursor: str | None


class InboundMessage(msgspec.Struct, rename="camel"):
    """An inbound message in a list."""

    message_id: str
    provider_message_id: str | None
    from_: str = field(name="from")
    to: str
    body: str
    received_at: str
    in_reply_to: str | None
    """The message sent that it probably answers."""


class InboundList(msgspec.Struct, rename="camel"):
    """A page of inbound messages. `nextCursor` leads to the next page; null on the last."""

    total_count: int
    messages: list[InboundMessage]
    next_cursor: str | None


class EventList(msgspec.Struct, rename="camel"):
    """A message's events as CloudEvents."""

    message_id: str
    events: list[msgspec.Raw]


def timestamp(moment: datetime | None) -> str | None:
    """`2024-01-01T00:00:00.000Z`, as everywhere on the page; null where there is no moment."""
    return None if moment is None else clock.timestamp(moment)


def render_result(to: str, at: str, result: Accepted | LedgerError) -> SendResult:
    """What became of one send."""
    if isinstance(result, Accepted):
        number, text = (SUPPRESSED, "recipient opted out (suppressed)") if result.blocked else (OK, "OK")
        return SendResult(to, at, render_message_id(result.message_id), number, text)
    return SendResult(to, at, None, kind_of(result).number or OK, message_of(result))


def render_message(message: Message, events: Sequence[Recorded[Any]]) -> MessageDetail:
    """A message with its events."""
    inbound = message.direction is Direction.INBOUND
    return MessageDetail(
        message_id=render_message_id(message.message_id, inbound=inbound),
        provider_message_id=message.provider_message_id,
        from_=message.sender,
        to=message.recipient,
        body=message.body,
        status=message.status,
        direction=message.direction,
        segments=message.segments,
        country=message.country,
        tag=message.tag,
        metadata=message.metadata,
        error_code=message.error_code,
        error_message=message.error_message,
        queued_at=None if inbound else timestamp(message.created_at),
        sent_at=timestamp(message.sent_at),
        delivered_at=timestamp(message.delivered_at),
        failed_at=timestamp(message.failed_at),
        events=[MessageEvent(event_name(e.topic).upper(), timestamp(e.recorded_at) or "") for e in events],
    )


def render_row(row: MessageRow) -> MessageListItem:
    """A message of the read model."""
    inbound = row.direction == Direction.INBOUND
    message_id: UUID = row.message_id
    return MessageListItem(
        message_id=render_message_id(message_id, inbound=inbound),
        from_=row.sender,
        to=row.recipient,
        status=row.status,
        direction=row.direction,
        segments=row.segments,
        country=row.country,
        tag=row.tag,
        queued_at=None if inbound else timestamp(row.created_at),
        sent_at=timestamp(row.sent_at),
        delivered_at=timestamp(row.delivered_at),
        failed_at=timestamp(row.failed_at),
    )


def render_inbound(row: MessageRow, in_reply_to: UUID | None) -> InboundMessage:
    """An inbound message of the read model, with what its event says of the message it answers."""
    return InboundMessage(
        message_id=render_message_id(row.message_id, inbound=True),
        provider_message_id=row.provider_message_id,
        from_=row.sender,
        to=row.recipient,
        body=row.body,
        received_at=timestamp(row.created_at) or "",
        in_reply_to=None if in_reply_to is None else render_message_id(in_reply_to),
    )
