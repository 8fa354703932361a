"""The watchdog: nothing stays where it is for ever.

It looks after messages that were accepted long ago and not dispatched (their place in the queue was lost), and
after sent ones whose receipt never came. It finds them in the read model and decides on their own events.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias
from uuid import UUID

import structlog

from smsledger.domain.event import Event
from smsledger.domain.message import Message, record_overdue
from smsledger.domain.status import Status

from .clock import Clock
from .dispatch import Dispatcher
from .ledger import MessageLedger

log = structlog.get_logger(__name__)

BATCH = 200
LOOK_S = 5.0
"""Seconds between two looks."""

LookOutcome: TypeAlias = bool | BaseException
"""Whether a message was changed, or why it could not be looked after."""


class OpenMessages(Protocol):
    """Finds messages that have stood in a status for long."""

    async def standing(self, statuses: tuple[Status, ...], before: datetime, limit: int) -> list[UUID]:
        """Up to `limit` outbound messages in one of `statuses` since before `before`, oldest first."""
        ...


class Watchdog:
    """One step looks at one batch of each kind, at most every LOOK_S seconds."""

    role = "watchdog"

    def __init__(
        self,
        found: OpenMessages,
        ledger: MessageLedger,
        dispatcher: Dispatcher,
        clock: Clock,
        *,
        stuck_s: float,
        receipt_wait_s: int,
    ) -> None:
        self._open = found
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._clock = clock
        self._stuck_s = stuck_s
        self._receipt_wait_s = receipt_wait_s
        self._next_look: datetime | None = None

    async def step(self) -> int:
        """Look after what stands still; how many messages changed.

        A message that cannot be looked after keeps no other back; its error is raised afterwards.
        """
        now = self._clock()
        if self._next_look is not None and now < self._next_look <= now + timedelta(seconds=LOOK_S):
            return 0
        outcomes = [*await self._dispatch_forgotten(now), *await self._expire_receipts(now)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        changed = outcomes.count(True)
        if changed == 0:
            self._next_look = now + timedelta(seconds=LOOK_S)
        return changed

    async def _dispatch_forgotten(self, now: datetime) -> Sequence[LookOutcome]:
        before = now - timedelta(seconds=self._stuck_s)
        ids = await self._open.standing((Status.QUEUED, Status.SENDING), before, BATCH)
        forgotten = [
            message
            for message in (await self._ledger.load_readable(ids)).values()
            # The read model may be behind: the events have the last word.
            if message.status in (Status.QUEUED, Status.SENDING) and message.updated_at < before
        ]
        for message in forgotten:
            log.warning("forgotten_message", message_id=str(message.message_id), status=message.status)
        return await asyncio.gather(*map(self._bring_on, forgotten), return_exceptions=True)

    async def _bring_on(self, message: Message) -> bool:
        return await self._dispatcher.dispatch(message) is None

    async def _expire_receipts(self, now: datetime) -> Sequence[LookOutcome]:
        before = now - timedelta(seconds=self._receipt_wait_s)
        ids = await self._open.standing((Status.SENT,), before, BATCH)
        sent = (await self._ledger.load_readable(ids)).values()
        return await asyncio.gather(
            *[self._expire(message, before, now) for message in sent], return_exceptions=True
        )

    async def _expire(self, message: Message, before: datetime, now: datetime) -> bool:
        after = await self._ledger.change(message, lambda current: self._overdue(current, before, now))
        return after.version > message.version

    def _overdue(self, message: Message, before: datetime, now: datetime) -> Sequence[Event]:
        """A message may be much older than its handing over, which is what its receipt is awaited from."""
        if message.sent_at is None or message.sent_at >= before:
            return []
        return record_overdue(message, at=now, waited_s=self._receipt_wait_s)
