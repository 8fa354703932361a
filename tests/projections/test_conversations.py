"""What was sent last between two numbers, and that events of consents are none of messages."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from smsledger.domain.consent import CONSENT_EVENTS, Cause, Reason, consent_id, fold, suppress
from smsledger.domain.message import Blocked
from smsledger.projections.behind import ConversationsBehind
from smsledger.projections.conversations import ConversationQueries
from smsledger.projections.fingerprint import standing
from smsledger.projections.position_watch import LendConnection, PositionWatch
from smsledger.projections.projector import Projector
from smsledger.projections.rebuild import rebuild

from .store import START, Connect, Ledger, catch_up, new_id, queued

OURS, PERSON = queued().sender, queued().recipient


@pytest.fixture
async def conversations(connect: Connect) -> AsyncIterator[ConversationQueries]:
    def lend():
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def connection():
            async with await connect() as conn:
                yield conn

        return connection()

    lender: LendConnection = lend
    watch = PositionWatch(lender, poll_s=0.01)
    yield ConversationQueries(lender, watch)
    await watch.close()


async def test_the_last_message_between_two_numbers_is_found(
    ledger: Ledger, projector: Projector, conversations: ConversationQueries
) -> None:
    first, last, blocked, back = new_id(), new_id(), new_id(), new_id()
    await ledger.append(first, queued(START))
    await ledger.append(last, queued(START + timedelta(hours=1)))
    await ledger.append(
        blocked, queued(START + timedelta(hours=2)), Blocked(at=START, error_code="", reason="")
    )
    await ledger.append(back, replace(queued(START + timedelta(hours=3)), sender=PERSON, recipient=OURS))
    await catch_up(projector)
    found = await conversations.last_sent(OURS, PERSON, None)
    assert found == (last, "acme", START + timedelta(hours=1))
    assert await conversations.last_sent(OURS, "+14155550199", None) is None


async def test_of_several_organizations_the_one_that_sent_last_or_the_one_that_is_asked_for(
    ledger: Ledger, projector: Projector, conversations: ConversationQueries
) -> None:
    acme, other = new_id(), new_id()
    await ledger.append(acme, queued(START))
    await ledger.append(
        other, queued(START + timedelta(hours=1), organization_id="other"), organization_id="other"
    )
    await catch_up(projector)
    for asked, expected in ((None, other), ("acme", acme), ("other", other), ("nobody", None)):
        found = await conversations.last_sent(OURS, PERSON, asked)
        assert (found and found[0]) == expected


async def test_whose_the_last_message_is_is_told_for_sure_or_not_at_all(
    ledger: Ledger, projector: Projector, conversations: ConversationQueries
) -> None:
    acme, other = new_id(), new_id()
    await ledger.append(acme, queued(START))
    await catch_up(projector)
    later = queued(START + timedelta(hours=1), organization_id="other")
    await ledger.append(other, later, organization_id="other")
    with pytest.raises(ConversationsBehind):
        await conversations.last_sent(OURS, PERSON, None)
    found = await conversations.last_sent(OURS, PERSON, "acme")
    assert found is not None
    assert found[0] == acme
    await catch_up(projector)
    found = await conversations.last_sent(OURS, PERSON, None)
    assert found is not None
    assert found[0] == other


async def test_an_empty_ledger_has_no_conversations(conversations: ConversationQueries) -> None:
    assert await conversations.last_sent(OURS, PERSON, None) is None


async def append_consent(ledger: Ledger) -> None:
    """A consent's event, as the last of the ledger."""
    (event,) = suppress(fold("acme", PERSON, []), reason=Reason.MANUAL, cause=Cause(key_id="key_1"), at=START)
    await ledger.append_bytes(
        consent_id("acme", PERSON), CONSENT_EVENTS.topic(event), CONSENT_EVENTS.encode(event)
    )


async def test_events_of_consents_are_passed_over_and_not_parked_also_by_a_rebuild(
    connect: Connect, ledger: Ledger, projector: Projector
) -> None:
    await append_consent(ledger)
    await ledger.append(new_id(), queued())
    await append_consent(ledger)
    assert await catch_up(projector) == 3
    before = await standing(ledger.conn)
    assert before is not None
    assert (before.position, before.fingerprint.messages) == (3, 1)
    await rebuild(connect, "messages")
    after = await standing(ledger.conn)
    assert after is not None
    assert (after.position, after.fingerprint) == (3, before.fingerprint)
    parked = await (await ledger.conn.execute("SELECT count(*) FROM parked_events")).fetchone()
    assert parked == (0,)


async def test_a_ledger_of_consents_only_has_no_messages(
    connect: Connect, ledger: Ledger, projector: Projector
) -> None:
    await append_consent(ledger)
    assert await catch_up(projector) == 1
    report = await rebuild(connect, "messages")
    assert (report.messages, report.events) == (0, 1)
