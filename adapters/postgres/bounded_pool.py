"""A pool whose connections are lent for a limited time: a PostgreSQL that has stopped answering holds nobody for ever.

It bounds reads and short writes; the appender, the projector and rebuilds have connections of their own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

LENT_S_MAX = 10.0


class NoAnswer(psycopg.OperationalError):
    """What was asked over a lent connection was not answered in time."""


class BoundedPool(AsyncConnectionPool[AsyncConnection[Any]]):
    """An AsyncConnectionPool that takes a connection back after LENT_S_MAX."""

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's signature
    ) -> AsyncIterator[AsyncConnection[Any]]:
        """As in AsyncConnectionPool. Raises NoAnswer where the block did not end in time, and PoolTimeout."""
        try:
            async with asyncio.timeout(LENT_S_MAX), super().connection(timeout) as conn:
                yield conn
        except TimeoutError as error:
            raise NoAnswer(f"PostgreSQL did not answer within {LENT_S_MAX:g} s") from error
