"""Whether a process grows: a steady, moderate load for ten minutes, and the memory of each process meanwhile.

What is compared is memory that a process has for itself: PostgreSQL's shared buffers fill by design.
"""

import asyncio
import random
import statistics
import time
from typing import Any

import msgspec

from benchmarks.bench import Bench
from benchmarks.http_client import HttpConnection
from benchmarks.load import get, post
from benchmarks.messages import Requests

SETTLING_S = 120.0
"""Caches, pools and plans fill in the first two minutes."""
SAMPLE_S = 5.0
CONNECTIONS = 8
TURN_S = 0.05
BATCH_MESSAGES = 10
GROWTH_MAX = 0.05
GROWTH_MB_MAX = 10.0


class Growth(msgspec.Struct, frozen=True):
    """Memory of one process, in MB: soon after the settling, and at the end."""

    role: str
    settled_mb: float
    end_mb: float
    resident_mb: float

    @property
    def is_steady(self) -> bool:
        """Whether it grew by less than 5 % or 10 MB."""
        grown = self.end_mb - self.settled_mb
        return grown < max(GROWTH_MB_MAX, self.settled_mb * GROWTH_MAX)


async def memory_growth(bench: Bench, minutes: float) -> list[Growth]:
    """Load for `minutes`, and compare. Raises MeasurementFailed where a request fails."""
    seconds = minutes * 60
    settling_s = min(SETTLING_S, seconds / 5)
    until = time.perf_counter() + seconds
    samples: list[tuple[float, dict[str, float]]] = []

    async def sample() -> None:
        started = time.perf_counter()
        while time.perf_counter() < until:
            await asyncio.sleep(min(SAMPLE_S, seconds / 20))
            elapsed_s = time.perf_counter() - started
            samples.append((elapsed_s, bench.service.processes.private_mb()))
            bench.say(f"{elapsed_s:.0f} s: {_text(samples[-1][1])}")

    await asyncio.gather(sample(), *(_visitor(bench, number, until) for number in range(CONNECTIONS)))
    settled = [mb for at_s, mb in samples if at_s >= settling_s]
    window = max(1, len(settled) // 8)
    resident = bench.service.processes.resident_mb()
    return [
        Growth(
            role, _median(settled[:window], role), _median(settled[-window:], role), round(resident[role], 1)
        )
        for role in resident
    ]


async def _visitor(bench: Bench, number: int, until: float) -> None:
    """One client: sends a message, reads it, lists, sends a small batch, and rests a little."""
    ready = bench.service.ready
    requests, chance = Requests(number), random.Random(number)
    async with HttpConnection(ready.host, ready.port) as http:
        while time.perf_counter() < until:
            answer: dict[str, Any] = msgspec.json.decode(
                await http.request(post("/v1/sms", requests.single(), ready.server_key))
            )
            await http.request(get(f"/v1/sms/{answer['messageId']}", ready.server_key))
            await http.request(post("/v1/sms/batch", requests.batch(BATCH_MESSAGES), ready.server_key))
            if chance.random() < 0.2:
                await http.request(get("/v1/sms/messages?count=50&status=DELIVERED", ready.server_key))
            await asyncio.sleep(TURN_S)


def _median(samples: list[dict[str, float]], role: str) -> float:
    return round(statistics.median(sample.get(role, 0.0) for sample in samples), 1)


def _text(memory_mb: dict[str, float]) -> str:
    return ", ".join(f"{role} {mb:.0f}" for role, mb in memory_mb.items()) + " MB"
