"""The publisher between the real event store and a real stream: everything, once, in order."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

import nats.js.errors
import pytest
from nats.aio.client import Client

from smsledger.adapters.nats.connection import connect_nats
from smsledger.adapters.nats.stream import JetStreamStream, StreamOptions
from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.cursors import PostgresCursors
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.application.ports import StreamAhead, StreamMoved, StreamUnavailable
from smsledger.application.publish import CURSOR, Publisher
from tests.adapters.nats.events import contents, event, positions_in
from tests.domain.histories import queued, sending, sent

from .conftest import Pool
from .messages import store


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await connect_nats(nats_url, "test")
    yield client
    await client.close()


@pytest.fixture
async def name(client: Client) -> AsyncIterator[str]:
    name = f"TEST_{secrets.token_hex(6)}"
    yield name
    with contextlib.suppress(nats.js.errors.NotFoundError):
        await client.jetstream().delete_stream(name)


@pytest.fixture
def cursors(pool: Pool) -> PostgresCursors:
    return PostgresCursors(pool)


def publisher(reader: PostgresEventReader, client: Client, name: str, cursors: PostgresCursors) -> Publisher:
    return Publisher(reader, JetStreamStream(client, StreamOptions(name=name)), cursors, batch_events=7)


async def publish_all(one: Publisher) -> int:
    """Step over errors, as its loop does, until nothing is left; how many events."""
    published = 0
    async with asyncio.timeout(30):
        while True:
            try:
                step = await one.step()
            except (StreamMoved, StreamUnavailable):
                continue
            if step == 0:
                return published
            published += step


async def store_messages(appender: GroupCommitAppender, count: int) -> None:
    for _ in range(count):
        await store(appender, queued(), sending(), sent())


async def test_the_stream_has_every_event_byte_for_byte_in_order(
    reader: PostgresEventReader,
    appender: GroupCommitAppender,
    cursors: PostgresCursors,
    client: Client,
    name: str,
) -> None:
    one = publisher(reader, client, name, cursors)
    assert await one.step() == 0
    await store_messages(appender, 10)
    assert await publish_all(one) == 30
    assert await contents(client, name) == await reader.after(0, 100)
    assert await cursors.get(CURSOR) == 30
    await store_messages(appender, 1)
    assert await publish_all(one) == 3
    assert await positions_in(client, name) == list(range(1, 34))


async def test_a_publisher_that_starts_anew_goes_on_where_the_stream_ends(
    reader: PostgresEventReader,
    appender: GroupCommitAppender,
    cursors: PostgresCursors,
    client: Client,
    name: str,
) -> None:
    await store_messages(appender, 5)
    first = publisher(reader, client, name, cursors)
    assert await first.step() == 7
    assert await publish_all(publisher(reader, client, name, cursors)) == 8
    assert await positions_in(client, name) == list(range(1, 16))


async def test_two_publishers_at_once_double_nothing(
    reader: PostgresEventReader,
    appender: GroupCommitAppender,
    cursors: PostgresCursors,
    client: Client,
    name: str,
) -> None:
    await store_messages(appender, 30)
    both = [publisher(reader, client, name, cursors) for _ in range(2)]
    await asyncio.gather(*[publish_all(one) for one in both])
    assert await positions_in(client, name) == list(range(1, 91))


async def test_a_deleted_stream_is_rebuilt_from_the_ledger_in_order(
    reader: PostgresEventReader,
    appender: GroupCommitAppender,
    cursors: PostgresCursors,
    client: Client,
    name: str,
) -> None:
    one = publisher(reader, client, name, cursors)
    await store_messages(appender, 5)
    await publish_all(one)
    await client.jetstream().delete_stream(name)
    await store_messages(appender, 1)
    await publish_all(one)
    assert await contents(client, name) == await reader.after(0, 100)


async def test_a_stream_whose_events_have_aged_out_goes_on_after_the_last_one_that_it_had(
    reader: PostgresEventReader,
    appender: GroupCommitAppender,
    cursors: PostgresCursors,
    client: Client,
    name: str,
) -> None:
    await store_messages(appender, 5)
    await publish_all(publisher(reader, client, name, cursors))
    await client.jetstream().purge_stream(name)
    await store_messages(appender, 1)
    assert await publish_all(publisher(reader, client, name, cursors)) == 3
    assert await positions_in(client, name) == [16, 17, 18]


async def test_a_stream_that_is_ahead_of_the_ledger_is_refused_instead_of_leaving_events_out(
    reader: PostgresEventReader,
    appender: GroupCommitAppender,
    cursors: PostgresCursors,
    client: Client,
    name: str,
) -> None:
    await store_messages(appender, 1)
    foreign = JetStreamStream(client, StreamOptions(name=name))
    await foreign.last_position()
    await foreign.publish([event(4)])
    one = publisher(reader, client, name, cursors)
    with pytest.raises(StreamAhead):
        await one.step()
    await client.jetstream().delete_stream(name)
    await publish_all(one)
    assert await positions_in(client, name) == [1, 2, 3]
