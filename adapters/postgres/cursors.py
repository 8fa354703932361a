"""The table `cursors`: how far readers of positions have come."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

_GET = "SELECT position FROM cursors WHERE name = %s"
_PUT = """
INSERT INTO cursors (name, position) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = now()
"""


class PostgresCursors:
    """The CursorStore port."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def get(self, name: str) -> int | None:
        """See the port."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_GET, [name])).fetchone()
        return None if row is None else int(row[0])

    async def put(self, name: str, position: int) -> None:
        """See the port."""
        async with self._pool.connection() as conn:
            await conn.execute(_PUT, [name, position])
