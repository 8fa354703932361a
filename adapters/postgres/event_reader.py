"""Reads events back from the event store, over a pool of connections. It never writes.

Loads of single messages that come at the same time share one query, as appends share one transaction: while one
query runs the next ones gather, so a lone load waits for nothing and many share a round trip. Each decodes its own
rows, so that a message that cannot be read is only its own reader's trouble.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.domain.event import EventTypes, Recorded, Stored

from .arrays import TextArray, UuidArray

# A message by its id; the versions in order (primary key).
_LOAD = """
SELECT notification_id, originator_id, originator_version, topic, organization_id, recorded_at, state
FROM ledger_events WHERE originator_id = ANY (%b) ORDER BY originator_id, originator_version
"""
# The tail that a follower has not seen (index ledger_events_position).
_AFTER = """
SELECT notification_id, originator_id, originator_version, topic, organization_id, recorded_at, state
FROM ledger_events WHERE notification_id > %b ORDER BY notification_id LIMIT %b
"""
# Which message a carrier's id belongs to (index ledger_events_carrier_reference); should a carrier use an id
# twice, the newer message has it.
_BY_REFERENCE = """
SELECT carrier_reference, originator_id FROM ledger_events
WHERE carrier_reference = ANY (%b) ORDER BY notification_id
"""
Rows: TypeAlias = dict[UUID, list[Sequence[Any]]]

LOAD_MESSAGES_MAX = 1_000
"""Messages loaded by one query (a single larger load still goes, alone)."""

_LAST_POSITION = "SELECT coalesce(max(notification_id), 0) FROM ledger_events"


class PostgresEventReader:
    """The EventReader port on PostgreSQL."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], event_types: EventTypes[Any]) -> None:
        self._pool = pool
        self._event_types = event_types
        self._waiting: list[tuple[Sequence[UUID], asyncio.Future[Rows]]] = []
        self._task: asyncio.Task[None] | None = None

    async def load(self, aggregate_ids: Sequence[UUID]) -> dict[UUID, list[Recorded[Any]]]:
        """See the port."""
        answer: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        self._waiting.append((aggregate_ids, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._load_waiting(), name="load")
        found = await answer
        return {message_id: [self._recorded(row) for row in rows] for message_id, rows in found.items()}

    async def _load_waiting(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                found = await self._load([message_id for ids, _ in group for message_id in ids])
            except Exception as error:  # noqa: BLE001  # each caller hears of it; nobody may wait for ever
                for _, answer in group:
                    if not answer.done():
                        answer.set_exception(error)
            else:
                for ids, answer in group:
                    if not answer.done():  # the caller may have gone away
                        answer.set_result(
                            {message_id: found[message_id] for message_id in ids if message_id in found}
                        )

    def _next_group(self) -> list[tuple[Sequence[UUID], asyncio.Future[Rows]]]:
        messages = taken = 0
        for ids, _ in self._waiting:
            if taken and messages + len(ids) > LOAD_MESSAGES_MAX:
                break
            messages += len(ids)
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return group

    async def _load(self, aggregate_ids: Sequence[UUID]) -> Rows:
        async with self._pool.connection() as conn:
            cursor = await conn.execute(_LOAD, [UuidArray.of(aggregate_ids)], binary=True)
            rows = await cursor.fetchall()
        found: Rows = {}
        for row in rows:
            found.setdefault(row[1], []).append(row)
        return found

    async def history(self, aggregate_id: UUID) -> list[Stored]:
        """See the port."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(_LOAD, [UuidArray.of([aggregate_id])], binary=True)
            return [Stored(*row) for row in await cursor.fetchall()]

    async def after(self, position: int, limit: int) -> list[Stored]:
        """See the port."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(_AFTER, [position, limit], binary=True)
            return [Stored(*row) for row in await cursor.fetchall()]

    async def by_carrier_references(self, references: Sequence[str]) -> dict[str, UUID]:
        """See the port."""
        async with self._pool.connection() as conn:
            cursor = await conn.execute(_BY_REFERENCE, [TextArray.of(references)], binary=True)
            return dict(await cursor.fetchall())

    async def last_position(self) -> int:
        """The highest position there is; 0 in an empty ledger."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_LAST_POSITION)).fetchone()
        return int(row[0]) if row else 0

    def _recorded(self, row: Sequence[Any]) -> Recorded[Any]:
        position, aggregate_id, version, topic, organization_id, recorded_at, state = row
        event = self._event_types.decode(topic, state)
        return Recorded(position, aggregate_id, version, topic, organization_id, recorded_at, event)
