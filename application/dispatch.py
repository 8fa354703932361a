"""The dispatcher: takes queued messages from the durable queue, calls the carrier, records what came of it.

Every message goes its own way, so a slow one holds nobody back; the appender and the carrier batch what runs
side by side. It is safe to run many: a `Sending` event has one winner. An attempt whose outcome was lost is
looked up, repeated where the carrier recognises repeats, and else recorded as unknown: never sent twice in silence.
"""

import asyncio
import itertools
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

import msgspec
import structlog

from smsledger.domain.consent import SUPPRESSED_CODE, SUPPRESSED_REASON
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event, EventTypes
from smsledger.domain.message import (
    Message,
    NotSendable,
    Queued,
    block,
    fold,
    record_deferred,
    record_refused,
    record_taken,
    record_unknown,
    start_sending,
)
from smsledger.domain.status import Status

from .clock import Clock
from .consent import guard_for
from .ledger import MessageLedger, MessageMissing
from .ports import (
    Carrier,
    Guard,
    Job,
    JobQueue,
    Outcome,
    RecipientsSuppressed,
    Refused,
    Submission,
    Taken,
    TryLater,
    Unknown,
)
from .receipts import ReceiptIntake

log = structlog.get_logger(__name__)

Finished: TypeAlias = None
"""Nothing is left to dispatch; a number instead says after how many seconds to look again."""


LOST_MAX = 20_000
"""Own attempts without an answer that are remembered; one that is not waits longer, and no worse."""


class DispatchLimits(msgspec.Struct, frozen=True):
    """The limits of one dispatcher."""

    in_flight_max: int = 2_000
    attempts_max: int = 20
    ack_wait_s: float = 30.0
    """Silence after which the queue gives a message to another dispatcher."""
    retry_s_first: float = 1.0
    retry_s_max: float = 300.0
    due_s_max: float = 300.0
    """Longest pause between two looks at a message that is to be tried later: a clock may have been set back."""
    carrier_down_s: float = 2.0
    """Pause before a message is looked at again while its carrier is not connected."""
    fetch_wait_s: float = 1.0
    handle_s_max: float = 120.0
    """A message that is handled for longer is given up here and comes again: nothing may be held for ever."""


class Dispatcher:
    """One dispatcher: `step` takes what there is room for; `run_in_flight` and `hold` keep what is under way."""

    role = "dispatcher"

    def __init__(
        self,
        queue: JobQueue,
        ledger: MessageLedger,
        receipts: ReceiptIntake,
        carrier_for: Callable[[Message], Carrier],
        event_types: EventTypes[Event],
        clock: Clock,
        limits: DispatchLimits,
    ) -> None:
        self._queue = queue
        self._ledger = ledger
        self._receipts = receipts
        self._carrier_for = carrier_for
        self._event_types = event_types
        self._clock = clock
        self._limits = limits
        self._name = secrets.token_hex(8)
        self._attempts = itertools.count(1)
        self._lost: OrderedDict[UUID, int] = OrderedDict()
        self._under_way: dict[asyncio.Task[None], Job] = {}
        self.on_error: Callable[[Exception], None] = lambda _: None
        """Hears of every error that postponed a message; the loop counts and reports them."""

    async def step(self) -> int:
        """Take on as many jobs as there is room for; how many."""
        room = self._limits.in_flight_max - len(self._under_way)
        if room <= 0:
            await asyncio.wait(
                self._under_way, timeout=self._limits.fetch_wait_s, return_when=asyncio.FIRST_COMPLETED
            )
            return 0
        jobs = await self._queue.fetch(room, self._limits.fetch_wait_s)
        for job in jobs:
            task = asyncio.create_task(self._handle(job))
            self._under_way[task] = job
            task.add_done_callback(self._under_way.pop)
        return len(jobs)

    async def hold(self) -> None:
        """Keep telling the queue that what is under way is not abandoned; runs until cancelled."""
        while True:
            await asyncio.sleep(self._limits.ack_wait_s / 3)
            for job in list(self._under_way.values()):
                await job.still_working()

    async def drain(self, wait_s: float) -> None:
        """Let what is under way finish, for at most `wait_s`; what does not is given to another later."""
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=wait_s)

    async def _handle(self, job: Job) -> None:
        try:
            async with asyncio.timeout(self._limits.handle_s_max):
                again_s = await self.dispatch(await self._message(job))
        except MessageMissing:
            # The stream has what the ledger never stored: somebody else's, or an older ledger's. Nothing to send.
            log.error("queued_message_not_in_ledger", message_id=str(job.message_id))  # noqa: TRY400  # expected shape
            again_s = None
        except LedgerError as error:
            again_s = self._limits.retry_s_first
            self._note(error)
        except (
            Exception
        ) as error:  # the edge of this message's own loop: it comes again, and the fault is counted
            again_s = self._limits.ack_wait_s
            self._note(error)
            log.exception("dispatch_failed", message_id=str(job.message_id))
        if again_s is None:
            await job.done()
        else:
            await job.again(again_s)

    async def _message(self, job: Job) -> Message:
        """A first delivery needs no reading: its event is the whole history, or the append will say otherwise."""
        if job.redelivered:
            return await self._ledger.get(job.message_id)
        event = self._event_types.decode(job.queued.topic, job.queued.state)
        message = fold(job.message_id, [event])
        if message is None or not isinstance(event, Queued):
            raise MessageMissing(message_id=job.message_id)
        return message

    async def dispatch(self, message: Message) -> float | Finished:
        """Bring the message as far as it goes now; None when nothing is left to do, else seconds to wait."""
        carrier = self._carrier_for(message)
        while message.status in (Status.QUEUED, Status.SENDING):
            if message.attempt_open:
                wait_s = self._seconds_until_abandoned(message)
                if wait_s > 0:
                    return wait_s
                resolved = await self._resolve(message, carrier)
            else:
                wait_s = self._seconds_until_due(message)
                if wait_s > 0:
                    return wait_s
                resolved = await self._attempt(message, carrier)
            if not isinstance(resolved, Message):
                return resolved
            message = resolved
        return None

    async def _attempt(self, message: Message, carrier: Carrier) -> Message | float:
        """One attempt: take the message on in the ledger, call the carrier, record the answer."""
        if not carrier.ready:  # an outage of the carrier is no attempt of the message's
            return self._limits.carrier_down_s
        started = start_sending(message, carrier=carrier.name, lease=self._new_lease(), at=self._clock())
        try:
            sending = await self._ledger.try_change(message, started, _guard(message))
        except RecipientsSuppressed:
            return await self._ledger.change(message, self._blocked)
        if sending is None:
            current = await self._ledger.get(message.message_id)
            # Somebody else has it: look again once they would have lost it.
            return self._limits.ack_wait_s if current.attempt_open else current
        outcome = await carrier.submit(_submission(sending))
        if isinstance(outcome, Unknown):
            self._remember_lost(sending)
        return await self._record(sending, carrier, outcome)

    def _blocked(self, message: Message) -> Sequence[Event]:
        """The recipient was suppressed since the message was accepted, or since its last attempt."""
        try:
            return block(message, error_code=SUPPRESSED_CODE, reason=SUPPRESSED_REASON, at=self._clock())
        except NotSendable:
            return []  # somebody else has it, or it has ended

    def _new_lease(self) -> str:
        """Unlike any other, so that of two attempts at one message neither takes the other's event for its own."""
        return f"{self._name}-{next(self._attempts)}"

    async def _resolve(self, message: Message, carrier: Carrier) -> Message | float:
        """An attempt's outcome is missing, because a process died or an answer was lost: find out, or say unknown."""
        submission = _submission(message)
        found = await carrier.look_up(submission)
        if found is None:
            never = TryLater(
                "INTERRUPTED", "the attempt was interrupted before the carrier took the message", 0.0
            )
            return await self._record(message, carrier, never)
        if not isinstance(found, Unknown):
            return await self._record(message, carrier, found)
        if not carrier.idempotent:
            return await self._ledger.change(message, self._unknown(message.attempt, found.reason))
        if message.in_reply_to is None and await self._ledger.is_suppressed(message):
            # Trying again might be the first time that the carrier hears of the message.
            if not carrier.ready:
                return self._limits.carrier_down_s
            return await self._ledger.change(message, self._unknown(message.attempt, found.reason))
        outcome = await carrier.submit(submission)
        if isinstance(outcome, TryLater):
            # Says nothing about the earlier try: the question stays open until the carrier answers it.
            return outcome.retry_after_s or self._limits.retry_s_first
        return await self._record(message, carrier, outcome)

    async def _record(self, message: Message, carrier: Carrier, outcome: Outcome) -> Message | float:
        if isinstance(outcome, Unknown):
            return self._limits.retry_s_first  # the attempt stays open and is resolved next
        changed = await self._ledger.change(message, self._decision(carrier, message.attempt, outcome))
        if isinstance(outcome, Taken):
            self._receipts.remember(changed)
        return changed

    def _decision(
        self, carrier: Carrier, attempt: int, outcome: Taken | Refused | TryLater
    ) -> Callable[[Message], Sequence[Event]]:
        """What the answer to `attempt` means, also for a message that others have taken further meanwhile."""
        at = self._clock()

        def decide(message: Message) -> Sequence[Event]:
            if isinstance(outcome, Taken):
                return record_taken(
                    message,
                    carrier=carrier.name,
                    provider_message_id=outcome.provider_message_id,
                    at=at,
                    provider_at=outcome.provider_at,
                )
            if message.attempt != attempt:
                return []  # another dispatcher's attempt is open: this answer says nothing about it
            if isinstance(outcome, Refused):
                return record_refused(
                    message, carrier=carrier.name, error_code=outcome.error_code, reason=outcome.reason, at=at
                )
            return record_deferred(
                message,
                error_code=outcome.error_code,
                reason=outcome.reason,
                at=at,
                retry_at=at + timedelta(seconds=self._pause_s(message, outcome)),
                attempts_max=self._limits.attempts_max,
            )

        return decide

    def _unknown(self, attempt: int, reason: str) -> Callable[[Message], Sequence[Event]]:
        at = self._clock()
        return lambda message: (
            record_unknown(message, reason=reason, at=at) if message.attempt == attempt else []
        )

    def _pause_s(self, message: Message, outcome: TryLater) -> float:
        """Twice as long with every attempt, and never shorter than the carrier wishes; 0 where it wishes no pause.

        The wish alone would spend all attempts within seconds of a longer throttle.
        """
        wish_s = outcome.retry_after_s
        if wish_s == 0:
            return 0.0
        first_s = self._limits.retry_s_first if wish_s is None else min(wish_s, self._limits.retry_s_first)
        backoff_s = min(first_s * 2.0 ** (message.attempt - 1), self._limits.retry_s_max)
        return max(backoff_s, wish_s or 0.0)

    def _seconds_until_due(self, message: Message) -> float:
        if message.retry_at is None:
            return 0.0
        return min((message.retry_at - self._clock()).total_seconds(), self._limits.due_s_max)

    def _remember_lost(self, message: Message) -> None:
        """The attempt was this dispatcher's own and has ended without an answer: nobody else's answer can come."""
        self._lost[message.message_id] = message.attempt
        if len(self._lost) > LOST_MAX:
            self._lost.popitem(last=False)

    def _seconds_until_abandoned(self, message: Message) -> float:
        """How long the open attempt may still be somebody's who is alive: asking earlier could cross its answer."""
        if self._lost.get(message.message_id) == message.attempt:
            return 0.0
        age_s = (self._clock() - message.updated_at).total_seconds()
        return min(self._limits.ack_wait_s - age_s, self._limits.ack_wait_s)

    def _note(self, error: Exception) -> None:
        self.on_error(error)
        log.warning("dispatch_postponed", error=str(error) or type(error).__name__)


def _guard(message: Message) -> Guard | None:
    """Consent is asked again before each attempt; the ledger's own replies to keywords need none."""
    if message.in_reply_to is not None:
        return None
    return guard_for(message.organization_id, message.recipient, message.sender, pooled=message.pooled)


def _submission(message: Message) -> Submission:
    return Submission(message.message_id, message.sender, message.recipient, message.body, message.attempt)
