"""What holds for every message, whatever carriers say, in whatever order and however often."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event
from smsledger.domain.message import (
    MESSAGE_EVENTS,
    Message,
    Queued,
    Receipt,
    Received,
    Sending,
    evolve,
    fold,
    is_final,
    record_deferred,
    record_overdue,
    record_receipt,
    record_refused,
    record_taken,
    record_unknown,
    start_sending,
)
from smsledger.domain.status import PRECEDENCE, Direction, Status

from .histories import (
    CARRIER,
    MESSAGE_ID,
    at,
    blocked,
    deferred,
    delivered,
    failed,
    outcome_unknown,
    overdue,
    queued,
    receipt,
    sending,
    sent,
    undelivered,
)
from .histories import given as message_after

RECEIPTS = st.builds(
    receipt,
    st.sampled_from([Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.FAILED]),
    st.sampled_from(["", "30003", "30005", "30007"]),
)
LATER_EVENTS = st.sampled_from(
    [
        sending(),
        deferred(),
        sent(),
        sent(provider_message_id=None),
        delivered(),
        undelivered(),
        undelivered(error_code="30005"),
        failed(),
        outcome_unknown(),
        overdue(),
        blocked(),
    ]
)
# Where receipts may begin: the answer is missing, recorded, or was given up.
BEGINNINGS: Sequence[Sequence[Event]] = (
    (queued(), sending()),
    (queued(), sending(), sent()),
    (queued(), sending(), outcome_unknown()),
    (queued(), sending(), sent(), overdue()),
)


def take(message: Message, receipts: Sequence[Receipt]) -> Message:
    for number, one in enumerate(receipts):
        for event in record_receipt(message, one, at=at(10 + number)):
            message = evolve(message, message.message_id, event)
    return message


def shuffled_with_repeats(receipts: Sequence[Receipt]) -> st.SearchStrategy[list[Receipt]]:
    """Every receipt at least once, some again, in any order."""
    if not receipts:
        return st.just([])
    return st.lists(st.sampled_from(receipts), max_size=6).flatmap(
        lambda again: st.permutations([*receipts, *again])
    )


@given(st.sampled_from(BEGINNINGS), st.lists(RECEIPTS, max_size=6), st.data())
def test_any_order_and_repetition_of_receipts_ends_in_the_same_status(
    beginning: Sequence[Event], receipts: list[Receipt], data: st.DataObject
) -> None:
    message = message_after(*beginning)
    one = take(message, data.draw(shuffled_with_repeats(receipts)))
    other = take(message, data.draw(shuffled_with_repeats(receipts)))
    assert one.status is other.status
    assert one.receipts == other.receipts
    assert one.version == other.version
    assert one.version - message.version == len(one.receipts - message.receipts)


@given(st.lists(RECEIPTS, max_size=6), st.data())
def test_it_makes_no_difference_whether_receipts_come_before_or_after_the_carriers_answer(
    receipts: list[Receipt], data: st.DataObject
) -> None:
    message = message_after(queued(), sending())
    order = data.draw(shuffled_with_repeats(receipts))
    split = data.draw(st.integers(0, len(order)))
    early = take(message, order[:split])
    for event in record_taken(early, carrier=CARRIER, provider_message_id="out-1", at=at(9)):
        early = evolve(early, early.message_id, event)
    before_and_after = take(early, order[split:])
    all_after = take(message_after(queued(), sending(), sent()), receipts)
    assert before_and_after.status is all_after.status
    assert before_and_after.provider_message_id == all_after.provider_message_id == "out-1"


@given(st.lists(RECEIPTS, max_size=6), st.data())
def test_giving_up_on_receipts_early_or_late_makes_no_difference_once_a_better_one_came(
    receipts: list[Receipt], data: st.DataObject
) -> None:
    """Only a FAILED receipt knows less than the giving up: whichever of the two comes first stands."""
    message = message_after(queued(), sending(), sent())
    order = data.draw(shuffled_with_repeats(receipts))
    split = data.draw(st.integers(0, len(order)))
    some = take(message, order[:split])
    for event in record_overdue(some, at=at(60), waited_s=58):
        some = evolve(some, some.message_id, event)
    with_overdue = take(some, order[split:])
    without = take(message, order)
    if without.status in (Status.DELIVERED, Status.UNDELIVERED):
        assert with_overdue.status is without.status
    else:
        assert with_overdue.status in (without.status, Status.UNDELIVERED)


@given(st.lists(LATER_EVENTS, max_size=12), st.data())
def test_the_status_of_events_does_not_depend_on_their_order(
    events: list[Event], data: st.DataObject
) -> None:
    one = message_after(queued(), *events)
    other = message_after(queued(), *data.draw(st.permutations(events)))
    assert one.status is other.status
    assert one.receipts == other.receipts
    assert one.version == other.version == 1 + len(events)


@given(st.lists(LATER_EVENTS, max_size=12), st.integers(0, 12))
def test_folding_is_evolving_step_by_step_from_any_point(events: list[Event], split: int) -> None:
    whole = fold(MESSAGE_ID, [queued(), *events])
    state = fold(MESSAGE_ID, [queued(), *events[:split]])
    for event in events[split:]:
        state = evolve(state, MESSAGE_ID, event)
    assert state == whole


@given(st.lists(LATER_EVENTS, max_size=12))
def test_versions_are_contiguous_and_no_status_ever_goes_down(events: list[Event]) -> None:
    state = message_after(queued())
    for number, event in enumerate(events, start=2):
        changed = evolve(state, MESSAGE_ID, event)
        assert changed.version == number
        assert PRECEDENCE[changed.status] >= PRECEDENCE[state.status]
        assert changed.updated_at == event.at
        state = changed


@given(st.lists(LATER_EVENTS, max_size=8))
def test_an_error_is_shown_exactly_where_the_status_is_one(events: list[Event]) -> None:
    state = message_after(queued(), *events)
    in_error = state.status in (Status.FAILED, Status.UNDELIVERED, Status.BLOCKED)
    assert (state.error_code is not None) is in_error
    assert (state.error_message is not None) is in_error


class MessageLife(RuleBasedStateMachine):
    """One message between a careless dispatcher, an unreliable carrier and a clock that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.seconds = 0.0

    @property
    def message(self) -> Message:
        return message_after(*self.events)

    def decide(self, decision: Any, *arguments: Any, **named: Any) -> Sequence[Event]:
        """Decide and record; whatever is decided, the status does not go down."""
        self.seconds += 1
        before = self.message
        decided = decision(before, *arguments, at=at(self.seconds), **named)
        self.events += decided
        if decided and PRECEDENCE[self.message.status] < PRECEDENCE[before.status]:
            raise AssertionError(before.status, self.message.status)
        return decided  # type: ignore[no-any-return]  # the decisions' common type

    @initialize()
    def accepted(self) -> None:
        self.events = [queued()]

    @rule()
    def a_dispatcher_takes_it_on(self) -> None:
        before = self.message
        try:
            decided = self.decide(start_sending, carrier=CARRIER, lease="lease")
        except LedgerError:
            assert before.attempt_open or before.status not in (Status.QUEUED, Status.SENDING)
        else:
            assert isinstance(decided[0], Sending)
            assert not is_final(before)

    @precondition(lambda self: self.message.attempt > 0)
    @rule(provider_message_id=st.sampled_from(["out-1", "out-2"]))
    def the_carrier_takes_it(self, provider_message_id: str) -> None:
        self.decide(record_taken, carrier=CARRIER, provider_message_id=provider_message_id)
        assert not self.message.attempt_open or self.message.provider_message_id == provider_message_id

    @rule()
    def the_carrier_refuses_it(self) -> None:
        was_open = self.message.attempt_open
        decided = self.decide(record_refused, carrier=CARRIER, error_code="21211", reason="no such number")
        assert bool(decided) is was_open

    @rule(attempts_max=st.integers(1, 4))
    def the_carrier_wants_it_later(self, attempts_max: int) -> None:
        self.decide(
            record_deferred,
            error_code="RATE_LIMIT",
            reason="too many",
            retry_at=at(self.seconds + 30),
            attempts_max=attempts_max,
        )

    @rule()
    def the_answer_is_lost(self) -> None:
        self.decide(record_unknown, reason="lost")

    @rule(given_receipt=RECEIPTS)
    def a_receipt_comes(self, given_receipt: Receipt) -> None:
        self.decide(record_receipt, given_receipt)
        assert record_receipt(self.message, given_receipt, at=at(self.seconds)) == []

    @rule()
    def the_receipt_is_overdue(self) -> None:
        before = self.message.status
        assert bool(self.decide(record_overdue, waited_s=60)) is (before is Status.SENT)

    @invariant()
    def its_history_is_whole(self) -> None:
        if not self.events:
            return
        message = self.message
        assert message.version == len(self.events)
        assert message.direction is Direction.OUTBOUND
        assert isinstance(self.events[0], Queued)
        assert not any(isinstance(event, Queued | Received) for event in self.events[1:])
        assert not (message.attempt_open and is_final(message) and message.attempt == 0)

    @invariant()
    def attempts_are_numbered_without_gaps(self) -> None:
        attempts = [event.attempt for event in self.events if isinstance(event, Sending)]
        assert attempts == list(range(1, len(attempts) + 1))

    @invariant()
    def it_is_the_same_after_storing_and_reading(self) -> None:
        stored = [(MESSAGE_EVENTS.topic(event), MESSAGE_EVENTS.encode(event)) for event in self.events]
        assert [MESSAGE_EVENTS.decode(*one) for one in stored] == self.events


TestMessageLife = MessageLife.TestCase
TestMessageLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
