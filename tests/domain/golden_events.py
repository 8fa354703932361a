"""What the golden files hold: for each stored event type, one event with every field and one with none to spare.

The files beside it, `golden/<topic>.json`, are the bytes as a ledger has them, one event a line: first the full
one, then the minimal one, then for each field that was added later one that has it. They are written for a type that
has none yet, and only then:

    python -m tests.domain.golden_events

To change the bytes of a type that is NOT released, delete its file and run that again. The lines of a released
type are never deleted and never changed: ledgers hold such bytes for ever. Add a field with a default (the lines
stay as they are, and prove that old bytes are still read; one is added), or a new version of the type beside it.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from smsledger.domain.consent import Reason, Restoration, Restored, Suppressed
from smsledger.domain.event import Event
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
from smsledger.domain.segments import Encoding

FOLDER = Path(__file__).parent / "golden"

AT = datetime(2026, 3, 1, 12, 30, 15, 678_000, tzinfo=UTC)
RETRY_AT = datetime(2026, 3, 1, 12, 31, tzinfo=UTC)
PROVIDER_AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
ON_THE_SECOND = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
ANOTHER_ID = UUID("01936f00-0000-7000-8000-000000000002")

EVENTS: dict[str, tuple[Event, ...]] = {
    "message.queued.v1": (
        Queued(
            at=AT,
            organization_id="acme",
            sender="+18005550100",
            sender_reason="pool number for US",
            recipient="+14155550123",
            country="US",
            body='Zoë ж code: "1\\2"\n€ 🎉',
            encoding=Encoding.UCS_2,
            segments=1,
            template_id=7,
            template_version=2,
            template_alias="otp-verification",
            template_model={
                "code": "1\\2",
                "count": 3,
                "ratio": 0.5,
                "flag": True,
                "none": None,
                "list": [1],
            },
            tag="verification",
            metadata={"user": "u1", "nested": {"a": [1, "b"]}},
            key_id="key_1",
            channel="WHATSAPP",
        ),
        Queued(
            at=ON_THE_SECOND,
            organization_id="acme",
            sender="ACME",
            sender_reason="own number for GB",
            recipient="+447400123456",
            country="GB",
            body="Hello",
            encoding=Encoding.GSM_7,
            segments=1,
            template_id=1,
            template_version=1,
            key_id="key_1",
        ),
        Queued(
            at=AT,
            organization_id="acme",
            sender="ACME",
            sender_reason="own number for GB",
            recipient="+447400123456",
            country="GB",
            body="Hello",
            encoding=Encoding.GSM_7,
            segments=1,
            template_id=0,
            template_version=0,
            key_id="",
            pooled=False,
            in_reply_to=ANOTHER_ID,
        ),
    ),
    "message.blocked.v1": (
        Blocked(at=AT, error_code="OPTED_OUT", reason="the recipient opted out"),
        Blocked(at=ON_THE_SECOND, error_code="", reason=""),
    ),
    "message.sending.v1": (
        Sending(at=AT, attempt=2, carrier="simulator", lease="0123456789abcdef"),
        Sending(at=ON_THE_SECOND, attempt=1, carrier="simulator", lease="l"),
    ),
    "message.deferred.v1": (
        Deferred(at=AT, attempt=2, error_code="RATE_LIMIT", reason="too many", retry_at=RETRY_AT),
        Deferred(at=ON_THE_SECOND, attempt=1, error_code="", reason="", retry_at=ON_THE_SECOND),
    ),
    "message.sent.v1": (
        Sent(at=AT, carrier="simulator", provider_message_id="out-1", attempt=2, provider_at=PROVIDER_AT),
        Sent(at=ON_THE_SECOND, carrier="simulator"),
    ),
    "message.delivered.v1": (
        Delivered(at=AT, carrier="simulator", provider_at=PROVIDER_AT),
        Delivered(at=ON_THE_SECOND, carrier="simulator"),
    ),
    "message.undelivered.v1": (
        Undelivered(
            at=AT, carrier="simulator", error_code="30003", reason="unreachable", provider_at=PROVIDER_AT
        ),
        Undelivered(at=ON_THE_SECOND, carrier="simulator", error_code="", reason=""),
    ),
    "message.failed.v1": (
        Failed(
            at=AT,
            error_code="30007",
            reason="filtered",
            carrier="simulator",
            attempt=2,
            provider_at=PROVIDER_AT,
        ),
        Failed(at=ON_THE_SECOND, error_code="", reason=""),
    ),
    "message.outcome_unknown.v1": (
        OutcomeUnknown(at=AT, attempt=2, carrier="simulator", reason="the answer was lost"),
        OutcomeUnknown(at=ON_THE_SECOND, attempt=1, carrier="", reason=""),
    ),
    "message.receipt_overdue.v1": (
        ReceiptOverdue(at=AT, waited_s=259_200),
        ReceiptOverdue(at=ON_THE_SECOND, waited_s=0),
    ),
    "message.received.v1": (
        Received(
            at=AT,
            organization_id="acme",
            carrier="simulator",
            provider_message_id="in-1",
            sender="+14155550123",
            recipient="+18005550100",
            body="STOP ¿qué?",
            encoding=Encoding.UCS_2,
            segments=1,
            country="US",
            provider_at=PROVIDER_AT,
        ),
        Received(
            at=ON_THE_SECOND,
            organization_id="acme",
            carrier="simulator",
            provider_message_id="in-2",
            sender="+14155550123",
            recipient="+18005550100",
            body="",
            encoding=Encoding.GSM_7,
            segments=1,
            country="001",
        ),
        Received(
            at=AT,
            organization_id="acme",
            carrier="simulator",
            provider_message_id="in-3",
            sender="12345",
            recipient="+18005550100",
            body="",
            encoding=Encoding.GSM_7,
            segments=1,
            country="ZZ",
            in_reply_to=ANOTHER_ID,
        ),
    ),
    "consent.suppressed.v1": (
        Suppressed(
            at=AT,
            organization_id="acme",
            number="+14155550123",
            scope="POOL",
            reason=Reason.OPT_OUT,
            keyword="STOP",
            message_id=ANOTHER_ID,
            key_id="key_1",
            note="a note",
        ),
        Suppressed(
            at=ON_THE_SECOND,
            organization_id="acme",
            number="+14155550123",
            scope="ALL",
            reason=Reason.MANUAL,
        ),
    ),
    "consent.restored.v1": (
        Restored(
            at=AT,
            organization_id="acme",
            number="+14155550123",
            scope="+18005550100",
            reason=Restoration.OPT_IN,
            keyword="START",
            message_id=ANOTHER_ID,
            key_id="key_1",
            note="a note",
        ),
        Restored(
            at=ON_THE_SECOND,
            organization_id="acme",
            number="+14155550123",
            scope="ALL",
            reason=Restoration.MANUAL,
        ),
    ),
}


def path_of(topic: str) -> Path:
    """Where a type's bytes are kept."""
    return FOLDER / f"{topic}.json"


def stored_bytes(topic: str) -> list[bytes]:
    """The events of a golden file."""
    return path_of(topic).read_bytes().splitlines()


def write_missing() -> list[str]:
    """Write the files that are not there yet; their topics."""
    FOLDER.mkdir(exist_ok=True)
    missing = [topic for topic in EVENTS if not path_of(topic).exists()]
    for topic in missing:
        path_of(topic).write_bytes(b"".join(LEDGER_EVENTS.encode(event) + b"\n" for event in EVENTS[topic]))
    return missing


if __name__ == "__main__":
    sys.stdout.writelines(f"{topic}\n" for topic in write_missing())
