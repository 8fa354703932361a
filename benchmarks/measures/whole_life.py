"""Whole lives: messages fed as fast as the service brings them to DELIVERED, projected and published, all roles on.

A closed loop finds the rate: so many messages are kept between accepted and DELIVERED in the read model, which is
behind every other role. At the end each message must be there whole, and no lag may have grown.
"""

import asyncio
import time
from typing import Any

import msgspec
import nats
from nats.js.client import JetStreamContext
from psycopg import AsyncConnection

from benchmarks.bench import WORKERS, Bench
from benchmarks.floors.storage import StorageFloor
from benchmarks.floors.stream import publish_floor
from benchmarks.http_client import HttpConnection
from benchmarks.load import post
from benchmarks.messages import Requests
from benchmarks.result import Measurement, MeasurementFailed, median
from smsledger.projections.registry import for_generation, live_generation

IN_FLIGHT_MAX = 4_000
BATCH_MESSAGES = 200
FEEDERS = 2
BATCHES_MADE = 50
LOOK_S = 0.02
SAMPLE_S = 0.5
RAMP_S = 0.8
DRAIN_S_MAX = 60.0
EVENTS_PER_LIFE = 4
LAG_GROWTH_MAX = 1.5
WINDOW_EVENTS = IN_FLIGHT_MAX * EVENTS_PER_LIFE
"""The closed loop lets no lag of a role in good health grow beyond this."""
TARGET = 0.1

_DELIVERED = """
SELECT coalesce(sum(messages), 0)::bigint FROM message_counts_{generation} WHERE status = 'DELIVERED'
"""
_HEAD = "SELECT coalesce(max(notification_id), 0) FROM ledger_events"
_PROJECTED = "SELECT position FROM projections WHERE name = 'messages' AND live"
_SENT = "SELECT count(*) FROM ledger_events WHERE topic = 'message.sent.v1'"
# Messages whose events are not exactly one whole life.
_NOT_WHOLE = """
SELECT count(*) FROM (
    SELECT FROM ledger_events WHERE notification_id > %s GROUP BY originator_id
    HAVING count(*) <> 4 OR max(originator_version) <> 4
        OR count(*) FILTER (WHERE topic = 'message.delivered.v1') <> 1
) other
"""


class Lags(msgspec.Struct, frozen=True):
    """How far each role was behind at one moment: events, and messages for the dispatcher."""

    at_s: float
    head: int
    publisher: int
    projector: int
    undelivered: int


class Lives(msgspec.Struct):
    """What the closed loop knows."""

    accepted: int = 0
    delivered: int = 0


class _Watch:
    """Looks at the ledger, the read model and the stream from outside."""

    def __init__(self, conn: AsyncConnection[Any], generation: int, js: JetStreamContext) -> None:
        self._conn = conn
        self._generation = generation
        self._js = js
        self._busy = asyncio.Lock()

    @classmethod
    async def over(cls, conn: AsyncConnection[Any], js: JetStreamContext) -> "_Watch":
        live = await live_generation(conn, "messages")
        if live is None:
            raise MeasurementFailed("nothing was projected yet")
        return cls(conn, live.number, js)

    async def delivered(self) -> int:
        return await self._number(for_generation(_DELIVERED, self._generation))

    async def head(self) -> int:
        return await self._number(_HEAD)

    async def lags(self, at_s: float, undelivered: int) -> Lags:
        projected = await self._number(_PROJECTED)
        published = (await self._js.stream_info("SMSLEDGER")).state.last_seq
        head = await self._number(_HEAD)
        return Lags(at_s, head, head - published, head - projected, undelivered)

    async def not_whole(self, after: int) -> int:
        return await self._number(_NOT_WHOLE, [after])

    async def _number(self, statement: Any, parameters: Any = None) -> int:
        async with self._busy:
            row = await (await self._conn.execute(statement, parameters)).fetchone()
        return int(row[0]) if row else 0


async def whole_life(bench: Bench) -> Measurement:
    """Events per second over the whole time, four for each message that became DELIVERED in the read model."""
    ready, seconds = bench.service.ready, bench.plan.whole_life_s
    await _first_message(bench)
    client = await nats.connect(ready.nats_url)
    async with await AsyncConnection.connect(ready.postgres_url, autocommit=True) as conn:
        watch = await _Watch.over(conn, client.jetstream())
        start = await watch.head()
        lives = Lives(delivered=await watch.delivered())
        lives.accepted = lives.delivered
        await _live(
            bench, watch, lives, RAMP_S
        )  # whole lives for the floor's rows; caches and plans get warm
        await _drain(watch, lives)
        floors = _floor(bench)
        await _live(bench, watch, lives, RAMP_S / 2)  # the clock starts with messages in flight
        before, cpu_before, started = lives.delivered, bench.service.processes.cpu_s(), time.perf_counter()
        own_before = time.process_time()
        with bench.profiling("whole_life", ("api", *WORKERS, "simulator"), seconds):
            lags = await _live(bench, watch, lives, seconds)
        elapsed_s = time.perf_counter() - started
        cpu_after, own_s = bench.service.processes.cpu_s(), time.process_time() - own_before
        delivered = lives.delivered - before
        drain_s = await _drain(watch, lives)
        not_whole = await watch.not_whole(start)
    await client.close()
    if not_whole:
        raise MeasurementFailed(f"{not_whole} messages do not have exactly the four events of a whole life")
    value = EVENTS_PER_LIFE * delivered / elapsed_s
    cpu = {role: round((cpu_after[role] - cpu_before[role]) / elapsed_s, 3) for role in cpu_after}
    floors += _floor(bench)
    return Measurement(
        name="whole_life",
        value=value,
        floor=median(floors),
        unit="events/s",
        target=TARGET,
        details={
            "messages_per_s": round(value / EVENTS_PER_LIFE, 1),
            "seconds": round(elapsed_s, 1),
            "messages": delivered,
            "drained_after_s": round(drain_s, 2),
            "lag_growth": _growth(lags),
            "lag_max_events": {
                "publisher": max(x.publisher for x in lags),
                "projector": max(x.projector for x in lags),
            },
            "cpu_cores": cpu,
            "cpu_us_per_message": {
                role: round(cores * elapsed_s / max(1, delivered) * 1e6, 1) for role, cores in cpu.items()
            },
            "cpu_cores_of_the_load": round(own_s / elapsed_s, 3),
            "floors": [round(floor) for floor in floors],
            "publish_floor": round(await publish_floor(ready.postgres_url, ready.nats_url, 1.0)),
        },
    )


async def _first_message(bench: Bench) -> None:
    """The first message makes the read model's tables."""
    ready = bench.service.ready
    async with HttpConnection(ready.host, ready.port) as http:
        await http.request(post("/v1/sms", Requests(0).single(), ready.server_key))
    deadline = time.monotonic() + DRAIN_S_MAX
    async with await AsyncConnection.connect(ready.postgres_url, autocommit=True) as conn:
        while time.monotonic() < deadline:
            live = await live_generation(conn, "messages")
            if live is not None and live.position >= EVENTS_PER_LIFE:
                return
            await asyncio.sleep(LOOK_S)
    raise MeasurementFailed(f"the first message was not delivered within {DRAIN_S_MAX:g} s")


async def _live(bench: Bench, watch: _Watch, lives: Lives, seconds: float) -> list[Lags]:
    """Keep messages in flight for `seconds`; how the roles lagged meanwhile."""
    ready = bench.service.ready
    bodies = [Requests(i).batch(BATCH_MESSAGES) for i in range(BATCHES_MADE)]
    requests = [post("/v1/sms/batch", body, ready.server_key) for body in bodies]
    until = time.perf_counter() + seconds
    room = asyncio.Event()
    lags: list[Lags] = []

    async def feed(number: int) -> None:
        async with HttpConnection(ready.host, ready.port) as http:
            while time.perf_counter() < until:
                if lives.accepted - lives.delivered + BATCH_MESSAGES > IN_FLIGHT_MAX:
                    room.clear()
                    await room.wait()
                    continue
                number += 1
                lives.accepted += BATCH_MESSAGES
                await http.request(requests[number % BATCHES_MADE])

    async def look() -> None:
        sampled_at = time.perf_counter()
        while time.perf_counter() < until:
            await asyncio.sleep(LOOK_S)
            lives.delivered = await watch.delivered()
            room.set()
            if time.perf_counter() - sampled_at >= SAMPLE_S:
                sampled_at = time.perf_counter()
                lags.append(await watch.lags(sampled_at, lives.accepted - lives.delivered))
        lives.delivered = await watch.delivered()
        room.set()

    await asyncio.gather(look(), *(feed(number * BATCHES_MADE // FEEDERS) for number in range(FEEDERS)))
    return lags


async def _drain(watch: _Watch, lives: Lives) -> float:
    """Wait until everything accepted is delivered, projected and published. Raises MeasurementFailed."""
    started = time.perf_counter()
    while True:
        lives.delivered = await watch.delivered()
        lags = await watch.lags(0.0, lives.accepted - lives.delivered)
        elapsed_s = time.perf_counter() - started
        if lags.undelivered == lags.publisher == lags.projector == 0:
            return elapsed_s
        if elapsed_s >= DRAIN_S_MAX:
            raise MeasurementFailed(f"after {elapsed_s:.0f} s without load: {lags}")
        await asyncio.sleep(LOOK_S)


def _growth(lags: list[Lags]) -> dict[str, float]:
    """Median lag of the last third by that of the first. Raises MeasurementFailed where a lag grew."""
    third = max(1, len(lags) // 3)
    grown: dict[str, float] = {}
    for name in ("publisher", "projector", "undelivered"):
        first = median([getattr(one, name) for one in lags[:third]])
        last = median([getattr(one, name) for one in lags[-third:]])
        if last > max(first * LAG_GROWTH_MAX, WINDOW_EVENTS):
            raise MeasurementFailed(f"the lag of {name} grew from {first:.0f} to {last:.0f}")
        grown[name] = round(last / first, 3) if first else 1.0
    return grown


def _floor(bench: Bench) -> list[float]:
    """Taken right before and right after the value."""
    floor = StorageFloor(bench.service.ready.postgres_url, only_queued=False)
    try:
        return [floor.round(bench.plan.round_s) for _ in range(bench.plan.storage_rounds)]
    finally:
        floor.close()
