"""Applies events, in batches of position order, to one generation of the messages' tables.

It moves no position and keeps nothing aside: that is for whoever holds the generation's lock (`projector.py`,
`rebuild.py`). Which status an event leads to is decided in `domain/message.py`.
"""

from collections.abc import Sequence
from uuid import UUID

import psycopg

from . import message_table
from .histories import (
    History,
    HistoryCache,
    Poison,
    StoredEvent,
    by_message,
    poison,
    read_histories,
)
from .registry import Connection

UNSTORABLE = (psycopg.DataError, psycopg.IntegrityError)
"""What PostgreSQL raises for a row that it will never take, such as a text with a NUL character."""


class MessageProjection:
    """Keeps the recent messages of one follower in memory; to be used by one transaction at a time."""

    def __init__(self) -> None:
        self._cache = HistoryCache()

    def forget(self) -> None:
        """Drop what is in memory: the transaction it belonged to failed."""
        self._cache.clear()

    async def apply(self, conn: Connection, generation: int, events: Sequence[StoredEvent]) -> list[Poison]:
        """Apply the next events, each once, in the caller's transaction; those that could not be are returned."""
        try:
            async with conn.transaction():
                return await self._apply(conn, generation, events)
        except UNSTORABLE:
            self.forget()
        # Rare: each message by itself, so that the fault stays with its own.
        poisons: list[Poison] = []
        for own in by_message(events).values():
            try:
                async with conn.transaction():
                    poisons += await self._apply(conn, generation, own)
            except UNSTORABLE as error:
                poisons += [poison(event, error) for event in own]
        return poisons

    async def refold(
        self, conn: Connection, generation: int, message_ids: Sequence[UUID], position: int
    ) -> list[Poison]:
        """Bring messages to all of their events up to `position`; those that cannot be applied are returned."""
        poisons: list[Poison] = []
        for message_id, own in by_message(await read_histories(conn, message_ids, position)).items():
            history = History()
            not_applied = history.apply(own)
            try:
                async with conn.transaction():
                    await message_table.write(conn, generation, {message_id: history}, new=())
            except UNSTORABLE as error:
                not_applied = [poison(event, error) for event in own]
            poisons += not_applied
        self.forget()
        return poisons

    async def _apply(self, conn: Connection, generation: int, events: Sequence[StoredEvent]) -> list[Poison]:
        histories: dict[UUID, History] = {}
        new: set[UUID] = set()
        missing: list[UUID] = []
        poisons: list[Poison] = []
        for message_id, own in by_message(events).items():
            first = own[0].version
            history = History() if first == 1 else self._cache.take(message_id, first)
            if history is None:
                missing.append(message_id)
                continue
            if first == 1:
                new.add(message_id)
            histories[message_id] = history
            poisons += history.apply(own)
        if missing:
            stored = await read_histories(conn, missing, events[-1].position)
            for message_id, own in by_message(stored).items():
                history = histories[message_id] = History()
                # What could not be applied in an earlier batch was kept aside then.
                poisons += [found for found in history.apply(own) if found.position >= events[0].position]
        await message_table.write(conn, generation, histories, new)
        for message_id, history in histories.items():
            self._cache.put(message_id, history)
        return poisons
