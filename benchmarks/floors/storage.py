"""The storage floor: binary COPY of the rows that the event store has, one transaction per 500, one connection.

The table has the event store's columns, its primary key and its index on positions; rows are made before the clock
runs. No lock, no check, no notification.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import uuid_utils.compat

from benchmarks.result import MeasurementFailed

ROWS_PER_TRANSACTION = 500

_CREATE = """
CREATE TABLE IF NOT EXISTS bench_storage_floor (LIKE ledger_events,
    PRIMARY KEY (originator_id, originator_version));
CREATE UNIQUE INDEX IF NOT EXISTS bench_storage_floor_position ON bench_storage_floor (notification_id)
"""
_EMPTY = "TRUNCATE bench_storage_floor"
_DROP = "DROP TABLE IF EXISTS bench_storage_floor"
_COPY = """
COPY bench_storage_floor (notification_id, originator_id, originator_version, topic, organization_id, recorded_at,
    carrier_reference, state) FROM STDIN (FORMAT BINARY)
"""
_TYPES = ["int8", "uuid", "int8", "text", "text", "timestamptz", "text", "bytea"]
# What the event store holds, newest first: whole messages, or only what accepting them wrote.
_SAMPLE = """
SELECT originator_id, originator_version, topic, organization_id, recorded_at, carrier_reference, state
FROM ledger_events WHERE topic = 'message.queued.v1' OR NOT %s ORDER BY notification_id DESC LIMIT 20000
"""


class StorageFloor:
    """Measures rows per second; `only_queued` takes the rows of accepted messages only, else of whole lives."""

    def __init__(self, postgres_url: str, *, only_queued: bool) -> None:
        self._conn = psycopg.connect(postgres_url, autocommit=True)
        self._conn.execute(_CREATE)
        self._sample = self._conn.execute(_SAMPLE, [only_queued], binary=True).fetchall()[::-1]
        if not self._sample:
            raise MeasurementFailed("the event store has no rows to copy")

    def round(self, seconds: float) -> float:
        """Rows stored per second, over about `seconds`."""
        self._conn.execute(_EMPTY)
        position, stored, spent_s = 0, 0, 0.0
        while spent_s < seconds:
            batches = self._batches(position)
            started = time.perf_counter()
            for rows in batches:
                with self._conn.transaction(), self._conn.cursor() as cursor, cursor.copy(_COPY) as copy:
                    copy.set_types(_TYPES)
                    for row in rows:
                        copy.write_row(row)
                stored += len(rows)
                if spent_s + time.perf_counter() - started >= seconds:
                    break
            spent_s += time.perf_counter() - started
            position += len(self._sample)
        return stored / spent_s

    def close(self) -> None:
        """Remove the table."""
        self._conn.execute(_DROP)
        self._conn.close()

    def _batches(self, position: int) -> list[list[tuple[Any, ...]]]:
        rows = list(_fresh(self._sample, position))
        return [rows[i : i + ROWS_PER_TRANSACTION] for i in range(0, len(rows), ROWS_PER_TRANSACTION)]


def _fresh(sample: Sequence[tuple[Any, ...]], position: int) -> Iterator[tuple[Any, ...]]:
    """The rows again, under new message ids and positions."""
    ids: dict[UUID, UUID] = {}
    for place, (message_id, *rest) in enumerate(sample, position + 1):
        fresh = ids.get(message_id)
        if fresh is None:
            fresh = ids[message_id] = uuid_utils.compat.uuid7()
        yield place, fresh, *rest
