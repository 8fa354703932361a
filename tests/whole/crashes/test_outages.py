"""Servers that are away for seconds, a stream that is deleted, a machine that dies: the service comes back by itself."""

import asyncio
import os
import random
import signal
import time

import nats
import nats.js.errors
import psutil
import pytest

from smsledger.adapters.postgres.status import read_status

from .client_load import Requests, client, load
from .ledger_oracle import STREAM, connect_to_ledger, everything_holds, read_stream, settle
from .mortal_service import MortalService
from .waiting import until

AWAY_S = 4.0


async def _delete_stream(service: MortalService) -> None:
    connection = await nats.connect(service.ready.nats_url, allow_reconnect=False)
    try:
        assert await connection.jetstream(timeout=10).delete_stream(STREAM)
    finally:
        await connection.close()


@pytest.mark.timeout(180)
async def test_without_nats_sends_are_accepted_and_delivered_when_it_returns(
    service: MortalService, requests: Requests
) -> None:
    pid = service.pid("nats")
    os.kill(pid, signal.SIGSTOP)  # away without a word, as behind a cut cable
    try:
        refused = len(requests.refusals)
        async with load(service.ready.url, service.server_key, requests) as running:
            until_s = time.monotonic() + AWAY_S
            while time.monotonic() < until_s:
                await running.more_answers(20, deadline_s=20)
        assert len(requests.refusals) == refused, "sends were refused because NATS was away"
    finally:
        os.kill(pid, signal.SIGCONT)
    await everything_holds(service, requests)


@pytest.mark.timeout(180)
async def test_without_postgresql_requests_are_refused_or_wait_and_never_lie(
    service: MortalService, requests: Requests
) -> None:
    pid = service.pid("postgres")
    async with load(service.ready.url, service.server_key, requests) as running:
        await running.more_answers(50)
        # Now, when every connection that requests need is there.
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for process in processes:
            process.suspend()
        refusals = len(requests.refusals)
        try:
            await until(
                lambda: len(requests.refusals) > refusals,
                "a request is refused while PostgreSQL does not answer",
                deadline_s=30,
            )
        finally:
            for process in reversed(processes):
                process.resume()
        await running.more_answers(100)
    assert "LEDGER_UNAVAILABLE" in requests.refusals
    await everything_holds(service, requests)


@pytest.mark.timeout(180)
async def test_a_stream_that_is_deleted_while_nothing_happens_is_rebuilt_from_the_ledger(
    service: MortalService, requests: Requests
) -> None:
    async with client(service.ready.url, service.server_key, requests) as one:
        assert await one.send() is not None
    await settle(service)
    async with connect_to_ledger(service) as conn:
        head = (await read_status(conn)).head
    await _delete_stream(service)

    async def rebuilt() -> bool:
        try:
            return len(await read_stream(service)) == head
        except nats.js.errors.NotFoundError:
            return False

    await until(rebuilt, "the stream has every event again", deadline_s=60)
    await everything_holds(service, requests)


@pytest.mark.timeout(180)
async def test_a_stream_that_is_deleted_under_load_is_rebuilt_and_nothing_is_sent_twice(
    service: MortalService, requests: Requests, chance: random.Random
) -> None:
    async with load(service.ready.url, service.server_key, requests) as running:
        await running.more_answers(chance.randrange(50, 150))
        await _delete_stream(service)
        await running.more_answers(200)
    await everything_holds(service, requests)


@pytest.mark.timeout(180)
async def test_a_machine_that_dies_under_load_comes_back_with_everything(
    service: MortalService, requests: Requests, chance: random.Random
) -> None:
    async with load(service.ready.url, service.server_key, requests) as running:
        await running.more_answers(chance.randrange(50, 150))
        await asyncio.to_thread(service.kill_everything)
        await asyncio.to_thread(service.start)  # clients whose requests carry a key are trying all the time
        await running.more_answers(50)
    await everything_holds(service, requests)
