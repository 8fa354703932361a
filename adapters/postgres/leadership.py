"""One connection per loop: it holds the role's advisory lock, where the role has one leader, and hears wake-ups.

Leadership keeps two processes from doing the same work twice; that doing it twice does no harm is each role's
own care (the stream's fence, the projection's locked row), because a lock can be lost without notice.
"""

import zlib
from typing import Any

import psycopg
from psycopg import AsyncConnection

CHANNEL = "ledger_events"

_TRY_LOCK = "SELECT pg_try_advisory_lock(%s, %s)"
_LOCK_SPACE = 0x515ED6E4


class Seat:
    """A loop's place at PostgreSQL. Any error of the connection means that the seat, and the lock, are lost."""

    def __init__(self, conninfo: str, role: str, *, exclusive: bool) -> None:
        self._conninfo = conninfo
        self._role = role
        self._exclusive = exclusive
        self._conn: AsyncConnection[Any] | None = None

    async def take(self) -> bool:
        """Connect and, for an exclusive role, try the lock; False where another process holds it."""
        if self._conn is None or self._conn.closed:
            self._conn = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, application_name=f"smsledger {self._role}"
            )
            await self._conn.execute(f"LISTEN {CHANNEL}")
        if not self._exclusive:
            return True
        row = await (await self._conn.execute(_TRY_LOCK, [_LOCK_SPACE - (1 << 31), self._key()])).fetchone()
        return bool(row and row[0])

    async def wait(self, wait_s: float) -> None:
        """Until events were appended, or for `wait_s`. Raises psycopg.OperationalError where the seat is lost."""
        if self._conn is None:
            raise psycopg.OperationalError("not connected")
        async for _ in self._conn.notifies(timeout=wait_s, stop_after=1):
            pass

    async def check(self) -> None:
        """Raise psycopg.OperationalError unless the connection, and so the lock, still stands."""
        if self._conn is None:
            raise psycopg.OperationalError("not connected")
        await self._conn.execute("SELECT 1")

    async def leave(self) -> None:
        """Give the lock up by closing the connection."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    def _key(self) -> int:
        return zlib.crc32(self._role.encode()) - (1 << 31)
