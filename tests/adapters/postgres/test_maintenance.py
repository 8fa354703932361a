"""Appends beside PostgreSQL's own upkeep of the event store: neither waits for the other."""

import asyncio
from uuid import uuid4

import psycopg

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.application.ports import Append, Appended
from tests.domain.histories import queued

WAIT_S_MAX = 5.0


async def test_an_append_does_not_wait_for_a_vacuum_of_the_event_store(
    appender: GroupCommitAppender, database: str
) -> None:
    with psycopg.connect(database) as conn:
        # The lock that VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY hold for as long as they take.
        conn.execute("LOCK TABLE ledger_events IN SHARE UPDATE EXCLUSIVE MODE")
        async with asyncio.timeout(WAIT_S_MAX):
            (result,) = await appender.append([Append(uuid4(), "acme", 1, [queued()])])
    assert isinstance(result, Appended)
