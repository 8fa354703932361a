"""How fast messages are accepted: one by one against the bare HTTP floor, in batches against the storage floor.

The workers are paused meanwhile, so that what is measured is the way from the request to the durable row, and not
how the machine's cores are shared; `whole_life` measures everything at once. What single sends reach with the workers
on is reported beside it (full runs only).
"""

from benchmarks.bench import WORKERS, Bench
from benchmarks.floors.storage import StorageFloor
from benchmarks.load import any_of, post
from benchmarks.messages import Requests
from benchmarks.result import Measurement, median, spread

SINGLE_CONNECTIONS = 32
BATCH_CONNECTIONS = 4
BATCH_MESSAGES = 500
SINGLES_MADE = 5_000
BATCHES_MADE = 40
WARM_UP_S = 0.4

SINGLE_TARGET = 0.5
BATCH_TARGET = 0.15


async def single_accept(bench: Bench) -> Measurement:
    """`POST /v1/sms` from 32 connections: requests per second."""
    key, plan = bench.service.ready.server_key, bench.plan
    request = any_of([post("/v1/sms", Requests(i).single(), key) for i in range(SINGLES_MADE)])
    value = bench.rounds(request, SINGLE_CONNECTIONS)
    floor = bench.floor_rounds(request, SINGLE_CONNECTIONS)
    with bench.service.processes.paused(WORKERS):
        for rounds in (floor, value):
            await rounds.round(WARM_UP_S, counts=False)
        with bench.profiling("single_accept", ("api",), plan.rounds * plan.round_s * 2):
            for _ in range(plan.rounds):
                await floor.round(plan.round_s)
                await value.round(plan.round_s)
    details = {
        "rounds_spread": value.spread,
        "floor_spread": floor.spread,
        "cpu_us_per_request": value.cpu_us(),
        "floor_cpu_us_per_request": floor.cpu_us(),
    }
    if not plan.is_quick:
        with_workers = await value.round(plan.round_s, counts=False)
        details["value_with_workers_on"] = round(with_workers.per_second, 1)
    return Measurement(
        name="single_accept",
        value=value.per_second,
        floor=floor.per_second,
        unit="requests/s",
        target=SINGLE_TARGET,
        latency=value.latency,
        floor_latency=floor.latency,
        details=details,
    )


async def batch_accept(bench: Bench) -> Measurement:
    """`POST /v1/sms/batch` of 500 from a few connections: messages per second."""
    ready, plan = bench.service.ready, bench.plan
    bodies = [Requests(i).batch(BATCH_MESSAGES) for i in range(BATCHES_MADE)]
    request = any_of([post("/v1/sms/batch", body, ready.server_key) for body in bodies])
    value = bench.rounds(request, BATCH_CONNECTIONS)
    bare = bench.floor_rounds(request, BATCH_CONNECTIONS)
    floors: list[float] = []
    with bench.service.processes.paused(WORKERS):
        await value.round(WARM_UP_S, counts=False)
        storage = StorageFloor(ready.postgres_url, only_queued=True)
        with bench.profiling("batch_accept", ("api",), plan.rounds * plan.round_s * 2):
            for _ in range(plan.rounds):
                floors.append(storage.round(plan.round_s))
                await value.round(plan.round_s)
        storage.close()
        await bare.round(plan.round_s)
    return Measurement(
        name="batch_accept",
        value=value.per_second * BATCH_MESSAGES,
        floor=median(floors),
        unit="messages/s",
        target=BATCH_TARGET,
        latency=value.latency,
        details={
            "rounds_spread": value.spread,
            "floor_spread": round(spread(floors), 3),
            "cpu_us_per_message": value.cpu_us(BATCH_MESSAGES),
            "bare_http_messages_per_s": round(bare.per_second * BATCH_MESSAGES),
        },
    )
