"""The publisher: reads the event store in position order and adds each event to the stream, once, in order.

The event table is the outbox. It is safe to run twice: the stream refuses whoever is behind.
"""

import asyncio
from typing import Protocol

import structlog

from .ports import EventReader, Stream, StreamAhead

log = structlog.get_logger(__name__)


class CursorStore(Protocol):
    """Remembers how far a reader of positions has come."""

    async def get(self, name: str) -> int | None:
        """The position; None where nothing is remembered."""
        ...

    async def put(self, name: str, position: int) -> None:
        """Remember `position`."""
        ...


CURSOR = "publisher"
NOTE_S = 0.5
"""Seconds between two writes of the cursor under load."""
LOOK_S = 2.0
"""Seconds between two looks at a stream to which nothing is added: one that was deleted has to be filled again."""


class Publisher:
    """One step publishes one batch; where to go on is asked of the stream, never remembered over an error."""

    role = "publisher"

    def __init__(
        self, reader: EventReader, stream: Stream, cursors: CursorStore, *, batch_events: int
    ) -> None:
        self._reader = reader
        self._stream = stream
        self._cursors = cursors
        self._batch_events = batch_events
        self._position: int | None = None
        self._looked_at = 0.0
        self._noted = 0
        self._noted_at = 0.0

    async def step(self) -> int:
        """Publish up to one batch; the number of events published, 0 when there are no more.

        Raises StreamMoved or StreamUnavailable, after which the next step finds its place again, and StreamAhead.
        """
        position = self._position
        if position is None:
            position = await self._resume()
        events = await self._reader.after(position, self._batch_events)
        if not events:
            await self._note(position, at_once=True)
            look = asyncio.get_running_loop().time() - self._looked_at >= LOOK_S
            self._position = None if look else position
            return 0
        self._position = None  # until the stream has answered, where it ends is not known
        await self._stream.publish(events)
        self._position = events[-1].position
        await self._note(self._position)
        return len(events)

    async def _resume(self) -> int:
        position = await self._stream.last_position()
        self._looked_at = asyncio.get_running_loop().time()
        remembered = await self._cursors.get(CURSOR) or 0
        if position is None:  # every message has aged out of the stream
            position = remembered
        if position > 0 and not await self._reader.after(position - 1, 1):
            raise StreamAhead(position=position)
        if position < remembered:
            log.warning("stream_behind_ledger", stream_position=position, published_before=remembered)
        await self._note(position, at_once=True)
        return position

    async def _note(self, position: int, *, at_once: bool = False) -> None:
        """Write the cursor down for status and for an emptied stream; seldom, as it decides nothing else."""
        now = asyncio.get_running_loop().time()
        if position != self._noted and (at_once or now - self._noted_at >= NOTE_S):
            await self._cursors.put(CURSOR, position)
            self._noted, self._noted_at = position, now
