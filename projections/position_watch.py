"""Waiting until the lists reflect a position: read-your-writes on demand.

All waiters of a process share one look at the register every few milliseconds; nobody looks while nobody waits.
"""

import asyncio
import heapq
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from itertools import count
from typing import TypeAlias

import psycopg

from .message_table import TABLES
from .registry import Connection, live_generation

WAIT_S_MAX = 2.0
POLL_S = 0.01

LendConnection: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]


class PositionWatch:
    """Tells when the lists have come to a position. `connection` lends one, such as a pool's method of that name."""

    def __init__(self, connection: LendConnection, *, poll_s: float = POLL_S) -> None:
        self._connection = connection
        self._poll_s = poll_s
        self._seen = 0
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tickets = count()
        self._task: asyncio.Task[None] | None = None

    @property
    def seen(self) -> int:
        """A position that the lists are known to reflect."""
        return self._seen

    async def wait_for_position(self, position: int, timeout_s: float = WAIT_S_MAX) -> bool:
        """Whether the lists reflect `position`, within `timeout_s` (at most WAIT_S_MAX).

        Raises psycopg.Error where the register cannot be read.
        """
        if position <= self._seen:
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (position, next(self._tickets), waiter))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_while_waited_for(), name="position-watch")
        with suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_s, WAIT_S_MAX)):
                await waiter
        return position <= self._seen

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _look_while_waited_for(self) -> None:
        try:
            while self._someone_waits():
                async with self._connection() as conn:
                    live = await live_generation(conn, TABLES.name)
                self._seen = max(self._seen, live.position if live else 0)
                while self._waiters and self._waiters[0][0] <= self._seen:
                    self._answer(heapq.heappop(self._waiters)[2], None)
                if self._someone_waits():
                    await asyncio.sleep(self._poll_s)
        except (psycopg.Error, OSError) as error:
            # Nobody waits for a look that will not come: each caller hears of it and decides.
            waiters, self._waiters = self._waiters, []
            for _, _, waiter in waiters:
                self._answer(waiter, error)

    def _someone_waits(self) -> bool:
        self._waiters = [waiting for waiting in self._waiters if not waiting[2].done()]
        heapq.heapify(self._waiters)
        return bool(self._waiters)

    @staticmethod
    def _answer(waiter: "asyncio.Future[None]", error: Exception | None) -> None:
        if waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
