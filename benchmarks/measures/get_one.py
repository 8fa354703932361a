"""How fast one message is read: `GET /v1/sms/{id}` of random delivered messages, against a fixed answer."""

import psycopg

from benchmarks.bench import Bench
from benchmarks.load import any_of, get
from benchmarks.result import Measurement, MeasurementFailed
from smsledger.domain.ids import render_message_id

CONNECTIONS = 32
WARM_UP_S = 0.3
TARGET = 0.4

_DELIVERED = """
SELECT originator_id FROM ledger_events WHERE topic = 'message.delivered.v1' ORDER BY random() LIMIT 20000
"""


async def get_one(bench: Bench) -> Measurement:
    """Requests per second from 32 connections; the message is folded from its own events."""
    ready, plan = bench.service.ready, bench.plan
    with psycopg.connect(ready.postgres_url) as conn:
        ids = [row[0] for row in conn.execute(_DELIVERED)]
    if not ids:
        raise MeasurementFailed("there are no delivered messages to read: measure whole_life first")
    request = any_of(
        [get(f"/v1/sms/{render_message_id(message_id)}", ready.server_key) for message_id in ids]
    )
    value, floor = bench.rounds(request, CONNECTIONS), bench.floor_rounds(request, CONNECTIONS)
    for rounds in (floor, value):
        await rounds.round(WARM_UP_S, counts=False)
    with bench.profiling("get_one", ("api",), plan.get_rounds * plan.round_s * 2):
        for _ in range(plan.get_rounds):
            await floor.round(plan.round_s)
            await value.round(plan.round_s)
    return Measurement(
        name="get_one",
        value=value.per_second,
        floor=floor.per_second,
        unit="requests/s",
        target=TARGET,
        latency=value.latency,
        floor_latency=floor.latency,
        details={
            "rounds_spread": value.spread,
            "floor_spread": floor.spread,
            "cpu_us_per_request": value.cpu_us(),
            "floor_cpu_us_per_request": floor.cpu_us(),
        },
    )
