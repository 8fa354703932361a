"""The dispatcher: every way in which a message can meet its carrier, and a dispatcher its end."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.application.dispatch import Dispatcher, DispatchLimits
from smsledger.application.ledger import MessageLedger
from smsledger.application.ports import (
    LedgerUnavailable,
    Outcome,
    Refused,
    Submission,
    Taken,
    TryLater,
    Unknown,
)
from smsledger.application.receipts import ReceiptIntake
from smsledger.domain.event import Event, Stored
from smsledger.domain.message import MESSAGE_EVENTS, Deferred, Failed, Message, OutcomeUnknown
from smsledger.domain.status import Status
from tests.domain.histories import blocked, deferred, queued, sending, sent

from .conftest import SetClock
from .messages import events_of, names_of, report, store
from .scripted import ScriptedCarrier, ScriptedJob, ScriptedQueue

LIMITS = DispatchLimits(
    attempts_max=3, ack_wait_s=30.0, retry_s_first=1.0, retry_s_max=3.0, carrier_down_s=2.0
)
SILENCE_S = LIMITS.ack_wait_s + 10
TAKEN = Taken("out-1")
LATER = TryLater("RATE_LIMIT", "too many")
LOST = Unknown("the answer was lost")


class Desk:
    """Dispatchers over one ledger, and what is handed to them."""

    def __init__(
        self,
        ledger: MessageLedger,
        receipts: ReceiptIntake,
        appender: GroupCommitAppender,
        reader: PostgresEventReader,
        clock: SetClock,
    ) -> None:
        self.errors: list[Exception] = []
        self.ledger = ledger
        self.receipts = receipts
        self.appender = appender
        self.reader = reader
        self.clock = clock
        self.queue = ScriptedQueue()

    def dispatcher(self, carrier: ScriptedCarrier, limits: DispatchLimits = LIMITS) -> Dispatcher:
        """A dispatcher as a process of its own would make it."""
        dispatcher = Dispatcher(
            self.queue, self.ledger, self.receipts, lambda _: carrier, MESSAGE_EVENTS, self.clock, limits
        )
        dispatcher.on_error = self.errors.append
        return dispatcher

    async def job(self, *history: Event, redelivered: bool = False) -> ScriptedJob:
        """A message with this history, in the queue's hand."""
        message_id = await store(self.appender, *(history or (queued(),)))
        return await self.again(message_id, redelivered=redelivered)

    async def again(
        self, message_id: UUID, *, redelivered: bool = True, after_s: float = SILENCE_S
    ) -> ScriptedJob:
        """The same message, given out once more: by default after a silence in which its attempt was given up."""
        if redelivered:
            self.clock.advance(after_s)
        return ScriptedJob((await self.reader.history(message_id))[0], redelivered=redelivered)

    async def dispatch(self, carrier: ScriptedCarrier, *jobs: ScriptedJob) -> Dispatcher:
        """Hand jobs to a dispatcher, and wait until it is through with them."""
        dispatcher = self.dispatcher(carrier)
        self.queue.jobs.extend(jobs)
        assert await dispatcher.step() == len(jobs)
        await dispatcher.drain(20)
        return dispatcher

    async def names(self, job: ScriptedJob) -> list[str]:
        """The names of the message's events."""
        return await names_of(self.reader, job.message_id)

    async def message(self, job: ScriptedJob) -> Message:
        """The message as it is now."""
        return await self.ledger.get(job.message_id)


@pytest.fixture
def desk(
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    appender: GroupCommitAppender,
    reader: PostgresEventReader,
    clock: SetClock,
) -> Desk:
    return Desk(ledger, receipts, appender, reader, clock)


# --- what the carrier answers at once


async def test_a_message_that_the_carrier_takes_is_sent(desk: Desk) -> None:
    job, carrier = await desk.job(), ScriptedCarrier(TAKEN)
    await desk.dispatch(carrier, job)
    assert await desk.names(job) == ["Queued", "Sending", "Sent"]
    assert job.finished
    event = queued()
    assert carrier.submitted == [Submission(job.message_id, event.sender, event.recipient, event.body, 1)]
    assert await desk.reader.by_carrier_references(["simulator:out-1"]) == {"simulator:out-1": job.message_id}


async def test_a_message_that_the_carrier_refuses_has_failed(desk: Desk) -> None:
    job, carrier = await desk.job(), ScriptedCarrier(Refused("21211", "no such number"))
    await desk.dispatch(carrier, job)
    assert await desk.names(job) == ["Queued", "Sending", "Failed"]
    assert (await desk.message(job)).error_code == "21211"
    assert job.finished


async def test_a_message_that_the_carrier_wants_later_is_tried_again_when_it_is_due(desk: Desk) -> None:
    job, carrier = await desk.job(), ScriptedCarrier(TryLater("RATE_LIMIT", "too many", 7.0), TAKEN)
    await desk.dispatch(carrier, job)
    assert (job.finished, job.again_s) == (False, 7.0)
    desk.clock.advance(3)
    early = await desk.again(job.message_id, after_s=0)
    await desk.dispatch(carrier, early)
    assert (early.finished, early.again_s) == (False, 4.0)
    assert len(carrier.submitted) == 1
    desk.clock.advance(4)
    due = await desk.again(job.message_id, after_s=0)
    await desk.dispatch(carrier, due)
    assert due.finished
    assert await desk.names(job) == ["Queued", "Sending", "Deferred", "Sending", "Sent"]
    assert [one.attempt for one in carrier.submitted] == [1, 2]


async def test_pauses_double_from_a_short_wish_of_the_carrier(desk: Desk) -> None:
    job, carrier = await desk.job(), ScriptedCarrier(*[TryLater("RATE_LIMIT", "too many", 0.25)] * 2)
    pauses = []
    for _ in range(2):
        await desk.dispatch(carrier, job)
        pauses.append(job.again_s)
        desk.clock.advance(2)
        job = await desk.again(job.message_id, after_s=0)
    assert pauses == [0.25, 0.5]


async def test_without_a_wish_of_the_carrier_pauses_double_up_to_their_limit(desk: Desk) -> None:
    job = await desk.job()
    limits = DispatchLimits(attempts_max=9, retry_s_first=1.0, retry_s_max=3.0)
    carrier = ScriptedCarrier(*[LATER] * 4)
    pauses = []
    for _ in range(4):
        again = await desk.dispatcher(carrier, limits).dispatch(await desk.message(job))
        assert again is not None
        pauses.append(again)
        desk.clock.advance(again)
    assert pauses == [1.0, 2.0, 3.0, 3.0]


async def test_after_the_last_attempt_the_message_has_failed(desk: Desk) -> None:
    job, carrier = await desk.job(), ScriptedCarrier(LATER, LATER, LATER)
    given = job
    for _ in range(3):
        given = await desk.again(job.message_id)
        await desk.dispatch(carrier, given)
        desk.clock.advance(60)
    assert given.finished
    last = (await events_of(desk.reader, job.message_id))[-1]
    assert isinstance(last, Failed)
    assert (last.attempt, last.error_code) == (3, "RATE_LIMIT")
    assert last.reason == "too many (attempt 3 of 3, the last)"


async def test_while_the_carrier_is_not_connected_no_attempt_is_spent(desk: Desk) -> None:
    job, carrier = await desk.job(), ScriptedCarrier(TAKEN)
    carrier.ready = False
    await desk.dispatch(carrier, job)
    assert (job.finished, job.again_s) == (False, 2.0)
    assert await desk.names(job) == ["Queued"]


# --- an answer that was lost


async def test_a_lost_answer_leaves_the_attempt_open_and_is_looked_into_soon(desk: Desk) -> None:
    job, carrier = await desk.job(), ScriptedCarrier(LOST)
    await desk.dispatch(carrier, job)
    assert (job.finished, job.again_s) == (False, 1.0)
    assert await desk.names(job) == ["Queued", "Sending"]
    assert (await desk.message(job)).attempt_open


def interrupted() -> tuple[Event, ...]:
    """What a dispatcher that died between its Sending and the answer leaves behind."""
    return queued(), sending()


async def test_a_lost_attempt_that_the_carrier_knows_is_recorded_and_not_sent_again(desk: Desk) -> None:
    job, carrier = await desk.job(*interrupted(), redelivered=True), ScriptedCarrier()
    carrier.knows.append(TAKEN)
    await desk.dispatch(carrier, job)
    assert await desk.names(job) == ["Queued", "Sending", "Sent"]
    assert (job.finished, carrier.submitted) == (True, [])
    assert [one.attempt for one in carrier.looked_up] == [1]


async def test_a_lost_attempt_that_the_carrier_refused_is_recorded_as_that(desk: Desk) -> None:
    job, carrier = await desk.job(*interrupted(), redelivered=True), ScriptedCarrier()
    carrier.knows.append(Refused("21211", "no such number"))
    await desk.dispatch(carrier, job)
    assert await desk.names(job) == ["Queued", "Sending", "Failed"]
    assert (job.finished, carrier.submitted) == (True, [])


async def test_a_lost_attempt_that_never_reached_the_carrier_is_followed_by_another_at_once(
    desk: Desk,
) -> None:
    job, carrier = await desk.job(*interrupted(), redelivered=True), ScriptedCarrier(TAKEN)
    carrier.knows.append(None)
    await desk.dispatch(carrier, job)
    assert await desk.names(job) == ["Queued", "Sending", "Deferred", "Sending", "Sent"]
    assert job.finished
    (deferral,) = [e for e in await events_of(desk.reader, job.message_id) if isinstance(e, Deferred)]
    assert deferral.error_code == "INTERRUPTED"
    assert [one.attempt for one in carrier.submitted] == [2]


async def test_an_interrupted_last_attempt_ends_the_message(desk: Desk) -> None:
    history = (queued(), sending(1, 1), deferred(2, 1, 0), sending(3, 2), deferred(4, 2, 0), sending(5, 3))
    job, carrier = await desk.job(*history, redelivered=True), ScriptedCarrier()
    carrier.knows.append(None)
    await desk.dispatch(carrier, job)
    assert (await desk.names(job))[-1] == "Failed"
    assert job.finished


async def test_a_lost_attempt_that_nobody_can_tell_of_ends_as_unknown_and_is_not_sent_again(
    desk: Desk,
) -> None:
    job, carrier = await desk.job(*interrupted(), redelivered=True), ScriptedCarrier()
    carrier.knows.append(Unknown("the carrier keeps no record"))
    await desk.dispatch(carrier, job)
    last = (await events_of(desk.reader, job.message_id))[-1]
    assert isinstance(last, OutcomeUnknown)
    assert last.reason == "the carrier keeps no record"
    assert (job.finished, carrier.submitted) == (True, [])
    assert (await desk.message(job)).status is Status.FAILED


async def test_a_carrier_that_recognises_repeats_is_given_the_same_attempt_again(desk: Desk) -> None:
    job, carrier = await desk.job(*interrupted(), redelivered=True), ScriptedCarrier(TAKEN, idempotent=True)
    carrier.knows.append(LOST)
    await desk.dispatch(carrier, job)
    assert await desk.names(job) == ["Queued", "Sending", "Sent"]
    assert [one.attempt for one in carrier.submitted] == [1]
    assert job.finished


@pytest.mark.parametrize(
    ("answer", "again_s"),
    [(LOST, 1.0), (LATER, 1.0), (TryLater("RATE_LIMIT", "too many", 5), 5)],
    ids=["lost again", "later", "later, in whole seconds"],
)
async def test_a_repeat_that_does_not_tell_leaves_the_question_open(
    desk: Desk, answer: Outcome, again_s: float
) -> None:
    job, carrier = await desk.job(*interrupted(), redelivered=True), ScriptedCarrier(answer, idempotent=True)
    carrier.knows.append(LOST)
    await desk.dispatch(carrier, job)
    assert (job.finished, job.again_s) == (False, again_s)
    assert await desk.names(job) == ["Queued", "Sending"]


# --- a dispatcher that dies, and others


@pytest.mark.parametrize("died_in", ["call to the carrier", "recording of the answer"])
async def test_wherever_a_dispatcher_dies_the_next_one_sends_the_message_once(
    desk: Desk, died_in: str
) -> None:
    reached = asyncio.Event()
    carried: list[UUID] = []

    async def never_answers(submission: Submission) -> Outcome:
        if died_in == "recording of the answer":
            carried.append(submission.message_id)
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def answers(submission: Submission) -> Outcome:
        carried.append(submission.message_id)
        return TAKEN

    job, dying = await desk.job(), ScriptedCarrier(never_answers)
    dispatching = asyncio.create_task(desk.dispatcher(dying).dispatch(await desk.message(job)))
    await reached.wait()
    dispatching.cancel()
    await asyncio.gather(dispatching, return_exceptions=True)
    carrier = ScriptedCarrier(answers)
    carrier.knows.append(TAKEN if carried else None)
    again = await desk.again(job.message_id)
    await desk.dispatch(carrier, again)
    assert again.finished
    assert carried == [job.message_id]
    assert (await desk.message(job)).status is Status.SENT


async def test_a_message_that_was_sent_before_its_job_was_finished_is_only_finished(desk: Desk) -> None:
    job, carrier = await desk.job(queued(), sending(), sent(), redelivered=True), ScriptedCarrier()
    await desk.dispatch(carrier, job)
    assert (job.finished, carrier.submitted, carrier.looked_up) == (True, [], [])
    assert await desk.names(job) == ["Queued", "Sending", "Sent"]


async def test_of_two_dispatchers_with_the_same_message_one_sends_it(desk: Desk) -> None:
    jobs = [await desk.job() for _ in range(20)]
    carriers = [ScriptedCarrier(*[Taken(f"{n}-{i}") for i in range(20)]) for n in (1, 2)]
    both = [(job, await desk.again(job.message_id, redelivered=False)) for job in jobs]
    dispatchers = [desk.dispatcher(carrier) for carrier in carriers]
    for number, dispatcher in enumerate(dispatchers):
        desk.queue.jobs.extend(pair[number] for pair in both)
        await dispatcher.step()
    for dispatcher in dispatchers:
        await dispatcher.drain(20)
    submitted = [one.message_id for carrier in carriers for one in carrier.submitted]
    assert sorted(submitted) == sorted(job.message_id for job in jobs)
    for pair in both:
        assert await desk.names(pair[0]) == ["Queued", "Sending", "Sent"]
        assert all(job.finished or job.again_s == LIMITS.ack_wait_s for job in pair)
        assert any(job.finished for job in pair)


async def test_a_dispatcher_that_finds_the_attempt_taken_looks_again_once_it_would_be_lost(
    desk: Desk,
) -> None:
    job, carrier = await desk.job(queued(), sending()), ScriptedCarrier()
    limits = DispatchLimits(ack_wait_s=30)  # a whole number, as a test or a setting may give it
    desk.queue.jobs.append(job)
    dispatcher = desk.dispatcher(carrier, limits)
    await dispatcher.step()
    await dispatcher.drain(20)
    assert (job.finished, job.again_s, carrier.submitted) == (False, 30, [])
    assert desk.errors == []


async def test_a_message_that_was_blocked_before_its_job_came_is_not_sent(desk: Desk) -> None:
    job, carrier = await desk.job(queued(), blocked()), ScriptedCarrier()
    await desk.dispatch(carrier, job)
    assert (job.finished, carrier.submitted) == (True, [])
    assert await desk.names(job) == ["Queued", "Blocked"]


@pytest.mark.parametrize("redelivered", [True, False])
async def test_a_message_that_the_ledger_does_not_have_is_not_sent_again_and_again(
    desk: Desk, redelivered: bool
) -> None:
    elsewhere = Stored(
        1, uuid4(), 1, "message.queued.v1", "acme", queued().at, MESSAGE_EVENTS.encode(queued())
    )
    job, carrier = ScriptedJob(elsewhere, redelivered=redelivered), ScriptedCarrier(TAKEN)
    await desk.dispatch(carrier, job)
    assert job.finished
    assert carrier.submitted == []
    assert await desk.reader.history(job.message_id) == []


async def test_a_job_that_is_no_queued_event_is_taken_out(desk: Desk) -> None:
    message_id = await store(desk.appender, queued(), sending())
    job, carrier = ScriptedJob((await desk.reader.history(message_id))[1]), ScriptedCarrier()
    await desk.dispatch(carrier, job)
    assert carrier.submitted == []
    assert job.finished or job.again_s


# --- faults, and many messages at once


def raising(error: Exception) -> Callable[[Submission], Any]:
    async def fail(_: Submission) -> Outcome:
        raise error

    return fail


async def test_a_fault_in_one_message_harms_no_other_and_is_counted(desk: Desk) -> None:
    jobs = [await desk.job() for _ in range(3)]
    carrier = ScriptedCarrier(TAKEN, raising(RuntimeError("a fault of ours")), Taken("out-3"))
    await desk.dispatch(carrier, *jobs)
    assert sorted(job.finished for job in jobs) == [False, True, True]
    (broken,) = [job for job in jobs if not job.finished]
    assert broken.again_s == LIMITS.ack_wait_s
    assert [str(error) for error in desk.errors] == ["a fault of ours"]


async def test_a_ledger_that_is_away_postpones_the_message(desk: Desk) -> None:
    job, carrier = await desk.job(), ScriptedCarrier(raising(LedgerUnavailable(reason="no answer")))
    await desk.dispatch(carrier, job)
    assert (job.finished, job.again_s) == (False, LIMITS.retry_s_first)
    assert len(desk.errors) == 1


async def test_a_slow_message_holds_nobody_back_and_its_job_is_held(desk: Desk) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slowly(_: Submission) -> Outcome:
        asked.set()
        await answer.wait()
        return Taken("slow")

    slow, fast = await desk.job(), await desk.job()
    carrier = ScriptedCarrier(slowly, Taken("fast"))
    dispatcher = desk.dispatcher(carrier, DispatchLimits(in_flight_max=2, ack_wait_s=0.03))
    holding = asyncio.create_task(dispatcher.hold())
    desk.queue.jobs.append(slow)
    await dispatcher.step()
    await asyncio.wait_for(asked.wait(), 10)
    desk.queue.jobs.append(fast)
    await dispatcher.step()
    assert await dispatcher.step() == 0  # full: it waits for the fast one
    await asyncio.wait_for(slow.held_twice.wait(), 10)
    assert (fast.finished, slow.finished) == (True, False)
    answer.set()
    await dispatcher.drain(10)
    assert slow.finished
    holding.cancel()


async def test_draining_does_not_wait_for_ever(desk: Desk) -> None:
    async def never(_: Submission) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    job, carrier = await desk.job(), ScriptedCarrier(never)
    dispatcher = desk.dispatcher(carrier)
    desk.queue.jobs.append(job)
    await dispatcher.step()
    await dispatcher.drain(0.05)
    assert not job.finished


async def test_receipts_that_come_before_the_carriers_answer_are_applied_after_it(desk: Desk) -> None:
    async def receipt_first(_: Submission) -> Outcome:
        await desk.receipts.take([report("out-1", Status.DELIVERED)])
        return TAKEN

    job, carrier = await desk.job(), ScriptedCarrier(receipt_first)
    await desk.dispatch(carrier, job)
    assert await desk.names(job) == ["Queued", "Sending", "Sent"]
    assert await desk.receipts.step() == 1
    assert await desk.names(job) == ["Queued", "Sending", "Sent", "Delivered"]
    assert await desk.receipts.step() == 0
