"""Lists of those who are suppressed, from the table that the event store keeps beside the events of consents.

It is an inline read model: `ledger_append()` writes it (migration 0005); here it is only read.
"""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.application.consent import SuppressionPage
from smsledger.domain.consent import CONSENT_EVENTS, Suppressed

# A page, newest first (index suppressions_listed), each with the event that suppressed (primary key of the store);
# and the number of all, in the same snapshot. A position is one event's, so it orders without ties.
_PAGE = """
SELECT total.suppressions, listed.position, e.topic, e.state
FROM (SELECT count(*) AS suppressions FROM suppressions WHERE organization_id = %(organization_id)b) total
LEFT JOIN (
    SELECT consent_id, version, position FROM suppressions
    WHERE organization_id = %(organization_id)b AND position < %(before)b
    ORDER BY position DESC LIMIT %(limit)b OFFSET %(offset)b
) listed ON true
LEFT JOIN ledger_events e ON e.originator_id = listed.consent_id AND e.originator_version = listed.version
ORDER BY listed.position DESC
"""
_NEWEST = 2**63 - 1


class PostgresSuppressions:
    """The Suppressions port."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def page(
        self, organization_id: str, *, count: int, offset: int, before: int | None
    ) -> SuppressionPage:
        """See the port."""
        values = {
            "organization_id": organization_id,
            "before": _NEWEST if before is None else before,
            "limit": count + 1,
            "offset": offset,
        }
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_PAGE, values, binary=True)).fetchall()
        listed = [row for row in rows if row[1] is not None]
        found = [CONSENT_EVENTS.decode(topic, state) for _, _, topic, state in listed[:count]]
        return SuppressionPage(
            rows[0][0],
            [event for event in found if isinstance(event, Suppressed)],
            listed[count - 1][1] if len(listed) > count else None,
        )
