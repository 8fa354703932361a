"""Inbound messages in the ledger, stored as the carrier's intake stores them, at moments that the test chooses."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import psycopg
import uuid_utils.compat

from smsledger.domain.ids import render_message_id
from smsledger.domain.message import Received
from smsledger.domain.segments import Encoding
from tests.runtime.ledger_events import store

PHONE, OTHER_PHONE = "+14155551234", "+14155555678"
OURS, OTHER_OF_OURS = "+18005551234", "+18885550100"


def received(
    organization_id: str,
    at: datetime,
    *,
    sender: str = PHONE,
    recipient: str = OURS,
    body: str = "Thanks!",
    in_reply_to: UUID | None = None,
) -> Received:
    """A message from a phone."""
    return Received(
        at=at,
        organization_id=organization_id,
        carrier="simulator",
        provider_message_id=f"IN{at.timestamp():.0f}",
        sender=sender,
        recipient=recipient,
        body=body,
        encoding=Encoding.GSM_7,
        segments=1,
        country="US",
        in_reply_to=in_reply_to,
    )


def store_received(postgres_url: str, events: Sequence[Received]) -> tuple[list[str], dict[str, str]]:
    """Append the messages in order; their ids, and the header with which a list shows them all."""
    ids: list[UUID] = [uuid_utils.compat.uuid7() for _ in events]
    organization_id = events[0].organization_id
    store(
        postgres_url,
        *[(message_id, [event]) for message_id, event in zip(ids, events, strict=True)],
        organization_id=organization_id,
    )
    with psycopg.connect(postgres_url) as conn:
        row = conn.execute(
            "SELECT max(notification_id) FROM ledger_events WHERE organization_id = %s", [organization_id]
        ).fetchone()
    assert row is not None
    return [render_message_id(message_id, inbound=True) for message_id in ids], {
        "Ledger-Position": str(row[0])
    }
