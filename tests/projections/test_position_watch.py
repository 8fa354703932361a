"""Waiting for a position ends when the lists reflect it, and not before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from smsledger.projections.position_watch import PositionWatch
from smsledger.projections.projector import Projector

from .store import Connect, Ledger, catch_up, new_id, queued, sending


class Lender:
    """Lends one connection, and counts how often."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.lent = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        self.lent += 1
        async with await self.connect() as conn:
            yield conn


async def test_a_position_that_is_projected_is_there_at_once(
    ledger: Ledger, projector: Projector, connect: Connect
) -> None:
    await ledger.append(new_id(), queued(), sending())
    await catch_up(projector)
    lender = Lender(connect)
    watch = PositionWatch(lender.connection)
    assert await watch.wait_for_position(2)
    assert await watch.wait_for_position(1)
    assert lender.lent == 1


async def test_many_waiters_share_one_look_and_are_answered_when_the_projector_came_by(
    ledger: Ledger, projector: Projector, connect: Connect
) -> None:
    lender = Lender(connect)
    watch = PositionWatch(lender.connection)
    waiting = [asyncio.create_task(watch.wait_for_position(position)) for position in (1, 2, 2, 1)]
    await asyncio.sleep(0)
    await ledger.append(new_id(), queued(), sending())
    await catch_up(projector)
    assert await asyncio.gather(*waiting) == [True] * 4
    await watch.close()


async def test_a_position_that_does_not_come_is_waited_for_no_longer_than_asked(
    ledger: Ledger, connect: Connect
) -> None:
    watch = PositionWatch(Lender(connect).connection)
    assert not await watch.wait_for_position(1, timeout_s=0.05)
    await ledger.append(new_id(), queued())
    assert not await watch.wait_for_position(1, timeout_s=0.05)
    await watch.close()


async def test_waiters_hear_that_the_register_cannot_be_read() -> None:
    async def refuse() -> AsyncConnection[Any]:
        raise psycopg.OperationalError("no connection")

    watch = PositionWatch(Lender(refuse).connection)
    with pytest.raises(psycopg.OperationalError):
        await watch.wait_for_position(1)
