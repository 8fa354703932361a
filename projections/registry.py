"""The register of projections: which generation of a projection's tables is live, and how far each has come.

It knows nothing of what is in the tables. Reading through `read_live` always reads the live generation.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, LiteralString, TypeAlias

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Literal

from smsledger.domain.errors import LedgerError

Connection: TypeAlias = AsyncConnection[Any]
Connect: TypeAlias = Callable[[], Awaitable[Connection]]

READ_TRIES_MAX = 5
"""A read meets a switch of generations at most this often before it gives up."""

# The live generation, locked: whoever holds it is the only one who moves its position and writes its tables.
_LOCK_LIVE = "SELECT generation, shape, position FROM projections WHERE name = %b AND live FOR UPDATE"
_LIVE = "SELECT generation, shape, position FROM projections WHERE name = %b AND live"
_LOCK = "SELECT generation, shape, position FROM projections WHERE name = %b AND generation = %b FOR UPDATE"
_ADVANCE = "UPDATE projections SET position = %b, updated_at = now() WHERE name = %b AND generation = %b"
_REGISTER = """
INSERT INTO projections (name, generation, live, shape, position) VALUES (%b, %b, %b, %b, 0)
"""
# Two processes that both find no generation: the second waits for the first, and finds its own.
_LOCK_FIRST = "SELECT pg_advisory_xact_lock(hashtextextended('smsledger.projection.first.' || %b, 0))"

# A query of a read model, only where its generation is live in the query's own snapshot: then there is a row.
_READ_LIVE = SQL("""
SELECT registered.position, page.* FROM projections registered LEFT JOIN ({query}) page ON true
WHERE registered.name = {name} AND registered.generation = {generation} AND registered.live
ORDER BY {order}
""")


class Generation(msgspec.Struct, frozen=True):
    """One generation of a projection's tables."""

    number: int
    shape: int
    position: int


class TableSet(msgspec.Struct, frozen=True):
    """The tables of a projection: their SQL, with `{generation}` where a generation's number belongs."""

    name: str
    shape: int
    """Counts up with every change of the SQL below."""
    create: tuple[LiteralString, ...]
    index: tuple[LiteralString, ...]
    """Run after the tables are filled where they are filled at once."""
    drop: tuple[LiteralString, ...]


class ProjectionOutdated(LedgerError):
    """The tables of a projection are those of another release."""

    message = "projection {name} has tables of shape {found}, this release needs {wanted}: run `smsledger projections rebuild {name}`"


class ProjectionBusy(LedgerError):
    """A read met one switch of generations after the other."""

    message = "projection {name} is being switched over and over: try again"


def for_generation(statement: LiteralString, generation: int) -> Composed:
    """`statement` with the generation's number in the names of its tables."""
    return SQL(statement).format(generation=Literal(generation))


async def live_generation(conn: Connection, name: str) -> Generation | None:
    """The live generation; None where nothing was projected yet."""
    row = await (await conn.execute(_LIVE, [name])).fetchone()
    return Generation(*row) if row else None


async def lock_live(conn: Connection, tables: TableSet) -> Generation:
    """Lock the live generation until the transaction ends; the first one is made where there is none.

    Raises ProjectionOutdated.
    """
    found = await _lock_live(conn, tables.name)
    if found is None:
        await conn.execute(_LOCK_FIRST, [tables.name])
        # A switch may have ended while the lock was waited for: a new statement sees its outcome.
        found = await _lock_live(conn, tables.name)
    if found is None:
        await create_generation(conn, tables, 1, live=True)
        await create_indexes(conn, tables, 1)
        return Generation(1, tables.shape, 0)
    if found.shape != tables.shape:
        raise ProjectionOutdated(name=tables.name, found=found.shape, wanted=tables.shape)
    return found


async def lock_generation(conn: Connection, name: str, number: int) -> Generation | None:
    """Lock one generation, live or not, until the transaction ends."""
    row = await (await conn.execute(_LOCK, [name, number])).fetchone()
    return Generation(*row) if row else None


async def create_generation(conn: Connection, tables: TableSet, number: int, *, live: bool) -> None:
    """Make a generation's tables, without indexes, and register it."""
    for statement in tables.create:
        await conn.execute(for_generation(statement, number))
    await conn.execute(_REGISTER, [tables.name, number, live, tables.shape])


async def create_indexes(conn: Connection, tables: TableSet, number: int) -> None:
    """Make the indexes of a generation's tables."""
    for statement in tables.index:
        await conn.execute(for_generation(statement, number))


async def advance(conn: Connection, name: str, number: int, position: int) -> None:
    """Note, in the transaction that wrote the rows, that events up to `position` are applied."""
    await conn.execute(_ADVANCE, [position, name, number])


async def read_live(
    conn: Connection, name: str, query: Callable[[int], Composed], order: SQL, parameters: Mapping[str, Any]
) -> tuple[int, list[tuple[Any, ...]]]:
    """The position and the rows of a query on the live generation's tables, all of one snapshot.

    The query's columns are called `page.<name>` in `order`. Where nothing was projected yet: position 0, no rows.
    """
    for _ in range(READ_TRIES_MAX):
        live = await live_generation(conn, name)
        if live is None:
            return 0, []
        statement = _READ_LIVE.format(
            query=query(live.number), name=Literal(name), generation=Literal(live.number), order=order
        )
        try:
            async with conn.transaction():
                cursor = await conn.execute(statement, parameters, binary=True)
                rows = await cursor.fetchall()
        except psycopg.errors.UndefinedTable:
            continue  # switched, and dropped already
        if rows:
            return int(rows[0][0]), [row[1:] for row in rows if any(value is not None for value in row[1:])]
    raise ProjectionBusy(name=name)


async def _lock_live(conn: Connection, name: str) -> Generation | None:
    row = await (await conn.execute(_LOCK_LIVE, [name])).fetchone()
    return Generation(*row) if row else None
