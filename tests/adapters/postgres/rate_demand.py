"""A process that asks for more than it may have, as an API process under saturating demand does; run by the tests.

Arguments: connection string, limits by window as JSON, seconds, how many ask at the same time. Its output: for each window
when requests were admitted and when they were denied, on the machine's monotonic clock.
"""

import asyncio
import sys
import time
from typing import Any

import msgspec
import uvloop
from psycopg import AsyncConnection

from smsledger.adapters.postgres.rate_windows import PostgresRateWindows
from smsledger.application.rate_limits import EndpointClass, RateLimiter

PAUSE_S = 0.002


class Decisions(msgspec.Struct):
    """What was decided about one window."""

    admitted: list[float] = []
    denied: list[float] = []


async def demand(
    limiter: RateLimiter, name: str, limit: int, until: float, pause_s: float, found: Decisions
) -> None:
    """Ask again and again."""
    organization_id, _, endpoint = name.partition("/")
    endpoint_class: EndpointClass = msgspec.convert(endpoint, EndpointClass)
    while time.monotonic() < until:
        admission = await limiter.admit(organization_id, endpoint_class, limit)
        (found.admitted if admission.admitted else found.denied).append(admission.at)
        admission.end()
        await asyncio.sleep(pause_s)


async def run(conninfo: str, limits: dict[str, int], seconds: float, askers: int) -> dict[str, Decisions]:
    """Saturate every window for `seconds`."""

    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(conninfo, autocommit=True)

    windows = PostgresRateWindows(connect)
    limiter = RateLimiter(windows)
    found = {name: Decisions() for name in limits}
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for name, limit in limits.items():
            for _ in range(askers):
                group.create_task(demand(limiter, name, limit, until, PAUSE_S * askers, found[name]))
    await limiter.close()
    await windows.close()
    return found


if __name__ == "__main__":
    conninfo, limits, seconds, askers = sys.argv[1:]
    decisions = uvloop.run(
        run(conninfo, msgspec.json.decode(limits, type=dict[str, int]), float(seconds), int(askers))
    )
    sys.stdout.buffer.write(msgspec.json.encode(decisions))
