"""Stored events over one connection, undecoded, with a wake-up when there are more: for the command line.

A service reads through `event_reader.py` and its pool instead.
"""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from smsledger.domain.event import Stored

from .leadership import CHANNEL

_COLUMNS = "notification_id, originator_id, originator_version, topic, organization_id, recorded_at, state"
# One message (primary key).
_OF_MESSAGE = (
    f"SELECT {_COLUMNS} FROM ledger_events WHERE originator_id = %b ORDER BY originator_version LIMIT %b"  # noqa: S608  # constants
)
# The tail that the reader has not seen (index ledger_events_position).
_AFTER = f"SELECT {_COLUMNS} FROM ledger_events WHERE notification_id > %b ORDER BY notification_id LIMIT %b"  # noqa: S608  # constants
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM ledger_events"

EVENTS_OF_A_MESSAGE_MAX = 10_000


class EventLog:
    """Reads over a connection in autocommit mode; psycopg.OperationalError means that the connection is lost."""

    def __init__(self, conn: AsyncConnection[Any]) -> None:
        self._conn = conn

    async def of_message(self, message_id: UUID) -> list[Stored]:
        """The events of a message, in version order (at most EVENTS_OF_A_MESSAGE_MAX)."""
        cursor = await self._conn.execute(_OF_MESSAGE, [message_id, EVENTS_OF_A_MESSAGE_MAX], binary=True)
        return [Stored(*row) for row in await cursor.fetchall()]

    async def after(self, position: int, limit: int) -> list[Stored]:
        """Up to `limit` events after a position, in order."""
        cursor = await self._conn.execute(_AFTER, [position, limit], binary=True)
        return [Stored(*row) for row in await cursor.fetchall()]

    async def head(self) -> int:
        """The highest position; 0 in an empty ledger."""
        row = await (await self._conn.execute(_HEAD)).fetchone()
        return int(row[0]) if row else 0

    async def listen(self) -> None:
        """Be told of appends from now on; needed once before `wait`."""
        await self._conn.execute(f"LISTEN {CHANNEL}")

    async def wait(self, wait_s: float) -> None:
        """Until events were appended, or for `wait_s`."""
        async for _ in self._conn.notifies(timeout=wait_s, stop_after=1):
            pass
