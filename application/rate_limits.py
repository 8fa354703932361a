"""Rate limits, exact over all processes: slots of the last second are taken from shared windows, many with one question.

A window is an organization's use of one class of endpoint. What a process was granted it may use for a short time,
its lease; what it used and what it did not it says with a later question. It knows neither HTTP nor where the windows are.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec
import structlog

from smsledger.domain.errors import LedgerError

from .ports import LedgerUnavailable

log = structlog.get_logger(__name__)

WAIT_S_MAX = 5.0
"""How long a request waits for the windows before it is refused with LedgerUnavailable."""
ATTEMPT_S_MAX = 2.0
"""After this long without an answer a question counts as lost."""
RETRY_S = 0.1
QUESTIONS_MAX = 500
"""Questions asked together."""
LEASE_S, LEASE_S_MAX = 0.1, 0.5
"""How long slots may be used, counted from before the question was sent. Longer where much is left, or answers are slow."""
USABLE = 0.75
"""Share of a lease in which slots are given to requests, so that most requests end before the lease does."""
USE_S_MAX = 0.025
"""A slot counts as used until its request was answered, and so long at most: what is stamped on the way, such as the time of
an event, is then within the limit as well, and slow requests still leave 95 % of it to others."""
SLACK_S = 0.002
"""How far the process's clock may drift from PostgreSQL's within a lease, and more."""
AHEAD = 0.8
"""Share of a lease whose likely demand is asked for at once, where half of the limit is left."""
DEMAND_S = 0.05
"""Demand is measured over at least so long."""
AHEAD_LIMIT = 0.04
"""Share of what is left that is asked for ahead at most: what one process does not use, another misses for a while."""
IDLE_S = 10.0
"""After this long a window that nobody asked for is forgotten by the process."""
BUCKETS_PER_SECOND = 200
"""The windows' resolution; see `adapters/postgres/migrations/0006_rate_limits.sql`."""


EndpointClass: TypeAlias = Literal["send", "batch", "read"]
"""What has a limit of its own, by the names in `application/directory.py::RateLimits`. Plain text: it is looked up often."""


class RateLimited(LedgerError):
    """The organization's limit for this class of endpoint is used up."""

    message = "more than {limit} {endpoint_class} requests a second: wait for the time in `Retry-After`"


class Settlement(msgspec.Struct, frozen=True):
    """What became of slots that were granted earlier. Buckets are those of the windows' clock."""

    booked: int
    until: int
    """The bucket that the used ones would have been booked at, had their last use been known."""
    used: int
    unused: int


class Question(msgspec.Struct, frozen=True):
    """Ask for slots of a window."""

    organization_id: str
    endpoint_class: EndpointClass
    limit: int
    wanted: int
    lease: int
    """In buckets."""
    settlement: Settlement | None


class Grant(msgspec.Struct, frozen=True):
    """What the windows answer."""

    granted: int
    """-1: they have lost their memory; ask again after `free_in_s`."""
    remaining: int
    booked: int
    """The bucket that what was granted is booked at."""
    free_in_s: float
    """Until the next slot is free, where not all were granted."""


class RateWindows(Protocol):
    """The shared windows."""

    async def take(self, questions: Sequence[Question]) -> Sequence[Grant]:
        """Answers in the order of the questions, each about another window. Raises LedgerUnavailable."""
        ...


class Admission(msgspec.Struct, frozen=True):
    """Whether a request may go on; whoever was admitted says when it ended."""

    admitted: bool
    limit: int
    remaining: int
    at: float
    """When that was decided, by the process's monotonic clock."""
    retry_after_s: int = 0
    """Whole seconds, at least 1, where it may not."""
    lease: "_Lease | None" = None

    def end(self) -> None:
        """The request was answered, or given up."""
        if self.lease is not None:
            self.lease.end(time.monotonic())


class _Lease:
    """Slots in hand, and the requests that took one."""

    __slots__ = (
        "admitted_at",
        "booked",
        "buckets",
        "ended_at",
        "granted",
        "left",
        "sent_at",
        "under_way",
        "until",
    )

    def __init__(self, granted: int, booked: int, buckets: int, sent_at: float) -> None:
        self.granted = self.left = granted
        self.booked = booked
        self.buckets = buckets
        self.until = sent_at + buckets / BUCKETS_PER_SECOND * USABLE
        self.under_way = 0
        self.sent_at = self.admitted_at = self.ended_at = sent_at

    def admit(self, now: float) -> None:
        self.left -= 1
        self.under_way += 1
        self.admitted_at = now

    def end(self, now: float) -> None:
        self.under_way -= 1
        self.ended_at = now

    def is_over(self, now: float) -> bool:
        """Whether nothing that is still to come changes its settlement."""
        return not self.under_way or now >= self.admitted_at + USE_S_MAX

    def settlement(self) -> Settlement:
        used_until = self.admitted_at + USE_S_MAX
        if not self.under_way:
            used_until = min(used_until, self.ended_at)
        needed_s = used_until - self.sent_at + SLACK_S
        early = max(0, self.buckets - math.ceil(needed_s * BUCKETS_PER_SECOND))
        return Settlement(self.booked, self.booked - early, self.granted - self.left, self.left)


class _Window:
    """What this process knows of a window. Times are monotonic, and exact: an event loop's own time may lag."""

    __slots__ = (
        "ahead",
        "answer_s",
        "asked",
        "closed",
        "demand",
        "denied_until",
        "endpoint_class",
        "leases",
        "left",
        "limit",
        "organization_id",
        "remaining",
        "seen_at",
        "taken",
        "waiting",
    )

    def __init__(self, organization_id: str, endpoint_class: EndpointClass, now: float) -> None:
        self.organization_id = organization_id
        self.endpoint_class: EndpointClass = endpoint_class
        self.limit = 0
        self.left = 0
        self.leases: deque[_Lease] = deque()
        self.closed: deque[_Lease] = deque()
        self.waiting: deque[tuple[asyncio.Future[Admission], float]] = deque()
        self.asked = False
        self.remaining = 0
        self.denied_until = 0.0
        self.seen_at = now
        self.answer_s = 0.0
        self.taken = 0
        self.demand = 0.0
        self.ahead = 0

    def take(self, now: float) -> _Lease | None:
        """Use a slot in hand, if there is one."""
        leases = self.leases
        while leases:
            lease = leases[0]
            if lease.left and now < lease.until:
                lease.admit(now)
                self.left -= 1
                self.taken += 1
                if not lease.left:
                    self.closed.append(leases.popleft())
                return lease
            self.left -= lease.left
            self.closed.append(leases.popleft())
        return None

    def admission(self, lease: _Lease, now: float) -> Admission:
        return Admission(True, self.limit, self.remaining + self.left, now, 0, lease)

    def denial(self, now: float) -> Admission:
        return Admission(False, self.limit, 0, now, max(1, math.ceil(self.denied_until - now)))

    def wants_more(self, now: float) -> bool:
        """Whether to ask now for what will likely be wanted soon."""
        if self.left * 2 < self.ahead:
            return True
        return self.leases[-1].until - now < max(0.02, 2 * self.answer_s)

    def can_settle(self, now: float) -> bool:
        """Whether there is something to say about what was granted before."""
        return bool(self.closed) and self.closed[0].is_over(now)

    def question(self, now: float) -> Question:
        """Ask for those that wait and, where much is left, for those that will soon; settle what is over."""
        plenty = 2 * self.remaining >= self.limit
        lease_s = LEASE_S_MAX if plenty else min(LEASE_S_MAX, max(LEASE_S, 4 * self.answer_s))
        since_s = now - self.seen_at
        if since_s >= DEMAND_S:
            demand = self.taken / since_s
            self.demand = max(demand, (self.demand + demand) / 2)
            self.seen_at, self.taken = now, 0
        self.ahead = (
            min(int(self.demand * lease_s * AHEAD), int(self.remaining * AHEAD_LIMIT)) if plenty else 0
        )
        while self.closed and self.closed[0].until + 1.0 < now:
            self.closed.popleft()
        settlement = self.closed.popleft().settlement() if self.can_settle(now) else None
        wanted = min(self.limit, max(len(self.waiting) + self.ahead, 1))
        lease = round(lease_s * BUCKETS_PER_SECOND)
        return Question(self.organization_id, self.endpoint_class, self.limit, wanted, lease, settlement)

    def answered(self, question: Question, grant: Grant, sent_at: float, now: float) -> None:
        """Serve those that wait; who finds nothing because the answer came too late goes on waiting."""
        self.answer_s = max(now - sent_at, 0.9 * self.answer_s)
        if grant.granted < 0:
            return
        self.remaining = grant.remaining
        if grant.granted:
            self.left += grant.granted
            self.leases.append(_Lease(grant.granted, grant.booked, question.lease, sent_at))
        short = grant.granted < question.wanted
        if short:
            # The windows answered at some time since it was sent.
            self.denied_until = (sent_at + now) / 2 + grant.free_in_s
        while self.waiting:
            future, _ = self.waiting[0]
            if future.done():  # its request went away
                self.waiting.popleft()
                continue
            if lease := self.take(now):
                self.waiting.popleft()
                future.set_result(self.admission(lease, now))
            elif short:
                self.waiting.popleft()
                future.set_result(self.denial(now))
            else:
                break

    def fail(self, error: LedgerUnavailable, asked_before: float) -> None:
        """Tell those that have waited since before `asked_before`."""
        while self.waiting and self.waiting[0][1] <= asked_before:
            future, _ = self.waiting.popleft()
            if not future.done():
                future.set_exception(error)


class RateLimiter:
    """Admits requests. One question is under way at a time; what comes meanwhile is asked together afterwards."""

    def __init__(self, windows: RateWindows, *, wait_s_max: float = WAIT_S_MAX) -> None:
        self._shared = windows
        self._wait_s_max = wait_s_max
        self._windows: dict[tuple[str, EndpointClass], _Window] = {}
        self._to_ask: dict[_Window, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._given_up: set[asyncio.Task[float]] = set()

    async def admit(self, organization_id: str, endpoint_class: EndpointClass, limit: int) -> Admission:
        """Whether one more request may go on; `limit` a second, at least 1. Raises LedgerUnavailable."""
        now = time.monotonic()
        window = self._windows.get((organization_id, endpoint_class))
        if window is None:
            window = _Window(organization_id, endpoint_class, now)
            self._windows[organization_id, endpoint_class] = window
        if window.limit != limit:
            window.limit, window.denied_until = limit, 0.0
        if not window.waiting:
            if lease := window.take(now):
                if window.ahead and not window.asked and window.wants_more(now):
                    self._ask(window)
                return window.admission(lease, now)
            # What was used can be free earlier than it is booked: that is found out by saying so.
            if now < window.denied_until and not window.can_settle(now):
                return window.denial(now)
        future: asyncio.Future[Admission] = asyncio.get_running_loop().create_future()
        window.waiting.append((future, now))
        self._ask(window)
        return await future

    def forget(self) -> None:
        """Forget windows that are idle."""
        now = time.monotonic()
        idle = [
            name
            for name, window in self._windows.items()
            if now - window.seen_at > IDLE_S
            and not window.waiting
            and not window.asked
            and all(lease.until < now for lease in window.leases)
        ]
        for name in idle:
            del self._windows[name]

    async def close(self) -> None:
        """Answer those that wait, then end."""
        if self._task is not None:
            await self._task
        await asyncio.gather(*self._given_up, return_exceptions=True)

    def _ask(self, window: _Window) -> None:
        if window.asked:
            return
        window.asked = True
        self._to_ask[window] = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drain(), name="rate-limits")

    async def _drain(self) -> None:
        while self._to_ask:
            group = list(self._to_ask)[:QUESTIONS_MAX]
            for window in group:
                del self._to_ask[window]
            error = LedgerUnavailable(reason="it does not answer")
            pause_s, wait_s_max = 0.0, self._wait_s_max
            asking = asyncio.create_task(self._ask_together(group), name="rate-limits-question")
            try:
                if await self._is_answered(asking):
                    pause_s = asking.result()
            except LedgerUnavailable as unavailable:
                error, pause_s = unavailable, RETRY_S
            except Exception:
                # Whatever went wrong, nobody may wait for ever, and nobody goes on unlimited.
                log.exception("rate_limits_failed")
                wait_s_max = 0.0
            if pause_s:
                await asyncio.sleep(min(pause_s, RETRY_S))
            now = time.monotonic()
            for window in group:
                window.asked = False
                window.fail(error, now - wait_s_max)
                if window.waiting:
                    self._ask(window)

    async def _is_answered(self, asking: "asyncio.Task[float]") -> bool:
        """Whether the question ended in time. One that did not is given up, which may itself take long: nobody waits for it."""
        await asyncio.wait({asking}, timeout=ATTEMPT_S_MAX)
        if not asking.done():
            asking.cancel()
            self._given_up.add(asking)
            asking.add_done_callback(self._end)
        return not asking.cancelled() and asking.done()

    def _end(self, given_up: "asyncio.Task[float]") -> None:
        self._given_up.discard(given_up)
        if not given_up.cancelled() and (error := given_up.exception()):
            log.debug("rate_limits_given_up", error=str(error))

    async def _ask_together(self, group: Sequence[_Window]) -> float:
        """Ask for each window of the group; how long to pause before the next question."""
        sent_at = time.monotonic()
        questions = [window.question(sent_at) for window in group]
        grants = await self._shared.take(questions)
        now = time.monotonic()
        for window, question, grant in zip(group, questions, grants, strict=True):
            window.answered(question, grant, sent_at, now)
        return max((grant.free_in_s for grant in grants if grant.granted < 0), default=0.0)
