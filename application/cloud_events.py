"""The form in which an event leaves the ledger: a CloudEvent 1.0 in JSON, around the stored bytes as they are.

The stored bytes are never decoded on the way out. Source: CloudEvents 1.0 JSON format, `sequence` extension.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Stored, event_name
from smsledger.domain.ids import parse_id, render_aggregate_id


class CloudEvent(msgspec.Struct, frozen=True):
    """What a subscriber reads."""

    id: str
    """`<id of the message or consent>.<version>`: the same for ever, over every transport."""
    type: str
    """`sms.queued`, `sms.delivered`, `sms.suppressed`, …"""
    source: str
    subject: str
    """The id of the message, or of the consent (`con_…`)."""
    time: datetime
    organization: str
    version: int
    position: int
    sequence: str
    """The position in 20 digits, so that it sorts as text."""
    topic: str
    """The stored event type with its version."""
    data: msgspec.Raw
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


class ForeignEvent(LedgerError):
    """Bytes in the stream are not an event of the ledger."""

    message = "an event in the stream cannot be read: {reason}"


_decoder = msgspec.json.Decoder(CloudEvent)
_encoder = msgspec.json.Encoder()


def encode(event: Stored) -> bytes:
    """The CloudEvent's bytes."""
    subject = render_aggregate_id(event.topic, event.aggregate_id)
    return _encoder.encode(
        CloudEvent(
            id=f"{subject}.{event.version}",
            type=f"sms.{event_name(event.topic)}",
            source="/smsledger",
            subject=subject,
            time=event.recorded_at,
            organization=event.organization_id,
            version=event.version,
            position=event.position,
            sequence=f"{event.position:020}",
            topic=event.topic,
            data=msgspec.Raw(event.state),
        )
    )


def decode(payload: bytes) -> Stored:
    """The event as it was stored. Raises ForeignEvent."""
    try:
        found = _decoder.decode(payload)
        aggregate_id: UUID = parse_id(found.subject)
    except (msgspec.DecodeError, LedgerError) as error:
        raise ForeignEvent(reason=str(error)) from None
    return Stored(
        found.position,
        aggregate_id,
        found.version,
        found.topic,
        found.organization,
        found.time,
        bytes(found.data),
    )
