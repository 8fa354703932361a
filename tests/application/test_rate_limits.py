"""The limiter of one process against windows that are scripted: what it asks, what it never does without asking."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from smsledger.application.ports import LedgerUnavailable
from smsledger.application.rate_limits import LEASE_S, Admission, Grant, Question, RateLimiter

TEST_S_MAX = 20.0


class ScriptedWindows:
    """Answers as it is told to; by default it grants all that is wanted."""

    def __init__(self, *answers: Callable[[Question], Awaitable[Grant]]) -> None:
        self.asked: list[Sequence[Question]] = []
        self.is_asked = asyncio.Event()
        self._answers = list(answers)

    async def take(self, questions: Sequence[Question]) -> Sequence[Grant]:
        self.asked.append(questions)
        self.is_asked.set()
        answer = self._answers.pop(0) if self._answers else granting
        return [await answer(question) for question in questions]


async def granting(question: Question) -> Grant:
    return Grant(question.wanted, question.limit - question.wanted, 1_000, 0.0)


async def refusing(question: Question) -> Grant:
    return Grant(0, 0, 0, 60.0)


async def admit(limiter: RateLimiter, *, organization: str = "acme", limit: int = 100) -> Admission:
    async with asyncio.timeout(TEST_S_MAX):
        return await limiter.admit(organization, "send", limit)


async def test_requests_that_come_together_ask_together() -> None:
    opened = asyncio.Event()

    async def slowly(question: Question) -> Grant:
        await opened.wait()
        return await granting(question)

    windows = ScriptedWindows(slowly)
    limiter = RateLimiter(windows)
    first = asyncio.create_task(admit(limiter))
    await windows.is_asked.wait()
    others = [asyncio.create_task(admit(limiter, organization=name)) for name in ("acme", "acme", "other")]
    await asyncio.sleep(0)
    opened.set()
    assert all(one.admitted for one in await asyncio.gather(first, *others))
    asked = [sorted((q.organization_id, q.wanted) for q in questions) for questions in windows.asked]
    assert asked == [[("acme", 1)], [("acme", 2), ("other", 1)]]


async def test_who_was_refused_is_refused_again_without_a_question_until_a_slot_is_free() -> None:
    windows = ScriptedWindows(refusing)
    limiter = RateLimiter(windows)
    refusals = [await admit(limiter) for _ in range(5)]
    assert [(one.admitted, one.remaining, one.retry_after_s) for one in refusals] == [(False, 0, 60)] * 5
    assert len(windows.asked) == 1
    assert (await admit(limiter, limit=200)).admitted, "another limit is another question"


async def test_of_those_that_wait_the_first_are_admitted() -> None:
    async def two(question: Question) -> Grant:
        return Grant(2, 0, 1_000, 0.5)

    limiter = RateLimiter(ScriptedWindows(two))
    answers = await asyncio.gather(*[admit(limiter) for _ in range(4)])
    assert [answer.admitted for answer in answers] == [True, True, False, False]
    assert [answer.retry_after_s for answer in answers[2:]] == [1, 1]


async def test_slots_whose_answer_came_after_their_lease_are_given_back_and_not_used() -> None:
    async def late(question: Question) -> Grant:
        await asyncio.sleep(question.lease / 200)  # the fault itself
        return Grant(1, 50, 1_000, 0.0)

    windows = ScriptedWindows(late)
    assert (await admit(RateLimiter(windows))).admitted
    (first,), (second,) = windows.asked
    assert first.lease == LEASE_S * 200
    assert second.settlement is not None
    assert (second.settlement.booked, second.settlement.used, second.settlement.unused) == (1_000, 0, 1)


async def test_after_a_crash_of_the_windows_requests_wait() -> None:
    async def forgotten(question: Question) -> Grant:
        return Grant(-1, 0, 0, 0.01)

    windows = ScriptedWindows(forgotten, forgotten)
    assert (await admit(RateLimiter(windows))).admitted
    assert len(windows.asked) == 3


async def test_windows_that_cannot_be_reached_for_a_while_are_asked_again() -> None:
    async def away(question: Question) -> Grant:
        raise LedgerUnavailable(reason="gone")

    windows = ScriptedWindows(away, away)
    assert (await admit(RateLimiter(windows))).admitted
    assert len(windows.asked) == 3


async def test_nobody_is_let_through_uncounted_and_nobody_waits_for_ever() -> None:
    async def away(question: Question) -> Grant:
        raise LedgerUnavailable(reason="gone")

    async def faulty(question: Question) -> Grant:
        raise ZeroDivisionError

    for answers in ([away] * 100, [faulty]):
        limiter = RateLimiter(ScriptedWindows(*answers), wait_s_max=0.2)
        with pytest.raises(LedgerUnavailable):
            await admit(limiter)
        await limiter.close()


async def test_a_request_that_went_away_takes_no_slot() -> None:
    opened = asyncio.Event()

    async def slowly(question: Question) -> Grant:
        await opened.wait()
        return Grant(1, 0, 1_000, 60.0)

    windows = ScriptedWindows(slowly)
    limiter = RateLimiter(windows)
    gone, stays = asyncio.create_task(admit(limiter)), asyncio.create_task(admit(limiter))
    await windows.is_asked.wait()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    opened.set()
    assert (await stays).admitted


async def test_much_demand_under_a_far_limit_needs_few_questions() -> None:
    windows = ScriptedWindows()
    limiter = RateLimiter(windows)
    for _ in range(20_000):
        assert (await admit(limiter, limit=10_000_000)).admitted
        await asyncio.sleep(0)
    assert sum(len(questions) for questions in windows.asked) < 10_000


async def test_a_window_that_is_idle_is_forgotten_only_when_nothing_of_it_is_in_use() -> None:
    limiter = RateLimiter(ScriptedWindows(refusing))
    assert not (await admit(limiter)).admitted
    limiter.forget()
    assert not (await admit(limiter)).admitted
