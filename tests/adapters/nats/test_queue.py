"""The queue on a real server: every queued message is given out, and again until it is finished."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.client import Client

from smsledger.adapters.nats.connection import connect_nats
from smsledger.adapters.nats.queue import JetStreamJob, JetStreamQueue, QueueOptions
from smsledger.adapters.nats.stream import JetStreamStream, StreamOptions
from smsledger.application.ports import StreamUnavailable

from .conftest import MortalNats, until
from .events import event, events


async def publish(
    client: Client, stream: str, positions: Sequence[int], topic: str = "message.queued.v1"
) -> None:
    publisher = JetStreamStream(client, StreamOptions(name=stream))
    await publisher.last_position()
    await publisher.publish(events(positions, topic))


@asynccontextmanager
async def queue_on(client: Client, stream: str, **options: Any) -> AsyncIterator[JetStreamQueue]:
    options.setdefault("pull_s", 1.0)
    queue = JetStreamQueue(client, StreamOptions(name=stream), QueueOptions(**options))
    try:
        yield queue
    finally:
        await queue.close()


async def take(queue: JetStreamQueue, count: int, *, at_once: int = 100) -> list[JetStreamJob]:
    """The next `count` jobs, over errors of a server that is coming back."""
    jobs: list[JetStreamJob] = []
    async with asyncio.timeout(30):
        while len(jobs) < count:
            try:
                jobs += await queue.fetch(min(at_once, count - len(jobs)), 1.0)
            except StreamUnavailable:
                await asyncio.sleep(0.05)
    return jobs


def positions(jobs: Sequence[JetStreamJob]) -> list[int]:
    return [job.queued.position for job in jobs]


async def unfinished(client: Client, stream: str) -> int:
    """Jobs that are waiting or in somebody's hands."""
    await client.flush()
    info = await client.jetstream().consumer_info(stream, "dispatcher")
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def until_finished(client: Client, stream: str) -> None:
    async with asyncio.timeout(10):
        while await unfinished(client, stream):  # noqa: ASYNC110  # only the server knows
            await asyncio.sleep(0.01)


async def test_queued_messages_are_given_out_once_in_order(client: Client, stream_name: str) -> None:
    await publish(client, stream_name, range(1, 21))
    async with queue_on(client, stream_name) as queue:
        jobs = await take(queue, 20, at_once=7)
        assert [job.queued for job in jobs] == events(range(1, 21))
        assert [job.message_id for job in jobs] == [one.aggregate_id for one in events(range(1, 21))]
        assert not any(job.redelivered for job in jobs)
        for job in jobs:
            await job.done()
        await until_finished(client, stream_name)
        assert await queue.fetch(10, 0.1) == []


async def test_only_queued_messages_are_jobs(client: Client, stream_name: str) -> None:
    await publish(client, stream_name, [1], "message.sending.v1")
    await publish(client, stream_name, [2])
    await publish(client, stream_name, [3], "message.received.v1")
    async with queue_on(client, stream_name) as queue:
        assert positions(await take(queue, 1)) == [2]
        assert await queue.fetch(10, 0.1) == []


async def test_no_more_are_given_out_than_asked_for(client: Client, stream_name: str) -> None:
    await publish(client, stream_name, range(1, 21))
    async with queue_on(client, stream_name) as queue:
        for _ in range(4):
            assert len(await queue.fetch(5, 5.0)) <= 5


async def test_messages_published_while_it_waits_are_given_out(client: Client, stream_name: str) -> None:
    await JetStreamStream(client, StreamOptions(name=stream_name)).last_position()
    async with queue_on(client, stream_name) as queue:
        fetching = asyncio.create_task(take(queue, 1))
        await until(lambda: queue._open > 0)
        await publish(client, stream_name, [1])
        assert positions(await fetching) == [1]


async def test_a_job_given_back_comes_again_and_says_so(client: Client, stream_name: str) -> None:
    await publish(client, stream_name, [1])
    async with queue_on(client, stream_name) as queue:
        (job,) = await take(queue, 1)
        await job.again(0.05)
        (again,) = await take(queue, 1)
        assert again.redelivered
        assert again.queued == job.queued
        await again.done()
        await until_finished(client, stream_name)


async def test_a_job_that_nobody_answers_for_comes_again_and_one_that_is_held_does_not(
    client: Client, stream_name: str
) -> None:
    await publish(client, stream_name, [1, 2])
    async with queue_on(client, stream_name, ack_wait_s=1.0) as queue:
        held, _abandoned = await take(queue, 2)
        again: list[JetStreamJob] = []
        async with asyncio.timeout(20):
            while not again:
                await held.still_working()
                again += await queue.fetch(10, 0.2)
        assert positions(again) == [2]
        assert again[0].redelivered
        await held.done()
        await again[0].done()
        await until_finished(client, stream_name)


async def test_what_is_no_event_is_taken_out_of_the_queue(client: Client, stream_name: str) -> None:
    await publish(client, stream_name, [1])
    await client.jetstream().publish("sms.v1.acme.queued", b"not an event")
    await publish(client, stream_name, [2])
    async with queue_on(client, stream_name) as queue:
        jobs = await take(queue, 2)
        assert positions(jobs) == [1, 2]
        for job in jobs:
            await job.done()
        await until_finished(client, stream_name)


async def test_two_queues_share_the_jobs(client: Client, nats_url: str, stream_name: str) -> None:
    await publish(client, stream_name, range(1, 101))
    other_client = await connect_nats(nats_url, "other")
    async with queue_on(client, stream_name) as one, queue_on(other_client, stream_name) as other:
        got: list[int] = []
        shares = [0, 0]

        async def work(number: int, queue: JetStreamQueue) -> None:
            while len(got) < 100:
                jobs = await queue.fetch(5, 0.1)
                got.extend(positions(jobs))
                shares[number] += len(jobs)
                for job in jobs:
                    await job.done()

        async with asyncio.timeout(30):
            await asyncio.gather(work(0, one), work(1, other))
        assert sorted(got) == list(range(1, 101))
        assert all(shares)
    await other_client.close()


async def test_jobs_in_the_hands_of_a_dispatcher_that_is_gone_come_to_another(
    client: Client, nats_url: str, stream_name: str
) -> None:
    await publish(client, stream_name, [1, 2, 3])
    gone_client = await connect_nats(nats_url, "gone")
    async with queue_on(gone_client, stream_name, ack_wait_s=1.0) as gone:
        await take(gone, 3)
    await gone_client.close()
    async with queue_on(client, stream_name, ack_wait_s=1.0) as queue:
        jobs = await take(queue, 3)
        assert sorted(positions(jobs)) == [1, 2, 3]
        assert all(job.redelivered for job in jobs)


async def test_after_the_consumer_was_deleted_it_is_made_anew_and_nothing_is_missed(
    client: Client, stream_name: str
) -> None:
    await publish(client, stream_name, [1, 2])
    async with queue_on(client, stream_name) as queue:
        jobs = await take(queue, 2)
        await jobs[0].done()
        assert await queue.fetch(10, 0.1) == []  # a pull is open
        await client.jetstream().delete_consumer(stream_name, "dispatcher")
        await publish(client, stream_name, [3])
        assert set(positions(await take(queue, 3))) >= {2, 3}


async def test_after_the_stream_was_deleted_and_made_anew_its_jobs_are_given_out(
    client: Client, stream_name: str
) -> None:
    await publish(client, stream_name, [1])
    async with queue_on(client, stream_name) as queue:
        await take(queue, 1)
        await queue.fetch(10, 0.1)
        await client.jetstream().delete_stream(stream_name)
        assert await queue.fetch(10, 0.5) == []
        await publish(client, stream_name, [1, 2])
        assert positions(await take(queue, 2)) == [1, 2]


async def test_without_a_stream_the_queue_makes_it_and_waits(client: Client, stream_name: str) -> None:
    async with queue_on(client, stream_name) as queue:
        assert await queue.fetch(10, 0.5) == []
        await publish(client, stream_name, [1])
        assert positions(await take(queue, 1)) == [1]


async def test_after_the_server_was_killed_and_started_again_no_job_is_missed(
    mortal_nats: MortalNats,
) -> None:
    client = await connect_nats(mortal_nats.url, "test")
    await publish(client, "SURVIVOR", [1, 2, 3])
    async with queue_on(client, "SURVIVOR", ack_wait_s=1.0) as queue:
        jobs = await take(queue, 2)
        mortal_nats.kill()
        await until(lambda: not client.is_connected)
        await jobs[0].done()  # lost on the way: harmless
        await jobs[1].again(0)
        mortal_nats.start()
        await until(lambda: client.is_connected)
        await publish(client, "SURVIVOR", [4])
        seen: set[int] = set()
        async with asyncio.timeout(30):
            while not {1, 2, 4} <= seen:
                for job in await take(queue, 1):
                    seen.add(job.queued.position)
                    await job.done()
    await client.close()


async def test_events_of_all_organizations_are_in_one_queue(client: Client, stream_name: str) -> None:
    publisher = JetStreamStream(client, StreamOptions(name=stream_name))
    await publisher.last_position()
    await publisher.publish([event(1, organization_id="acme"), event(2, organization_id="other-one")])
    async with queue_on(client, stream_name) as queue:
        assert [job.queued.organization_id for job in await take(queue, 2)] == ["acme", "other-one"]


async def test_a_queue_whose_connection_has_ended_is_closed_without_an_error(
    nats_url: str, client: Client, stream_name: str
) -> None:
    await publish(client, stream_name, [1])
    own = await connect_nats(nats_url, "test")
    async with queue_on(own, stream_name) as queue:
        await take(queue, 1)
        await own.close()
