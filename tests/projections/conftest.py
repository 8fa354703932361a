"""A ledger and a projector on a fresh database."""

from collections.abc import AsyncIterator

import pytest

from smsledger.projections.projector import Projector

from .store import Connect, Ledger, connecting_to


@pytest.fixture
def connect(database: str) -> Connect:
    """What makes connections to the test's database."""
    return connecting_to(database)


@pytest.fixture
async def ledger(connect: Connect) -> AsyncIterator[Ledger]:
    """The event store, and a connection to look at tables with."""
    conn = await connect()
    async with conn:
        yield Ledger(conn)


@pytest.fixture
async def projector(connect: Connect) -> AsyncIterator[Projector]:
    """The projector that feeds the lists."""
    async with Projector(connect) as projector:
        yield projector
