"""Messages as events leave them, for given-when-then tests: `given(queued(), sending())`."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from smsledger.domain.event import Event
from smsledger.domain.message import (
    Blocked,
    Deferred,
    Delivered,
    Failed,
    Message,
    OutcomeUnknown,
    Queued,
    Receipt,
    ReceiptOverdue,
    Received,
    Sending,
    Sent,
    Undelivered,
    fold,
)
from smsledger.domain.segments import Encoding
from smsledger.domain.status import Status

MESSAGE_ID = UUID("01936f00-0000-7000-8000-000000000001")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CARRIER = "simulator"


def at(seconds: float) -> datetime:
    """A moment after the message began."""
    return START + timedelta(seconds=seconds)


def given(*events: Event) -> Message:
    """The message after `events`."""
    message = fold(MESSAGE_ID, events)
    assert message is not None
    return message


def queued(seconds: float = 0) -> Queued:
    """Accepted."""
    return Queued(
        at=at(seconds),
        organization_id="acme",
        sender="+18005550100",
        sender_reason="pool number for US",
        recipient="+14155550123",
        country="US",
        body="Your code is 123456",
        encoding=Encoding.GSM_7,
        segments=1,
        template_id=7,
        template_version=2,
        tag="verification",
        metadata={"user": "u1"},
        key_id="key_1",
    )


def received(seconds: float = 0) -> Received:
    """Came in from a phone."""
    return Received(
        at=at(seconds),
        organization_id="acme",
        carrier=CARRIER,
        provider_message_id="in-1",
        sender="+14155550123",
        recipient="+18005550100",
        body="Hello",
        encoding=Encoding.GSM_7,
        segments=1,
        country="US",
    )


def sending(seconds: float = 1, attempt: int = 1) -> Sending:
    """Taken on by a dispatcher."""
    return Sending(at=at(seconds), attempt=attempt, carrier=CARRIER, lease="lease-1")


def deferred(seconds: float = 2, attempt: int = 1, retry_s: float = 10) -> Deferred:
    """To be tried again."""
    return Deferred(
        at=at(seconds),
        attempt=attempt,
        error_code="RATE_LIMIT",
        reason="too many",
        retry_at=at(seconds + retry_s),
    )


def sent(seconds: float = 2, provider_message_id: str | None = "out-1") -> Sent:
    """Taken on by the carrier."""
    return Sent(at=at(seconds), carrier=CARRIER, provider_message_id=provider_message_id, attempt=1)


def delivered(seconds: float = 3) -> Delivered:
    """The recipient has it."""
    return Delivered(at=at(seconds), carrier=CARRIER)


def undelivered(seconds: float = 3, error_code: str = "30003") -> Undelivered:
    """The carrier gave up."""
    return Undelivered(at=at(seconds), carrier=CARRIER, error_code=error_code, reason="unreachable")


def failed(seconds: float = 3, error_code: str = "30007") -> Failed:
    """The carrier refused."""
    return Failed(at=at(seconds), carrier=CARRIER, error_code=error_code, reason="filtered", attempt=1)


def blocked(seconds: float = 1) -> Blocked:
    """Kept from the carrier."""
    return Blocked(at=at(seconds), error_code="OPTED_OUT", reason="the recipient opted out")


def outcome_unknown(seconds: float = 3) -> OutcomeUnknown:
    """Nobody can tell."""
    return OutcomeUnknown(at=at(seconds), attempt=1, carrier=CARRIER, reason="the answer was lost")


def overdue(seconds: float = 60) -> ReceiptOverdue:
    """No receipt came."""
    return ReceiptOverdue(at=at(seconds), waited_s=58)


def receipt(status: Status, error_code: str = "", reason: str = "") -> Receipt:
    """What a carrier says."""
    return Receipt(status=status, carrier=CARRIER, error_code=error_code, reason=reason, provider_at=at(2.5))
