"""The publish floor: the same payloads into a JetStream stream, a window of publishes under way, with message ids."""

import time
from collections.abc import Sequence

import nats
import psycopg
from nats.js.api import StorageType, StreamConfig

from benchmarks.result import MeasurementFailed
from smsledger.adapters.nats import subjects
from smsledger.application import cloud_events
from smsledger.domain.event import Stored

WINDOW = 1_000
STREAM = "BENCH"
PREFIX = "bench."
_SAMPLE = """
SELECT notification_id, originator_id, originator_version, topic, organization_id, recorded_at, state
FROM ledger_events ORDER BY notification_id DESC LIMIT 10000
"""


async def publish_floor(postgres_url: str, nats_url: str, seconds: float) -> float:
    """Messages published per second."""
    messages = _sample(postgres_url)
    client = await nats.connect(nats_url)
    try:
        js = client.jetstream(publish_async_max_pending=WINDOW)
        await js.add_stream(StreamConfig(name=STREAM, subjects=[f"{PREFIX}>"], storage=StorageType.FILE))
        published = 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            for subject, payload in messages:
                published += 1
                await js.publish_async(subject, payload, headers={"Nats-Msg-Id": str(published)})
                if published % WINDOW == 0 and time.perf_counter() - started >= seconds:
                    break
        await js.publish_async_completed()
        elapsed_s = time.perf_counter() - started
        await js.delete_stream(STREAM)
    finally:
        await client.close()
    return published / elapsed_s


def _sample(postgres_url: str) -> Sequence[tuple[str, bytes]]:
    with psycopg.connect(postgres_url) as conn:
        events = [Stored(*row) for row in conn.execute(_SAMPLE, binary=True)]
    if not events:
        raise MeasurementFailed("the event store has no events to publish")
    return [(PREFIX + subjects.subject_of(event), cloud_events.encode(event)) for event in events]
