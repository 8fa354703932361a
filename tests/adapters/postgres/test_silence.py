"""A PostgreSQL that says nothing any more, on connections that stay open: nobody waits for it for ever."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from smsledger.adapters.postgres import bounded_pool
from smsledger.adapters.postgres.appender import AppendLimits, GroupCommitAppender
from smsledger.adapters.postgres.bounded_pool import BoundedPool, NoAnswer
from smsledger.adapters.postgres.leadership import Seat
from smsledger.application.ports import Append, Appended, LedgerUnavailable
from smsledger.domain.message import MESSAGE_EVENTS, carrier_reference
from tests.domain.histories import MESSAGE_ID, queued
from tests.faults.tcp_proxy import TcpProxy
from tests.whole.crashes.waiting import until

TEST_S_MAX = 20.0


async def test_an_append_is_refused_within_its_time_though_the_connection_counts_as_alive_for_longer(
    proxied: str, proxy: TcpProxy
) -> None:
    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(proxied, autocommit=True)

    limits = AppendLimits(wait_s_max=0.5, commit_s_max=600)
    appender = GroupCommitAppender(connect, MESSAGE_EVENTS, carrier_reference, limits=limits)
    append = Append(MESSAGE_ID, "acme", 1, [queued()])
    proxy.blackhole()
    async with asyncio.timeout(TEST_S_MAX):
        with pytest.raises(LedgerUnavailable):
            await appender.append([append])
        proxy.flow()
        # What was under way may have been stored by now, and then this is a conflict: the caller has to look.
        (result,) = await appender.append([Append(MESSAGE_ID, "acme", 2, [queued()])])
    assert isinstance(result, Appended)
    await appender.close()


async def test_what_was_never_sent_is_not_stored_after_its_caller_was_refused(
    proxied: str, proxy: TcpProxy, look: psycopg.Connection[Any]
) -> None:
    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(proxied, autocommit=True)

    limits = AppendLimits(wait_s_max=0.5, commit_s_max=600)
    appender = GroupCommitAppender(connect, MESSAGE_EVENTS, carrier_reference, limits=limits)
    proxy.blackhole()
    first = asyncio.create_task(appender.append([Append(MESSAGE_ID, "acme", 1, [queued()])]))
    await asyncio.sleep(0)  # the first is under way, the second waits for its turn
    second = asyncio.create_task(appender.append([Append(MESSAGE_ID, "acme", 2, [queued()])]))
    async with asyncio.timeout(TEST_S_MAX):
        refusals = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(refusal) for refusal in refusals] == [LedgerUnavailable] * 2
        proxy.flow()
        await appender.append([Append(MESSAGE_ID, "acme", 3, [queued()])])
        await appender.close()
    versions = {row[0] for row in look.execute("SELECT originator_version FROM ledger_events").fetchall()}
    assert 2 not in versions


async def test_a_read_is_given_up_when_no_answer_comes(
    proxied: str, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_pool, "LENT_S_MAX", 0.5)
    async with BoundedPool(proxied, kwargs={"autocommit": True}, min_size=1, max_size=1, open=False) as pool:
        await pool.wait()
        proxy.blackhole()
        async with asyncio.timeout(TEST_S_MAX):
            with pytest.raises(NoAnswer):
                async with pool.connection() as conn:
                    await conn.execute("SELECT 1")
            proxy.flow()
            async with pool.connection() as conn:
                assert await (await conn.execute("SELECT 1")).fetchone() == (1,)


async def test_a_leader_that_says_nothing_loses_its_seat_and_finds_out(database: str) -> None:
    silent = Seat(database, "publisher", exclusive=True, lease_s=0.3)
    other = Seat(database, "publisher", exclusive=True, lease_s=30)
    assert await silent.take()
    async with asyncio.timeout(TEST_S_MAX):
        await until(other.take, "another leads", deadline_s=TEST_S_MAX)
        with pytest.raises(psycopg.OperationalError):
            await silent.check()
    await silent.leave()
    await other.check()
    await other.leave()
