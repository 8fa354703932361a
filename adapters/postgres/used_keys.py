"""The idempotency keys that `ledger_append()` stored, read back and, after their time, forgotten."""

import time
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.application.ports import UsedKey

LOOK_S = 60.0
FORGOTTEN_MAX = 5_000
"""Keys deleted in one statement."""

_FIND = """
SELECT fingerprint, answer, position FROM idempotency_keys
WHERE organization_id = %s AND key = %s AND stored_at > now() - interval '24 hours'
"""
# An hour later than they end, so that nobody is about to read one (index idempotency_keys_stored_at).
_FORGET = """
DELETE FROM idempotency_keys WHERE (organization_id, key) IN (
    SELECT organization_id, key FROM idempotency_keys
    WHERE stored_at < now() - interval '25 hours' ORDER BY stored_at LIMIT %s
)
"""


class PostgresUsedKeys:
    """The UsedKeys port; as a role it forgets old keys."""

    role = "idempotency"

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._next_look = 0.0

    async def find(self, organization_id: str, key: str) -> UsedKey | None:
        """See the port."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_FIND, [organization_id, key], binary=True)).fetchone()
        return None if row is None else UsedKey(*row)

    async def step(self) -> int:
        """Forget some keys whose time is over, at most every `LOOK_S` seconds once there are none; how many."""
        now = time.monotonic()
        if now < self._next_look:
            return 0
        async with self._pool.connection() as conn:
            forgotten = (await conn.execute(_FORGET, [FORGOTTEN_MAX])).rowcount
        if forgotten == 0:
            self._next_look = now + LOOK_S
        return forgotten
