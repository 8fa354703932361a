"""The ledger's recorder keeps the contract of the `eventsourcing` library, and the promises about positions."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.tests.persistence import ApplicationRecorderTestCase

from smsledger.adapters.postgres.recorder import LedgerRecorder, datastore

WRITERS = 8


def stored(originator_id: UUID, version: int, state: bytes = b"state") -> StoredEvent:
    return StoredEvent(originator_id, version, "topic", state)


@pytest.fixture
def recorder(database: str) -> Iterator[LedgerRecorder]:
    store = datastore(database, pool_size=1, max_overflow=WRITERS)
    yield LedgerRecorder(store)
    store.close()


class TestTheLibrarysOwnCases(ApplicationRecorderTestCase[LedgerRecorder]):
    """As the library ships them. Its AggregateRecorderTestCase is for recorders that give no positions."""

    @pytest.fixture(autouse=True)
    def _recorder(self, recorder: LedgerRecorder) -> None:
        self.recorder = recorder

    def create_recorder(self) -> LedgerRecorder:
        return self.recorder

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


del ApplicationRecorderTestCase  # else it would be collected by itself


@pytest.mark.parametrize("megabytes", [2, 16])
@pytest.mark.parametrize("event_bytes", [1_000, 1_000_000])
def test_a_large_insert_neither_hangs_nor_fails(
    recorder: LedgerRecorder, megabytes: int, event_bytes: int
) -> None:
    message = uuid4()
    count = megabytes * 1_000_000 // event_bytes
    positions = recorder.insert_events(
        [stored(message, version, bytes(event_bytes)) for version in range(1, count + 1)]
    )
    assert positions == list(range(1, count + 1))
    assert recorder.max_notification_id() == count


def test_a_refused_insert_leaves_no_gap_and_stores_nothing_of_itself(recorder: LedgerRecorder) -> None:
    first, second = uuid4(), uuid4()
    assert recorder.insert_events([stored(first, 1)]) == [1]
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(second, 1), stored(second, 2), stored(first, 1)])
    with pytest.raises(IntegrityError):
        recorder.insert_events([stored(second, 1), stored(second, 1)])
    assert recorder.select_events(second) == []
    assert recorder.insert_events([stored(second, 1), stored(second, 2)]) == [2, 3]


def test_an_insert_of_nothing_is_nothing(recorder: LedgerRecorder) -> None:
    assert recorder.insert_events([]) == []
    assert recorder.max_notification_id() is None


def test_an_id_that_is_not_a_uuid_is_refused_and_not_left_out(recorder: LedgerRecorder) -> None:
    with pytest.raises(TypeError):
        recorder.insert_events([stored(uuid4(), 1), StoredEvent("some-text", 1, "topic", b"state")])
    assert recorder.max_notification_id() is None


def test_bytes_come_back_as_they_were(recorder: LedgerRecorder) -> None:
    message, state = uuid4(), bytes(range(256))
    recorder.insert_events([stored(message, 1, state), stored(message, 2, b"")])
    assert [event.state for event in recorder.select_events(message)] == [state, b""]


def test_a_rolled_back_transaction_leaves_no_gap(recorder: LedgerRecorder, database: str) -> None:
    recorder.insert_events([stored(uuid4(), 1)])
    with psycopg.connect(database) as conn:
        conn.execute(
            """SELECT ledger_append(ARRAY[1], ARRAY[gen_random_uuid()], ARRAY[1::bigint], ARRAY['t'],
            ARRAY['acme'], ARRAY[now()], ARRAY[NULL::text], ARRAY[''::bytea])"""
        )
        conn.rollback()
    assert recorder.insert_events([stored(uuid4(), 1)]) == [2]


def write(recorder: LedgerRecorder, inserts: int, contested: Sequence[UUID]) -> int:
    """Inserts of a few events, some of them refused; how many events were stored."""
    count = 0
    for number in range(inserts):
        events = [stored(uuid4(), version) for version in range(1, 1 + number % 4)]
        events.append(stored(contested[number % len(contested)], number))
        try:
            positions = recorder.insert_events(events)
        except IntegrityError:
            continue
        assert positions is not None
        assert list(positions) == list(range(positions[0], positions[0] + len(events)))
        count += len(events)
    return count


def follow(database: str, done: Event) -> list[int]:
    """Positions as a naive reader sees them, until the writers are done and nothing is left."""
    seen = [0]
    with psycopg.connect(database, autocommit=True) as conn:
        while True:
            last = done.is_set()
            rows = conn.execute(
                "SELECT notification_id FROM ledger_events WHERE notification_id > %s ORDER BY 1 LIMIT 50",
                [seen[-1]],
            ).fetchall()
            seen += [row[0] for row in rows]
            if last and not rows:
                return seen[1:]


def test_a_naive_reader_beside_many_writers_misses_nothing_and_sees_no_gap(
    recorder: LedgerRecorder, database: str
) -> None:
    contested = [uuid4() for _ in range(4)]
    done = Event()
    with ThreadPoolExecutor(WRITERS + 2) as pool:
        readers = [pool.submit(follow, database, done) for _ in range(2)]
        writers: list[Any] = [pool.submit(write, recorder, 60, contested) for _ in range(WRITERS)]
        try:
            written = sum(writer.result() for writer in writers)
        finally:
            done.set()
        for reader in readers:
            assert reader.result() == list(range(1, written + 1))
