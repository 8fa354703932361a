"""A ledger on a fresh database, and a proxy before it that can fail."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.domain.message import MESSAGE_EVENTS, carrier_reference
from tests.faults.tcp_proxy import TcpProxy

APPENDER = "appender under test"


@pytest.fixture
def database(emptied_database: str) -> str:
    """The tests of this folder write rows only."""
    return emptied_database


@pytest.fixture
def look(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to look at tables with."""
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[TcpProxy]:
    """The way to the server that a test can break."""
    server = conninfo_to_dict(database)
    host, port = str(server["host"]), int(server.get("port") or 5432)
    upstream = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
    async with TcpProxy(upstream).serving() as proxy:
        yield proxy


@pytest.fixture
def proxied(database: str, proxy: TcpProxy) -> str:
    """The connection string of `database` by way of the proxy."""
    return make_conninfo(
        database,
        host="127.0.0.1",
        port=proxy.port,
        sslmode="disable",
        gssencmode="disable",
        connect_timeout=5,
    )


@pytest.fixture
async def appender(database: str) -> AsyncIterator[GroupCommitAppender]:
    """An appender with the limits of production."""

    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(database, autocommit=True, application_name=APPENDER)

    appender = GroupCommitAppender(connect, MESSAGE_EVENTS, carrier_reference)
    yield appender
    await appender.close()
