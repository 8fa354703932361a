"""What the ledger relies on in every carrier: one suite, run on each implementation of the Carrier port.

An adapter's test module subclasses `CarrierConformance` and has a fixture `harness`. A fate that a carrier
cannot be made to show is left out of `recipients`, and its tests are skipped with that reason.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from smsledger.application.ports import (
    Carrier,
    CarrierInbound,
    CarrierReceipt,
    Outcome,
    Refused,
    Submission,
    Taken,
    TryLater,
    Unknown,
)
from smsledger.domain.status import Status

DEADLINE_S = 20.0
"""Far more than anything here takes: it only turns a hanging test into a failing one."""


PERSON, OURS = "+14155551234", "+18005551234"


class Fate(Enum):
    """What a recipient number makes the carrier do."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered, with an error code"
    REFUSED = "refused for good at the submission"
    THROTTLED_AT_FIRST = "asked to come back later, then taken"
    ANSWER_LOST = "taken, but the answer is lost with the connection"
    RECEIPT_FIRST = "the receipt comes before the answer"
    DOUBLED = "the receipt comes twice"


class CarrierHarness(Protocol):
    """A carrier under test and a hand on its far side."""

    @property
    def carrier(self) -> Carrier: ...

    @property
    def recipients(self) -> Mapping[Fate, str]:
        """A recipient number for each fate that the carrier can be made to show."""
        ...

    async def connected(self) -> None:
        """Wait until the carrier, whose `run` is running, takes submissions."""
        ...

    async def go_down(self) -> None:
        """Make the far side unreachable; connections break."""
        ...

    async def come_back(self) -> None:
        """Make it reachable again; it has forgotten nothing."""
        ...

    async def sent_counts(self, message_ids: Sequence[UUID]) -> list[int] | None:
        """How often each message went out to the handset; None where the far side does not tell."""
        ...

    async def bring_in(self, sender: str, recipient: str, body: str) -> str | None:
        """Have a message come in from a phone; the carrier's id of it. None where it cannot be made to."""
        ...


class Receiver:
    """Runs a carrier and keeps what it hands over; `refusals` takes of receipts, and of messages, fail first."""

    def __init__(self, carrier: Carrier, refusals: int = 0, inbound_refusals: int = 0) -> None:
        self._carrier = carrier
        self._refusals = refusals
        self._inbound_refusals = inbound_refusals
        self._changed = asyncio.Condition()
        self.receipts: list[CarrierReceipt] = []
        self.refused: list[CarrierReceipt] = []
        self.inbound: list[CarrierInbound] = []
        self.inbound_refused: list[CarrierInbound] = []

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._carrier.run(self._take, self._take_inbound))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.cancel()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(self._running, return_exceptions=True)

    async def _take(self, receipts: Sequence[CarrierReceipt]) -> None:
        async with self._changed:
            kept, fails = self.receipts, len(self.refused) < self._refusals
            if fails:
                kept = self.refused
            kept.extend(receipts)
            self._changed.notify_all()
        if fails:
            raise ConnectionError("the ledger's database is away")

    async def _take_inbound(self, messages: Sequence[CarrierInbound]) -> None:
        async with self._changed:
            fails = len(self.inbound_refused) < self._inbound_refusals
            (self.inbound_refused if fails else self.inbound).extend(messages)
            self._changed.notify_all()
        if fails:
            raise ConnectionError("the ledger's database is away")

    async def until(self, predicate: Callable[[], bool]) -> None:
        """Wait until what came in satisfies `predicate`."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(predicate)

    def of(self, outcome: Outcome) -> list[CarrierReceipt]:
        """The receipts of a taken message."""
        assert isinstance(outcome, Taken)
        return [r for r in self.receipts if r.provider_message_id == outcome.provider_message_id]


def submission(
    recipient: str, *, message_id: UUID | None = None, attempt: int = 1, body: str = "Hello"
) -> Submission:
    """A message to `recipient`, a new one where no id is given."""
    return Submission(message_id or uuid7(), "+12025550100", recipient, body, attempt)


class CarrierConformance:
    """The suite. A subclass, named `Test…`, has a fixture `harness` that yields a CarrierHarness."""

    @pytest.fixture
    async def receiver(self, harness: CarrierHarness) -> AsyncIterator[Receiver]:
        async with Receiver(harness.carrier) as receiver:
            await self._connected(harness)
            yield receiver

    async def test_a_taken_message_gets_a_receipt_under_the_id_of_the_answer(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        outcome = await harness.carrier.submit(submission(self._recipient(harness, Fate.DELIVERED)))
        await receiver.until(lambda: receiver.of(outcome) != [])
        [receipt] = receiver.of(outcome)
        assert receipt.status is Status.DELIVERED
        assert receipt.carrier == harness.carrier.name
        assert receipt.provider_at is None or receipt.provider_at.tzinfo is not None

    async def test_the_carriers_id_is_not_the_ledgers(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        message = submission(self._recipient(harness, Fate.DELIVERED))
        outcome = await harness.carrier.submit(message)
        assert isinstance(outcome, Taken)
        assert message.message_id.hex not in outcome.provider_message_id.replace("-", "")

    async def test_an_undelivered_message_has_an_error_code_and_a_reason(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        outcome = await harness.carrier.submit(submission(self._recipient(harness, Fate.UNDELIVERED)))
        await receiver.until(lambda: receiver.of(outcome) != [])
        [receipt] = receiver.of(outcome)
        assert receipt.status is Status.UNDELIVERED
        assert receipt.error_code
        assert receipt.reason

    async def test_a_refusal_for_good_says_why(self, harness: CarrierHarness, receiver: Receiver) -> None:
        outcome = await harness.carrier.submit(submission(self._recipient(harness, Fate.REFUSED)))
        assert isinstance(outcome, Refused)
        assert outcome.error_code
        assert outcome.reason

    async def test_a_throttled_message_is_taken_at_a_later_attempt_and_sent_once(
        self, harness, receiver
    ) -> None:
        message_id, recipient = uuid7(), self._recipient(harness, Fate.THROTTLED_AT_FIRST)
        outcomes: list[Outcome] = []
        while not outcomes or isinstance(outcomes[-1], TryLater):
            again = submission(recipient, message_id=message_id, attempt=len(outcomes) + 1)
            outcomes.append(await harness.carrier.submit(again))
            assert len(outcomes) < 20
        first = outcomes[0]
        assert isinstance(first, TryLater)
        assert first.error_code
        assert first.retry_after_s is None or first.retry_after_s > 0
        assert isinstance(outcomes[-1], Taken)
        await self._assert_sent_once(harness, [message_id])

    async def test_a_repeated_submission_is_answered_as_before_and_sent_once(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        if not harness.carrier.idempotent:
            pytest.skip("this carrier recognises no message ids")
        message = submission(self._recipient(harness, Fate.DELIVERED))
        together = await asyncio.gather(*[harness.carrier.submit(message) for _ in range(5)])
        later = await harness.carrier.submit(message)
        ids = {outcome.provider_message_id for outcome in (*together, later) if isinstance(outcome, Taken)}
        assert len(ids) == 1
        assert all(isinstance(outcome, Taken) for outcome in together)
        await self._assert_sent_once(harness, [message.message_id])

    async def test_a_message_that_the_carrier_never_saw_is_looked_up_as_none(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        found = await harness.carrier.look_up(submission(self._recipient(harness, Fate.DELIVERED)))
        assert found is None or isinstance(found, Unknown)

    async def test_a_taken_message_is_looked_up_under_the_same_id(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        message = submission(self._recipient(harness, Fate.DELIVERED))
        outcome = await harness.carrier.submit(message)
        found = await harness.carrier.look_up(message)
        assert isinstance(outcome, Taken)
        if isinstance(found, Unknown):
            pytest.skip("this carrier cannot be asked")
        assert isinstance(found, Taken)
        assert found.provider_message_id == outcome.provider_message_id

    async def test_a_lost_answer_is_an_unknown_outcome_and_never_a_second_message(
        self, harness, receiver
    ) -> None:
        message = submission(self._recipient(harness, Fate.ANSWER_LOST))
        assert isinstance(await harness.carrier.submit(message), Unknown)
        await self._connected(harness)
        found = await harness.carrier.look_up(message)
        assert isinstance(found, Taken | Unknown)
        if harness.carrier.idempotent:
            again = await harness.carrier.submit(message)
            assert isinstance(again, Taken)
            await receiver.until(lambda: receiver.of(again) != [])
        await self._assert_sent_once(harness, [message.message_id])

    async def test_a_receipt_may_come_before_the_answer(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        submitting = asyncio.create_task(
            harness.carrier.submit(submission(self._recipient(harness, Fate.RECEIPT_FIRST)))
        )
        await receiver.until(lambda: receiver.receipts != [])
        assert not submitting.done()
        outcome = await submitting
        assert len(receiver.of(outcome)) == 1

    async def test_a_doubled_receipt_says_the_same_twice(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        outcome = await harness.carrier.submit(submission(self._recipient(harness, Fate.DOUBLED)))
        await receiver.until(lambda: len(receiver.of(outcome)) == 2)
        one, other = receiver.of(outcome)
        assert (one.status, one.error_code) == (other.status, other.error_code)

    async def test_many_messages_at_once_each_get_their_own_id_and_receipt(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        recipient = self._recipient(harness, Fate.DELIVERED)
        messages = [submission(recipient) for _ in range(1_000)]
        outcomes = await asyncio.gather(*map(harness.carrier.submit, messages))
        ids = {outcome.provider_message_id for outcome in outcomes if isinstance(outcome, Taken)}
        assert len(ids) == len(messages)
        await receiver.until(lambda: {r.provider_message_id for r in receiver.receipts} >= ids)
        await self._assert_sent_once(harness, [message.message_id for message in messages])

    async def test_receipts_that_could_not_be_taken_come_again(self, harness: CarrierHarness) -> None:
        async with Receiver(harness.carrier, refusals=1) as receiver:
            await self._connected(harness)
            outcome = await harness.carrier.submit(submission(self._recipient(harness, Fate.DELIVERED)))
            await receiver.until(lambda: receiver.of(outcome) != [])
            assert receiver.refused == receiver.of(outcome)

    async def test_a_message_from_a_phone_is_handed_over_with_the_carriers_id(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        provider_message_id = await self._bring_in(harness, "STOP")
        await receiver.until(lambda: receiver.inbound != [])
        [message] = receiver.inbound
        assert (message.sender, message.recipient, message.body) == (PERSON, OURS, "STOP")
        assert (message.carrier, message.provider_message_id) == (harness.carrier.name, provider_message_id)
        assert message.provider_at is None or message.provider_at.tzinfo is not None
        assert receiver.receipts == []

    async def test_messages_that_could_not_be_taken_come_again_under_the_same_id(
        self, harness: CarrierHarness
    ) -> None:
        async with Receiver(harness.carrier, inbound_refusals=1) as receiver:
            await self._connected(harness)
            await self._bring_in(harness, "Hello")
            await receiver.until(lambda: receiver.inbound != [])
            assert receiver.inbound_refused == receiver.inbound

    async def test_a_message_that_was_not_taken_is_not_lost_in_an_outage(
        self, harness: CarrierHarness
    ) -> None:
        async with Receiver(harness.carrier, inbound_refusals=1) as receiver:
            await self._connected(harness)
            await self._bring_in(harness, "Hello")
            await receiver.until(lambda: receiver.inbound_refused != [])
            await harness.go_down()
            await harness.come_back()
            await self._connected(harness)
            await receiver.until(lambda: receiver.inbound != [])
            assert receiver.inbound[0] == receiver.inbound_refused[0]

    async def test_without_a_connection_nothing_is_taken_and_nothing_raised(
        self, harness: CarrierHarness
    ) -> None:
        message = submission(self._recipient(harness, Fate.DELIVERED))
        assert isinstance(await harness.carrier.submit(message), TryLater)
        assert isinstance(await harness.carrier.look_up(message), Unknown)

    async def test_an_outage_loses_and_doubles_nothing(
        self, harness: CarrierHarness, receiver: Receiver
    ) -> None:
        recipient = self._recipient(harness, Fate.DELIVERED)
        messages = [submission(recipient) for _ in range(300)]
        submitting = [asyncio.create_task(harness.carrier.submit(message)) for message in messages]
        await asyncio.wait(submitting, return_when=asyncio.FIRST_COMPLETED)
        await harness.go_down()
        outcomes = [await task for task in submitting]
        refused_by_outage = await harness.carrier.submit(submission(recipient))
        assert isinstance(refused_by_outage, TryLater | Unknown)
        await harness.come_back()
        await self._connected(harness)
        taken = [outcome for outcome in outcomes if isinstance(outcome, Taken)]
        for message, outcome in zip(messages, outcomes, strict=True):
            if not isinstance(outcome, Taken) and harness.carrier.idempotent:
                again = await harness.carrier.submit(message)
                assert isinstance(again, Taken)
                taken.append(again)
        ids = {outcome.provider_message_id for outcome in taken}
        await receiver.until(lambda: {r.provider_message_id for r in receiver.receipts} >= ids)
        if harness.carrier.idempotent:
            await self._assert_sent_once(harness, [message.message_id for message in messages])

    async def test_a_body_that_cannot_be_written_down_is_refused_and_harms_no_other(
        self, harness, receiver
    ) -> None:
        recipient = self._recipient(harness, Fate.DELIVERED)
        broken, sound = await asyncio.gather(
            harness.carrier.submit(submission(recipient, body="half a character: \ud83d")),
            harness.carrier.submit(submission(recipient)),
        )
        assert isinstance(broken, Refused)
        assert isinstance(sound, Taken)

    def _recipient(self, harness: CarrierHarness, fate: Fate) -> str:
        recipient = harness.recipients.get(fate)
        if recipient is None:
            pytest.skip(f"this carrier has no number for: {fate.value}")
        return recipient

    async def _bring_in(self, harness: CarrierHarness, body: str) -> str:
        provider_message_id = await harness.bring_in(PERSON, OURS, body)
        if provider_message_id is None:
            pytest.skip("this carrier cannot be made to bring in a message")
        return provider_message_id

    async def _connected(self, harness: CarrierHarness) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await harness.connected()

    async def _assert_sent_once(self, harness: CarrierHarness, message_ids: Sequence[UUID]) -> None:
        counts = await harness.sent_counts(message_ids)
        assert counts is None or counts == [1] * len(message_ids)
