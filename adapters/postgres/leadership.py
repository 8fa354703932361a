"""The seat of a loop: the role's advisory lock, where the role has one leader, and the hearing of wake-ups.

Leadership keeps two processes from doing the same work twice; that doing it twice does no harm is each role's
own care (the stream's fence, the projection's locked row), because a lock can be lost without notice.
"""

import zlib
from typing import Any

import psycopg
from psycopg import AsyncConnection

CHANNEL = "ledger_events"

LEASE_S = 15.0
CONNECT_S_MAX = 5

_LEASE = "SELECT set_config('idle_session_timeout', %s, false)"
_TRY_LOCK = "SELECT pg_try_advisory_lock(%s, %s)"
_LOCK_SPACE = 0x515ED6E4


class Seat:
    """A loop's place at PostgreSQL. Any error of its connections means that the seat, and the lock, are lost.

    The lock has a connection of its own: PostgreSQL cannot end the session of a leader that does not speak while
    it waits to hand that session a notification.
    """

    def __init__(
        self, conninfo: str, role: str, *, exclusive: bool, listens: bool = True, lease_s: float = LEASE_S
    ) -> None:
        """A leader that says nothing for `lease_s` loses its seat: it may be paused, or behind a cut cable.

        `listens` False: `wait` is never called. A connection that listens keeps what it hears until then.
        """
        self._conninfo = conninfo
        self._role = role
        self._exclusive = exclusive
        self._listens = listens
        self._lease_s = lease_s
        self._ears: AsyncConnection[Any] | None = None
        self._lock: AsyncConnection[Any] | None = None

    async def take(self) -> bool:
        """Connect and, for an exclusive role, try the lock; False where another process holds it."""
        if self._ears is None or self._ears.closed:
            self._ears = await self._connect()
            if self._listens:
                await self._ears.execute(f"LISTEN {CHANNEL}")
        if not self._exclusive:
            return True
        if self._lock is None or self._lock.closed:
            self._lock = await self._connect()
            await self._lock.execute(_LEASE, [f"{round(self._lease_s * 1_000)}ms"])
        row = await (await self._lock.execute(_TRY_LOCK, [_LOCK_SPACE - (1 << 31), self._key()])).fetchone()
        return bool(row and row[0])

    async def wait(self, wait_s: float) -> None:
        """Until events were appended, or for `wait_s`. Raises psycopg.OperationalError where the seat is lost."""
        if self._ears is None:
            raise psycopg.OperationalError("not connected")
        async for _ in self._ears.notifies(timeout=wait_s, stop_after=1):
            pass

    async def check(self) -> None:
        """Raise psycopg.OperationalError unless the connection, and so the lock, still stands."""
        conn = self._lock if self._exclusive else self._ears
        if conn is None:
            raise psycopg.OperationalError("not connected")
        await conn.execute("SELECT 1")

    async def leave(self) -> None:
        """Give the lock up by closing the connections."""
        lock, ears = self._lock, self._ears
        self._lock = self._ears = None
        for conn in (lock, ears):
            if conn is not None:
                await conn.close()

    async def _connect(self) -> AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            application_name=f"smsledger {self._role}",
            connect_timeout=CONNECT_S_MAX,
        )

    def _key(self) -> int:
        return zlib.crc32(self._role.encode()) - (1 << 31)
