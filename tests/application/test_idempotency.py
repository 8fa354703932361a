"""Requests that may be repeated, on a real event store: who is told to wait, who is given the earlier answer."""

import asyncio
from uuid import uuid4

import pytest

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.used_keys import PostgresUsedKeys
from smsledger.application.idempotency import Given, KeyInFlight, KeyReused, OnceFor, RepeatableRequests
from smsledger.application.ports import Append, Appended, LedgerUnavailable
from smsledger.domain.errors import LedgerError
from tests.domain.histories import queued

from .conftest import Pool

PRINT, ANSWER = b"print", b"answer"


class Refusal(LedgerError):
    """What the request is refused for today."""

    message = "refused"


class Desk:
    """Requests of one process; each stores a message and answers with its position."""

    def __init__(self, pool: Pool, appender: GroupCommitAppender) -> None:
        self.requests = RepeatableRequests(PostgresUsedKeys(pool))
        self._appender = appender
        self.done = 0

    async def store(self, once_for: OnceFor) -> Given:
        append = Append(uuid4(), "acme", 1, [queued()])
        (stored,) = await self._appender.append([append], once_for(ANSWER))
        assert isinstance(stored, Appended)
        self.done += 1
        return Given(ANSWER, stored.position)

    async def run(self, key: str = "key", fingerprint: bytes = PRINT) -> Given:
        return await self.requests.run("acme", key, fingerprint, self.store)


@pytest.fixture
def desk(pool: Pool, appender: GroupCommitAppender) -> Desk:
    return Desk(pool, appender)


async def test_a_repeat_while_the_first_is_handled_is_told_to_come_again(desk: Desk) -> None:
    handling, answered = asyncio.Event(), asyncio.Event()

    async def slow(once_for: OnceFor) -> Given:
        handling.set()
        await answered.wait()
        return await desk.store(once_for)

    first = asyncio.create_task(desk.requests.run("acme", "key", PRINT, slow))
    await handling.wait()
    with pytest.raises(KeyInFlight):
        await desk.run()
    assert not (await desk.run("another key")).replayed
    answered.set()
    given = await first
    assert await desk.run() == Given(ANSWER, given.position, replayed=True)
    assert desk.done == 2


async def test_a_repeat_in_another_process_waits_for_the_first_and_is_given_its_answer(
    pool: Pool, appender: GroupCommitAppender
) -> None:
    desks = [Desk(pool, appender) for _ in range(4)]
    given = await asyncio.gather(*(desk.run() for desk in desks))
    assert sum(desk.done for desk in desks) == 1
    assert {(one.answer, one.position) for one in given} == {(ANSWER, 1)}
    assert sorted(one.replayed for one in given) == [False, True, True, True]


async def test_another_request_under_the_key_is_refused_whatever_became_of_it(desk: Desk) -> None:
    async def refuse(_: OnceFor) -> Given:
        raise Refusal

    async def store_nothing(_: OnceFor) -> Given:
        return Given(b"nothing was accepted", None)

    await desk.run()
    with pytest.raises(KeyReused):
        await desk.run(fingerprint=b"other")
    for work in (refuse, store_nothing):
        with pytest.raises(KeyReused):
            await desk.requests.run("acme", "key", b"other", work)
        assert await desk.requests.run("acme", "key", PRINT, work) == Given(ANSWER, 1, replayed=True)


async def test_what_stored_nothing_leaves_the_key_free(desk: Desk) -> None:
    async def refuse(_: OnceFor) -> Given:
        raise Refusal

    with pytest.raises(Refusal):
        await desk.requests.run("acme", "key", PRINT, refuse)
    assert await desk.run(fingerprint=b"mended") == Given(ANSWER, 1)


async def test_an_outcome_that_is_not_known_is_found_out_by_the_repeat(desk: Desk) -> None:
    async def lose_the_answer(once_for: OnceFor) -> Given:
        await desk.store(once_for)
        raise LedgerUnavailable(reason="it does not answer")

    with pytest.raises(LedgerUnavailable):
        await desk.requests.run("acme", "key", PRINT, lose_the_answer)
    assert await desk.run() == Given(ANSWER, 1, replayed=True)
    assert desk.done == 1
