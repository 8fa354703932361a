"""Consent in the ledger: what is suppressed stands in the store's own list, whoever comes between."""

import asyncio

import pytest

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.adapters.postgres.suppressions import PostgresSuppressions
from smsledger.application.consent import ConsentBook
from smsledger.domain.consent import ALL, POOL, Cause, Reason, Restored, Suppressed, consent_id

from .conftest import Pool, SetClock
from .messages import events_of

PERSON = "+14155551234"


@pytest.fixture
def book(reader: PostgresEventReader, appender: GroupCommitAppender, clock: SetClock) -> ConsentBook:
    return ConsentBook(reader, appender, clock)


@pytest.fixture
def listed(pool: Pool) -> PostgresSuppressions:
    return PostgresSuppressions(pool)


async def suppress(
    book: ConsentBook, number: str = PERSON, reason: Reason = Reason.MANUAL, scope: str = ALL
) -> bool:
    done = await book.suppress("acme", number, reason=reason, cause=Cause(key_id="key_1"), scope=scope)
    return done.changed


async def test_a_suppression_is_in_the_ledger_and_in_the_list_at_once(
    book: ConsentBook, listed: PostgresSuppressions, clock: SetClock
) -> None:
    standing = await book.suppress(
        "acme", PERSON, reason=Reason.MANUAL, cause=Cause(key_id="key_1", note="by telephone")
    )
    expected = Suppressed(
        at=clock.now,
        organization_id="acme",
        number=PERSON,
        scope=ALL,
        reason=Reason.MANUAL,
        key_id="key_1",
        note="by telephone",
    )
    assert (standing.changed, standing.position) == (True, 1)
    assert (await book.check("acme", PERSON)).consent.suppressions == {ALL: expected}
    page = await listed.page("acme", count=10, offset=0, before=None)
    assert (page.total_count, page.suppressions, page.next_before) == (1, [expected], None)


async def test_repeating_it_changes_nothing(book: ConsentBook, reader: PostgresEventReader) -> None:
    assert await suppress(book)
    assert not await suppress(book)
    assert not await suppress(book, reason=Reason.OPT_OUT)
    assert len(await reader.history(consent_id("acme", PERSON))) == 1


async def test_a_stronger_reason_takes_the_place_of_a_weaker_one(
    book: ConsentBook, listed: PostgresSuppressions
) -> None:
    assert await suppress(book, reason=Reason.OPT_OUT)
    assert await suppress(book, reason=Reason.MANUAL)
    page = await listed.page("acme", count=10, offset=0, before=None)
    assert [event.reason for event in page.suppressions] == [Reason.MANUAL]
    assert page.total_count == 1


async def test_restoring_ends_every_scope_and_a_second_time_does_nothing(
    book: ConsentBook, listed: PostgresSuppressions, reader: PostgresEventReader
) -> None:
    await suppress(book)
    await suppress(book, scope=POOL)
    restored = await book.restore("acme", PERSON, cause=Cause(key_id="key_2"))
    assert (restored.changed, restored.position) == (True, 4)
    assert (await listed.page("acme", count=10, offset=0, before=None)).total_count == 0
    assert not (await book.restore("acme", PERSON, cause=Cause())).changed
    events = await events_of(reader, consent_id("acme", PERSON))
    assert [type(event) for event in events] == [Suppressed, Suppressed, Restored, Restored]


async def test_what_was_never_suppressed_has_no_history(book: ConsentBook) -> None:
    assert await book.history("acme", PERSON) == []
    assert (await book.check("acme", PERSON)).position == 0
    assert not (await book.restore("acme", PERSON, cause=Cause())).changed


async def test_of_many_at_once_each_finds_what_the_others_did(
    book: ConsentBook, listed: PostgresSuppressions
) -> None:
    scopes = [f"+1800555010{number}" for number in range(5)]
    changed = await asyncio.gather(*[suppress(book, scope=scope) for scope in scopes * 2])
    assert sum(changed) == len(scopes)
    assert {
        event.scope for event in (await listed.page("acme", count=10, offset=0, before=None)).suppressions
    } == {*scopes}


async def test_the_list_is_of_one_organization_newest_first_in_pages(
    book: ConsentBook, listed: PostgresSuppressions
) -> None:
    numbers = [f"+141555512{number}" for number in range(10, 15)]
    for number in numbers:
        await suppress(book, number)
    await book.suppress("other", PERSON, reason=Reason.MANUAL, cause=Cause())
    first = await listed.page("acme", count=2, offset=0, before=None)
    await suppress(book, PERSON)  # what comes meanwhile moves no page
    second = await listed.page("acme", count=2, offset=0, before=first.next_before)
    last = await listed.page("acme", count=2, offset=0, before=second.next_before)
    pages = [*first.suppressions, *second.suppressions, *last.suppressions]
    assert [event.number for event in pages] == numbers[::-1]
    assert (first.total_count, second.total_count, last.next_before) == (5, 6, None)
    skipped = await listed.page("acme", count=10, offset=4, before=None)
    assert [event.number for event in skipped.suppressions] == numbers[1::-1]
    beyond = await listed.page("acme", count=10, offset=40, before=None)
    assert (beyond.total_count, beyond.suppressions) == (6, [])
