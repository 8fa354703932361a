"""Messages with known events, stored the way the service stores them, for tests of what shows them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.application.ports import Append
from smsledger.domain.event import Event
from smsledger.domain.message import (
    MESSAGE_EVENTS,
    Deferred,
    Delivered,
    Failed,
    Queued,
    Sending,
    Sent,
    carrier_reference,
)
from smsledger.domain.segments import Encoding

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
RECIPIENT = "+14155551234"
BODY = "Your verification code is 123456"


def after(milliseconds: int) -> datetime:
    """A moment after the message was queued."""
    return AT + timedelta(milliseconds=milliseconds)


def queued(organization_id: str = "demo", at: datetime = AT) -> Queued:
    """The beginning of a message."""
    return Queued(
        at=at,
        organization_id=organization_id,
        sender="+18005551234",
        sender_reason="pool number for US",
        recipient=RECIPIENT,
        country="US",
        body=BODY,
        encoding=Encoding.GSM_7,
        segments=1,
        template_id=1,
        template_version=1,
        template_alias="otp-verification",
        template_model={"code": "123456"},
        tag="verification",
        metadata={"userId": "user_123"},
        key_id="key_1",
    )


def delivered_life() -> list[Event]:
    """A message that was deferred once and then delivered."""
    return [
        queued(),
        Sending(at=after(4), attempt=1, carrier="simulator", lease="a"),
        Deferred(
            at=after(9), attempt=1, error_code="RATE_LIMIT", reason="too many messages", retry_at=after(1_009)
        ),
        Sending(at=after(1_010), attempt=2, carrier="simulator", lease="b"),
        Sent(at=after(1_015), carrier="simulator", provider_message_id="SIM1", attempt=2),
        Delivered(at=after(1_065), carrier="simulator", provider_at=after(-5_000)),
    ]


def failed_life(organization_id: str = "demo") -> list[Event]:
    """A message that a carrier refused."""
    return [
        queued(organization_id),
        Sending(at=after(4), attempt=1, carrier="simulator", lease="a"),
        Failed(at=after(8), attempt=1, carrier="simulator", error_code="30005", reason="unknown destination"),
    ]


def store(
    database: str, *lives: tuple[UUID, Sequence[Event]], organization_id: str = "demo", version: int = 1
) -> None:
    """Append each message's events, in order."""

    async def connect() -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(database, autocommit=True)

    async def append() -> None:
        appender = GroupCommitAppender(connect, MESSAGE_EVENTS, carrier_reference)
        for message_id, events in lives:
            await appender.append([Append(message_id, organization_id, version, events)])
        await appender.close()

    asyncio.run(append())
