"""The administration's stores and use cases on a real PostgreSQL: what changes, what does not, and what races end as."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from smsledger.adapters.phone_numbers import E164Numbers
from smsledger.adapters.postgres.directory import PostgresDirectory
from smsledger.adapters.postgres.key_uses import NOTED_MAX, PostgresKeyUses
from smsledger.application.accept import InvalidField
from smsledger.application.admin.administration import Administration
from smsledger.application.admin.approvals import Approve
from smsledger.application.admin.keys import CreateKey
from smsledger.application.admin.keywords import KeywordChange
from smsledger.application.admin.listing import ListPage
from smsledger.application.admin.organizations import (
    ChangeOrganization,
    CreateOrganization,
    OrganizationExists,
    RateLimitChange,
)
from smsledger.application.admin.senders import AddSender, SenderFilter, SenderTaken
from smsledger.application.admin.templates import AliasTaken, ChangeTemplate, CreateTemplate, CreateVersion
from smsledger.application.directory import KeyKind, Sender
from smsledger.runtime.administration import open_administration

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool: Pool = AsyncConnectionPool(
        database, kwargs={"autocommit": True}, min_size=1, max_size=8, open=False
    )
    async with pool:
        yield pool


@pytest.fixture
def administration(pool: Pool) -> Administration:
    return open_administration(pool.connection, E164Numbers())


@pytest.fixture
async def acme(administration: Administration) -> str:
    """An organization."""
    made = await administration.organizations.create(CreateOrganization(organization_id="acme", name="Acme"))
    return made.organization_id


@pytest.fixture
def directory(pool: Pool) -> PostgresDirectory:
    return PostgresDirectory(pool)


def version(look: psycopg.Connection[Any]) -> int:
    """How often the directory has changed."""
    row = look.execute("SELECT version FROM directory_version").fetchone()
    assert row is not None
    found: int = row[0]
    return found


async def make_key(administration: Administration, organization_id: str, **more: Any) -> Any:
    command = CreateKey(organization_id=organization_id, kind=KeyKind.SENDING, name="shop", **more)
    return await administration.keys.create(command)


async def test_an_organizations_limits_and_keywords_reach_the_directory(
    administration: Administration, directory: PostgresDirectory, acme: str
) -> None:
    change = ChangeOrganization(
        rate_limits=RateLimitChange(send=7), keywords=KeywordChange(opt_out=("BASTA",), help_reply=None)
    )
    changed = await administration.organizations.change(acme, change)
    found = await directory.organization(acme)
    assert (found.rate_limits, found.keywords) == (changed.rate_limits, changed.keywords)
    assert (found.rate_limits.send, found.rate_limits.batch) == (7, 10)
    assert found.keywords.opt_out == ("BASTA",)
    assert found.keywords.opt_in == ("START", "UNSTOP", "YES")
    assert found.keywords.help_reply is None


async def test_a_refused_change_changes_nothing(
    administration: Administration, acme: str, look: psycopg.Connection[Any]
) -> None:
    before = version(look), await administration.organizations.get(acme)
    change = ChangeOrganization(
        name="New", rate_limits=RateLimitChange(send=5), keywords=KeywordChange(opt_out=())
    )
    with pytest.raises(InvalidField, match=r"keywords\.optOut"):
        await administration.organizations.change(acme, change)
    assert (version(look), await administration.organizations.get(acme)) == before


async def test_what_changes_nothing_empties_no_cache(
    administration: Administration, acme: str, look: psycopg.Connection[Any]
) -> None:
    key = await make_key(administration, acme)
    template = await administration.templates.create(CreateTemplate(alias="otp", name="OTP", body="x"))
    await administration.approvals.approve(template.template_id, acme, Approve(custom_alias="login"))
    await administration.keys.revoke(key.key_id)
    before = version(look)
    await administration.keys.revoke(key.key_id)
    await administration.organizations.change(acme, ChangeOrganization(name="Acme"))
    await administration.templates.change(template.template_id, ChangeTemplate(version=1))
    again = await administration.approvals.approve(template.template_id, acme, Approve(custom_alias="login"))
    assert again.custom_alias == "login"
    await administration.approvals.withdraw(template.template_id, acme)
    after_withdrawal = version(look)
    assert after_withdrawal == before + 1
    await administration.approvals.withdraw(template.template_id, acme)
    assert version(look) == after_withdrawal


async def test_of_those_that_create_the_same_at_once_one_wins(
    administration: Administration, acme: str
) -> None:
    create = CreateOrganization(organization_id="race", name="Race")
    results = await asyncio.gather(
        *(administration.organizations.create(create) for _ in range(6)), return_exceptions=True
    )
    assert (
        sorted(type(one).__name__ for one in results)
        == ["OrganizationDetail"] + [OrganizationExists.__name__] * 5
    )

    own = CreateTemplate(alias="same", name="Own", body="x", organization_id=acme)
    pool = await administration.templates.create(CreateTemplate(alias="pool", name="Pool", body="x"))
    clashes = await asyncio.gather(
        administration.templates.create(own),
        administration.approvals.approve(pool.template_id, acme, Approve(custom_alias="same")),
        return_exceptions=True,
    )
    assert sum(isinstance(one, AliasTaken) for one in clashes) == 1

    template = await administration.templates.create(CreateTemplate(alias="many", name="Many", body="x"))
    versions = await asyncio.gather(
        *(
            administration.templates.add_version(template.template_id, CreateVersion(body=f"text {n}"))
            for n in range(5)
        )
    )
    assert sorted(one.version for one in versions) == [2, 3, 4, 5, 6]


async def test_a_custom_alias_wins_over_the_pools_alias(
    administration: Administration, directory: PostgresDirectory, acme: str
) -> None:
    ids = [
        (
            await administration.templates.create(CreateTemplate(alias=alias, name=alias, body=alias))
        ).template_id
        for alias in ("otp", "otp-2")
    ]
    for template_id, alias in zip(ids, (None, "otp"), strict=True):
        await administration.approvals.approve(template_id, acme, Approve(custom_alias=alias))
    found = await directory.organization(acme)
    assert found.templates_by_alias["otp"].template_id == ids[1]
    assert found.templates_by_alias["otp-2"].template_id == ids[1]
    assert found.templates_by_id[ids[0]].approved


async def test_the_version_that_is_set_is_sent(
    administration: Administration, directory: PostgresDirectory, acme: str
) -> None:
    own = CreateTemplate(alias="own", name="Own", body="one", organization_id=acme)
    template_id = (await administration.templates.create(own)).template_id

    async def sent() -> tuple[int, str]:
        await directory.refresh()
        template = (await directory.organization(acme)).templates_by_id[template_id]
        return template.version, template.compiled.render({})

    assert await sent() == (1, "one")
    await administration.templates.add_version(template_id, CreateVersion(body="two"))
    assert await sent() == (2, "two")
    waiting = await administration.templates.add_version(template_id, CreateVersion(body="three", send=False))
    assert (waiting.sent, await sent()) == (False, (2, "two"))
    await administration.templates.change(template_id, ChangeTemplate(version=1))
    assert await sent() == (1, "one")
    await administration.templates.change(template_id, ChangeTemplate(version=3))
    assert await sent() == (3, "three")


async def test_a_sender_serves_several_countries_and_one_owner(
    administration: Administration, directory: PostgresDirectory, acme: str
) -> None:
    senders = administration.senders
    for country in ("DE", "FR"):
        await senders.add(AddSender(sender="Acme", country=country, organization_id=acme))
    with pytest.raises(SenderTaken, match="organization `acme`"):
        await senders.add(AddSender(sender="Acme", country="GB"))
    await senders.add(AddSender(sender="+18005551234", country="US"))
    await senders.add(AddSender(sender="+18005551234", country="CA", accept_country_mismatch=True))
    await senders.add(AddSender(sender="+4915123456789", country="DE"))
    found = (await directory.organization(acme)).senders
    assert {country: list(listed) for country, listed in found.items()} == {
        "CA": [Sender("+18005551234", True)],
        "DE": [Sender("Acme", False)],
        "FR": [Sender("Acme", False)],
        "US": [Sender("+18005551234", True)],
    }
    await senders.remove("Acme", "DE")
    await directory.refresh()
    assert (await directory.organization(acme)).senders["DE"] == (Sender("+4915123456789", True),)
    await senders.remove("+18005551234")
    left = await senders.list(SenderFilter(), ListPage())
    assert [(one.country, one.sender) for one in left.rows] == [("DE", "+4915123456789"), ("FR", "Acme")]


async def test_organizations_without_senders_of_their_own_share_what_was_chosen(
    administration: Administration, directory: PostgresDirectory, acme: str
) -> None:
    await administration.organizations.create(CreateOrganization(organization_id="other", name="Other"))
    for number in ("+18005551234", "+18885550100"):
        await administration.senders.add(AddSender(sender=number, country="US"))
    first, second = (
        (await directory.organization(acme)).senders,
        (await directory.organization("other")).senders,
    )
    assert first["US"] is second["US"]


async def test_a_key_is_found_until_it_is_revoked_or_expires(
    administration: Administration, directory: PostgresDirectory, acme: str
) -> None:
    lasting = await make_key(administration, acme)
    ending = await make_key(
        administration, acme, expires_at=(datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
    )
    found = await directory.key(lasting.key)
    assert found is not None
    assert (found.key_id, found.kind) == (lasting.key_id, KeyKind.SENDING)
    assert ending.expires_at > ending.created_at
    while await directory.key(ending.key) is not None:  # noqa: ASYNC110  # it has no such event
        await asyncio.sleep(0.02)  # between two looks
    assert datetime.now(UTC) >= ending.expires_at
    await administration.keys.revoke(lasting.key_id)
    await directory.refresh()
    assert await directory.key(lasting.key) is None


async def test_uses_are_written_together_and_empty_no_cache(
    administration: Administration, pool: Pool, acme: str, look: psycopg.Connection[Any]
) -> None:
    keys = [await make_key(administration, acme) for _ in range(3)]
    now = 1_700_000_000.0
    uses = PostgresKeyUses(pool, lambda: now)
    before = version(look)
    for key in keys[:2]:
        uses.note(key.key_id)
    uses.note("key_gone")
    await uses.flush()
    now -= 60  # the clock of another process
    uses.note(keys[0].key_id)
    await uses.flush()
    listed = await administration.keys.list(acme, ListPage())
    moments = {one.key_id: one.last_used_at for one in listed.rows}
    used = datetime.fromtimestamp(1_700_000_000, UTC)
    assert moments == {keys[0].key_id: used, keys[1].key_id: used, keys[2].key_id: None}
    assert version(look) == before


async def test_uses_that_cannot_be_written_are_written_later(
    administration: Administration, pool: Pool, acme: str, look: psycopg.Connection[Any]
) -> None:
    key = await make_key(administration, acme)
    uses = PostgresKeyUses(pool)
    uses.note(key.key_id)
    look.execute("ALTER TABLE api_key_uses RENAME TO hidden")
    try:
        await uses.flush()
    finally:
        look.execute("ALTER TABLE hidden RENAME TO api_key_uses")
    await uses.flush()
    listed = await administration.keys.list(acme, ListPage())
    assert listed.rows[0].last_used_at is not None


async def test_what_is_noted_has_a_limit(pool: Pool) -> None:
    uses = PostgresKeyUses(pool)
    for number in range(NOTED_MAX + 10):
        uses.note(f"key_{number}")
    assert len(uses._noted) == NOTED_MAX
