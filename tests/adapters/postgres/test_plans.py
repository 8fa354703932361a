"""Statements that were prepared while the event store was small still look up by key when it is large."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.parked_receipts import PostgresParkedReceipts
from smsledger.application.ports import Append, CarrierReceipt
from smsledger.domain.message import MESSAGE_EVENTS, carrier_reference
from smsledger.domain.status import Status
from tests.domain.histories import queued, sending

SMALL, LARGE = 20, 5_000
_READS = """
SELECT coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0)
    + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'ledger_events')
FROM pg_stat_user_tables WHERE relname = 'ledger_events'
"""


def rows_read(database: str) -> tuple[int, int]:
    """Rows of the event store read so far by passes over the table, and by way of its indexes."""
    with psycopg.connect(database) as conn:
        conn.execute("SELECT pg_stat_force_next_flush()")
        row = conn.execute(_READS).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def settle(conn: AsyncConnection[Any]) -> None:
    """Make the session's own counts visible."""
    await conn.execute("SELECT pg_stat_force_next_flush()")


async def test_a_store_that_grew_under_prepared_statements_is_read_by_key(database: str) -> None:

    conn = await psycopg.AsyncConnection.connect(database, autocommit=True)

    async def connect() -> AsyncConnection[Any]:
        return conn

    async def send(appender: GroupCommitAppender) -> UUID:
        message_id = uuid4()
        await appender.append([Append(message_id, "acme", 1, [queued()])])
        await appender.append([Append(message_id, "acme", 2, [sending()])])
        return message_id

    appender = GroupCommitAppender(connect, MESSAGE_EVENTS, carrier_reference)
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        database, kwargs={"autocommit": True}, min_size=1, max_size=1, open=False
    )
    async with pool:
        parked = PostgresParkedReceipts(pool)
        await parked.park([CarrierReceipt("simulator", f"early-{i}", Status.DELIVERED) for i in range(3)])
        for _ in range(SMALL):
            await send(appender)
            await parked.known(10)
        await appender.append([Append(uuid4(), "acme", 1, [queued()]) for _ in range(LARGE)])
        await settle(conn)
        before = rows_read(database)
        for _ in range(10):
            await send(appender)
            assert await parked.known(10) == []
        await settle(conn)
        async with pool.connection() as reading:
            await settle(reading)
        after = rows_read(database)
    await appender.close()
    assert after[0] - before[0] < LARGE
    assert after[1] - before[1] < LARGE
