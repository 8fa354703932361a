"""What holds for every test, a PostgreSQL with a fresh, migrated database, and a NATS, for whoever needs one.

SMSLEDGER_TEST_POSTGRES_URL names a server to use, as a superuser, and SMSLEDGER_TEST_NATS_URL one with
JetStream and nothing else in it; without them they are started from their wheels.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from smsledger.adapters.postgres.migrate import migrate

# No time limit per example: a busy machine is not a fault, and speed belongs in `benchmarks/`.
settings.register_profile(
    "smsledger", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("smsledger")


EMPTIED = (
    "suppressions",
    "idempotency_keys",
    *("ledger_events", "cursors", "loops", "parked_events", "parked_receipts"),
    "parked_inbound",
    "rate_windows",
    "webhook_endpoints",
    *("senders", "template_approvals", "template_versions", "templates", "api_keys", "organizations"),
)
"""The tables that tests on a reused database fill, in an order that foreign keys allow."""


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server, for tests that need nothing migrated."""
    url = os.environ.get("SMSLEDGER_TEST_POSTGRES_URL")
    if url:
        yield url
        return
    from smsledger.runtime.embedded.postgres import start_postgres  # not needed with a server

    # A throw-away server need not survive a power cut, and without fsync a fresh database takes half the time.
    server = start_postgres(tmp_path_factory.mktemp("postgres"), settings={"fsync": "off"})
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> Iterator[str]:
    """The name of a database that is migrated once and copied for each test."""
    with _database(postgres_url, f"template_{secrets.token_hex(6)}") as name:
        migrate(make_conninfo(postgres_url, dbname=name))
        yield name


@pytest.fixture
def database(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """The connection string of a fresh, migrated database."""
    with _database(postgres_url, f"test_{secrets.token_hex(6)}", migrated_template) as name:
        yield make_conninfo(postgres_url, dbname=name)


@pytest.fixture(scope="session")
def _reused_database(postgres_url: str, migrated_template: str) -> Iterator[str]:
    with _database(postgres_url, f"reused_{secrets.token_hex(6)}", migrated_template) as name:
        yield make_conninfo(postgres_url, dbname=name)


@pytest.fixture
def emptied_database(_reused_database: str) -> str:
    """The connection string of a migrated database without rows, in a fraction of the time of a fresh one.

    For tests that change neither tables nor projections; a folder's conftest makes it the folder's `database`.
    """
    with psycopg.connect(_reused_database, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        for table in EMPTIED:
            conn.execute(SQL("DELETE FROM {}").format(Identifier(table)))
    return _reused_database


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The connection string of a database without any table."""
    with _database(postgres_url, f"empty_{secrets.token_hex(6)}") as name:
        yield make_conninfo(postgres_url, dbname=name)


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with JetStream. Streams on it cannot share subjects: a test deletes its own when it ends."""
    url = os.environ.get("SMSLEDGER_TEST_NATS_URL")
    if url:
        yield url
        return
    from smsledger.runtime.embedded.nats import start_nats  # not needed with a server

    server = start_nats(tmp_path_factory.mktemp("nats"))
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def _database(server: str, name: str, template: str = "template1") -> Iterator[str]:
    with closing(psycopg.connect(server, autocommit=True)) as conn:
        conn.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        try:
            yield name
        finally:
            conn.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
