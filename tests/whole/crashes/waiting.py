"""Waiting for a condition with a deadline: the only way these tests wait for anything."""

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_S = 0.05


def wait_until(condition: Callable[[], object], what: str, *, deadline_s: float) -> None:
    """Until `condition` is true. Fails the test with `what` after `deadline_s`."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s: {what}"
        time.sleep(LOOK_S)


async def until(
    condition: Callable[[], object] | Callable[[], Awaitable[object]], what: str, *, deadline_s: float
) -> None:
    """The same on an event loop; the condition may be a coroutine function."""
    deadline = time.monotonic() + deadline_s
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s: {what}"
        await asyncio.sleep(LOOK_S)
