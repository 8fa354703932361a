"""Read model: the table behind the lists of messages, one row per message, and how rows get into it.

A row is what `domain/message.py` makes of the message's events, and nothing else. Its queries are in `messages.py`.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from smsledger.domain.message import Message

from . import counts
from .counts import CountDeltas
from .histories import History
from .registry import Connection, TableSet, for_generation

_CREATE = """
CREATE TABLE messages_{generation} (
    message_id          uuid        NOT NULL,
    organization_id     text        NOT NULL,
    direction           text        NOT NULL,
    status              text        NOT NULL,
    sender              text        NOT NULL,
    recipient           text        NOT NULL,
    body                text        NOT NULL,
    segments            int         NOT NULL,
    country             text        NOT NULL,
    tag                 text,
    carrier             text,
    provider_message_id text,
    error_code          text,
    error_message       text,
    created_at          timestamptz NOT NULL, -- queued or received
    sent_at             timestamptz,
    delivered_at        timestamptz,
    failed_at           timestamptz,
    updated_at          timestamptz NOT NULL,
    version             bigint      NOT NULL, -- of the last event applied
    position            bigint      NOT NULL  -- of the last event applied
) WITH (
    -- A message changes its status a few times: keep what is dead under each status short.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
)
"""
_INDEX = (
    # Rows to change, by batch.
    "ALTER TABLE messages_{generation} ADD PRIMARY KEY (message_id)",
    # Lists by direction and by dates, and of everything (both directions merged); rows of a partial day.
    """CREATE INDEX messages_{generation}_direction
    ON messages_{generation} (organization_id, direction, created_at, message_id)""",
    # Lists by status; rows of a partial day in a status.
    """CREATE INDEX messages_{generation}_status
    ON messages_{generation} (organization_id, status, created_at, message_id)""",
    # Lists by tag.
    """CREATE INDEX messages_{generation}_tag
    ON messages_{generation} (organization_id, tag, created_at, message_id) WHERE tag IS NOT NULL""",
    # The watchdog's look for messages that have stood still (open_messages.py).
    """CREATE INDEX messages_{generation}_open
    ON messages_{generation} (created_at) WHERE status IN ('QUEUED', 'SENDING', 'SENT')""",
    # Lists by tag and status, which the planner cannot know to be rare or common together.
    """CREATE INDEX messages_{generation}_tag_status
    ON messages_{generation} (organization_id, tag, status, created_at, message_id) WHERE tag IS NOT NULL""",
    # Inbound messages from a number.
    """CREATE INDEX messages_{generation}_inbound_sender
    ON messages_{generation} (organization_id, sender, created_at, message_id) WHERE direction = 'INBOUND'""",
    # Inbound messages to a number.
    """CREATE INDEX messages_{generation}_inbound_recipient
    ON messages_{generation} (organization_id, recipient, created_at, message_id) WHERE direction = 'INBOUND'""",
    # The last message to a person who writes back (conversations.py).
    """CREATE INDEX messages_{generation}_conversation
    ON messages_{generation} (sender, recipient, created_at, message_id)
    WHERE direction = 'OUTBOUND' AND status <> 'BLOCKED'""",
)
TABLES = TableSet(
    name="messages",
    shape=3,
    create=(_CREATE, *counts.CREATE),
    index=_INDEX,
    drop=("DROP TABLE IF EXISTS messages_{generation}", *counts.DROP),
)

COLUMNS = """
message_id, organization_id, direction, status, sender, recipient, body, segments, country, tag, carrier,
provider_message_id, error_code, error_message, created_at, sent_at, delivered_at, failed_at, updated_at,
version, position"""
_TYPES = ["uuid", *["text"] * 6, "int4", *["text"] * 6, *["timestamptz"] * 5, "int8", "int8"]

_COPY = f"COPY messages_{{generation}} ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
_STATUSES = "SELECT message_id, status FROM messages_{generation} WHERE message_id = ANY (%b)"
# Only what can change after a message's first event.
_CHANGE = """
UPDATE messages_{generation} kept SET
    status = changed.status, carrier = changed.carrier, provider_message_id = changed.provider_message_id,
    error_code = changed.error_code, error_message = changed.error_message, sent_at = changed.sent_at,
    delivered_at = changed.delivered_at, failed_at = changed.failed_at, updated_at = changed.updated_at,
    version = changed.version, position = changed.position
FROM json_to_recordset(%b::json) AS changed (
    message_id uuid, status text, carrier text, provider_message_id text, error_code text, error_message text,
    sent_at timestamptz, delivered_at timestamptz, failed_at timestamptz, updated_at timestamptz,
    version bigint, position bigint
) WHERE kept.message_id = changed.message_id
"""

Row: TypeAlias = tuple[Any, ...]


class _Change(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    message_id: UUID
    status: str
    updated_at: datetime
    version: int
    position: int
    carrier: str | None = None
    provider_message_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    failed_at: datetime | None = None


def row(message: Message, history: History) -> Row:
    """The row of a message, in the order of COLUMNS."""
    return (
        message.message_id,
        message.organization_id,
        message.direction.value,
        message.status.value,
        message.sender,
        message.recipient,
        message.body,
        message.segments,
        message.country,
        message.tag,
        message.carrier,
        message.provider_message_id,
        message.error_code,
        message.error_message,
        message.created_at,
        message.sent_at,
        message.delivered_at,
        message.failed_at,
        message.updated_at,
        history.version,
        history.position,
    )


def _change(message: Message, history: History) -> _Change:
    return _Change(
        message.message_id,
        message.status,
        message.updated_at,
        history.version,
        history.position,
        message.carrier,
        message.provider_message_id,
        message.error_code,
        message.error_message,
        message.sent_at,
        message.delivered_at,
        message.failed_at,
    )


async def write(
    conn: Connection, generation: int, histories: Mapping[UUID, History], new: Collection[UUID]
) -> None:
    """Bring the rows of messages, and the counts, to their histories. `new` are known to have no row yet."""
    before = await _statuses(conn, generation, [key for key in histories if key not in new])
    deltas = CountDeltas()
    rows: list[Row] = []
    changes: list[_Change] = []
    for message_id, history in histories.items():
        message = history.message
        if message is None:  # not one event of it could be applied
            continue
        status_before = before.get(message_id)
        deltas.add(message, status_before)
        if status_before is None:
            rows.append(row(message, history))
        else:
            changes.append(_change(message, history))
    if rows:
        await copy(conn, generation, rows)
    if changes:
        await conn.execute(for_generation(_CHANGE, generation), [msgspec.json.encode(changes).decode()])
    await deltas.write(conn, generation)


async def copy(conn: Connection, generation: int, rows: Iterable[Row]) -> None:
    """Write rows of messages that have none."""
    async with conn.cursor() as cursor, cursor.copy(for_generation(_COPY, generation)) as copying:
        copying.set_types(_TYPES)
        for values in rows:
            await copying.write_row(values)


async def _statuses(conn: Connection, generation: int, message_ids: list[UUID]) -> dict[UUID, str]:
    if not message_ids:
        return {}
    cursor = await conn.execute(for_generation(_STATUSES, generation), [message_ids], binary=True)
    return dict(await cursor.fetchall())
