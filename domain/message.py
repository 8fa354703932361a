"""The Message aggregate: its events, its state, and every decision about what may happen to it next.

Decisions are pure: state and command in, events out; repeating one yields nothing new, and what must not
happen is refused with a reason. Which status wins is `domain/status.py`'s table. Nothing here calls a carrier.
(Longer than other files: an aggregate stands in one file, in the order events, state, decisions, refusals.)
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import msgspec
from msgspec.structs import replace

from .errors import LedgerError
from .event import PERSONAL, Event, EventTypes
from .segments import Encoding
from .status import FINAL, Direction, Status, prevailing

# --- Events -----------------------------------------------------------------------------------------------
# Stored format: change only by adding fields with defaults, or by adding a version with an upcaster.
# Fields marked PERSONAL can be sealed with the message's own key; everything else stays readable for ever.

RECEIPT_KINDS_MAX = 64
"""Different receipts remembered per message; of a carrier that invents more only those that change the status count."""


class Queued(Event, frozen=True, kw_only=True):
    """The message was accepted: rendered, counted, its sender chosen. Everything a carrier needs is in it."""

    organization_id: str
    sender: str
    sender_reason: str
    """Why this sender: for auditors ("pool number for US")."""
    recipient: Annotated[str, PERSONAL]
    country: str
    """ISO 3166-1 alpha-2 region of the recipient's number; 001 for a non-geographic number."""
    body: Annotated[str, PERSONAL]
    encoding: Encoding
    segments: int
    template_id: int
    template_version: int
    template_alias: str | None = None
    template_model: Annotated[dict[str, Any], PERSONAL] = {}
    tag: str | None = None
    metadata: Annotated[dict[str, Any], PERSONAL] = {}
    key_id: str
    """The API key that sent it (its id, never the key); empty for a reply of the ledger's own."""
    channel: str = "SMS"
    pooled: bool = True
    """Whether the sender is one of the pool's: consent is asked for in that scope."""
    in_reply_to: UUID | None = None
    """The inbound message that the ledger answers with this one."""


class Blocked(Event, frozen=True, kw_only=True):
    """The message will not be handed to a carrier."""

    error_code: str
    reason: str


class Sending(Event, frozen=True, kw_only=True):
    """A dispatcher took the message on and is about to call the carrier."""

    attempt: int
    carrier: str
    lease: str
    """Names the taker uniquely, so that it can tell its own append from another's after a lost connection."""


class Deferred(Event, frozen=True, kw_only=True):
    """The carrier certainly did not take the message this time; it is tried again from `retry_at` on."""

    attempt: int
    error_code: str
    reason: str
    retry_at: datetime


class Sent(Event, frozen=True, kw_only=True):
    """The carrier took the message on."""

    carrier: str
    provider_message_id: str | None = None
    attempt: int = 0
    provider_at: datetime | None = None
    """The carrier's own time, as it gave it; never used for order."""


class Delivered(Event, frozen=True, kw_only=True):
    """A receipt says that the recipient has the message."""

    carrier: str
    provider_at: datetime | None = None


class Undelivered(Event, frozen=True, kw_only=True):
    """A receipt says that the carrier could not deliver the message."""

    carrier: str
    error_code: str
    reason: str
    provider_at: datetime | None = None


class Failed(Event, frozen=True, kw_only=True):
    """The carrier refused the message for good, at the call or by receipt, or no attempt was left."""

    error_code: str
    reason: str
    carrier: str | None = None
    attempt: int = 0
    provider_at: datetime | None = None


class OutcomeUnknown(Event, frozen=True, kw_only=True):
    """Whether the carrier took the message cannot be found out, and trying again could send it twice."""

    attempt: int
    carrier: str
    reason: str


class ReceiptOverdue(Event, frozen=True, kw_only=True):
    """The carrier took the message on and never said what became of it."""

    waited_s: int


class Received(Event, frozen=True, kw_only=True):
    """A message came in from a phone to one of the organization's senders."""

    organization_id: str
    carrier: str
    provider_message_id: str
    sender: Annotated[str, PERSONAL]
    recipient: str
    body: Annotated[str, PERSONAL]
    encoding: Encoding
    segments: int
    country: str
    """Region of the sender's number; ZZ where it is no phone number (a short code or a name)."""
    provider_at: datetime | None = None
    in_reply_to: UUID | None = None
    """The outbound message that it probably answers: the last one that went the other way within 72 hours."""


MessageEvent: TypeAlias = (
    Queued
    | Blocked
    | Sending
    | Deferred
    | Sent
    | Delivered
    | Undelivered
    | Failed
    | OutcomeUnknown
    | ReceiptOverdue
    | Received
)

MESSAGE_EVENTS: EventTypes[Event] = EventTypes(
    {
        "message.queued.v1": Queued,
        "message.blocked.v1": Blocked,
        "message.sending.v1": Sending,
        "message.deferred.v1": Deferred,
        "message.sent.v1": Sent,
        "message.delivered.v1": Delivered,
        "message.undelivered.v1": Undelivered,
        "message.failed.v1": Failed,
        "message.outcome_unknown.v1": OutcomeUnknown,
        "message.receipt_overdue.v1": ReceiptOverdue,
        "message.received.v1": Received,
    }
)

OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
RECEIPT_OVERDUE = "RECEIPT_OVERDUE"

# --- State, and how events change it ----------------------------------------------------------------------


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as its events up to `version` leave it. Times are UTC."""

    message_id: UUID
    version: int
    organization_id: str
    direction: Direction
    status: Status
    sender: str
    recipient: str
    body: str
    segments: int
    country: str
    created_at: datetime
    """When it was queued (outbound) or received (inbound)."""
    updated_at: datetime
    tag: str | None = None
    metadata: dict[str, Any] = {}
    carrier: str | None = None
    provider_message_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    attempt: int = 0
    attempt_open: bool = False
    """A carrier was, or was about to be, called and its answer is not recorded."""
    retry_at: datetime | None = None
    pooled: bool = True
    in_reply_to: UUID | None = None
    receipts: frozenset[tuple[Status, str]] = frozenset()
    """The different things receipts said so far: (status, error code or "")."""


def evolve(state: Message | None, message_id: UUID, event: Event) -> Message:
    """The state after one more event. Raises CorruptHistory where the first event is missing or comes twice."""
    if state is None:
        return _begin(message_id, event)
    change = _CHANGES.get(type(event))
    if change is None:
        raise CorruptHistory(message_id=message_id, version=state.version + 1)
    return change(state, event)


def fold(message_id: UUID, events: Iterable[Event]) -> Message | None:
    """The state after `events` in version order; None where there are none."""
    state: Message | None = None
    for event in events:
        state = evolve(state, message_id, event)
    return state


def _begin(message_id: UUID, event: Event) -> Message:
    if isinstance(event, Queued):
        return Message(
            message_id=message_id,
            version=1,
            organization_id=event.organization_id,
            direction=Direction.OUTBOUND,
            status=Status.QUEUED,
            sender=event.sender,
            recipient=event.recipient,
            body=event.body,
            segments=event.segments,
            country=event.country,
            created_at=event.at,
            updated_at=event.at,
            tag=event.tag,
            metadata=event.metadata,
            pooled=event.pooled,
            in_reply_to=event.in_reply_to,
        )
    if isinstance(event, Received):
        return Message(
            message_id=message_id,
            version=1,
            organization_id=event.organization_id,
            direction=Direction.INBOUND,
            status=Status.RECEIVED,
            sender=event.sender,
            recipient=event.recipient,
            body=event.body,
            segments=event.segments,
            country=event.country,
            created_at=event.at,
            updated_at=event.at,
            carrier=event.carrier,
            provider_message_id=event.provider_message_id,
            in_reply_to=event.in_reply_to,
        )
    raise CorruptHistory(message_id=message_id, version=1)


# What each event makes of the state. Whatever is heard of a message tells that its last attempt is over, unless the
# event says otherwise; error code and text always belong to the event that decided the status.


def _sending(state: Message, event: Sending) -> Message:
    return replace(
        state,
        version=state.version + 1,
        updated_at=event.at,
        status=prevailing(state.status, Status.SENDING),
        attempt=event.attempt,
        attempt_open=True,
        retry_at=None,
        carrier=event.carrier,
    )


def _deferred(state: Message, event: Deferred) -> Message:
    return replace(
        state, version=state.version + 1, updated_at=event.at, attempt_open=False, retry_at=event.retry_at
    )


def _sent(state: Message, event: Sent) -> Message:
    return replace(
        state,
        version=state.version + 1,
        updated_at=event.at,
        status=prevailing(state.status, Status.SENT),
        attempt_open=False,
        retry_at=None,
        carrier=event.carrier,
        provider_message_id=state.provider_message_id or event.provider_message_id,
        sent_at=state.sent_at or event.at,
        receipts=state.receipts | _SAID_SENT,
    )


def _delivered(state: Message, event: Delivered) -> Message:
    decides = prevailing(state.status, Status.DELIVERED) is not state.status
    return replace(
        state,
        version=state.version + 1,
        updated_at=event.at,
        status=Status.DELIVERED if decides else state.status,
        attempt_open=False,
        retry_at=None,
        delivered_at=state.delivered_at or event.at,
        receipts=state.receipts | _SAID_DELIVERED,
        error_code=None if decides else state.error_code,
        error_message=None if decides else state.error_message,
        failed_at=None if decides else state.failed_at,
    )


def _undelivered(state: Message, event: Undelivered) -> Message:
    said = state.receipts | {(Status.UNDELIVERED, event.error_code)}
    return replace(
        _ended(state, event, Status.UNDELIVERED, event.error_code, event.reason, event.at), receipts=said
    )


def _failed(state: Message, event: Failed) -> Message:
    said = state.receipts | {(Status.FAILED, event.error_code)}
    return replace(
        _ended(state, event, Status.FAILED, event.error_code, event.reason, event.at), receipts=said
    )


def _blocked(state: Message, event: Blocked) -> Message:
    return _ended(state, event, Status.BLOCKED, event.error_code, event.reason, None)


def _outcome_unknown(state: Message, event: OutcomeUnknown) -> Message:
    return _ended(state, event, Status.FAILED, OUTCOME_UNKNOWN, event.reason, event.at)


def _receipt_overdue(state: Message, event: ReceiptOverdue) -> Message:
    text = f"no receipt from the carrier within {event.waited_s} s"
    return _ended(state, event, Status.UNDELIVERED, RECEIPT_OVERDUE, text, event.at)


def _ended(
    state: Message, event: Event, status: Status, error_code: str, text: str, failed_at: datetime | None
) -> Message:
    """The message did not get through, as far as this event knows."""
    heard = replace(state, version=state.version + 1, updated_at=event.at, attempt_open=False, retry_at=None)
    if prevailing(state.status, status) is state.status:
        return heard
    return replace(heard, status=status, error_code=error_code, error_message=text, failed_at=failed_at)


_SAID_SENT = frozenset({(Status.SENT, "")})
_SAID_DELIVERED = frozenset({(Status.DELIVERED, "")})

_CHANGES: dict[type[Event], Callable[[Message, Any], Message]] = {
    Sending: _sending,
    Deferred: _deferred,
    Sent: _sent,
    Delivered: _delivered,
    Undelivered: _undelivered,
    Failed: _failed,
    Blocked: _blocked,
    OutcomeUnknown: _outcome_unknown,
    ReceiptOverdue: _receipt_overdue,
}
"""Every event that can follow the first one."""


# --- Decisions --------------------------------------------------------------------------------------------


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a carrier reports about a message it was given. `status` is SENT, DELIVERED, UNDELIVERED or FAILED."""

    status: Status
    carrier: str
    error_code: str = ""
    reason: str = ""
    provider_at: datetime | None = None


def start_sending(message: Message, *, carrier: str, lease: str, at: datetime) -> Sequence[Event]:
    """Take the message on for one attempt at the carrier.

    Raises NotSendable where it is not waiting to be sent: not outbound, already with the carrier or final, or
    taken on by an attempt whose outcome is open.
    """
    if message.status not in (Status.QUEUED, Status.SENDING):
        raise NotSendable(reason=f"it is {message.status}")
    if message.attempt_open:
        raise NotSendable(reason=f"attempt {message.attempt} is open")
    return [Sending(at=at, attempt=message.attempt + 1, carrier=carrier, lease=lease)]


def record_taken(
    message: Message,
    *,
    carrier: str,
    provider_message_id: str,
    at: datetime,
    provider_at: datetime | None = None,
) -> Sequence[Event]:
    """The carrier answered that it took the message on. Nothing where that is known already."""
    if message.provider_message_id == provider_message_id:
        return []
    _require_attempt(message)
    sent = Sent(
        at=at,
        carrier=carrier,
        provider_message_id=provider_message_id,
        attempt=message.attempt,
        provider_at=provider_at,
    )
    return [sent]


def record_refused(
    message: Message, *, carrier: str, error_code: str, reason: str, at: datetime
) -> Sequence[Event]:
    """The carrier answered that it will never take the message on."""
    if not message.attempt_open:
        return []
    failed = Failed(at=at, carrier=carrier, error_code=error_code, reason=reason, attempt=message.attempt)
    return [failed]


def record_deferred(
    message: Message, *, error_code: str, reason: str, at: datetime, retry_at: datetime, attempts_max: int
) -> Sequence[Event]:
    """The carrier certainly did not take the message now; after `attempts_max` attempts it has failed."""
    if not message.attempt_open:
        return []
    if message.attempt >= attempts_max:
        text = f"{reason} (attempt {message.attempt} of {attempts_max}, the last)"
        return [
            Failed(
                at=at, carrier=message.carrier, error_code=error_code, reason=text, attempt=message.attempt
            )
        ]
    return [Deferred(at=at, attempt=message.attempt, error_code=error_code, reason=reason, retry_at=retry_at)]


def record_unknown(message: Message, *, reason: str, at: datetime) -> Sequence[Event]:
    """Nobody can tell whether the carrier took the open attempt: say so, instead of sending twice."""
    if not message.attempt_open:
        return []
    return [OutcomeUnknown(at=at, attempt=message.attempt, carrier=message.carrier or "", reason=reason)]


def record_receipt(message: Message, receipt: Receipt, *, at: datetime) -> Sequence[Event]:
    """A receipt is an event where it says something new, in whatever order receipts come.

    Raises ReceiptRefused where no carrier can know of the message (inbound, or never handed over).
    """
    if message.direction is Direction.INBOUND or message.status is Status.BLOCKED:
        raise ReceiptRefused(status=receipt.status, reason=f"the message is {message.status}")
    said = (receipt.status, receipt.error_code if receipt.status in _NEGATIVE else "")
    if said in message.receipts:
        return []
    is_better = prevailing(message.status, receipt.status) is not message.status
    if len(message.receipts) >= RECEIPT_KINDS_MAX and not is_better:
        return []
    return [_receipt_event(message, receipt, at)]


def record_overdue(message: Message, *, at: datetime, waited_s: int) -> Sequence[Event]:
    """No receipt came in time: the message does not stay SENT for ever. A late receipt still counts."""
    if message.status is not Status.SENT:
        return []
    return [ReceiptOverdue(at=at, waited_s=waited_s)]


def block(message: Message, *, error_code: str, reason: str, at: datetime) -> Sequence[Event]:
    """Keep the message from the carrier, before its first attempt or between two that the carrier did not take.

    Raises NotSendable where it may have been handed over already.
    """
    if message.status is Status.BLOCKED:
        return []
    if message.status not in (Status.QUEUED, Status.SENDING) or message.attempt_open:
        raise NotSendable(reason=f"it is {message.status}")
    return [Blocked(at=at, error_code=error_code, reason=reason)]


_NEGATIVE = (Status.UNDELIVERED, Status.FAILED)


def _receipt_event(message: Message, receipt: Receipt, at: datetime) -> Event:
    match receipt.status:
        case Status.SENT:
            return Sent(
                at=at, carrier=receipt.carrier, attempt=message.attempt, provider_at=receipt.provider_at
            )
        case Status.DELIVERED:
            return Delivered(at=at, carrier=receipt.carrier, provider_at=receipt.provider_at)
        case Status.UNDELIVERED:
            return Undelivered(
                at=at,
                carrier=receipt.carrier,
                error_code=receipt.error_code,
                reason=receipt.reason,
                provider_at=receipt.provider_at,
            )
        case Status.FAILED:
            return Failed(
                at=at,
                carrier=receipt.carrier,
                error_code=receipt.error_code,
                reason=receipt.reason,
                attempt=message.attempt,
                provider_at=receipt.provider_at,
            )
    raise ReceiptRefused(status=receipt.status, reason="a receipt cannot say that")


def _require_attempt(message: Message) -> None:
    if message.direction is Direction.INBOUND or message.attempt == 0:
        raise NotSendable(reason="no attempt was made")


def is_final(message: Message) -> bool:
    """Whether nothing more will be done for the message by itself."""
    return message.status in FINAL


# --- Refusals ---------------------------------------------------------------------------------------------


class NotSendable(LedgerError):
    """A message cannot be handed to a carrier now."""

    message = "the message cannot be sent: {reason}"


class ReceiptRefused(LedgerError):
    """A receipt cannot be about this message."""

    message = "a receipt saying {status} was refused: {reason}"


class CorruptHistory(LedgerError):
    """The events of a message do not begin with exactly one beginning."""

    message = "message {message_id} has a history that cannot be read at version {version}"


def carrier_reference(event: Event) -> str | None:
    """`<carrier>:<its id for the message>` where the event introduces that id; receipts are matched by it."""
    kind = type(event)  # asked of every event that is appended: many times as fast as isinstance()
    if (kind is Sent or kind is Received) and event.provider_message_id is not None:  # type: ignore[attr-defined]
        return f"{event.carrier}:{event.provider_message_id}"  # type: ignore[attr-defined]
    return None
