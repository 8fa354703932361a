"""Stored events and the messages they add up to, as the projections need them: folded where they can be read.

What an event means is decided in `domain/message.py` alone; an event that cannot be applied is set aside here, and
the message's later events are applied where they can.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import LiteralString
from uuid import UUID

import msgspec
import psycopg

from smsledger.domain.errors import LedgerError
from smsledger.domain.message import MESSAGE_EVENTS, Message, evolve
from smsledger.domain.status import FINAL

from .registry import Connection

CACHED_MESSAGES_MAX = 50_000
_OF_MESSAGES = "message."
"""Begins the topics of what these projections show; other aggregates have their own read models."""

# The tail that the projection has not seen (index ledger_events_position).
_AFTER = """
SELECT notification_id, originator_id, originator_version, topic, state
FROM ledger_events WHERE notification_id > %b ORDER BY notification_id LIMIT %b
"""
# Messages from their beginning, up to the position that the projection stands at (primary key).
_HISTORIES = """
SELECT notification_id, originator_id, originator_version, topic, state
FROM ledger_events WHERE originator_id = ANY (%b) AND notification_id <= %b
ORDER BY originator_id, originator_version
"""
# The whole store, message by message, in pages (primary key).
_BY_MESSAGE = """
SELECT notification_id, originator_id, originator_version, topic, state
FROM ledger_events WHERE (originator_id, originator_version) > (%b, %b) AND notification_id <= %b
ORDER BY originator_id, originator_version LIMIT %b
"""

UNREADABLE = (LedgerError, msgspec.MsgspecError, RecursionError)
"""What decoding and folding raise for an event of a newer release, foreign bytes or a broken history."""


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as it is stored, not decoded."""

    position: int
    message_id: UUID
    version: int
    topic: str
    state: bytes


class Poison(msgspec.Struct, frozen=True):
    """An event that could not be applied, and why."""

    position: int
    topic: str
    error: str


class History(msgspec.Struct):
    """A message as its readable events leave it; `version` and `position` are those of the last one applied."""

    message: Message | None = None
    version: int = 0
    position: int = 0
    is_whole: bool = True
    """No event was set aside."""

    def apply(self, events: Iterable[StoredEvent]) -> list[Poison]:
        """Apply the next events of the message, in order; those that could not be are returned."""
        poisons = []
        message, last = self.message, None
        for event in events:
            try:
                message = evolve(message, event.message_id, MESSAGE_EVENTS.decode(event.topic, event.state))
            except UNREADABLE as error:
                self.is_whole = False
                poisons.append(poison(event, error))
            else:
                last = event
        if last is not None:
            self.message, self.version, self.position = message, last.version, last.position
        return poisons


class HistoryCache:
    """The recent messages that more is to be heard of. It may forget any at any time: they are read again.

    A message with an event set aside is not kept, so that it is read anew after a retry in any process.
    """

    def __init__(self, messages_max: int = CACHED_MESSAGES_MAX) -> None:
        self._messages_max = messages_max
        self._histories: OrderedDict[UUID, History] = OrderedDict()

    def take(self, message_id: UUID, version: int) -> History | None:
        """The message just before its event `version`, taken out of the cache."""
        history = self._histories.pop(message_id, None)
        return history if history is not None and history.version == version - 1 else None

    def put(self, message_id: UUID, history: History) -> None:
        """Keep a message for its next event."""
        if history.is_whole and history.message is not None and history.message.status not in FINAL:
            self._histories[message_id] = history
            if len(self._histories) > self._messages_max:
                self._histories.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._histories.clear()


def poison(event: StoredEvent, error: Exception) -> Poison:
    """`event` set aside because of `error`.

    Of PostgreSQL's errors only the first line: detail and context repeat the row, and with it personal data.
    """
    reason = isinstance(error, psycopg.Error) and error.diag.message_primary
    return Poison(event.position, event.topic, f"{type(error).__name__}: {reason or error}")


def by_message(events: Iterable[StoredEvent]) -> dict[UUID, list[StoredEvent]]:
    """Events grouped by message; the order in each group is kept. Events of other aggregates are passed over."""
    groups: dict[UUID, list[StoredEvent]] = {}
    for event in events:
        if not event.topic.startswith(_OF_MESSAGES):
            continue
        group = groups.get(event.message_id)
        if group is None:
            groups[event.message_id] = [event]
        else:
            group.append(event)
    return groups


async def read_after(conn: Connection, position: int, limit: int) -> list[StoredEvent]:
    """Up to `limit` events after `position`, in position order."""
    return await _read(conn, _AFTER, [position, limit])


async def read_histories(conn: Connection, message_ids: Sequence[UUID], position: int) -> list[StoredEvent]:
    """All events of the messages up to `position`, message by message."""
    return await _read(conn, _HISTORIES, [list(message_ids), position])


async def read_by_message(
    conn: Connection, after: tuple[UUID, int], position: int, limit: int
) -> list[StoredEvent]:
    """Up to `limit` events up to `position`, message by message, from after the message and version given."""
    return await _read(conn, _BY_MESSAGE, [*after, position, limit])


async def _read(
    conn: Connection, statement: LiteralString, parameters: Sequence[object]
) -> list[StoredEvent]:
    cursor = await conn.execute(statement, parameters, binary=True)
    return [StoredEvent(*row) for row in await cursor.fetchall()]
