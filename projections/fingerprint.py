"""A short value that is equal for two generations with equal content, however their rows came to be.

For tests and checks: after a rebuild the read model must be what it was. It reads every row.
"""

import msgspec

from .message_table import TABLES
from .registry import Connection, for_generation, live_generation

# Sums of hashes do not depend on the order of rows. Counts of zero are as good as absent.
_FINGERPRINT = """
SELECT
    (SELECT count(*) FROM messages_{generation}),
    (SELECT coalesce(sum(hashtextextended(m::text, 0)), 0)::text FROM messages_{generation} m),
    (SELECT coalesce(sum(hashtextextended(c::text, 0)), 0)::text FROM message_counts_{generation} c
        WHERE messages <> 0),
    (SELECT coalesce(sum(hashtextextended(c::text, 0)), 0)::text FROM message_hour_counts_{generation} c
        WHERE messages <> 0),
    (SELECT coalesce(sum(hashtextextended(c::text, 0)), 0)::text FROM message_tag_counts_{generation} c
        WHERE messages <> 0)
"""
_UTC = "SET LOCAL TimeZone TO 'UTC'"  # rows are hashed as text


class Fingerprint(msgspec.Struct, frozen=True):
    """The content of a generation."""

    messages: int
    rows: str
    counts: str
    hour_counts: str
    tag_counts: str


class Standing(msgspec.Struct, frozen=True):
    """The live generation, what it reflects, and its content."""

    generation: int
    position: int
    fingerprint: Fingerprint


async def fingerprint(conn: Connection, generation: int) -> Fingerprint:
    """The content of a generation's tables, every column of every row."""
    async with conn.transaction():
        await conn.execute(_UTC)
        row = await (await conn.execute(for_generation(_FINGERPRINT, generation))).fetchone()
    assert row is not None  # a SELECT without FROM has one row
    return Fingerprint(*row)


async def standing(conn: Connection) -> Standing | None:
    """The live generation; meant for a moment when nothing is appended. None where nothing was projected."""
    live = await live_generation(conn, TABLES.name)
    if live is None:
        return None
    return Standing(live.number, live.position, await fingerprint(conn, live.number))
