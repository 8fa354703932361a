"""Reads and changes messages by their events: load, decide, append, and decide again after a conflict.

The one place where a decision meets the event store for messages that exist already. It makes no decisions.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias
from uuid import UUID

import msgspec
import structlog

from smsledger.domain import consent as consents
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event, UnknownEventType
from smsledger.domain.message import CorruptHistory, Message, evolve, fold

from .consent import read_standing
from .ports import Append, Appended, Appender, EventReader, Guard

log = structlog.get_logger(__name__)

Decision: TypeAlias = Callable[[Message], Sequence[Event]]
"""What should happen to a message as it is now; pure, as it is asked again after a conflict."""

UNREADABLE = (UnknownEventType, CorruptHistory, msgspec.DecodeError)
"""What reading a message raises when its events are from a newer release, or damaged."""
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

    async def load_readable(self, message_ids: Sequence[UUID]) -> dict[UUID, Message]:
        """As `load`, but a message that this release cannot read is left out, and keeps no other back.

        For those who look after many messages at once; raises what the reader raises for want of PostgreSQL.
        """
        try:
            return await self.load(message_ids)
        except UNREADABLE:
            pass  # which one it is shows below, where each is read by itself and the unreadable one is logged
        found: dict[UUID, Message] = {}
        for message_id in message_ids:
            try:
                found |= await self.load([message_id])
            except UNREADABLE as error:
                log.error("message_unreadable", message_id=str(message_id), error=str(error))  # noqa: TRY400  # expected shape
        return found

    async def get(self, message_id: UUID) -> Message:
        """One message. Raises MessageMissing."""
        message = (await self.load([message_id])).get(message_id)
        if message is None:
            raise MessageMissing(message_id=message_id)
        return message

    async def is_suppressed(self, message: Message) -> bool:
        """Whether the recipient is suppressed for the message's sender as far as is known now; a guard knows it for sure."""
        standing = await read_standing(self._reader, message.organization_id, message.recipient)
        return consents.covers(standing.consent, consents.sender_scope(message.sender, pooled=message.pooled))

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

    async def try_change(
        self, message: Message, events: Sequence[Event], guard: Guard | None = None
    ) -> Message | None:
        """Append `events` to exactly this state of the message; None where it has changed meanwhile.

        Raises RecipientsSuppressed where `guard` says so.
        """
        if not events:
            return message
        append = Append(message.message_id, message.organization_id, message.version + 1, events, guard)
        (result,) = await self._appender.append([append])
        if not isinstance(result, Appended):
            return None
        for event in events:
            message = evolve(message, message.message_id, event)
        return message
