"""Reads and changes messages by their events: load, decide, append, and decide again after a conflict.

The one place where a decision meets the event store for messages that exist already. It makes no decisions.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias
from uuid import UUID

from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event
from smsledger.domain.message import Message, evolve, fold

from .ports import Append, Appended, Appender, EventReader

Decision: TypeAlias = Callable[[Message], Sequence[Event]]
"""What should happen to a message as it is now; pure, as it is asked again after a conflict."""

CONFLICTS_MAX = 8
"""Times a decision is made anew because others changed the message meanwhile."""


class MessageMissing(LedgerError):
    """The ledger has no such message."""

    message = "no message {message_id} in the ledger"


class TooManyConflicts(LedgerError):
    """Others kept changing the message."""

    message = "message {message_id} changed {conflicts} times while it was being changed: try again"


class MessageLedger:
    """Messages as the event store has them."""

    def __init__(self, reader: EventReader, appender: Appender) -> None:
        self._reader = reader
        self._appender = appender

    async def load(self, message_ids: Sequence[UUID]) -> dict[UUID, Message]:
        """The messages as all their events leave them; those without events are left out."""
        found = {}
        for message_id, recorded in (await self._reader.load(message_ids)).items():
            message = fold(message_id, [one.event for one in recorded])
            if message is not None:
                found[message_id] = message
        return found

    async def get(self, message_id: UUID) -> Message:
        """One message. Raises MessageMissing."""
        message = (await self.load([message_id])).get(message_id)
        if message is None:
            raise MessageMissing(message_id=message_id)
        return message

    async def change(self, message: Message, decide: Decision) -> Message:
        """Append what `decide` says and return the message after it.

        `message` may be out of date: after a conflict it is read again and decided again. Raises what `decide`
        raises, TooManyConflicts, and what the appender raises.
        """
        for _ in range(CONFLICTS_MAX):
            changed = await self.try_change(message, decide(message))
            if changed is not None:
                return changed
            message = await self.get(message.message_id)
        raise TooManyConflicts(message_id=message.message_id, conflicts=CONFLICTS_MAX)

    async def try_change(self, message: Message, events: Sequence[Event]) -> Message | None:
        """Append `events` to exactly this state of the message; None where it has changed meanwhile."""
        if not events:
            return message
        append = Append(message.message_id, message.organization_id, message.version + 1, events)
        (result,) = await self._appender.append([append])
        if not isinstance(result, Appended):
            return None
        for event in events:
            message = evolve(message, message.message_id, event)
        return message
