"""Whose the numbers are that people write to, asked of the directory's tables. It keeps nothing in memory.

Choosing a number to send from is the directory's and `domain/sender.py`'s.
"""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.application.ports import SenderOwner

# The sender that was written to (primary key).
_OWNER = "SELECT organization_id FROM senders WHERE sender = %b"
# Whether there is one organization only (primary key, two rows at most).
_ORGANIZATIONS = "SELECT organization_id FROM organizations ORDER BY organization_id LIMIT 2"


class PostgresSenderOwners:
    """The SenderOwners port."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def owner(self, sender: str) -> SenderOwner | None:
        """See the port."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_OWNER, [sender])).fetchone()
        return None if row is None else SenderOwner(row[0])

    async def only_organization(self) -> str | None:
        """See the port."""
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_ORGANIZATIONS)).fetchall()
        return str(rows[0][0]) if len(rows) == 1 else None
