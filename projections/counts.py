"""Read model: how many messages an organization has, by day and hour (UTC, of created_at), direction and status; and
by tag and day.

It is kept with the list of messages, in the same transactions and generations, so that a list's total is the truth
about the list: `messages` and `counts` are one projection. Counting rows of partial days is `messages.py`'s.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import TypeAlias

import msgspec
from psycopg.sql import SQL, Composed

from smsledger.domain.message import Message
from smsledger.domain.status import Direction, Status

from .registry import Connection, for_generation, read_live

CREATE = (
    """
    CREATE TABLE message_counts_{generation} (
        organization_id text   NOT NULL,
        day             date   NOT NULL,
        direction       text   NOT NULL,
        status          text   NOT NULL,
        messages        bigint NOT NULL,
        -- Totals of lists, and counts_by_day.
        PRIMARY KEY (organization_id, day, direction, status)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE message_hour_counts_{generation} (
        organization_id text        NOT NULL,
        hour            timestamptz NOT NULL, -- its beginning
        direction       text        NOT NULL,
        status          text        NOT NULL,
        messages        bigint      NOT NULL,
        -- Totals of lists: the hours of partial days.
        PRIMARY KEY (organization_id, hour, direction, status)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE message_tag_counts_{generation} (
        organization_id text   NOT NULL,
        tag             text   NOT NULL,
        day             date   NOT NULL,
        direction       text   NOT NULL,
        status          text   NOT NULL,
        messages        bigint NOT NULL,
        -- Totals of lists by tag.
        PRIMARY KEY (organization_id, tag, day, direction, status)
    ) WITH (fillfactor = 50)
    """,
)
DROP = (
    "DROP TABLE IF EXISTS message_counts_{generation}",
    "DROP TABLE IF EXISTS message_hour_counts_{generation}",
    "DROP TABLE IF EXISTS message_tag_counts_{generation}",
)

_ADD = """
WITH deltas AS (
    SELECT * FROM json_to_recordset(%b::json)
        AS d (organization_id text, hour timestamptz, direction text, status text, messages bigint)
), hours AS (
    INSERT INTO message_hour_counts_{generation} AS kept (organization_id, hour, direction, status, messages)
    SELECT organization_id, hour, direction, status, messages FROM deltas
    ON CONFLICT (organization_id, hour, direction, status)
    DO UPDATE SET messages = kept.messages + excluded.messages
)
INSERT INTO message_counts_{generation} AS kept (organization_id, day, direction, status, messages)
SELECT organization_id, (hour AT TIME ZONE 'UTC')::date AS day, direction, status, sum(messages)
FROM deltas GROUP BY organization_id, day, direction, status
ON CONFLICT (organization_id, day, direction, status) DO UPDATE SET messages = kept.messages + excluded.messages
"""
_ADD_TAGGED = """
INSERT INTO message_tag_counts_{generation} AS kept (organization_id, tag, day, direction, status, messages)
SELECT organization_id, tag, (hour AT TIME ZONE 'UTC')::date AS day, direction, status, sum(messages)
FROM json_to_recordset(%b::json)
    AS d (organization_id text, tag text, hour timestamptz, direction text, status text, messages bigint)
GROUP BY organization_id, tag, day, direction, status
ON CONFLICT (organization_id, tag, day, direction, status)
DO UPDATE SET messages = kept.messages + excluded.messages
"""
_BY_DAY = """
SELECT day, direction, status, messages FROM message_counts_{generation}
WHERE organization_id = %(organization_id)b AND day >= %(from_day)b AND day < %(to_day)b AND messages <> 0
"""

_Key: TypeAlias = tuple[str, str | None, datetime, Direction, str]


class DayCount(msgspec.Struct, frozen=True):
    """How many messages of one day there are in one direction and status."""

    day: date
    direction: Direction
    status: Status
    messages: int


class _Delta(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    organization_id: str
    hour: datetime
    direction: Direction
    status: str
    messages: int
    tag: str | None = None


class CountDeltas:
    """What a batch of messages changes in the counts."""

    def __init__(self) -> None:
        self._deltas: defaultdict[_Key, int] = defaultdict(int)

    def __len__(self) -> int:
        """How many counts change."""
        return len(self._deltas)

    def add(self, message: Message, status_before: str | None) -> None:
        """`message` had a row with `status_before`; None: it had no row."""
        if status_before == message.status:
            return
        organization_id, direction = message.organization_id, message.direction
        hour = message.created_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for tag in (None,) if message.tag is None else (None, message.tag):
            self._deltas[organization_id, tag, hour, direction, message.status] += 1
            if status_before is not None:
                self._deltas[organization_id, tag, hour, direction, status_before] -= 1

    async def write(self, conn: Connection, generation: int) -> None:
        """Add the deltas to the counts of a generation."""
        deltas = [
            _Delta(organization_id, hour, direction, status, messages, tag)
            for (organization_id, tag, hour, direction, status), messages in self._deltas.items()
            if messages
        ]
        await _add(conn, for_generation(_ADD, generation), [delta for delta in deltas if delta.tag is None])
        await _add(
            conn,
            for_generation(_ADD_TAGGED, generation),
            [delta for delta in deltas if delta.tag is not None],
        )


async def _add(conn: Connection, statement: Composed, deltas: Iterable[_Delta]) -> None:
    if deltas:
        await conn.execute(statement, [msgspec.json.encode(deltas).decode()])


async def counts_by_day(
    conn: Connection, organization_id: str, from_day: date, to_day: date
) -> list[DayCount]:
    """The organization's counts of days from `from_day` on and before `to_day`, by day, direction and status."""

    def query(generation: int) -> Composed:
        return for_generation(_BY_DAY, generation)

    order = SQL("page.day, page.direction, page.status")
    parameters = {"organization_id": organization_id, "from_day": from_day, "to_day": to_day}
    _, rows = await read_live(conn, "messages", query, order, parameters)
    return [
        DayCount(day, Direction(direction), Status(status), messages)
        for day, direction, status, messages in rows
    ]
