"""When each API key was last used: noted in memory with each request, written down together every few seconds.

What a process that is killed had noted and not written is lost; nothing but a list for people depends on it.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

log = structlog.get_logger(__name__)

FLUSH_S = 5.0
NOTED_MAX = 100_000
"""Keys whose uses wait to be written; uses of further keys are not noted until then."""

# In the order of the ids, so that two processes that write the same keys do not wait for each other in a circle.
# A key that is gone meanwhile is left out.
_WRITE = """
INSERT INTO api_key_uses (key_id, last_used_at)
SELECT n.key_id, n.used_at FROM unnest(%s::text[], %s::timestamptz[]) AS n (key_id, used_at)
JOIN api_keys k ON k.key_id = n.key_id ORDER BY n.key_id
ON CONFLICT (key_id) DO UPDATE SET last_used_at = greatest(api_key_uses.last_used_at, excluded.last_used_at)
"""


class PostgresKeyUses:
    """The KeyUses port."""

    def __init__(
        self, pool: AsyncConnectionPool[AsyncConnection[Any]], now: Callable[[], float] = time
    ) -> None:
        """`now`: unix time in seconds."""
        self._pool = pool
        self._now = now
        self._noted: dict[str, float] = {}

    def note(self, key_id: str) -> None:
        """See the port."""
        noted = self._noted
        if len(noted) < NOTED_MAX or key_id in noted:
            noted[key_id] = self._now()

    async def follow(self) -> None:
        """Write down what is noted, every few seconds; runs until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write down what is noted; where that fails it stays noted for the next time."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        times = [datetime.fromtimestamp(at, UTC) for at in noted.values()]
        try:
            async with self._pool.connection() as conn:
                await conn.execute(_WRITE, [list(noted), times])
        except (psycopg.Error, PoolTimeout, OSError) as error:
            self._noted = noted | self._noted
            log.warning("key_uses_not_written", error=str(error).strip())
        except BaseException:  # cancelled amid it: written by the flush that follows
            self._noted = noted | self._noted
            raise
