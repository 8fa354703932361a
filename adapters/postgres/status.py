"""How the ledger and its followers stand: head, positions, lags, parked work, the loops' last words.

It measures and judges nothing; what counts as unhealthy is its readers' decision. Every query is bounded.
"""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

PARKED_COUNTED_MAX = 100_000
"""Parked events and receipts are counted up to here."""
FOLLOWERS_MAX = 100
LOOPS_MAX = 200
PARKED_SHOWN_MAX = 5

# Each follower beside the first event that it has not handled (index ledger_events_position). A publisher that
# never ran stands at 0, so that it is not missed; other cursors appear with their first position.
_FOLLOWERS = """
WITH head AS (SELECT coalesce(max(notification_id), 0) AS position FROM ledger_events),
followers AS (
    SELECT 'publisher' AS name, 'cursor' AS kind,
        coalesce((SELECT position FROM cursors WHERE name = 'publisher'), 0) AS position
    UNION ALL SELECT name, 'cursor', position FROM cursors WHERE name <> 'publisher'
    UNION ALL SELECT name, CASE WHEN live THEN 'projection' ELSE 'rebuild' END, position FROM projections
)
SELECT head.position AS head, f.name, f.kind, f.position,
    greatest(head.position - f.position, 0) AS lag_events,
    greatest(coalesce(extract(epoch FROM now() - next.recorded_at), 0), 0)::float8 AS lag_s
FROM head CROSS JOIN followers f
LEFT JOIN LATERAL (
    SELECT e.recorded_at FROM ledger_events e WHERE e.notification_id > f.position ORDER BY e.notification_id LIMIT 1
) next ON true
ORDER BY f.kind, f.name LIMIT %s
"""
_LOOPS = """
SELECT role, instance, is_leader, handled, errors, last_error, last_error_at, beat_at,
    greatest(extract(epoch FROM now() - beat_at), 0)::float8 AS silent_s,
    CASE WHEN last_error_at IS NOT NULL
        THEN greatest(extract(epoch FROM now() - last_error_at), 0)::float8 END AS error_age_s
FROM loops ORDER BY role, beat_at DESC LIMIT %s
"""
_PARKED_EVENTS = """
SELECT role, count(*) FROM (SELECT role FROM parked_events LIMIT %s) parked GROUP BY role ORDER BY role
"""
_PARKED_LATEST = """
SELECT role, position, topic, error, parked_at FROM parked_events ORDER BY parked_at DESC LIMIT %s
"""
_PARKED_RECEIPTS = """
SELECT count(*), min(parked_at) FROM (SELECT parked_at FROM parked_receipts LIMIT %s) parked
"""
_PARKED_INBOUND = "SELECT count(*) FROM (SELECT FROM parked_inbound LIMIT %s) parked"


class Follower(msgspec.Struct, frozen=True):
    """A reader of positions: the publisher, a projection, or a projection being rebuilt."""

    name: str
    kind: str
    """`cursor`, `projection` or `rebuild`."""
    position: int
    lag_events: int
    lag_s: float
    """Age of the first event that it has not handled; 0 where there is none."""


class LoopReport(msgspec.Struct, frozen=True):
    """The last word of one loop in one process."""

    role: str
    instance: str
    is_leader: bool
    handled: int
    errors: int
    last_error: str | None
    last_error_at: datetime | None
    beat_at: datetime
    silent_s: float
    """Seconds since its last word, by PostgreSQL's clock."""
    error_age_s: float | None


class ParkedEvent(msgspec.Struct, frozen=True):
    """An event that a loop could not handle."""

    role: str
    position: int
    topic: str
    error: str
    parked_at: datetime


class LedgerStatus(msgspec.Struct, frozen=True):
    """Everything at one moment (each part in a snapshot of its own)."""

    head: int
    """The position of the newest event; 0 in an empty ledger."""
    followers: list[Follower]
    loops: list[LoopReport]
    """The newest first within a role; those of ended processes stay for a day."""
    parked_events: dict[str, int]
    """By role."""
    parked_latest: list[ParkedEvent]
    parked_receipts: int
    parked_receipts_since: datetime | None
    """When the oldest of them came."""
    parked_inbound: int = 0
    """Messages from phones to numbers of which nobody knows whose they are."""


async def read_status(conn: AsyncConnection[Any]) -> LedgerStatus:
    """Six short queries. Raises psycopg.Error."""
    followers = await (await conn.execute(_FOLLOWERS, [FOLLOWERS_MAX])).fetchall()
    loops = conn.cursor(row_factory=class_row(LoopReport))
    await loops.execute(_LOOPS, [LOOPS_MAX])
    latest = conn.cursor(row_factory=class_row(ParkedEvent))
    await latest.execute(_PARKED_LATEST, [PARKED_SHOWN_MAX])
    parked_events = await (await conn.execute(_PARKED_EVENTS, [PARKED_COUNTED_MAX])).fetchall()
    receipts = await (await conn.execute(_PARKED_RECEIPTS, [PARKED_COUNTED_MAX])).fetchone()
    inbound = await (await conn.execute(_PARKED_INBOUND, [PARKED_COUNTED_MAX])).fetchone()
    return LedgerStatus(
        head=followers[0][0],
        followers=[Follower(*row[1:]) for row in followers],
        loops=await loops.fetchall(),
        parked_events=dict(parked_events),
        parked_latest=await latest.fetchall(),
        parked_receipts=receipts[0] if receipts else 0,
        parked_receipts_since=receipts[1] if receipts else None,
        parked_inbound=inbound[0] if inbound else 0,
    )
