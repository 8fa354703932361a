"""Group commit on a real server: what shares a transaction, what fails alone, and what survives lost connections."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from smsledger.adapters.postgres.appender import AppendLimits, GroupCommitAppender
from smsledger.application.ports import Append, Appended, LedgerBusy, LedgerUnavailable, VersionConflict
from smsledger.domain.event import Event
from smsledger.domain.message import MESSAGE_EVENTS, Sending, Sent, carrier_reference
from tests.domain.histories import queued, sent
from tests.faults.tcp_proxy import Fault, TcpProxy

from .conftest import APPENDER

Look = psycopg.Connection[Any]
Connect = Callable[[], Awaitable[AsyncConnection[Any]]]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sending(lease: str = "lease") -> Sending:
    return Sending(at=AT, attempt=1, carrier="simulator", lease=lease)


def begin(message_id: UUID) -> Append:
    return Append(message_id, "acme", 1, [queued()])


def one(message_id: UUID, version: int = 1, lease: str = "lease") -> Append:
    """Any single event."""
    return Append(message_id, "acme", version, [sending(lease)])


def stored(look: Look, message_id: UUID) -> list[tuple[int, int]]:
    """(version, position) of everything that is stored of a message."""
    return look.execute(
        "SELECT originator_version, notification_id FROM ledger_events WHERE originator_id = %s ORDER BY 1",
        [message_id],
    ).fetchall()


def transactions(look: Look) -> int:
    """How many transactions wrote the events that there are."""
    row = look.execute("SELECT count(DISTINCT xmin::text) FROM ledger_events").fetchone()
    assert row is not None
    return int(row[0])


def positions(look: Look) -> list[int]:
    return [row[0] for row in look.execute("SELECT notification_id FROM ledger_events ORDER BY 1")]


def connecting(database: str) -> Connect:
    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(database, autocommit=True, application_name=APPENDER)

    return connect


def make(connect: Connect, **limits: Any) -> GroupCommitAppender:
    limits.setdefault("reconnect_s", 0.01)
    return GroupCommitAppender(connect, MESSAGE_EVENTS, carrier_reference, limits=AppendLimits(**limits))


class Gate:
    """Lets the appender connect only when it is opened, so that a test can fill what waits behind it."""

    def __init__(self, database: str) -> None:
        self._connect = connecting(database)
        self._open = asyncio.Event()
        self.reached = asyncio.Event()

    def open(self) -> None:
        self._open.set()

    async def connect(self) -> AsyncConnection[Any]:
        self.reached.set()
        await self._open.wait()
        return await self._connect()


@asynccontextmanager
async def gated(database: str, **limits: Any) -> AsyncIterator[tuple[GroupCommitAppender, Gate]]:
    """An appender whose first group is on its way, and the gate that it waits at."""
    gate = Gate(database)
    appender = make(gate.connect, **limits)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(appender.close)
        stack.callback(gate.open)
        first = asyncio.create_task(appender.append([one(uuid4())]))
        await gate.reached.wait()
        yield appender, gate
        gate.open()
        await first


async def submit(appender: GroupCommitAppender, *submissions: Sequence[Append]) -> list[asyncio.Task[Any]]:
    """Start appends in this order; each waits by the time this returns."""
    tasks = [asyncio.create_task(appender.append(appends)) for appends in submissions]
    await asyncio.sleep(0)
    return tasks


# --- sharing transactions


async def test_appends_that_wait_together_share_one_transaction_and_keep_their_order(
    database: str, look: Look
) -> None:
    messages = [uuid4() for _ in range(300)]
    async with gated(database) as (appender, gate):
        tasks = await submit(appender, *([one(message)] for message in messages))
        gate.open()
        results = [(await task)[0] for task in tasks]
    assert results == [Appended(position) for position in range(2, 302)]
    assert [stored(look, message) for message in messages] == [[(1, one.position)] for one in results]
    assert transactions(look) == 2


async def test_a_group_holds_no_more_than_its_limit_and_a_larger_append_goes_alone(
    database: str, look: Look
) -> None:
    async with gated(database, group_events_max=10) as (appender, gate):
        small = [[one(uuid4())] for _ in range(15)]
        large = [one(uuid4()) for _ in range(25)]
        tasks = await submit(appender, *small, large, [one(uuid4())])
        gate.open()
        results = [result.position for task in tasks for result in await task]
    assert results == list(range(2, 43))
    assert transactions(look) == 1 + 2 + 1 + 1


async def test_a_lone_append_waits_for_nobody(appender: GroupCommitAppender, look: Look) -> None:
    message = uuid4()
    assert await appender.append([begin(message)]) == [Appended(1)]
    assert await appender.append([one(message, 2)]) == [Appended(2)]
    assert stored(look, message) == [(1, 1), (2, 2)]


async def test_an_append_of_nothing_is_nothing(appender: GroupCommitAppender, look: Look) -> None:
    assert await appender.append([]) == []
    assert positions(look) == []


async def test_the_columns_of_the_ledger_are_filled(appender: GroupCommitAppender, look: Look) -> None:
    message = uuid4()
    sent = Sent(at=AT, carrier="simulator", provider_message_id="out-1")
    await appender.append([Append(message, "acme", 1, [sending(), sent])])
    rows = look.execute(
        """SELECT topic, organization_id, recorded_at, carrier_reference, state FROM ledger_events
        ORDER BY notification_id"""
    ).fetchall()
    assert rows == [
        ("message.sending.v1", "acme", AT, None, MESSAGE_EVENTS.encode(sending())),
        ("message.sent.v1", "acme", AT, "simulator:out-1", MESSAGE_EVENTS.encode(sent)),
    ]


# --- conflicts


def conflict(message_id: UUID, version: int) -> tuple[type, UUID, int]:
    return VersionConflict, message_id, version


def shape(result: Any) -> Any:
    """A result that can be compared: errors are equal only to themselves."""
    if isinstance(result, VersionConflict):
        return VersionConflict, result.details["aggregate_id"], result.details["version"]
    return result


async def test_a_conflict_fails_alone(appender: GroupCommitAppender, look: Look) -> None:
    taken, before, after = uuid4(), uuid4(), uuid4()
    await appender.append([one(taken, lease="theirs")])
    results = await appender.append([one(before), one(taken, lease="ours"), one(after)])
    assert [shape(result) for result in results] == [Appended(2), conflict(taken, 1), Appended(3)]
    assert positions(look) == [1, 2, 3]


async def test_of_two_appends_in_the_same_group_that_want_a_version_the_earlier_gets_it(
    database: str, look: Look
) -> None:
    message = uuid4()
    async with gated(database) as (appender, gate):
        tasks = await submit(
            appender, [one(message, lease="early")], [one(message, lease="late"), one(other := uuid4())]
        )
        gate.open()
        results = [shape(result) for task in tasks for result in await task]
    assert results == [Appended(2), conflict(message, 1), Appended(3)]
    assert stored(look, message) == [(1, 2)]
    assert stored(look, other) == [(1, 3)]
    state = look.execute("SELECT state FROM ledger_events WHERE originator_id = %s", [message]).fetchone()
    assert state == (MESSAGE_EVENTS.encode(sending("early")),)


async def test_an_append_of_several_events_is_stored_whole_or_not_at_all(
    appender: GroupCommitAppender, look: Look
) -> None:
    message, other = uuid4(), uuid4()
    await appender.append([one(message, 1)])
    three = Append(message, "acme", 1, [sending("a"), sending("b"), sending("c")])
    results = await appender.append([three, Append(other, "acme", 1, [sending("a"), sending("b")])])
    assert [shape(result) for result in results] == [conflict(message, 1), Appended(3)]
    assert stored(look, message) == [(1, 1)]
    assert stored(look, other) == [(1, 2), (2, 3)]


async def test_an_append_that_would_leave_a_gap_is_refused_and_harms_no_other(
    appender: GroupCommitAppender, look: Look
) -> None:
    message, gapped, other = uuid4(), uuid4(), uuid4()
    results = await appender.append([one(message, 1), one(gapped, 2), one(other, 1)])
    assert [shape(result) for result in results] == [Appended(1), conflict(gapped, 2), Appended(2)]
    assert stored(look, gapped) == []
    results = await appender.append([one(message, 3), one(other, 2)])
    assert [shape(result) for result in results] == [conflict(message, 3), Appended(3)]
    assert stored(look, message) == [(1, 1)]


async def test_where_every_append_of_a_group_conflicts_nothing_is_stored_and_no_position_is_lost(
    appender: GroupCommitAppender, look: Look
) -> None:
    messages = [uuid4() for _ in range(5)]
    await appender.append([one(message) for message in messages])
    results = await appender.append([one(message, lease="again") for message in messages])
    assert [shape(result) for result in results] == [conflict(message, 1) for message in messages]
    assert await appender.append([one(uuid4())]) == [Appended(6)]


# --- data that cannot be stored


POISON: dict[str, tuple[str, Event]] = {
    "a carrier's id with U+0000": ("acme", Sent(at=AT, carrier="c", provider_message_id="a\x00b")),
    "an organization with a lone surrogate": ("a\ud800", sending()),
    "a time without a zone": ("acme", Sending(at=AT.replace(tzinfo=None), attempt=1, carrier="c", lease="l")),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
async def test_what_cannot_be_stored_fails_alone(
    database: str, look: Look, poison: tuple[str, Event]
) -> None:
    organization_id, event = poison
    async with gated(database) as (appender, gate):
        tasks = await submit(
            appender,
            [one(uuid4())],
            [one(uuid4()), Append(uuid4(), organization_id, 1, [event])],
            [one(uuid4()), one(uuid4())],
        )
        gate.open()
        assert await tasks[0] == [Appended(2)]
        with pytest.raises(psycopg.DataError):
            await tasks[1]
        assert await tasks[2] == [Appended(3), Appended(4)]
    assert positions(look) == [1, 2, 3, 4]


async def test_the_appender_works_on_after_data_that_cannot_be_stored(
    appender: GroupCommitAppender, look: Look
) -> None:
    poison = Append(uuid4(), "acme", 1, [Sent(at=AT, carrier="c", provider_message_id="\x00")])
    with pytest.raises(psycopg.DataError):
        await appender.append([poison])
    assert await appender.append([one(uuid4())]) == [Appended(1)]


# --- limits, callers that go away, the end


async def test_more_than_the_process_holds_is_refused_and_stores_nothing(database: str, look: Look) -> None:
    async with gated(database, waiting_events_max=10) as (appender, gate):
        tasks = await submit(appender, *([one(uuid4()), one(uuid4())] for _ in range(5)))
        refused = uuid4()
        with pytest.raises(LedgerBusy, match="10 events"):
            await appender.append([one(refused)])
        gate.open()
        for task in tasks:
            await task
        assert stored(look, refused) == []
        assert await appender.append([one(refused)]) == [Appended(12)]


async def test_a_caller_that_goes_away_harms_no_other(database: str, look: Look) -> None:
    async with gated(database) as (appender, gate):
        tasks = await submit(appender, *([one(uuid4())] for _ in range(3)))
        tasks[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        gate.open()
        for task in (tasks[0], tasks[2]):
            assert isinstance((await task)[0], Appended)
    assert positions(look) == list(range(1, len(positions(look)) + 1))


async def test_closing_commits_what_waits_and_refuses_what_comes_later(database: str, look: Look) -> None:
    async with gated(database) as (appender, gate):
        tasks = await submit(appender, *([one(uuid4())] for _ in range(20)))
        closing = asyncio.create_task(appender.close())
        await asyncio.sleep(0)
        with pytest.raises(LedgerUnavailable, match="shutting down"):
            await appender.append([one(uuid4())])
        gate.open()
        await closing
        assert [await task for task in tasks] == [[Appended(position)] for position in range(2, 22)]
    assert positions(look) == list(range(1, 22))


async def test_closing_what_never_stored_anything_is_quiet(database: str) -> None:
    await make(connecting(database)).close()


# --- lost connections


async def append_many(appender: GroupCommitAppender, count: int) -> dict[UUID, int]:
    """One after the other; each message with the position that its append was answered."""
    answered = {}
    for _ in range(count):
        message = uuid4()
        (result,) = await appender.append([Append(message, "acme", 1, [sending("a"), sending("b")])])
        assert isinstance(result, Appended)
        answered[message] = result.position
    return answered


async def kill_often(database: str, times: int) -> None:
    """End the appender's session again and again, each time after it has stored something more."""
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        seen = 0
        for _ in range(times):
            async with asyncio.timeout(20):
                while True:
                    cursor = await conn.execute("SELECT coalesce(max(notification_id), 0) FROM ledger_events")
                    row = await cursor.fetchone()
                    if row and row[0] > seen:
                        seen = row[0]
                        break
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                [APPENDER],
            )


async def test_with_sessions_killed_at_any_moment_every_append_is_answered_and_stored_once(
    database: str, look: Look
) -> None:
    appender = make(connecting(database), wait_s_max=30.0)
    killing = asyncio.create_task(kill_often(database, 12))
    answered: dict[UUID, int] = {}
    while not killing.done():
        for part in await asyncio.gather(*[append_many(appender, 5) for _ in range(8)]):
            answered |= part
    await killing
    await appender.close()
    for message, position in answered.items():
        assert stored(look, message) == [(1, position - 1), (2, position)]
    assert positions(look) == list(range(1, 2 * len(answered) + 1))


async def test_a_session_killed_between_two_appends_is_replaced(
    appender: GroupCommitAppender, look: Look
) -> None:
    assert await appender.append([one(uuid4())]) == [Appended(1)]
    look.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [APPENDER]
    )
    assert await appender.append([one(uuid4())]) == [Appended(2)]


async def test_a_commit_whose_answer_was_lost_is_found_by_reading_and_reported_with_its_position(
    proxied: str, proxy: TcpProxy, look: Look
) -> None:
    appender = make(connecting(proxied))
    await appender.append([one(uuid4())])
    first, second = uuid4(), uuid4()
    proxy.strike(first.bytes, Fault.DROP_ANSWER)
    results = await appender.append([Append(first, "acme", 1, [sending("a"), sending("b")]), one(second)])
    assert proxy.struck.is_set()
    assert results == [Appended(3), Appended(4)]
    assert stored(look, first) == [(1, 2), (2, 3)]
    assert stored(look, second) == [(1, 4)]
    assert await appender.append([one(uuid4())]) == [Appended(5)]
    await appender.close()


async def test_an_append_that_the_server_never_saw_is_stored_by_the_next_try(
    proxied: str, proxy: TcpProxy, look: Look
) -> None:
    appender = make(connecting(proxied))
    await appender.append([one(uuid4())])
    message = uuid4()
    proxy.strike(message.bytes, Fault.DROP_REQUEST)
    assert await appender.append([one(message)]) == [Appended(2)]
    assert proxy.struck.is_set()
    assert stored(look, message) == [(1, 2)]
    await appender.close()


async def test_where_another_writer_took_the_version_meanwhile_it_is_a_conflict_and_never_a_success(
    proxied: str, proxy: TcpProxy, appender: GroupCommitAppender, look: Look
) -> None:
    behind_proxy = make(connecting(proxied))
    await behind_proxy.append([one(uuid4())])
    message, neighbour = uuid4(), uuid4()
    proxy.strike(message.bytes, Fault.DROP_REQUEST, then_refuse=True)
    (ours,) = await submit(behind_proxy, [one(message, lease="ours"), one(neighbour)])
    await proxy.struck.wait()
    assert await appender.append([one(message, lease="theirs")]) == [Appended(2)]
    proxy.flow()
    assert [shape(result) for result in await ours] == [conflict(message, 1), Appended(3)]
    assert stored(look, message) == [(1, 2)]
    await behind_proxy.close()


async def test_where_only_a_part_of_an_append_was_taken_by_another_it_is_a_conflict(
    proxied: str, proxy: TcpProxy, appender: GroupCommitAppender, look: Look
) -> None:
    """The other writer stored our very first event, and a second one of its own."""
    behind_proxy = make(connecting(proxied))
    await behind_proxy.append([one(uuid4())])
    message = uuid4()
    proxy.strike(message.bytes, Fault.DROP_REQUEST, then_refuse=True)
    (ours,) = await submit(behind_proxy, [Append(message, "acme", 1, [sending("a"), sending("ours")])])
    await proxy.struck.wait()
    await appender.append([Append(message, "acme", 1, [sending("a"), sending("theirs")])])
    proxy.flow()
    assert [shape(result) for result in await ours] == [conflict(message, 1)]
    await behind_proxy.close()


async def test_an_answer_lost_in_a_group_with_a_conflict_is_told_apart(
    proxied: str, proxy: TcpProxy, appender: GroupCommitAppender, look: Look
) -> None:
    behind_proxy = make(connecting(proxied))
    taken, free = uuid4(), uuid4()
    await appender.append([one(taken, lease="theirs")])
    await behind_proxy.append([one(uuid4())])
    proxy.strike(free.bytes, Fault.DROP_ANSWER)
    results = await behind_proxy.append([one(taken, lease="ours"), one(free)])
    assert [shape(result) for result in results] == [conflict(taken, 1), Appended(3)]
    assert stored(look, free) == [(1, 3)]
    await behind_proxy.close()


async def test_a_server_that_is_away_for_too_long_is_reported_and_the_appender_works_afterwards(
    proxied: str, proxy: TcpProxy, look: Look
) -> None:
    appender = make(connecting(proxied), wait_s_max=0.2)
    await appender.append([one(uuid4())])
    proxy.refusing = True
    proxy.cut()
    tasks = await submit(appender, *([one(uuid4())] for _ in range(3)))
    for task in tasks:
        with pytest.raises(LedgerUnavailable):
            await task
    proxy.flow()
    assert await appender.append([one(uuid4())]) == [Appended(2)]
    await appender.close()


async def test_a_server_that_comes_back_in_time_is_waited_for(
    proxied: str, proxy: TcpProxy, look: Look
) -> None:
    appender = make(connecting(proxied))
    message = uuid4()
    proxy.strike(message.bytes, Fault.DROP_ANSWER, then_refuse=True)
    (task,) = await submit(appender, [one(message)])
    await proxy.struck.wait()
    proxy.flow()
    assert await task == [Appended(1)]
    await appender.close()


async def test_a_silent_connection_counts_as_lost_and_the_append_is_stored_once(
    proxied: str, proxy: TcpProxy, look: Look
) -> None:
    appender = make(connecting(proxied), commit_s_max=0.3, wait_s_max=60.0)
    await appender.append([one(uuid4())])
    proxy.blackhole()
    message = uuid4()
    (task,) = await submit(appender, [one(message)])
    proxy.refusing = True  # psycopg asks the server to cancel: that, too, gets no answer
    done, _ = await asyncio.wait([task], timeout=2.0)
    assert not done
    proxy.flow()
    assert await task == [Appended(2)]
    assert stored(look, message) == [(1, 2)]
    await appender.close()


async def test_what_postgresql_has_no_room_for_fails_alone_and_at_once(database: str, look: Look) -> None:
    before, after = uuid4(), uuid4()
    reference = base64.b64encode(random.Random(1).randbytes(6_000)).decode()  # an index takes less
    long = Append(uuid4(), "acme", 1, [sent(provider_message_id=reference)])
    async with gated(database, wait_s_max=1_000.0) as (appender, gate):
        tasks = await submit(appender, [one(before)], [long], [one(after)])
        gate.open()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], psycopg.errors.ProgramLimitExceeded)
    assert (results[0], results[2]) == ([Appended(2)], [Appended(3)])
    assert positions(look) == [1, 2, 3]
