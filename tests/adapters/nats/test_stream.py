"""The stream on a real server: atomic batches, one publisher at a time, nothing doubled, nothing lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from smsledger.adapters.nats.connection import connect_nats
from smsledger.adapters.nats.stream import JetStreamStream, StreamOptions
from smsledger.application.ports import StreamMoved, StreamUnavailable
from tests.faults.tcp_proxy import Fault, TcpProxy

from .conftest import MortalNats, until
from .events import contents, event, events, positions_in

COMMIT = b"Nats-Batch-Commit"


@pytest.fixture
def stream(client: Client, stream_name: str) -> JetStreamStream:
    return JetStreamStream(client, StreamOptions(name=stream_name))


@pytest.fixture
async def proxy(nats_url: str) -> AsyncIterator[TcpProxy]:
    host, port = nats_url.rpartition("@")[2].split(":")
    async with TcpProxy((host, int(port))).serving() as proxy:
        yield proxy


@pytest.fixture
async def behind_proxy(nats_url: str, proxy: TcpProxy, stream_name: str) -> AsyncIterator[JetStreamStream]:
    """A publisher whose way to the server can fail."""
    url = f"{nats_url.rpartition(':')[0]}:{proxy.port}"
    client = await connect_nats(url, "behind proxy")
    yield JetStreamStream(client, StreamOptions(name=stream_name, answer_s_max=1.0))
    await client.close()


async def last_position(stream: JetStreamStream) -> int | None:
    """As the publisher finds it, trying again until NATS is back."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await stream.last_position()
            except StreamUnavailable:
                await asyncio.sleep(0.05)


# --- in good weather


async def test_a_new_stream_begins_at_nothing(stream: JetStreamStream) -> None:
    assert await stream.last_position() == 0


async def test_events_stand_in_the_stream_in_order_byte_for_byte(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    batches = [events(range(1, 4)), events([4], "message.sent.v1"), events(range(5, 8))]
    for batch in batches:
        await stream.publish(batch)
    assert await contents(client, stream_name) == [one for batch in batches for one in batch]
    assert await stream.last_position() == 7


async def test_subjects_name_organization_and_event(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    await stream.publish([event(1), event(2, "message.outcome_unknown.v1", "other-one")])
    js = client.jetstream()
    subjects = [(await js.get_msg(stream_name, seq=sequence)).subject for sequence in (1, 2)]
    assert subjects == ["sms.v1.acme.queued", "sms.v1.other-one.outcome_unknown"]


async def test_the_largest_batch_goes_in_as_one(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    await stream.publish(events(range(1, 1001)))
    assert (await client.jetstream().stream_info(stream_name)).state.messages == 1000
    assert await stream.last_position() == 1000


async def test_another_publisher_goes_on_where_the_first_one_ended(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    await stream.publish(events(range(1, 4)))
    successor = JetStreamStream(client, StreamOptions(name=stream_name))
    assert await successor.last_position() == 3
    await successor.publish(events([4]))
    assert await positions_in(client, stream_name) == [1, 2, 3, 4]


# --- a second publisher


async def test_a_publisher_that_was_overtaken_is_refused_and_nothing_is_doubled(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    overtaken = JetStreamStream(client, StreamOptions(name=stream_name))
    await overtaken.last_position()
    await stream.publish(events([1, 2]))
    with pytest.raises(StreamMoved):
        await overtaken.publish(events([1, 2, 3]))
    assert await overtaken.last_position() == 2
    await overtaken.publish(events([3]))
    with pytest.raises(StreamMoved):
        await stream.publish(events([3]))
    assert await positions_in(client, stream_name) == [1, 2, 3]


async def test_of_two_publishers_at_the_same_moment_one_wins_each_batch(
    stream: JetStreamStream, nats_url: str, client: Client, stream_name: str
) -> None:
    other_client = await connect_nats(nats_url, "other")
    other = JetStreamStream(other_client, StreamOptions(name=stream_name))

    async def publish_all(one: JetStreamStream) -> None:
        position = await one.last_position()
        while position is not None and position < 100:
            try:
                await one.publish(events(range(position + 1, position + 6)))
                position += 5
            except StreamMoved:
                position = await one.last_position()

    await asyncio.gather(publish_all(stream), publish_all(other))
    assert await positions_in(client, stream_name) == list(range(1, 101))
    await other_client.close()


# --- a stream that is gone


async def test_a_stream_deleted_while_publishing_is_made_anew_and_filled_from_the_beginning(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    await stream.publish(events([1, 2]))
    await client.jetstream().delete_stream(stream_name)
    with pytest.raises(StreamUnavailable):
        await stream.publish(events([3]))
    assert await stream.last_position() == 0
    await stream.publish(events([1, 2, 3]))
    assert await positions_in(client, stream_name) == [1, 2, 3]


async def test_a_stream_replaced_by_an_empty_one_is_noticed(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    await stream.publish(events([1, 2]))
    await client.jetstream().delete_stream(stream_name)
    assert await JetStreamStream(client, StreamOptions(name=stream_name)).last_position() == 0
    with pytest.raises(StreamMoved):
        await stream.publish(events([3]))
    assert await stream.last_position() == 0


async def test_a_stream_whose_events_have_all_aged_out_does_not_know_its_place_and_goes_on(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    await stream.publish(events([1, 2]))
    await client.jetstream().purge_stream(stream_name)
    assert await stream.last_position() is None
    await stream.publish(events([3]))
    assert await positions_in(client, stream_name) == [3]
    assert await stream.last_position() == 3


async def test_what_somebody_else_put_into_the_stream_hides_no_place(
    stream: JetStreamStream, client: Client, stream_name: str
) -> None:
    await stream.last_position()
    await stream.publish(events([1, 2]))
    for _ in range(3):
        await client.jetstream().publish("sms.v1.acme.queued", b"not an event")
    assert await stream.last_position() == 2
    await stream.publish(events([3]))
    assert await JetStreamStream(client, StreamOptions(name=stream_name)).last_position() == 3


async def test_a_stream_with_nothing_of_ours_in_it_does_not_know_its_place(
    stream: JetStreamStream, client: Client
) -> None:
    await stream.last_position()
    await client.jetstream().publish("sms.v1.acme.queued", b"not an event")
    assert await stream.last_position() is None


# --- a lost answer


async def test_a_batch_whose_answer_was_lost_is_not_published_again(
    behind_proxy: JetStreamStream, proxy: TcpProxy, client: Client, stream_name: str
) -> None:
    await behind_proxy.last_position()
    await behind_proxy.publish(events([1]))
    proxy.strike(COMMIT, Fault.DROP_ANSWER)
    with pytest.raises(StreamUnavailable):
        await behind_proxy.publish(events([2, 3]))
    assert proxy.struck.is_set()
    assert await last_position(behind_proxy) == 3
    await behind_proxy.publish(events([4]))
    assert await positions_in(client, stream_name) == [1, 2, 3, 4]


async def test_of_a_batch_that_was_cut_off_nothing_is_in_the_stream(
    behind_proxy: JetStreamStream, proxy: TcpProxy, client: Client, stream_name: str
) -> None:
    await behind_proxy.last_position()
    await behind_proxy.publish(events([1]))
    proxy.strike(COMMIT, Fault.DROP_REQUEST)
    with pytest.raises(StreamUnavailable):
        await behind_proxy.publish(events(range(2, 500)))
    assert await last_position(behind_proxy) == 1
    await behind_proxy.publish(events(range(2, 500)))
    assert await positions_in(client, stream_name) == list(range(1, 500))


async def test_a_connection_cut_again_and_again_doubles_nothing_and_loses_nothing(
    behind_proxy: JetStreamStream, proxy: TcpProxy, client: Client, stream_name: str
) -> None:
    position = await last_position(behind_proxy) or 0
    faults = {0: Fault.DROP_ANSWER, 10: Fault.DROP_REQUEST, 20: Fault.DROP_ANSWER, 30: Fault.DROP_REQUEST}
    while position < 50:
        if position in faults:
            proxy.strike(COMMIT, faults.pop(position))
        try:
            await behind_proxy.publish(events(range(position + 1, position + 6)))
            position += 5
        except (StreamUnavailable, StreamMoved):
            position = await last_position(behind_proxy) or 0
    assert not faults
    assert await positions_in(client, stream_name) == list(range(1, 51))


# --- a server that dies


async def test_after_the_server_was_killed_and_started_again_the_stream_goes_on(
    mortal_nats: MortalNats,
) -> None:
    client = await connect_nats(mortal_nats.url, "test")
    stream = JetStreamStream(client, StreamOptions(name="SURVIVOR", answer_s_max=1.0))
    await stream.last_position()
    await stream.publish(events([1, 2]))
    mortal_nats.kill()
    await until(lambda: not client.is_connected)
    for attempt in (stream.publish(events([3])), stream.last_position()):
        with pytest.raises(StreamUnavailable):
            await attempt
    mortal_nats.start()
    assert await last_position(stream) == 2
    await stream.publish(events([3]))
    assert await positions_in(client, "SURVIVOR") == [1, 2, 3]
    await client.close()
