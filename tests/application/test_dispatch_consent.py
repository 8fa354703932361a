"""Consent is asked again before the carrier is called: who opts out between accept and dispatch is not sent to."""

from collections.abc import Sequence
from uuid import uuid4

import pytest
from msgspec.structs import replace

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.application.consent import ConsentBook
from smsledger.application.ledger import MessageLedger
from smsledger.application.ports import Taken, TryLater, Unknown
from smsledger.application.receipts import ReceiptIntake
from smsledger.domain.consent import ALL, POOL, Cause, Reason
from smsledger.domain.event import Event
from smsledger.domain.message import Blocked
from smsledger.domain.status import Status
from tests.domain.histories import queued

from .conftest import SetClock
from .messages import events_of
from .scripted import ScriptedCarrier
from .test_dispatch import Desk, interrupted

PERSON, OWN = queued().recipient, "ACME"
TAKEN = Taken("out-1")


@pytest.fixture
def desk(
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    appender: GroupCommitAppender,
    reader: PostgresEventReader,
    clock: SetClock,
) -> Desk:
    return Desk(ledger, receipts, appender, reader, clock)


@pytest.fixture
def book(reader: PostgresEventReader, appender: GroupCommitAppender, clock: SetClock) -> ConsentBook:
    return ConsentBook(reader, appender, clock)


async def opted_out(book: ConsentBook, scope: str, number: str = PERSON, organization: str = "acme") -> None:
    await book.suppress(organization, number, reason=Reason.OPT_OUT, cause=Cause(), scope=scope)


FROM_THE_POOL: Sequence[Event] = (queued(),)
FROM_OWN: Sequence[Event] = (replace(queued(), sender=OWN, pooled=False),)


@pytest.mark.parametrize(
    ("history", "scope"), [(FROM_THE_POOL, ALL), (FROM_THE_POOL, POOL), (FROM_OWN, ALL), (FROM_OWN, OWN)]
)
async def test_a_message_is_blocked_whose_recipient_was_suppressed_after_it_was_accepted(
    desk: Desk, book: ConsentBook, history: Sequence[Event], scope: str
) -> None:
    job = await desk.job(*history)
    await opted_out(book, scope)
    carrier = ScriptedCarrier()
    await desk.dispatch(carrier, job)
    assert carrier.submitted == []
    assert job.finished
    assert (await events_of(desk.reader, job.message_id))[1:] == [
        Blocked(at=desk.clock.now, error_code="1006", reason="the recipient is suppressed")
    ]
    assert desk.errors == []


@pytest.mark.parametrize(("history", "scope"), [(FROM_THE_POOL, OWN), (FROM_OWN, POOL)])
async def test_a_suppression_of_other_senders_keeps_no_message_back(
    desk: Desk, book: ConsentBook, history: Sequence[Event], scope: str
) -> None:
    job = await desk.job(*history)
    await opted_out(book, scope)
    await desk.dispatch(ScriptedCarrier(TAKEN), job)
    assert (await desk.message(job)).status is Status.SENT


async def test_a_suppression_of_another_number_or_organization_keeps_no_message_back(
    desk: Desk, book: ConsentBook
) -> None:
    await opted_out(book, ALL, number="+14155550199")
    await opted_out(book, ALL, organization="other")
    job = await desk.job()
    await desk.dispatch(ScriptedCarrier(TAKEN), job)
    assert (await desk.message(job)).status is Status.SENT


async def test_who_opts_out_between_two_attempts_is_not_tried_again(desk: Desk, book: ConsentBook) -> None:
    job = await desk.job()
    await desk.dispatch(ScriptedCarrier(TryLater("RATE_LIMIT", "too many")), job)
    await opted_out(book, POOL)
    again = await desk.again(job.message_id)
    carrier = ScriptedCarrier()
    await desk.dispatch(carrier, again)
    assert await desk.names(job) == ["Queued", "Sending", "Deferred", "Blocked"]
    assert carrier.submitted == []


@pytest.mark.parametrize("scope", [ALL, POOL])
async def test_who_opts_out_while_an_attempt_is_in_doubt_is_not_sent_to_by_clearing_it_up(
    desk: Desk, book: ConsentBook, scope: str
) -> None:
    job = await desk.job()
    await desk.dispatch(ScriptedCarrier(Unknown("the answer was lost"), idempotent=True), job)
    await opted_out(book, scope)
    desk.clock.advance(100)
    carrier = ScriptedCarrier(idempotent=True)
    carrier.knows += [Unknown("it is not connected"), Unknown("it keeps no record")]
    carrier.ready = False
    again = await desk.again(job.message_id)
    await desk.dispatch(carrier, again)
    assert (await desk.names(job), again.finished) == (["Queued", "Sending"], False)
    carrier.ready = True
    await desk.dispatch(carrier, await desk.again(job.message_id))
    assert await desk.names(job) == ["Queued", "Sending", "OutcomeUnknown"]
    assert carrier.submitted == []


async def test_a_reply_to_a_keyword_goes_to_who_is_suppressed(desk: Desk, book: ConsentBook) -> None:
    await opted_out(book, ALL)
    job = await desk.job(replace(queued(), in_reply_to=uuid4()))
    await desk.dispatch(ScriptedCarrier(TAKEN), job)
    assert (await desk.message(job)).status is Status.SENT


async def test_who_opted_in_again_is_sent_to(desk: Desk, book: ConsentBook) -> None:
    await opted_out(book, ALL)
    await book.restore("acme", PERSON, cause=Cause(key_id="key_1"))
    job = await desk.job()
    await desk.dispatch(ScriptedCarrier(TAKEN), job)
    assert (await desk.message(job)).status is Status.SENT


async def test_an_attempt_whose_outcome_is_lost_is_not_repeated_to_who_opted_out_meanwhile(
    desk: Desk, book: ConsentBook
) -> None:
    job = await desk.job(*interrupted(), redelivered=True)
    await opted_out(book, POOL)
    carrier = ScriptedCarrier(TAKEN, idempotent=True)
    carrier.knows.append(Unknown("the carrier keeps no record"))
    await desk.dispatch(carrier, job)
    assert carrier.submitted == []
    assert await desk.names(job) == ["Queued", "Sending", "OutcomeUnknown"]
