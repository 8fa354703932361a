"""Many deadlines on one event-loop timer: a heap, no task and no loop handle per message.

Deadlines cannot be taken back: what is called asks itself whether it is still wanted.
"""

import asyncio
import heapq
from collections.abc import Callable
from typing import Any


class Timers:
    """Calls functions after a delay, in the order of their deadlines (equal ones in the order they were set)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._count = 0
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = 0.0

    def after(self, delay_s: float, call: Callable[[Any], None], argument: object) -> None:
        """Call `call(argument)` in `delay_s` seconds."""
        due = self._loop.time() + delay_s
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, call, argument))
        if self._handle is None or due < self._armed_for:
            self._arm()

    def close(self) -> None:
        """Forget everything."""
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = self._heap[0][0]
        self._handle = self._loop.call_at(self._armed_for, self._fire)

    def _fire(self) -> None:
        self._handle = None
        heap = self._heap
        # uvloop's timers tick in milliseconds and may fire a little early.
        now = self._loop.time() + 0.001
        try:
            while heap and heap[0][0] <= now:
                _, _, call, argument = heapq.heappop(heap)
                call(argument)
        finally:
            if heap and self._handle is None:
                self._arm()
