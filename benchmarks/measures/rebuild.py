"""How fast the messages projection is rebuilt from the event store, against reading and decoding the same events."""

from typing import Any

import psycopg
from psycopg import AsyncConnection

from benchmarks.bench import Bench
from benchmarks.floors.reading import read_and_decode
from benchmarks.result import Measurement, MeasurementFailed, median
from smsledger.projections.rebuild import rebuild as rebuild_projection
from smsledger.runtime.services import settle_garbage

TARGET = 0.2
_EVENTS = "SELECT count(*) FROM ledger_events"


async def rebuild(bench: Bench) -> Measurement:
    """Events per second, the building of indexes and the switch included: what `smsledger projections rebuild` does."""
    settle_garbage()  # as the command does
    url = bench.service.ready.postgres_url
    with psycopg.connect(url) as conn:
        row = conn.execute(_EVENTS).fetchone()
    if row is None or row[0] == 0:
        raise MeasurementFailed("the event store is empty: measure whole_life first")

    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(url, autocommit=True)

    values: list[float] = []
    floors: list[float] = [read_and_decode(url)]
    for _ in range(bench.plan.rebuild_rounds):
        report = await rebuild_projection(connect, "messages")
        values.append(report.events / report.elapsed_s)
        floors.append(read_and_decode(url))
    return Measurement(
        name="rebuild",
        value=median(values),
        floor=median(floors),
        unit="events/s",
        target=TARGET,
        details={"events": row[0]},
    )
