"""The read-and-decode floor: the event rows read in batches by position, and each event decoded. Nothing is made of it."""

import time

import psycopg

from smsledger.domain.message import MESSAGE_EVENTS

ROWS_PER_BATCH = 10_000
_AFTER = """
SELECT notification_id, originator_id, originator_version, topic, state
FROM ledger_events WHERE notification_id > %b ORDER BY notification_id LIMIT %b
"""


def read_and_decode(postgres_url: str) -> float:
    """Events read and decoded per second, over the whole event store."""
    decode = MESSAGE_EVENTS.decode
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        position = events = 0
        started = time.perf_counter()
        while rows := conn.execute(_AFTER, [position, ROWS_PER_BATCH], binary=True).fetchall():
            for row in rows:
                decode(row[3], row[4])
            position = rows[-1][0]
            events += len(rows)
        return events / (time.perf_counter() - started)
