"""A carrier and a queue that do what a test writes down for them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from smsledger.application.ports import (
    Outcome,
    Refused,
    Submission,
    TakeInbound,
    Taken,
    TakeReceipts,
    Unknown,
)
from smsledger.domain.event import Stored
from tests.domain.histories import CARRIER

Answer = Outcome | Callable[[Submission], Awaitable[Outcome]]


class ScriptedCarrier:
    """The Carrier port: gives the answers that stand in `answers` and `knows`, in order, and notes what it was asked."""

    name = CARRIER

    def __init__(self, *answers: Answer, idempotent: bool = False) -> None:
        self.answers = deque(answers)
        self.knows: deque[Taken | Refused | Unknown | None] = deque()
        self.idempotent = idempotent
        self.ready = True
        self.submitted: list[Submission] = []
        self.looked_up: list[Submission] = []

    async def submit(self, submission: Submission) -> Outcome:
        """See the port."""
        self.submitted.append(submission)
        answer = self.answers.popleft()
        return await answer(submission) if callable(answer) else answer

    async def look_up(self, submission: Submission) -> Taken | Refused | Unknown | None:
        """See the port."""
        self.looked_up.append(submission)
        return self.knows.popleft()

    async def run(self, take: TakeReceipts, take_inbound: TakeInbound) -> None:
        """See the port; nothing comes from it by itself."""
        await asyncio.Event().wait()


class ScriptedJob:
    """The Job port: notes how it ended."""

    def __init__(self, queued: Stored, *, redelivered: bool = False) -> None:
        self.queued = queued
        self.redelivered = redelivered
        self.finished = False
        self.again_s: float | None = None
        self.held = 0
        self.held_twice = asyncio.Event()

    @property
    def message_id(self) -> UUID:
        """See the port."""
        return self.queued.aggregate_id

    async def done(self) -> None:
        """See the port."""
        self.finished = True

    async def again(self, after_s: float) -> None:
        """See the port."""
        self.again_s = after_s

    async def still_working(self) -> None:
        """See the port."""
        self.held += 1
        if self.held == 2:
            self.held_twice.set()


class ScriptedQueue:
    """The JobQueue port: gives out what was put in."""

    def __init__(self) -> None:
        self.jobs: deque[ScriptedJob] = deque()

    async def fetch(self, limit: int, wait_s: float) -> Sequence[ScriptedJob]:
        """See the port."""
        return [self.jobs.popleft() for _ in range(min(limit, len(self.jobs)))]
