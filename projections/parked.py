"""Events that a projection could not apply: kept aside by position, so that the rest goes on, and found again.

What to do about them is the projector's; `smsledger status` shows the table.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from .histories import Poison
from .registry import Connection

ERROR_CHARACTERS_MAX = 500

_PARK = """
INSERT INTO parked_events (role, position, topic, error)
SELECT %b, position, topic, error FROM json_to_recordset(%b::json) AS p (position bigint, topic text, error text)
ON CONFLICT (role, position) DO UPDATE SET error = excluded.error
"""
# The messages with parked events, in pages of parked events.
_PARKED = """
SELECT parked.position, stored.originator_id FROM (
    SELECT position FROM parked_events WHERE role = %b AND position > %b ORDER BY position LIMIT %b
) parked JOIN ledger_events stored ON stored.notification_id = parked.position
"""
_RELEASE = "DELETE FROM parked_events WHERE role = %b AND position = ANY (%b)"
_RELEASE_ALL = "DELETE FROM parked_events WHERE role = %b"
_HAND_OVER = "UPDATE parked_events SET role = %b WHERE role = %b"


async def park(conn: Connection, role: str, poisons: Sequence[Poison]) -> None:
    """Keep events aside; the error of one that is parked already is renewed."""
    if poisons:
        kept = [msgspec.structs.replace(poison, error=_storable(poison.error)) for poison in poisons]
        await conn.execute(_PARK, [role, msgspec.json.encode(kept).decode()])


async def parked(conn: Connection, role: str, after: int, limit: int) -> list[tuple[int, UUID]]:
    """Up to `limit` parked events after a position: their positions and messages."""
    cursor = await conn.execute(_PARKED, [role, after, limit], binary=True)
    return await cursor.fetchall()


async def release(conn: Connection, role: str, positions: Sequence[int]) -> None:
    """Events are applied and no longer kept aside."""
    if positions:
        await conn.execute(_RELEASE, [role, list(positions)])


async def release_all(conn: Connection, role: str) -> None:
    """Nothing is kept aside."""
    await conn.execute(_RELEASE_ALL, [role])


async def hand_over(conn: Connection, role: str, successor: str) -> None:
    """What `role` keeps aside takes the place of what `successor` did."""
    await release_all(conn, successor)
    await conn.execute(_HAND_OVER, [successor, role])


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:ERROR_CHARACTERS_MAX]
