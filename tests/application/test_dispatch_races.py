"""Two dispatchers at one message, and a watchdog that looks too early: on the real event store."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.bounded_pool import BoundedPool
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.adapters.postgres.parked_receipts import PostgresParkedReceipts
from smsledger.application.dispatch import Dispatcher, DispatchLimits
from smsledger.application.ledger import MessageLedger
from smsledger.application.ports import (
    Append,
    Carrier,
    JobQueue,
    Outcome,
    Refused,
    Submission,
    TakeInbound,
    Taken,
    TakeReceipts,
    TryLater,
    Unknown,
)
from smsledger.application.receipts import ReceiptIntake
from smsledger.application.watch import Watchdog
from smsledger.domain.event import Event
from smsledger.domain.message import MESSAGE_EVENTS, carrier_reference
from smsledger.domain.status import Status
from tests.domain.histories import MESSAGE_ID, START, queued

pytestmark = pytest.mark.timeout(60)  # where a promise is broken, some of these wait for what never comes

LIMITS = DispatchLimits(ack_wait_s=30.0, retry_s_first=0.01)


class ScriptedCarrier:
    """A carrier that recognises nothing again, and answers when the test says what."""

    name = "scripted"
    idempotent = False
    ready = True

    def __init__(self) -> None:
        self.submitted: asyncio.Queue[tuple[Submission, asyncio.Future[Outcome]]] = asyncio.Queue()
        self.looked_up = 0

    async def submit(self, submission: Submission) -> Outcome:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.submitted.put_nowait((submission, answer))
        return await answer

    async def look_up(self, submission: Submission) -> Taken | Refused | Unknown | None:
        self.looked_up += 1
        return None

    async def run(self, take: TakeReceipts, take_inbound: TakeInbound) -> None:
        raise NotImplementedError


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = START + timedelta(seconds=1)

    def __call__(self) -> datetime:
        return self.now


class World:
    """A ledger and as many dispatchers as wanted."""

    def __init__(self, ledger: MessageLedger, receipts: ReceiptIntake, clock: Clock) -> None:
        self.ledger = ledger
        self.clock = clock
        self._receipts = receipts

    def dispatcher(self, carrier: ScriptedCarrier) -> Dispatcher:
        queue = cast("JobQueue", None)  # these tests hand messages over themselves
        return Dispatcher(
            queue,
            self.ledger,
            self._receipts,
            lambda _: cast("Carrier", carrier),
            MESSAGE_EVENTS,
            self.clock,
            LIMITS,
        )

    async def standing(self) -> list[str]:
        """How the message stands."""
        message = await self.ledger.get(MESSAGE_ID)
        return [
            f"{message.status}",
            f"attempt {message.attempt}",
            "open" if message.attempt_open else "closed",
        ]


@asynccontextmanager
async def _world(database: str) -> AsyncIterator[World]:
    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(database, autocommit=True)

    clock = Clock()
    async with BoundedPool(database, kwargs={"autocommit": True}, min_size=1, open=False) as pool:
        appender = GroupCommitAppender(connect, MESSAGE_EVENTS, carrier_reference)
        reader = PostgresEventReader(pool, MESSAGE_EVENTS)
        ledger = MessageLedger(reader, appender)
        first: Sequence[Event] = [queued()]
        await appender.append([Append(MESSAGE_ID, "acme", 1, first)])
        yield World(ledger, ReceiptIntake(ledger, reader, PostgresParkedReceipts(pool), clock), clock)
        await appender.close()


async def test_an_attempt_that_another_has_just_begun_is_left_alone(database: str) -> None:
    async with _world(database) as world:
        carrier = ScriptedCarrier()
        first = asyncio.create_task(world.dispatcher(carrier).dispatch(await world.ledger.get(MESSAGE_ID)))
        _, answer = await carrier.submitted.get()
        world.clock.now += timedelta(seconds=5)
        wait_s = await world.dispatcher(carrier).dispatch(await world.ledger.get(MESSAGE_ID))
        assert wait_s == 25.0
        assert carrier.looked_up == 0
        answer.set_result(Taken("SM1"))
        assert await first is None
        assert await world.standing() == ["SENT", "attempt 1", "closed"]


async def test_a_late_refusal_of_an_old_attempt_says_nothing_about_the_one_under_way(database: str) -> None:
    for late in (TryLater("RATE_LIMITED", "slow down"), Refused("30007", "spam")):
        async with _world(database) as world:
            paused, carrier = ScriptedCarrier(), ScriptedCarrier()
            first = asyncio.create_task(world.dispatcher(paused).dispatch(await world.ledger.get(MESSAGE_ID)))
            _, old_answer = await paused.submitted.get()
            world.clock.now += timedelta(seconds=31)
            dispatcher = world.dispatcher(carrier)
            second = asyncio.create_task(dispatcher.dispatch(await world.ledger.get(MESSAGE_ID)))
            submission, answer = await carrier.submitted.get()
            assert submission.attempt == 2
            old_answer.set_result(late)
            assert (await first or 0.0) > 0
            assert await world.standing() == ["SENDING", "attempt 2", "open"]
            answer.set_result(Taken("SM1"))
            assert await second is None
            assert await world.standing() == ["SENT", "attempt 2", "closed"]
        await _forget_all(database)


async def test_a_watchdog_that_reads_an_old_list_rests_when_the_events_say_otherwise(database: str) -> None:
    class OldList:
        async def standing(self, statuses: tuple[Status, ...], before: datetime, limit: int) -> list[UUID]:
            return [MESSAGE_ID]

    async with _world(database) as world:
        carrier = ScriptedCarrier()
        dispatcher = world.dispatcher(carrier)
        dispatched = asyncio.create_task(dispatcher.dispatch(await world.ledger.get(MESSAGE_ID)))
        (await carrier.submitted.get())[1].set_result(Taken("SM1"))
        await dispatched
        world.clock.now += timedelta(seconds=500)
        watchdog = Watchdog(
            OldList(), world.ledger, dispatcher, world.clock, stuck_s=120, receipt_wait_s=259_200
        )
        assert await watchdog.step() == 0
        assert carrier.submitted.empty()
        assert await world.standing() == ["SENT", "attempt 1", "closed"]


async def test_a_message_that_waited_long_and_was_sent_of_late_still_has_time_for_its_receipt(
    database: str,
) -> None:
    class OldList:
        async def standing(self, statuses: tuple[Status, ...], before: datetime, limit: int) -> list[UUID]:
            return [MESSAGE_ID] if Status.SENT in statuses else []

    async with _world(database) as world:
        carrier = ScriptedCarrier()
        dispatcher = world.dispatcher(carrier)
        world.clock.now += timedelta(days=10)
        dispatched = asyncio.create_task(dispatcher.dispatch(await world.ledger.get(MESSAGE_ID)))
        (await carrier.submitted.get())[1].set_result(Taken("SM1"))
        await dispatched
        world.clock.now += timedelta(seconds=50)
        watchdog = Watchdog(OldList(), world.ledger, dispatcher, world.clock, stuck_s=120, receipt_wait_s=100)
        assert await watchdog.step() == 0
        world.clock.now += timedelta(seconds=51)
        assert await watchdog.step() == 1
        assert (await world.ledger.get(MESSAGE_ID)).status is Status.UNDELIVERED


async def _forget_all(database: str) -> None:
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        await conn.execute("TRUNCATE ledger_events")
