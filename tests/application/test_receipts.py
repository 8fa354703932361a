"""Receipts: found their message or parked, recorded once, whatever their order and whatever comes with them."""

import asyncio

import pytest

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.adapters.postgres.parked_receipts import PostgresParkedReceipts
from smsledger.application.ledger import MessageLedger
from smsledger.application.ports import CarrierReceipt
from smsledger.application.receipts import ReceiptIntake
from smsledger.domain.message import evolve
from smsledger.domain.status import Status
from tests.domain.histories import delivered, queued, received, sending, sent, undelivered

from .conftest import Pool, SetClock
from .messages import names_of, report, store

BEFORE = ["Queued", "Sending", "Sent"]


async def parked_count(pool: Pool) -> int:
    async with pool.connection() as conn:
        row = await (await conn.execute("SELECT count(*) FROM parked_receipts")).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_receipt_is_recorded_on_the_message_that_the_carrier_took(
    receipts: ReceiptIntake, appender: GroupCommitAppender, reader: PostgresEventReader, pool: Pool
) -> None:
    one = await store(appender, queued(), sending(), sent(provider_message_id="a"))
    other = await store(appender, queued(), sending(), sent(provider_message_id="b"))
    await receipts.take([report("b", Status.UNDELIVERED, "30003"), report("a", Status.DELIVERED)])
    assert await names_of(reader, one) == [*BEFORE, "Delivered"]
    assert await names_of(reader, other) == [*BEFORE, "Undelivered"]
    assert await parked_count(pool) == 0


@pytest.mark.parametrize("together", [True, False])
async def test_a_doubled_receipt_is_recorded_once(
    receipts: ReceiptIntake, appender: GroupCommitAppender, reader: PostgresEventReader, together: bool
) -> None:
    message_id = await store(appender, queued(), sending(), sent())
    doubled = [report("out-1", Status.DELIVERED)] * 3
    for batch in [doubled] if together else [[one] for one in doubled]:
        await receipts.take(batch)
    assert await names_of(reader, message_id) == [*BEFORE, "Delivered"]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("together", [True, False])
async def test_receipts_that_contradict_each_other_are_all_recorded_and_the_status_is_the_same(
    receipts: ReceiptIntake,
    ledger: MessageLedger,
    appender: GroupCommitAppender,
    together: bool,
    reverse: bool,
) -> None:
    message_id = await store(appender, queued(), sending(), sent())
    said = [
        report("out-1", Status.DELIVERED),
        report("out-1", Status.UNDELIVERED, "30003"),
        report("out-1", Status.FAILED, "30007"),
        report("out-1", Status.SENT),
    ]
    if reverse:
        said.reverse()
    for batch in [said] if together else [[one] for one in said]:
        await receipts.take(batch)
    message = await ledger.get(message_id)
    assert (message.status, message.version, message.error_code) == (Status.DELIVERED, 6, None)


async def test_two_intakes_with_the_same_receipts_at_once_record_them_once(
    receipts: ReceiptIntake,
    ledger: MessageLedger,
    reader: PostgresEventReader,
    parked: PostgresParkedReceipts,
    appender: GroupCommitAppender,
    clock: SetClock,
) -> None:
    ids = [await store(appender, queued(), sending(), sent(provider_message_id=f"m{n}")) for n in range(10)]
    other = ReceiptIntake(ledger, reader, parked, clock)
    batch = [report(f"m{n}", Status.DELIVERED) for n in range(10)]
    await asyncio.gather(receipts.take(batch), other.take(list(reversed(batch))), receipts.take(batch))
    for message_id in ids:
        assert await names_of(reader, message_id) == [*BEFORE, "Delivered"]


async def test_a_receipt_for_an_id_that_nobody_knows_waits_and_is_applied_when_the_id_is_known(
    receipts: ReceiptIntake, appender: GroupCommitAppender, reader: PostgresEventReader, pool: Pool
) -> None:
    await receipts.take([report("out-1", Status.DELIVERED), report("never", Status.DELIVERED)])
    assert await parked_count(pool) == 2
    assert await receipts.step() == 0
    message_id = await store(appender, queued(), sending(), sent())
    assert await receipts.step() == 1
    assert await names_of(reader, message_id) == [*BEFORE, "Delivered"]
    assert await parked_count(pool) == 1


async def test_an_early_receipt_that_comes_again_and_again_is_kept_once(
    receipts: ReceiptIntake, pool: Pool
) -> None:
    for _ in range(3):
        await receipts.take([report("out-1", Status.DELIVERED)] * 2)
    assert await parked_count(pool) == 1


async def test_early_receipts_that_contradict_each_other_are_all_applied(
    receipts: ReceiptIntake, appender: GroupCommitAppender, ledger: MessageLedger, pool: Pool
) -> None:
    await receipts.take([report("out-1", Status.DELIVERED)])
    await receipts.take([report("out-1", Status.FAILED, "30007")])
    message_id = await store(appender, queued(), sending(), sent())
    assert await receipts.step() == 2
    message = await ledger.get(message_id)
    assert (message.status, message.version) == (Status.DELIVERED, 5)
    assert await parked_count(pool) == 0


async def test_a_receipt_that_cannot_be_about_its_message_harms_no_other(
    receipts: ReceiptIntake, appender: GroupCommitAppender, reader: PostgresEventReader, pool: Pool
) -> None:
    inbound = await store(appender, received())
    message_id = await store(appender, queued(), sending(), sent())
    nonsense = CarrierReceipt("simulator", "out-1", Status.BLOCKED)
    await receipts.take([report("in-1", Status.DELIVERED), nonsense, report("out-1", Status.DELIVERED)])
    assert await names_of(reader, inbound) == ["Received"]
    assert await parked_count(pool) == 0
    assert await names_of(reader, message_id) == [*BEFORE, "Delivered"]


async def test_a_receipt_with_an_id_that_cannot_be_stored_harms_no_other(
    receipts: ReceiptIntake, appender: GroupCommitAppender, reader: PostgresEventReader, pool: Pool
) -> None:
    message_id = await store(appender, queued(), sending(), sent())
    await receipts.take([report("a\x00b", Status.DELIVERED), report("out-1", Status.DELIVERED)])
    assert await names_of(reader, message_id) == [*BEFORE, "Delivered"]
    assert await parked_count(pool) == 0


async def test_what_is_remembered_of_a_message_may_be_old(
    receipts: ReceiptIntake, appender: GroupCommitAppender, ledger: MessageLedger, reader: PostgresEventReader
) -> None:
    message_id = await store(appender, queued(), sending(), sent())
    remembered = await ledger.get(message_id)
    receipts.remember(remembered)
    await ledger.change(remembered, lambda _: [undelivered()])
    await receipts.take([report("out-1", Status.DELIVERED)])
    assert await names_of(reader, message_id) == [*BEFORE, "Undelivered", "Delivered"]
    await receipts.take([report("out-1", Status.DELIVERED), report("out-1", Status.UNDELIVERED, "30003")])
    assert await names_of(reader, message_id) == [*BEFORE, "Undelivered", "Delivered"]


async def test_a_remembered_message_is_as_the_ledger_has_it(
    receipts: ReceiptIntake, appender: GroupCommitAppender, ledger: MessageLedger, clock: SetClock
) -> None:
    message_id = await store(appender, queued(), sending(), sent())
    before = await ledger.get(message_id)
    receipts.remember(before)
    await receipts.take([report("out-1", Status.DELIVERED)])
    after = evolve(before, message_id, delivered())
    stored = await ledger.get(message_id)
    assert (stored.status, stored.version, stored.receipts) == (after.status, after.version, after.receipts)


async def test_no_receipts_are_no_work(receipts: ReceiptIntake, pool: Pool) -> None:
    await receipts.take([])
    assert await receipts.step() == 0
    assert await parked_count(pool) == 0


async def test_many_receipts_at_once_find_their_messages(
    receipts: ReceiptIntake, appender: GroupCommitAppender, ledger: MessageLedger
) -> None:
    ids = await asyncio.gather(
        *[store(appender, queued(), sending(), sent(provider_message_id=f"m{n}")) for n in range(300)]
    )
    await receipts.take([report(f"m{n}", Status.DELIVERED) for n in range(300)])
    assert {message.status for message in (await ledger.load(ids)).values()} == {Status.DELIVERED}


async def test_a_parked_receipt_for_an_id_that_the_carrier_used_twice_is_the_newer_messages_alone(
    receipts: ReceiptIntake, appender: GroupCommitAppender, reader: PostgresEventReader, pool: Pool
) -> None:
    await receipts.take([report("a", Status.DELIVERED)])
    older = await store(appender, queued(), sending(), sent(provider_message_id="a"))
    newer = await store(appender, queued(), sending(), sent(provider_message_id="a"))
    assert await receipts.step() == 1
    assert await names_of(reader, older) == BEFORE
    assert await names_of(reader, newer) == [*BEFORE, "Delivered"]
    assert await parked_count(pool) == 0
