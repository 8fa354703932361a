"""The table `loops`: the last word of each running loop, for `smsledger status` and /readyz."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

_REPORT = """
INSERT INTO loops (role, instance, is_leader, handled, errors, last_error, last_error_at, beat_at)
VALUES (%(role)s, %(instance)s, %(is_leader)s, %(handled)s, %(errors)s, %(last_error)s, %(last_error_at)s, now())
ON CONFLICT (role, instance) DO UPDATE SET
    is_leader = excluded.is_leader, handled = excluded.handled, errors = excluded.errors,
    last_error = excluded.last_error, last_error_at = excluded.last_error_at, beat_at = now()
"""
_GONE = "DELETE FROM loops WHERE (role, instance) = (%s, %s)"
_FORGET_OLD = "DELETE FROM loops WHERE beat_at < now() - interval '1 day'"


class PostgresLoopReports:
    """Writes the reports."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def report(self, values: dict[str, Any]) -> None:
        """Write one loop's current state."""
        async with self._pool.connection() as conn:
            await conn.execute(_REPORT, values)

    async def gone(self, role: str, instance: str) -> None:
        """The loop has ended in good order; long dead ones are forgotten on the way."""
        async with self._pool.connection() as conn:
            await conn.execute(_GONE, [role, instance])
            await conn.execute(_FORGET_OLD)
