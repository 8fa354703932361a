"""Messages from phones: whose they are, that they are recorded once, and what a keyword in them does."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from smsledger.adapters.phone_numbers import E164Numbers
from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.directory import PostgresDirectory
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.adapters.postgres.parked_inbound import PostgresParkedInbound
from smsledger.adapters.postgres.sender_owners import PostgresSenderOwners
from smsledger.application.consent import ConsentBook
from smsledger.application.inbound import LOOK_S, InboundIntake
from smsledger.application.ledger import MessageLedger
from smsledger.application.ports import (
    Append,
    Appended,
    CarrierInbound,
    LedgerUnavailable,
    Once,
    VersionConflict,
)
from smsledger.domain.consent import ALL, POOL, Cause, Consent, Reason, consent_id, covers
from smsledger.domain.event import Stored
from smsledger.domain.keywords import DEFAULT_KEYWORDS
from smsledger.domain.ledger_events import LEDGER_EVENTS
from smsledger.domain.message import Queued, Received
from smsledger.domain.segments import Encoding
from smsledger.domain.status import Direction, Status
from smsledger.projections.behind import ConversationsBehind
from tests.domain.histories import queued, sending, sent

from .conftest import Pool, SetClock
from .messages import store

PERSON, OTHER_PERSON = "+14155551234", "+14155555678"
POOLED, OWN, GONE = "+18005550101", "+18005550102", "+18005550999"

_DIRECTORY = """
INSERT INTO organizations (organization_id, name, sms_enabled) VALUES
    ('acme', 'Acme', true), ('other', 'Other', true), ('silent', 'Silent', false);
INSERT INTO senders (sender, organization_id, country) VALUES
    ('+18005550101', NULL, 'US'), ('+18005550102', 'acme', 'US'), ('+18005550103', 'silent', 'US');
"""


class RememberedConversations:
    """The Conversations port: what the test says was sent last."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str], tuple[UUID, str, datetime]] = {}
        self.behind = False

    async def last_sent(
        self, sender: str, recipient: str, organization_id: str | None
    ) -> tuple[UUID, str, datetime] | None:
        """See the port."""
        if self.behind:
            raise ConversationsBehind(position=1)
        found = self.sent.get((sender, recipient))
        return found if found and organization_id in (None, found[1]) else None


class World:
    """An intake over a real ledger, and everything that can be seen of it."""

    def __init__(
        self,
        pool: Pool,
        ledger: MessageLedger,
        reader: PostgresEventReader,
        appender: GroupCommitAppender,
        clock: SetClock,
    ) -> None:
        self.reader, self.appender, self.clock, self.ledger, self.pool = reader, appender, clock, ledger, pool
        self.conversations = RememberedConversations()
        self.parked = PostgresParkedInbound(pool)
        self.book = ConsentBook(reader, appender, clock)
        self.intake = self.intake_with(appender)

    def intake_with(self, appender: object) -> InboundIntake:
        return InboundIntake(
            self.ledger,
            self.reader,
            appender,  # type: ignore[arg-type]  # some tests break it
            PostgresDirectory(self.pool),
            PostgresSenderOwners(self.pool),
            self.conversations,
            self.parked,
            E164Numbers(),
            self.clock,
        )

    async def sent(self, sender: str = POOLED, organization_id: str = "acme", *, pooled: bool = True) -> UUID:
        """A message went to the person, now."""
        event = replace(
            queued(),
            at=self.clock.now,
            organization_id=organization_id,
            sender=sender,
            recipient=PERSON,
            pooled=pooled,
        )
        message_id = uuid4()
        await self.appender.append([Append(message_id, organization_id, 1, [event])])
        self.conversations.sent[sender, PERSON] = (message_id, organization_id, self.clock.now)
        return message_id

    async def stored(self) -> list[Stored]:
        return await self.reader.after(0, 1_000)

    async def received(self) -> list[Received]:
        events = [LEDGER_EVENTS.decode(one.topic, one.state) for one in await self.stored()]
        return [event for event in events if isinstance(event, Received)]

    async def replies(self) -> list[Queued]:
        events = [LEDGER_EVENTS.decode(one.topic, one.state) for one in await self.stored()]
        return [event for event in events if isinstance(event, Queued) and event.in_reply_to is not None]

    async def consent(self, organization_id: str = "acme", number: str = PERSON) -> Consent:
        return (await self.book.check(organization_id, number)).consent

    async def names(self) -> list[str]:
        return [one.topic for one in await self.stored()]


@pytest.fixture
async def world(
    pool: Pool,
    ledger: MessageLedger,
    reader: PostgresEventReader,
    appender: GroupCommitAppender,
    clock: SetClock,
) -> World:
    async with pool.connection() as conn:
        await conn.execute(_DIRECTORY)
    return World(pool, ledger, reader, appender, clock)


def inbound(
    body: str = "Hello", *, to: str = OWN, sender: str = PERSON, provider_id: str = "in-1"
) -> CarrierInbound:
    return CarrierInbound("simulator", provider_id, sender, to, body)


# --- what is recorded


async def test_a_message_to_an_own_sender_is_its_organizations(world: World) -> None:
    await world.intake.take([inbound("Hello there")])
    (stored,) = await world.stored()
    (event,) = await world.received()
    assert event == Received(
        at=world.clock.now,
        organization_id="acme",
        carrier="simulator",
        provider_message_id="in-1",
        sender=PERSON,
        recipient=OWN,
        body="Hello there",
        encoding=Encoding.GSM_7,
        segments=1,
        country="US",
    )
    message = await world.ledger.get(stored.aggregate_id)
    assert (message.direction, message.status) == (Direction.INBOUND, Status.RECEIVED)
    assert stored.organization_id == "acme"


@pytest.mark.parametrize("body", ["Hello", "STOP", "START", "HELP"])
async def test_a_message_that_comes_again_changes_nothing(world: World, body: str) -> None:
    for _ in range(3):
        await world.intake.take([inbound(body)])
        world.clock.advance(7_200)
    once = await world.names()
    await world.intake.take([inbound(body), inbound(body)])
    await asyncio.gather(*[world.intake.take([inbound(body)]) for _ in range(4)])
    assert await world.names() == once
    assert once.count("message.received.v1") == 1


async def test_two_processes_that_are_handed_the_same_message_record_it_once(world: World) -> None:
    others = [world.intake_with(world.appender) for _ in range(5)]
    await asyncio.gather(*[other.take([inbound("STOP")]) for other in others])
    names = await world.names()
    assert sorted(names) == ["consent.suppressed.v1", "message.queued.v1", "message.received.v1"]


async def test_a_message_is_attributed_to_the_last_one_that_was_sent_within_three_days(world: World) -> None:
    sent = await world.sent(OWN, pooled=False)
    world.clock.advance(72 * 3_600)
    await world.intake.take([inbound()])
    world.clock.advance(1)
    await world.intake.take([inbound(provider_id="in-2")])
    assert [event.in_reply_to for event in await world.received()] == [sent, None]


async def test_a_message_to_a_pool_sender_is_of_who_sent_to_that_person_last(world: World) -> None:
    sent = await world.sent(organization_id="other")
    world.clock.advance(timedelta(days=400).total_seconds())
    await world.intake.take([inbound(to=POOLED)])
    (event,) = await world.received()
    assert (event.organization_id, event.in_reply_to) == ("other", None)
    assert sent not in {event.in_reply_to}


async def test_a_message_that_is_nobodys_is_parked_and_recorded_once_it_is_somebodys(world: World) -> None:
    await world.intake.take([inbound("STOP", to=POOLED), inbound("Hello", to=POOLED, provider_id="in-2")])
    await world.intake.take([inbound("STOP", to=POOLED)])
    assert await world.stored() == []
    assert [message.provider_message_id for _, message in await world.parked.waiting(0, 10)] == [
        "in-1",
        "in-2",
    ]
    assert await world.intake.step() == 0
    await world.sent()
    assert await world.intake.step() == 0  # it has looked a moment ago
    world.clock.advance(LOOK_S)
    assert await world.intake.step() == 2
    assert await world.parked.waiting(0, 10) == []
    assert [event.body for event in await world.received()] == ["STOP", "Hello"]
    assert POOL in (await world.consent()).suppressions


async def test_a_message_is_kept_while_it_is_not_sure_whose_it_is(world: World) -> None:
    await world.sent()
    world.conversations.behind = True
    await world.intake.take([inbound("STOP", to=POOLED)])
    assert (await world.consent()).suppressions == {}
    with pytest.raises(ConversationsBehind):
        await world.intake.step()
    world.conversations.behind = False
    assert await world.intake.step() == 1
    assert POOL in (await world.consent()).suppressions


async def test_where_there_is_one_organization_everything_is_its(world: World, pool: Pool) -> None:
    async with pool.connection() as conn:
        await conn.execute("DELETE FROM senders WHERE organization_id <> 'acme'")
        await conn.execute("DELETE FROM organizations WHERE organization_id <> 'acme'")
    await world.intake.take([inbound(to=POOLED), inbound(to=GONE, provider_id="in-2")])
    assert [event.organization_id for event in await world.received()] == ["acme", "acme"]


async def test_a_sender_that_is_no_phone_number_is_recorded_and_not_answered(world: World) -> None:
    await world.intake.take([inbound("STOP", sender="12345")])
    (event,) = await world.received()
    assert (event.sender, event.country) == ("12345", "ZZ")
    assert await world.replies() == []
    assert OWN in (await world.consent(number="12345")).suppressions


async def test_a_character_that_cannot_be_stored_loses_no_message(world: World) -> None:
    await world.intake.take([inbound("a\x00b")])
    assert [event.body for event in await world.received()] == ["a\N{REPLACEMENT CHARACTER}b"]


async def test_a_character_that_cannot_be_stored_loses_no_opt_out(world: World) -> None:
    await world.intake.take([inbound("STOP\x00")])
    assert OWN in (await world.consent()).suppressions


async def test_a_ledger_that_is_away_leaves_the_message_with_the_carrier(world: World) -> None:
    class Away:
        async def append(self, appends: Sequence[Append], once: Once | None = None) -> None:
            raise LedgerUnavailable(reason="away")

    with pytest.raises(LedgerUnavailable):
        await world.intake_with(Away()).take([inbound("STOP")])
    await world.intake.take([inbound("STOP")])
    assert (await world.names()).count("message.received.v1") == 1


# --- keywords


async def test_stop_suppresses_the_person_for_that_sender_and_is_answered(world: World) -> None:
    await world.intake.take([inbound(" stop ")])
    (received,) = [one for one in await world.stored() if one.topic == "message.received.v1"]
    consent = await world.consent()
    (suppressed,) = consent.suppressions.values()
    assert (suppressed.scope, suppressed.reason, suppressed.keyword) == (OWN, Reason.OPT_OUT, "STOP")
    assert suppressed.message_id == received.aggregate_id
    (reply,) = await world.replies()
    assert (reply.sender, reply.recipient, reply.body) == (OWN, PERSON, DEFAULT_KEYWORDS.opt_out_reply)
    assert (reply.in_reply_to, reply.template_id, reply.key_id) == (received.aggregate_id, 0, "")
    assert not reply.pooled
    assert [one.position for one in await world.stored()] == [1, 2, 3]


async def test_stop_to_a_pool_sender_is_for_the_pool(world: World) -> None:
    await world.sent()
    await world.intake.take([inbound("STOP", to=POOLED)])
    assert list((await world.consent()).suppressions) == [POOL]


@pytest.mark.parametrize(("pooled", "scope"), [(True, POOL), (False, GONE)])
async def test_stop_to_a_sender_that_is_gone_is_for_what_it_was(
    world: World, pooled: bool, scope: str
) -> None:
    await world.sent(GONE, pooled=pooled)
    await world.intake.take([inbound("STOP", to=GONE)])
    assert list((await world.consent()).suppressions) == [scope]


async def test_start_restores_and_the_history_tells_both(world: World) -> None:
    await world.intake.take([inbound("STOP"), inbound("START", provider_id="in-2")])
    assert (await world.consent()).suppressions == {}
    history = await world.book.history("acme", PERSON)
    assert [one.topic for one in history] == ["consent.suppressed.v1", "consent.restored.v1"]
    assert [reply.body for reply in await world.replies()] == [
        DEFAULT_KEYWORDS.opt_out_reply,
        DEFAULT_KEYWORDS.opt_in_reply,
    ]


async def test_start_does_not_undo_what_the_organization_decided_and_promises_nothing(world: World) -> None:
    await world.book.suppress("acme", PERSON, reason=Reason.MANUAL, cause=Cause(key_id="key_1"))
    await world.intake.take([inbound("START")])
    assert list((await world.consent()).suppressions) == [ALL]
    assert await world.replies() == []


async def test_a_repeated_stop_changes_nothing_and_a_flood_is_answered_once_an_hour(world: World) -> None:
    for number in range(5):
        await world.intake.take([inbound("STOP", provider_id=f"in-{number}")])
    for number in range(5):
        await world.intake.take([inbound("HELP", provider_id=f"help-{number}")])
    assert (await world.consent()).version == 1
    assert len(await world.received()) == 10
    assert [reply.body for reply in await world.replies()] == [
        DEFAULT_KEYWORDS.opt_out_reply,
        DEFAULT_KEYWORDS.help_reply,
    ]
    world.clock.advance(3_600)
    await world.intake.take([inbound("HELP", provider_id="later")])
    await world.intake.take([inbound("HELP", provider_id="somebody", sender=OTHER_PERSON)])
    assert len(await world.replies()) == 4


async def test_whatever_changes_the_consent_is_answered_within_the_hour_too_and_a_repetition_is_not(
    world: World,
) -> None:
    words = ["STOP", "STOP", "START", "START", "STOP", "STOP", "HELP", "START", "HELP"]
    counts = []
    for number, word in enumerate(words):
        await world.intake.take([inbound(word, provider_id=f"in-{number}")])
        counts.append(len(await world.replies()))
    assert counts == [1, 1, 2, 2, 3, 3, 4, 5, 5]


async def test_help_says_nothing_about_consent(world: World) -> None:
    await world.intake.take([inbound("help")])
    assert (await world.consent()).version == 0
    assert [reply.body for reply in await world.replies()] == [DEFAULT_KEYWORDS.help_reply]


async def test_an_ordinary_message_is_not_answered(world: World) -> None:
    await world.intake.take([inbound("STOP PLEASE")])
    assert await world.replies() == []
    assert (await world.consent()).version == 0


async def test_an_organization_that_may_not_send_does_not_answer_and_hears_the_opt_out(world: World) -> None:
    await world.intake.take([inbound("STOP", to="+18005550103")])
    assert (await world.consent("silent")).version == 1
    assert await world.replies() == []


async def test_of_one_person_the_last_word_counts_in_the_order_of_the_carrier(world: World) -> None:
    words = ["STOP", "START", "STOP", "START", "STOP"]
    await world.intake.take([inbound(word, provider_id=f"in-{n}") for n, word in enumerate(words)])
    assert (await world.consent()).version == 5
    assert list((await world.consent()).suppressions) == [OWN]


# --- what comes between


class Interrupting:
    """An appender before whose first append somebody else does something, or after which this process dies."""

    def __init__(self, appender: GroupCommitAppender, *, dies: bool = False) -> None:
        self._appender = appender
        self._dies = dies
        self._first = True

    async def append(
        self, appends: Sequence[Append], once: Once | None = None
    ) -> Sequence[Appended | VersionConflict]:
        """See the port."""
        if not self._first:
            return await self._appender.append(appends, once)
        self._first = False
        at = appends[0].events[0].at
        foreign = Append(
            consent_id("acme", PERSON),
            "acme",
            1,
            [
                replace(event, scope="+18005550199", at=at - timedelta(seconds=1))
                for event in appends[1].events
            ],
        )
        await self._appender.append([foreign])
        results = await self._appender.append(appends, once)
        if self._dies:
            raise ConnectionError("the process ended")
        return results


async def test_a_consent_that_others_change_at_the_same_moment_is_changed_after_them(world: World) -> None:
    await world.intake_with(Interrupting(world.appender)).take([inbound("STOP")])
    assert list((await world.consent()).suppressions) == ["+18005550199", OWN]


async def test_an_opt_out_is_not_lost_with_a_process_that_ends_between_the_message_and_it(
    world: World,
) -> None:
    with pytest.raises(ConnectionError):
        await world.intake_with(Interrupting(world.appender, dies=True)).take([inbound("STOP")])
    assert OWN not in (await world.consent()).suppressions
    await world.intake.take([inbound("STOP")])
    assert OWN in (await world.consent()).suppressions
    assert len(await world.received()) == 1


async def test_an_old_stop_that_is_handed_over_late_does_not_undo_a_newer_start(world: World) -> None:
    await world.intake.take([inbound("STOP")])
    world.clock.advance(10)
    await world.intake.take([inbound("START", provider_id="in-2")])
    world.clock.advance(10)
    await world.intake.take([inbound("STOP")])
    assert (await world.consent()).suppressions == {}


async def test_an_old_start_that_is_handed_over_late_does_not_undo_a_newer_stop(world: World) -> None:
    written_at = world.clock.now
    stop = replace(inbound("STOP"), provider_at=written_at + timedelta(seconds=5))
    start = replace(inbound("START", provider_id="in-2"), provider_at=written_at)
    await world.intake.take([stop, start])
    assert list((await world.consent()).suppressions) == [OWN]
    assert [reply.body for reply in await world.replies()] == [DEFAULT_KEYWORDS.opt_out_reply]
    newer = replace(inbound("START", provider_id="in-3"), provider_at=written_at + timedelta(seconds=10))
    await world.intake.take([newer])
    assert (await world.consent()).suppressions == {}


async def test_an_outbound_message_with_the_same_carriers_id_does_not_hide_the_message(world: World) -> None:
    await store(world.appender, queued(), sending(), sent(provider_message_id="in-1"))
    await world.intake.take([inbound("STOP")])
    assert len(await world.received()) == 1
    await store(world.appender, queued(), sending(), sent(provider_message_id="in-1"))
    before = await world.names()
    await world.intake.take([inbound("STOP")])  # handed over again
    assert await world.names() == before


async def test_a_reply_with_the_same_carriers_id_does_not_hide_an_opt_out(world: World) -> None:
    await world.intake.take([inbound("HELP", provider_id="in-1")])
    reply = next(
        one.aggregate_id
        for one in await world.stored()
        if isinstance(LEDGER_EVENTS.decode(one.topic, one.state), Queued)
    )
    events = [sending(), sent(provider_message_id="in-2")]
    await world.appender.append([Append(reply, "acme", 2, events)])
    await world.intake.take([inbound("STOP", provider_id="in-2")])
    assert covers(await world.consent(), OWN)
