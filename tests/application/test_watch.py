"""The watchdog: what stands still too long is moved on, and what does not is left alone."""

from datetime import datetime
from uuid import UUID

import pytest

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.application.dispatch import Dispatcher, DispatchLimits
from smsledger.application.ledger import MessageLedger
from smsledger.application.ports import Outcome, Submission, Taken
from smsledger.application.receipts import ReceiptIntake
from smsledger.application.watch import LOOK_S, Watchdog
from smsledger.domain.message import MESSAGE_EVENTS
from smsledger.domain.status import Status
from tests.domain.histories import deferred, delivered, queued, sending, sent

from .conftest import SetClock
from .messages import names_of, store
from .scripted import ScriptedCarrier, ScriptedQueue

STUCK_S = 120.0
RECEIPT_WAIT_S = 600


class Found:
    """The OpenMessages port: says what the read model would, which may be out of date."""

    def __init__(self) -> None:
        self.ids: dict[Status, list[UUID]] = {}
        self.looks = 0

    async def standing(self, statuses: tuple[Status, ...], before: datetime, limit: int) -> list[UUID]:
        """See the port."""
        self.looks += 1
        return [message_id for status in statuses for message_id in self.ids.get(status, [])][:limit]


def watchdog(
    found: Found,
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    clock: SetClock,
    carrier: ScriptedCarrier | None = None,
) -> Watchdog:
    chosen = carrier or ScriptedCarrier()
    dispatcher = Dispatcher(
        ScriptedQueue(), ledger, receipts, lambda _: chosen, MESSAGE_EVENTS, clock, DispatchLimits()
    )
    return Watchdog(found, ledger, dispatcher, clock, stuck_s=STUCK_S, receipt_wait_s=RECEIPT_WAIT_S)


async def test_a_message_whose_place_in_the_queue_was_lost_is_sent(
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    appender: GroupCommitAppender,
    reader: PostgresEventReader,
    clock: SetClock,
) -> None:
    found, carrier = Found(), ScriptedCarrier(Taken("out-1"))
    message_id = await store(appender, queued())
    found.ids[Status.QUEUED] = [message_id]
    dog = watchdog(found, ledger, receipts, clock, carrier)
    clock.advance(STUCK_S - 1)
    assert await dog.step() == 0
    clock.advance(LOOK_S + 2)
    assert await dog.step() == 1
    assert await names_of(reader, message_id) == ["Queued", "Sending", "Sent"]


async def test_a_message_that_moved_lately_is_left_to_its_dispatcher(
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    appender: GroupCommitAppender,
    reader: PostgresEventReader,
    clock: SetClock,
) -> None:
    found = Found()
    message_id = await store(appender, queued(), sending(), deferred(STUCK_S, retry_s=300))
    found.ids[Status.SENDING] = [message_id]
    clock.advance(STUCK_S + 1)
    assert await watchdog(found, ledger, receipts, clock).step() == 0
    assert await names_of(reader, message_id) == ["Queued", "Sending", "Deferred"]


async def test_a_receipt_that_never_comes_ends_the_message_when_its_time_is_over(
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    appender: GroupCommitAppender,
    reader: PostgresEventReader,
    clock: SetClock,
) -> None:
    found = Found()
    message_id = await store(appender, queued(), sending(), sent(seconds=2))
    found.ids[Status.SENT] = [message_id]
    dog = watchdog(found, ledger, receipts, clock)
    clock.advance(RECEIPT_WAIT_S + 1)
    assert await dog.step() == 0
    clock.advance(LOOK_S + 2)
    assert await dog.step() == 1
    assert await names_of(reader, message_id) == ["Queued", "Sending", "Sent", "ReceiptOverdue"]
    assert await dog.step() == 0


async def test_a_message_that_waited_long_before_it_was_sent_has_its_whole_time_for_a_receipt(
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    appender: GroupCommitAppender,
    reader: PostgresEventReader,
    clock: SetClock,
) -> None:
    found = Found()
    message_id = await store(appender, queued(), sending(5_000), sent(5_001))
    found.ids[Status.SENT] = [message_id]
    clock.advance(5_002)
    assert await watchdog(found, ledger, receipts, clock).step() == 0
    assert await names_of(reader, message_id) == ["Queued", "Sending", "Sent"]


async def test_a_receipt_that_came_meanwhile_is_not_overruled(
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    appender: GroupCommitAppender,
    reader: PostgresEventReader,
    clock: SetClock,
) -> None:
    found = Found()
    message_id = await store(appender, queued(), sending(), sent(), delivered())
    found.ids[Status.SENT] = [message_id]
    clock.advance(RECEIPT_WAIT_S * 2)
    assert await watchdog(found, ledger, receipts, clock).step() == 0
    assert await names_of(reader, message_id) == ["Queued", "Sending", "Sent", "Delivered"]


async def test_a_message_that_cannot_be_looked_after_keeps_no_other_back(
    ledger: MessageLedger,
    receipts: ReceiptIntake,
    appender: GroupCommitAppender,
    reader: PostgresEventReader,
    clock: SetClock,
) -> None:
    async def fail(_: Submission) -> Outcome:
        raise ZeroDivisionError

    found, carrier = Found(), ScriptedCarrier(fail, Taken("out-2"))
    faulty, good = await store(appender, queued()), await store(appender, queued())
    late = await store(appender, queued(), sending(), sent())
    found.ids = {Status.QUEUED: [faulty, good], Status.SENT: [late]}
    dog = watchdog(found, ledger, receipts, clock, carrier)
    clock.advance(RECEIPT_WAIT_S * 2)
    with pytest.raises(ZeroDivisionError):
        await dog.step()
    names = {(await names_of(reader, one))[-1] for one in (faulty, good)}
    assert names == {"Sending", "Sent"}
    assert await names_of(reader, late) == ["Queued", "Sending", "Sent", "ReceiptOverdue"]


async def test_with_nothing_to_do_it_looks_seldom_even_when_the_clock_is_set_back(
    ledger: MessageLedger, receipts: ReceiptIntake, clock: SetClock
) -> None:
    found = Found()
    dog = watchdog(found, ledger, receipts, clock)
    await dog.step()
    looks = found.looks
    clock.advance(LOOK_S - 1)
    await dog.step()
    assert found.looks == looks
    clock.advance(-3600)
    await dog.step()
    assert found.looks == 2 * looks
