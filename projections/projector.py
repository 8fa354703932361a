"""The projector: follows the event store by position and feeds the live generation of the read models, in batches.

Rows and position move in one transaction under the projection's row lock, so each event is applied exactly once even
if two projectors run by mistake. Waiting, leadership and back-off are for the loop that calls it.
"""

from types import TracebackType
from typing import Self

import msgspec

from .histories import read_after
from .message_projection import MessageProjection
from .message_table import TABLES
from .parked import park, parked, release
from .registry import Connect, Connection, advance, live_generation, lock_live

BATCH_EVENTS_MAX = 4_000
"""Large, so that under load several events of a message end in one write of its row."""
RETRY_EVENTS_MAX = 500
"""Parked events in one transaction of a retry."""

PARKED_ROLE = f"projector:{TABLES.name}"

# What a crash takes back is rows and position together, and they are made again: no batch waits for the disk.
_UNHURRIED = "SET synchronous_commit TO off"


class RetryReport(msgspec.Struct, frozen=True):
    """What became of parked events."""

    applied: int
    still_parked: int


class Projector:
    """Owns one connection, made when it is needed. One task at a time may use it."""

    role = "projector"

    def __init__(self, connect: Connect, *, batch_events_max: int = BATCH_EVENTS_MAX) -> None:
        self._connect = connect
        self._batch_events_max = batch_events_max
        self._projection = MessageProjection()
        self._conn: Connection | None = None

    async def step(self) -> int:
        """Apply the next batch; how many events it had, 0: caught up. Raises ProjectionOutdated and psycopg.Error."""
        try:
            return await self._step(await self._connection())
        except BaseException:
            await self._start_afresh()
            raise

    async def position(self) -> int:
        """The position of the last event applied; 0 where nothing was."""
        live = await live_generation(await self._connection(), TABLES.name)
        return live.position if live else 0

    async def retry_parked(self) -> RetryReport:
        """Try all parked events again, such as after an upgrade that knows their types."""
        applied = still_parked = after = 0
        try:
            conn = await self._connection()
            while True:
                async with conn.transaction():
                    live = await lock_live(conn, TABLES)
                    found = await parked(conn, PARKED_ROLE, after, RETRY_EVENTS_MAX)
                    if not found:
                        return RetryReport(applied, still_parked)
                    message_ids = list({message_id for _, message_id in found})
                    poisons = await self._projection.refold(conn, live.number, message_ids, live.position)
                    refused = {poison.position for poison in poisons}
                    released = [position for position, _ in found if position not in refused]
                    await release(conn, PARKED_ROLE, released)
                    await park(conn, PARKED_ROLE, poisons)
                applied += len(released)
                still_parked += len(found) - len(released)
                after = max(position for position, _ in found)
        except BaseException:
            await self._start_afresh()
            raise

    async def close(self) -> None:
        """Disconnect."""
        if self._conn is not None:
            conn, self._conn = self._conn, None
            await conn.close()

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.close()

    async def _step(self, conn: Connection) -> int:
        async with conn.transaction():
            live = await lock_live(conn, TABLES)
            events = await read_after(conn, live.position, self._batch_events_max)
            if events:
                poisons = await self._projection.apply(conn, live.number, events)
                await park(conn, PARKED_ROLE, poisons)
                await advance(conn, TABLES.name, live.number, events[-1].position)
        return len(events)

    async def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = await self._connect()
            await self._conn.set_autocommit(True)
            await self._conn.execute(_UNHURRIED)
        return self._conn

    async def _start_afresh(self) -> None:
        self._projection.forget()
        await self.close()
