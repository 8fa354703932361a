"""The event store's table as an `eventsourcing` application recorder, with the ledger's own bulk insert.

It keeps the contract of PostgresApplicationRecorder (ids visible in commit order, all or nothing) and adds the
columns of the ledger. It does not collect concurrent appends: that is `appender.py`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed, Identifier

from .arrays import ByteaArray, Int4Array, Int8Array, TextArray, TimeArray, UuidArray

EVENTS_TABLE = "ledger_events"


class Row(msgspec.Struct, frozen=True, gc=False):
    """One event on its way into the table."""

    append_number: int
    aggregate_id: UUID
    version: int
    topic: str
    organization_id: str
    recorded_at: datetime
    carrier_reference: str | None
    state: bytes


def datastore(
    conninfo: str, *, schema: str = "public", pool_size: int = 1, max_overflow: int = 4
) -> PostgresDatastore:
    """An eventsourcing datastore for a libpq connection string or URL."""
    store = PostgresDatastore(
        dbname="",
        host="",
        port="",
        user="",
        password="",
        schema=schema,
        pool_size=pool_size,
        max_overflow=max_overflow,
    )
    # The library's constructor knows five parameters only; a URL may carry others (TLS, options).
    store.pool.kwargs = {**conninfo_to_dict(conninfo), "row_factory": dict_row}
    return store


def append_statement(schema: str) -> Composed:
    """The statement that writes events without conditions; `appender.py` has the one with them."""
    return SQL("SELECT base, refused FROM {}.ledger_append(%b, %b, %b, %b, %b, %b, %b, %b)").format(
        Identifier(schema)
    )


def append_parameters(rows: Sequence[Row]) -> list[Any]:
    """The statement's parameters: one array per column."""
    return [
        Int4Array.of([row.append_number for row in rows]),
        UuidArray.of([row.aggregate_id for row in rows]),
        Int8Array.of([row.version for row in rows]),
        TextArray.of([row.topic for row in rows]),
        TextArray.of([row.organization_id for row in rows]),
        TimeArray.of([row.recorded_at for row in rows]),
        TextArray.of([row.carrier_reference for row in rows]),
        ByteaArray.of([row.state for row in rows]),
    ]


class LedgerRecorder(PostgresApplicationRecorder):
    """PostgresApplicationRecorder over `ledger_events`.

    The library's own insert runs in a psycopg pipeline whose sync() can hang for ever once about 800 kB are
    waiting; this one is a single statement outside a pipeline, and takes its lock in the same round trip.
    """

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = EVENTS_TABLE) -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        self.sql_create_statements.clear()  # tables come from migrations
        self._append = append_statement(datastore.schema)

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Store all events or none; their positions, in order. Raises IntegrityError where a version exists.

        Raises TypeError for an originator_id that is not a UUID; nothing is stored then.
        """
        if not stored_events:
            return []
        now = datetime.now(UTC)
        rows = [
            Row(0, _uuid(event), event.originator_version, event.topic, "", now, None, event.state)
            for event in stored_events
        ]
        with self.datastore.get_connection() as conn:
            result = conn.execute(self._append, append_parameters(rows), binary=True).fetchone()
        if result is None or result["refused"]:
            msg = "an event with this originator_id and originator_version exists already"
            raise IntegrityError(msg)
        return list(range(result["base"] + 1, result["base"] + 1 + len(rows)))


def _uuid(event: StoredEvent) -> UUID:
    """The ledger's aggregates have UUIDs; the library knows text ids too."""
    if not isinstance(event.originator_id, UUID):
        msg = f"originator_id must be a UUID, not {type(event.originator_id).__name__}"
        raise TypeError(msg)
    return event.originator_id
