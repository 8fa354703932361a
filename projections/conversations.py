"""Finds the last message that went from one of our senders to a person, in the table behind the lists.

It waits a little for messages that are in the ledger and not in the table yet: people answer quickly.
"""

from datetime import datetime
from uuid import UUID

from psycopg.sql import SQL, Composed, Literal

from smsledger.domain.status import Direction, Status

from .behind import ConversationsBehind
from .message_table import TABLES
from .position_watch import LendConnection, PositionWatch
from .registry import read_live

WAIT_S_MAX = 2.0
"""How long a look waits for the table."""

_HEAD = "SELECT coalesce(max(notification_id), 0) FROM ledger_events"
# Direction and status are written out, so that the planner sees that the partial index serves.
_LAST = SQL("""
SELECT message_id, organization_id, created_at FROM messages_{generation}
WHERE sender = %(sender)b AND recipient = %(recipient)b AND direction = {outbound} AND status <> {blocked}
    AND (%(organization_id)b::text IS NULL OR organization_id = %(organization_id)b)
ORDER BY created_at DESC, message_id DESC LIMIT 1
""")
_ORDER = SQL("page.created_at")


class ConversationQueries:
    """The Conversations port of the inbound messages."""

    def __init__(self, connection: LendConnection, watch: PositionWatch) -> None:
        self._connection = connection
        self._watch = watch

    async def last_sent(
        self, sender: str, recipient: str, organization_id: str | None
    ) -> tuple[UUID, str, datetime] | None:
        """See the port."""
        async with self._connection() as conn:
            row = await (await conn.execute(_HEAD)).fetchone()
        head = int(row[0]) if row else 0
        if not await self._watch.wait_for_position(head, WAIT_S_MAX) and organization_id is None:
            raise ConversationsBehind(position=head)  # an opt-out must not become another organization's

        def query(generation: int) -> Composed:
            return _LAST.format(
                generation=Literal(generation),
                outbound=Literal(str(Direction.OUTBOUND)),
                blocked=Literal(str(Status.BLOCKED)),
            )

        values = {"sender": sender, "recipient": recipient, "organization_id": organization_id}
        async with self._connection() as conn:
            _, rows = await read_live(conn, TABLES.name, query, _ORDER, values)
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None
