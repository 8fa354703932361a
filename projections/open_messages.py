"""Finds outbound messages that have stood in a status for long, in the table behind the lists.

Only finds them: what to do about them is decided on their own events.
"""

from datetime import datetime
from uuid import UUID

from psycopg.sql import SQL, Composed, Literal

from smsledger.domain.status import Status

from .message_table import TABLES
from .position_watch import LendConnection
from .registry import read_live

# The statuses are written out, so that the planner sees that the partial index serves.
_STANDING = SQL("""
SELECT message_id, created_at FROM messages_{generation}
WHERE status = ANY (%(statuses)b) AND status IN ('QUEUED', 'SENDING', 'SENT') AND created_at < %(before)b
ORDER BY created_at LIMIT %(limit)b
""")
_ORDER = SQL("page.created_at")


class OpenMessageQueries:
    """The OpenMessages port of the watchdog."""

    def __init__(self, connection: LendConnection) -> None:
        self._connection = connection

    async def standing(self, statuses: tuple[Status, ...], before: datetime, limit: int) -> list[UUID]:
        """See the port. `before` is compared with created_at; the caller looks at the events for the rest."""

        def query(generation: int) -> Composed:
            return _STANDING.format(generation=Literal(generation))

        values = {"statuses": [str(status) for status in statuses], "before": before, "limit": limit}
        async with self._connection() as conn:
            _, rows = await read_live(conn, TABLES.name, query, _ORDER, values)
        return [row[0] for row in rows if row[0] is not None]
