"""Makes a projection anew from the event store, beside the live one while the service runs, and switches to it.

One pass reads the store message by message and copies finished rows; what was appended meanwhile is then applied as
the projector does it; the switch holds the projector for the last events only. A rebuild that was killed leaves
tables that the next one drops.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import LiteralString, TypeAlias
from uuid import UUID

import msgspec
import psycopg

from smsledger.domain.errors import LedgerError

from . import message_table
from .counts import CountDeltas
from .histories import History, Poison, StoredEvent, by_message, poison, read_after, read_by_message
from .message_projection import UNSTORABLE, MessageProjection
from .message_table import TABLES
from .parked import hand_over, park, release_all
from .projector import PARKED_ROLE
from .registry import (
    Connect,
    Connection,
    advance,
    create_generation,
    for_generation,
    live_generation,
    lock_generation,
    lock_live,
)

REBUILT_TOGETHER = {"messages": ("messages", "counts"), "counts": ("messages", "counts")}
"""Names that can be rebuilt, and what is: totals of lists come from the counts, so the two are never apart."""

PAGE_EVENTS = 10_000
SWITCH_EVENTS_MAX = 2_000
"""With at most this many events to apply, the live projection is held and switched."""
CATCH_UP_BATCHES_MAX = 1_000
"""After this many batches it is switched in any case, however far events run ahead."""
COUNTS_HELD_MAX = 50_000

_ROLE = f"rebuild:{TABLES.name}"

Progress: TypeAlias = Callable[[int, int], None]

_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('smsledger.rebuild.' || %b, 0))"
_SETTINGS: tuple[LiteralString, ...] = (
    "SET synchronous_commit TO off",  # a crash starts the rebuild anew
    "SET maintenance_work_mem TO '256MB'",  # sorts of the indexes
    "SET lock_timeout TO '30s'",
)
_LAST_POSITION = "SELECT coalesce(max(notification_id), 0) FROM ledger_events"
_LEFT_BEHIND = "SELECT generation FROM projections WHERE name = %b AND NOT live ORDER BY generation"
_NEXT = "SELECT max(generation) + 1 FROM projections WHERE name = %b"
_ANALYZE: tuple[LiteralString, ...] = (
    "ANALYZE messages_{generation}",
    "ANALYZE message_counts_{generation}",
    "ANALYZE message_hour_counts_{generation}",
    "ANALYZE message_tag_counts_{generation}",
)
_RETIRE = "UPDATE projections SET live = false WHERE name = %b AND generation = %b"
_GO_LIVE = "UPDATE projections SET live = true WHERE name = %b AND generation = %b"
_FORGET = "DELETE FROM projections WHERE name = %b AND generation = %b"


class RebuildReport(msgspec.Struct, frozen=True):
    """What a rebuild did."""

    rebuilt: tuple[str, ...]
    generation: int
    events: int
    messages: int
    elapsed_s: float


class UnknownProjection(LedgerError):
    """There is no projection of this name."""

    message = "there is no projection {name}: choose one of {names}"


class RebuildRunning(LedgerError):
    """The projection is being rebuilt already."""

    message = "projection {name} is being rebuilt by another process: wait for it to end"


async def rebuild(connect: Connect, name: str, *, progress: Progress | None = None) -> RebuildReport:
    """Rebuild a projection and switch to it; `progress` hears of events done and events in all.

    Raises UnknownProjection, RebuildRunning and psycopg.Error; the live one is then as it was.
    """
    if name not in REBUILT_TOGETHER:
        raise UnknownProjection(name=name, names=", ".join(REBUILT_TOGETHER))
    started = monotonic()
    conn, helper = await connect(), await connect()
    async with conn, helper:
        for one in (conn, helper):
            await one.set_autocommit(True)
            for setting in _SETTINGS:
                await one.execute(setting)
        if not await _number(conn, _TRY_LOCK, TABLES.name):
            raise RebuildRunning(name=name)
        await _drop_left_behind(conn)
        made = _Rebuild(conn, helper, await _begin(conn), progress or _silent)
        await made.run()
        with suppress(
            psycopg.errors.LockNotAvailable
        ):  # somebody still reads the old tables: left to the next one
            await _drop_left_behind(conn)
    return RebuildReport(
        REBUILT_TOGETHER[name], made.generation, made.events, made.messages, monotonic() - started
    )


class _Rebuild:
    """One generation on its way from nothing to live."""

    def __init__(self, conn: Connection, helper: Connection, generation: int, progress: Progress) -> None:
        """`helper`: a second connection, for what can go on at the same time."""
        self.generation = generation
        self.events = 0
        self.messages = 0
        self._conn = conn
        self._helper = helper
        self._progress = progress
        self._counts = CountDeltas()

    async def run(self) -> None:
        conn, generation = self._conn, self.generation
        end = await _number(conn, _LAST_POSITION)
        await self._pass(end)
        await self._index()
        for statement in _ANALYZE:
            await conn.execute(for_generation(statement, generation))
        await advance(conn, TABLES.name, generation, end)
        projection = MessageProjection()
        for _ in range(CATCH_UP_BATCHES_MAX):
            if await self._catch_up(projection, PAGE_EVENTS) <= SWITCH_EVENTS_MAX:
                break
        await self._switch(projection)

    async def _pass(self, end: int) -> None:
        """Fill the tables with the store up to position `end`; events of one message come together."""
        after = (UUID(int=0), 0)
        held: list[StoredEvent] = []  # of the last message of a page, which may go on in the next
        reading = asyncio.create_task(read_by_message(self._helper, after, end, PAGE_EVENTS))
        try:
            while page := await reading:
                after = (page[-1].message_id, page[-1].version)
                reading = asyncio.create_task(read_by_message(self._helper, after, end, PAGE_EVENTS))
                await asyncio.sleep(0)  # the query is on its way while this page is folded
                self.events += len(page)
                groups = by_message([*held, *page])
                held = groups.pop(after[0], [])  # the last may be no message
                await self._fill(groups)
                self._progress(self.events, end)
        finally:
            reading.cancel()
        await self._fill(by_message(held))
        await self._counts.write(self._conn, self.generation)

    async def _index(self) -> None:
        """The primary key wants the table for itself; the other indexes are made two at a time."""
        primary, *others = TABLES.index
        await self._conn.execute(for_generation(primary, self.generation))

        async def make(conn: Connection, statements: Sequence[LiteralString]) -> None:
            for statement in statements:
                await conn.execute(for_generation(statement, self.generation))

        await asyncio.gather(make(self._conn, others[0::2]), make(self._helper, others[1::2]))

    async def _fill(self, groups: dict[UUID, list[StoredEvent]]) -> None:
        poisons: list[Poison] = []
        histories: dict[UUID, History] = {}
        for message_id, own in groups.items():
            history = History()
            poisons += history.apply(own)
            if history.message is not None:
                histories[message_id] = history
        try:
            await self._copy(histories)
        except UNSTORABLE:
            poisons += await self._copy_apart(histories, groups)
        await park(self._conn, _ROLE, poisons)
        if len(self._counts) > COUNTS_HELD_MAX:
            await self._counts.write(self._conn, self.generation)
            self._counts = CountDeltas()

    async def _copy(self, histories: dict[UUID, History]) -> None:
        rows = [
            message_table.row(history.message, history) for history in histories.values() if history.message
        ]
        if rows:
            await message_table.copy(self._conn, self.generation, rows)
        for history in histories.values():
            if history.message is not None:
                self._counts.add(history.message, None)
        self.messages += len(rows)

    async def _copy_apart(
        self, histories: dict[UUID, History], groups: dict[UUID, list[StoredEvent]]
    ) -> list[Poison]:
        """Each message by itself, so that a row that PostgreSQL does not take keeps no other out."""
        poisons: list[Poison] = []
        for message_id, history in histories.items():
            try:
                await self._copy({message_id: history})
            except UNSTORABLE as error:
                poisons += [poison(event, error) for event in groups[message_id]]
        return poisons

    async def _catch_up(self, projection: MessageProjection, limit: int) -> int:
        """Apply the next events as the projector does; how many there were."""
        conn = self._conn
        async with conn.transaction():
            own = await lock_generation(conn, TABLES.name, self.generation)
            assert own is not None  # only a rebuild removes it, and this is the one
            events = await read_after(conn, own.position, limit)
            if events:
                await park(conn, _ROLE, await projection.apply(conn, self.generation, events))
                await advance(conn, TABLES.name, self.generation, events[-1].position)
        self.events += len(events)
        return len(events)

    async def _switch(self, projection: MessageProjection) -> None:
        """Hold the projector, apply the rest, and take the live one's place: no event is lost or doubled."""
        conn = self._conn
        async with conn.transaction():
            live = await live_generation(conn, TABLES.name)
            assert live is not None  # made at the beginning, and only a rebuild changes it
            held = await lock_generation(conn, TABLES.name, live.number)
            while await self._position() < (held or live).position:
                await self._catch_up(projection, PAGE_EVENTS)
            await conn.execute(_RETIRE, [TABLES.name, live.number])
            await conn.execute(_GO_LIVE, [TABLES.name, self.generation])
            await hand_over(conn, _ROLE, PARKED_ROLE)

    async def _position(self) -> int:
        own = await lock_generation(self._conn, TABLES.name, self.generation)
        return own.position if own else 0


async def _begin(conn: Connection) -> int:
    """Register and make the new generation's tables, and the first live one where there is none."""
    async with conn.transaction():
        if await live_generation(conn, TABLES.name) is None:
            await lock_live(conn, TABLES)
        generation = await _number(conn, _NEXT, TABLES.name)
        await create_generation(conn, TABLES, generation, live=False)
    return generation


async def _drop_left_behind(conn: Connection) -> None:
    """Drop generations that are not live. Table by table: a reader of several tables cannot deadlock with it."""
    await release_all(conn, _ROLE)
    cursor = await conn.execute(_LEFT_BEHIND, [TABLES.name])
    for (generation,) in await cursor.fetchall():
        for statement in TABLES.drop:
            await conn.execute(for_generation(statement, generation))
        await conn.execute(_FORGET, [TABLES.name, generation])


async def _number(conn: Connection, statement: LiteralString, *parameters: object) -> int:
    row = await (await conn.execute(statement, parameters)).fetchone()
    return int(row[0]) if row else 0


def _silent(_done: int, _all: int) -> None:
    pass
