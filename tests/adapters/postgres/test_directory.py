"""The directory: what one row in it does to the others, and to what is kept in memory."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.adapters.postgres import directory as directory_module
from smsledger.adapters.postgres.directory import PostgresDirectory
from smsledger.application.directory import RateLimits, TemplateFailed
from tests.http.organizations import make_organization, make_template


@pytest.fixture
async def directory(database: str) -> AsyncIterator[PostgresDirectory]:
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        database, kwargs={"autocommit": True}, min_size=1, max_size=2, open=False
    )
    async with pool:
        yield PostgresDirectory(pool)


async def test_a_template_that_is_no_liquid_fails_alone(
    directory: PostgresDirectory, database: str, look: psycopg.Connection[Any]
) -> None:
    look.execute("INSERT INTO organizations (organization_id, name) VALUES ('acme', 'Acme')")
    good, broken = (make_template(database, "acme", body)[0] for body in ("Code {{ code }}", "{% if %}"))
    templates = (await directory.organization("acme")).templates_by_id
    assert templates[good].compiled.render({"code": "1"}) == "Code 1"
    with pytest.raises(TemplateFailed):
        templates[broken].compiled.render({})


async def test_unknown_keys_push_no_known_one_out_of_memory(
    directory: PostgresDirectory,
    database: str,
    look: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(directory_module, "KEYS_MAX", 3)
    presented = make_organization(database).server_key
    known = await directory.key(presented)
    assert known is not None
    for number in range(10):
        assert await directory.key(f"sk_unknown_{number}") is None
    look.execute("DELETE FROM api_keys")  # from now on only the memory can know it
    assert await directory.key(presented) == known
    await directory.refresh()
    assert await directory.key(presented) is None


async def test_an_organization_has_the_default_rate_limits_until_it_is_given_its_own(
    directory: PostgresDirectory, look: psycopg.Connection[Any]
) -> None:
    look.execute("INSERT INTO organizations (organization_id, name) VALUES ('acme', 'Acme')")
    assert (await directory.organization("acme")).rate_limits == RateLimits(send=100, batch=10, read=100)
    await directory.refresh()
    look.execute("""UPDATE organizations SET rate_limits = '{"send": 7, "batch": 1}'""")
    await directory.refresh()
    assert (await directory.organization("acme")).rate_limits == RateLimits(send=7, batch=1, read=100)
