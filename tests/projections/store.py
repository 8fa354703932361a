"""A ledger for tests of projections: events go into the real event store, in the order they are given."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils
from psycopg import AsyncConnection

from smsledger.adapters.postgres.recorder import Row, append_parameters, append_statement
from smsledger.domain.event import Event
from smsledger.domain.message import (
    MESSAGE_EVENTS,
    Delivered,
    Failed,
    Queued,
    Received,
    Sending,
    Sent,
    Undelivered,
)
from smsledger.domain.segments import Encoding
from smsledger.projections.projector import Projector

Connect = Callable[[], Awaitable[AsyncConnection[Any]]]

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
_APPEND = append_statement("public")


def connecting_to(database: str) -> Connect:
    """What makes connections to `database`."""

    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(database, autocommit=True)

    return connect


class Ledger:
    """Appends events, and knows the versions of the messages it appended to."""

    def __init__(self, conn: AsyncConnection[Any]) -> None:
        self.conn = conn
        self._versions: defaultdict[UUID, int] = defaultdict(int)

    async def append(self, message_id: UUID, *events: Event, organization_id: str = "acme") -> None:
        """Append events to a message, in one transaction."""
        await self.append_all([(message_id, event) for event in events], organization_id)

    async def append_all(self, events: Iterable[tuple[UUID, Event]], organization_id: str = "acme") -> None:
        """Append events of several messages, in the order given."""
        await self._append(
            [
                (key, MESSAGE_EVENTS.topic(event), MESSAGE_EVENTS.encode(event), event.at)
                for key, event in events
            ],
            organization_id,
        )

    async def append_bytes(self, message_id: UUID, topic: str, state: bytes) -> None:
        """Append what need not be an event of this release."""
        await self._append([(message_id, topic, state, START)], "acme")

    async def _append(self, events: list[tuple[UUID, str, bytes, datetime]], organization_id: str) -> None:
        rows = []
        for number, (message_id, topic, state, at) in enumerate(events):
            self._versions[message_id] += 1
            version = self._versions[message_id]
            rows.append(Row(number, message_id, version, topic, organization_id, at, None, state))
        await self.conn.execute(_APPEND, append_parameters(rows), binary=True)


async def catch_up(projector: Projector) -> int:
    """Step until nothing is left; how many events there were."""
    handled = 0
    while batch := await projector.step():
        handled += batch
    return handled


def new_id() -> UUID:
    """The id of a message."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def queued(
    at: datetime = START, *, organization_id: str = "acme", tag: str | None = None, body: str = "Hello"
) -> Queued:
    """An accepted message."""
    return Queued(
        at=at,
        organization_id=organization_id,
        sender="+18005551234",
        sender_reason="pool number for US",
        recipient="+14155551234",
        country="US",
        body=body,
        encoding=Encoding.GSM_7,
        segments=1,
        template_id=1,
        template_version=1,
        tag=tag,
        key_id="key_1",
    )


def received(
    at: datetime = START,
    *,
    organization_id: str = "acme",
    sender: str = "+14155551234",
    recipient: str = "+18005551234",
) -> Received:
    """An inbound message."""
    return Received(
        at=at,
        organization_id=organization_id,
        carrier="simulator",
        provider_message_id="SM1",
        sender=sender,
        recipient=recipient,
        body="Thanks",
        encoding=Encoding.GSM_7,
        segments=1,
        country="US",
    )


def later(seconds: float, start: datetime = START) -> datetime:
    """A moment after `start`."""
    return start + timedelta(seconds=seconds)


def sending(at: datetime = START) -> Sending:
    """A dispatcher took the message on."""
    return Sending(at=at, attempt=1, carrier="simulator", lease="lease")


def sent(at: datetime = START) -> Sent:
    """The carrier took the message on."""
    return Sent(at=at, carrier="simulator", provider_message_id="SM9", attempt=1)


def delivered(at: datetime = START) -> Delivered:
    """The recipient has the message."""
    return Delivered(at=at, carrier="simulator")


def undelivered(at: datetime = START) -> Undelivered:
    """The carrier could not deliver the message."""
    return Undelivered(at=at, carrier="simulator", error_code="30003", reason="unreachable")


def failed(at: datetime = START) -> Failed:
    """The carrier refused the message."""
    return Failed(at=at, carrier="simulator", error_code="30007", reason="filtered", attempt=1)
