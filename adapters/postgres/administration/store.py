"""What the administration's stores share: one connection for each use, the lock of all changes, pages of lists."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, LiteralString, TypeAlias, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from smsledger.application.admin.listing import Listed, ListPage, next_cursor

T = TypeVar("T")
Row: TypeAlias = dict[str, Any]
Lend: TypeAlias = Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]

# Changes are rare and short; each ends with the one row of directory_version in any case.
_LOCK = "SELECT pg_advisory_xact_lock('organizations'::regclass::oid::int, 1)"


class Store:
    """A store of one resource."""

    def __init__(self, lend: Lend) -> None:
        """`lend` lends connections in autocommit mode."""
        self._lend = lend

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A transaction in which nobody else changes what the administration keeps."""
        async with self._lend() as conn, conn.transaction():
            await conn.execute(_LOCK)
            yield conn

    async def _one(self, statement: LiteralString, values: Mapping[str, Any]) -> Row | None:
        async with self._lend() as conn:
            return await one(conn, statement, values)

    async def _page(
        self,
        name: str,
        total: LiteralString,
        rows: LiteralString,
        values: Mapping[str, Any],
        page: ListPage,
        key: tuple[str, ...],
        convert: Callable[[Row], T],
    ) -> Listed[T]:
        """A page of the list `name`, and its total from the same moment; `key` are the columns of its order.

        `rows` ends with LIMIT %(limit)s OFFSET %(offset)s.
        """
        values = {**values, "limit": page.count + 1, "offset": page.offset}
        async with self._lend() as conn, conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            counted = await one(conn, total, values)
            async with conn.cursor(row_factory=dict_row) as cursor:
                found = await (await cursor.execute(rows, values)).fetchall()
        shown = found[: page.count]
        last = shown[-1] if len(found) > page.count else None
        cursor_text = None if last is None else next_cursor(name, tuple(last[column] for column in key))
        return Listed(counted["total"] if counted else 0, [convert(row) for row in shown], cursor_text)


async def one(conn: AsyncConnection[Any], statement: LiteralString, values: Mapping[str, Any]) -> Row | None:
    """The row of a statement that has one at most."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(statement, values)).fetchone()


_ORGANIZATION = "SELECT 1 AS found FROM organizations WHERE organization_id = %(organization_id)s"


async def has_organization(conn: AsyncConnection[Any], organization_id: str) -> bool:
    """Whether there is one of this id."""
    return await one(conn, _ORGANIZATION, {"organization_id": organization_id}) is not None
