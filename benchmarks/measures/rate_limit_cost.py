"""What counting requests costs: single sends under a limit that is never reached, against the same without any."""

import asyncio

from benchmarks.bench import WORKERS, Bench, HttpRounds
from benchmarks.load import any_of, post
from benchmarks.messages import Requests
from benchmarks.result import Measurement
from benchmarks.service import RATE_LIMIT

from .accept import SINGLE_CONNECTIONS, SINGLES_MADE, WARM_UP_S

TARGET = 0.9
KNOWN_S = 1.0
"""A changed limit holds within this time."""


async def rate_limit_cost(bench: Bench) -> Measurement:
    """`POST /v1/sms` from 32 connections: requests per second, in rounds with and without a limit in turn."""
    service, plan = bench.service, bench.plan
    request = any_of(
        [post("/v1/sms", Requests(i).single(), service.ready.server_key) for i in range(SINGLES_MADE)]
    )
    limited, unlimited = (bench.rounds(request, SINGLE_CONNECTIONS) for _ in range(2))
    with service.processes.paused(WORKERS):
        for _ in range(plan.rounds):
            await _round(bench, unlimited, 0)
            await _round(bench, limited, RATE_LIMIT)
    return Measurement(
        name="rate_limit_cost",
        value=limited.per_second,
        floor=unlimited.per_second,
        unit="requests/s",
        target=TARGET,
        latency=limited.latency,
        floor_latency=unlimited.latency,
        details={
            "rounds_spread": limited.spread,
            "floor_spread": unlimited.spread,
            "cpu_us_per_request": limited.cpu_us(),
            "floor_cpu_us_per_request": unlimited.cpu_us(),
        },
    )


async def _round(bench: Bench, rounds: HttpRounds, limit: int) -> None:
    bench.service.limit_rates(limit)
    await asyncio.sleep(KNOWN_S)
    await rounds.round(WARM_UP_S, counts=False)
    await rounds.round(bench.plan.round_s)
