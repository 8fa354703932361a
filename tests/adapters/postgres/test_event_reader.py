"""Reading messages back by their ids, many readers at the same time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.adapters.postgres import event_reader
from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.application.ports import Append
from smsledger.domain.event import UnknownEventType
from smsledger.domain.message import MESSAGE_EVENTS, Blocked, Sending

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def reader(database: str) -> AsyncIterator[PostgresEventReader]:
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        database, min_size=1, max_size=2, open=False
    )
    async with pool:
        yield PostgresEventReader(pool, MESSAGE_EVENTS)


async def _stored(appender: GroupCommitAppender, messages: int) -> list[UUID]:
    ids = [uuid4() for _ in range(messages)]
    sending = Sending(at=AT, attempt=1, carrier="simulator", lease="a")
    blocked = Blocked(at=AT, error_code="x", reason="y")
    await appender.append([Append(message_id, "acme", 1, (sending, blocked)) for message_id in ids])
    return ids


async def test_each_of_many_loads_at_once_gets_its_own_messages(
    appender: GroupCommitAppender, reader: PostgresEventReader
) -> None:
    ids = await _stored(appender, 30)
    missing = uuid4()
    wanted = [[ids[i], ids[i + 1], missing] for i in range(29)]
    found = await asyncio.gather(*(reader.load(some) for some in wanted))
    assert [set(histories) for histories in found] == [{a, b} for a, b, _ in wanted]
    assert all(
        [one.version for one in events] == [1, 2] for histories in found for events in histories.values()
    )


async def test_loads_beyond_the_limit_of_a_query_go_into_further_ones(
    appender: GroupCommitAppender, reader: PostgresEventReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_reader, "LOAD_MESSAGES_MAX", 4)
    ids = await _stored(appender, 20)
    found = await asyncio.gather(reader.load(ids[:9]), *(reader.load([message_id]) for message_id in ids[9:]))
    assert {message_id for histories in found for message_id in histories} == set(ids)


async def test_a_load_given_up_by_its_caller_harms_no_other(
    appender: GroupCommitAppender, reader: PostgresEventReader
) -> None:
    ids = await _stored(appender, 2)
    given_up = asyncio.create_task(reader.load(ids[:1]))
    kept = asyncio.create_task(reader.load(ids[1:]))
    await asyncio.sleep(0)  # both are waiting
    given_up.cancel()
    assert set(await kept) == {ids[1]}


async def test_an_error_reaches_every_load_and_the_next_load_works(
    appender: GroupCommitAppender, reader: PostgresEventReader, look: psycopg.Connection[Any]
) -> None:
    (message_id,) = await _stored(appender, 1)
    look.execute("ALTER TABLE ledger_events RENAME TO elsewhere")
    found = await asyncio.gather(*(reader.load([message_id]) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [psycopg.errors.UndefinedTable] * 3
    look.execute("ALTER TABLE elsewhere RENAME TO ledger_events")
    assert set(await reader.load([message_id])) == {message_id}


async def test_a_message_that_cannot_be_read_harms_no_load_beside_its_own(
    appender: GroupCommitAppender, reader: PostgresEventReader, look: psycopg.Connection[Any]
) -> None:
    foreign, *others = await _stored(appender, 4)
    look.execute("UPDATE ledger_events SET topic = 'message.sending.v99' WHERE originator_id = %s", [foreign])
    loads = [reader.load([message_id]) for message_id in (foreign, *others)]
    refused, *found = await asyncio.gather(*loads, return_exceptions=True)
    assert isinstance(refused, UnknownEventType)
    assert [set(histories) for histories in found if isinstance(histories, dict)] == [{one} for one in others]
