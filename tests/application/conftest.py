"""The use cases on a real event store, with a clock that the test sets."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.adapters.postgres.parked_receipts import PostgresParkedReceipts
from smsledger.application.ledger import MessageLedger
from smsledger.application.receipts import ReceiptIntake
from smsledger.domain.ledger_events import LEDGER_EVENTS
from smsledger.domain.message import carrier_reference

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class SetClock:
    """A clock that stands until the test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move it."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def database(emptied_database: str) -> str:
    """The tests of this folder write rows only."""
    return emptied_database


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool: Pool = AsyncConnectionPool(
        database, kwargs={"autocommit": True}, min_size=1, max_size=4, open=False
    )
    async with pool:
        yield pool


@pytest.fixture
async def appender(database: str) -> AsyncIterator[GroupCommitAppender]:
    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(database, autocommit=True)

    appender = GroupCommitAppender(connect, LEDGER_EVENTS, carrier_reference)
    yield appender
    await appender.close()


@pytest.fixture
def reader(pool: Pool) -> PostgresEventReader:
    return PostgresEventReader(pool, LEDGER_EVENTS)


@pytest.fixture
def ledger(reader: PostgresEventReader, appender: GroupCommitAppender) -> MessageLedger:
    return MessageLedger(reader, appender)


@pytest.fixture
def parked(pool: Pool) -> PostgresParkedReceipts:
    return PostgresParkedReceipts(pool)


@pytest.fixture
def receipts(
    ledger: MessageLedger, reader: PostgresEventReader, parked: PostgresParkedReceipts, clock: SetClock
) -> ReceiptIntake:
    return ReceiptIntake(ledger, reader, parked, clock)
