"""Every decision about a message: given events, when something is decided, then these events or a refusal."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from smsledger.domain.event import Event
from smsledger.domain.message import (
    MESSAGE_EVENTS,
    RECEIPT_KINDS_MAX,
    Blocked,
    CorruptHistory,
    Deferred,
    Delivered,
    Failed,
    Message,
    NotSendable,
    OutcomeUnknown,
    ReceiptOverdue,
    ReceiptRefused,
    Sending,
    Sent,
    Undelivered,
    block,
    carrier_reference,
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
from smsledger.domain.status import FINAL, PRECEDENCE, Direction, Status

from .histories import (
    CARRIER,
    MESSAGE_ID,
    at,
    blocked,
    deferred,
    delivered,
    failed,
    given,
    outcome_unknown,
    overdue,
    queued,
    receipt,
    received,
    sending,
    sent,
    undelivered,
)

HISTORIES: dict[str, tuple[Event, ...]] = {
    "queued": (queued(),),
    "sending": (queued(), sending()),
    "deferred": (queued(), sending(), deferred()),
    "sent": (queued(), sending(), sent()),
    "delivered": (queued(), sending(), sent(), delivered()),
    "undelivered": (queued(), sending(), sent(), undelivered()),
    "failed": (queued(), sending(), failed()),
    "unknown": (queued(), sending(), outcome_unknown()),
    "overdue": (queued(), sending(), sent(), overdue()),
    "blocked": (queued(), blocked()),
    "received": (received(),),
}


def histories(*names: str) -> Any:
    """Run the test on these histories."""
    return pytest.mark.parametrize("events", [pytest.param(HISTORIES[name], id=name) for name in names])


def histories_except(*names: str) -> Any:
    """Run the test on all others."""
    return histories(*(name for name in HISTORIES if name not in names))


def taken(message: Message, provider_message_id: str = "out-1") -> Sequence[Event]:
    return record_taken(message, carrier=CARRIER, provider_message_id=provider_message_id, at=at(5))


def refused(message: Message) -> Sequence[Event]:
    return record_refused(message, carrier=CARRIER, error_code="21211", reason="no such number", at=at(5))


def try_later(message: Message, attempts_max: int = 3) -> Sequence[Event]:
    return record_deferred(
        message,
        error_code="RATE_LIMIT",
        reason="too many",
        at=at(5),
        retry_at=at(15),
        attempts_max=attempts_max,
    )


def unknown(message: Message) -> Sequence[Event]:
    return record_unknown(message, reason="the answer was lost", at=at(5))


def after(message: Message, events: Sequence[Event]) -> Message:
    for event in events:
        message = evolve(message, message.message_id, event)
    return message


# --- start_sending


@histories("queued", "deferred")
def test_a_message_that_waits_to_be_sent_is_taken_on(events: Sequence[Event]) -> None:
    message = given(*events)
    decided = start_sending(message, carrier=CARRIER, lease="lease-9", at=at(20))
    assert decided == [Sending(at=at(20), attempt=message.attempt + 1, carrier=CARRIER, lease="lease-9")]
    assert after(message, decided).attempt_open


def test_a_message_whose_attempt_is_open_is_not_taken_on_twice() -> None:
    with pytest.raises(NotSendable, match="attempt 1 is open"):
        start_sending(given(queued(), sending()), carrier=CARRIER, lease="lease-9", at=at(20))


@histories_except("queued", "deferred", "sending")
def test_a_message_that_is_past_sending_is_not_taken_on(events: Sequence[Event]) -> None:
    message = given(*events)
    with pytest.raises(NotSendable, match=f"it is {message.status}"):
        start_sending(message, carrier=CARRIER, lease="lease-9", at=at(20))


# --- what the carrier answered


def test_the_carrier_took_the_message_on() -> None:
    message = given(queued(), sending())
    decided = taken(message)
    assert decided == [Sent(at=at(5), carrier=CARRIER, provider_message_id="out-1", attempt=1)]
    now = after(message, decided)
    assert (now.status, now.sent_at, now.provider_message_id, now.attempt_open) == (
        Status.SENT,
        at(5),
        "out-1",
        False,
    )


def test_the_same_answer_again_says_nothing_new() -> None:
    message = given(queued(), sending(), sent())
    assert taken(message) == []


def test_the_answer_that_comes_after_the_outcome_was_given_up_is_recorded_and_makes_receipts_match() -> None:
    message = given(queued(), sending(), outcome_unknown())
    decided = taken(message)
    assert [carrier_reference(event) for event in decided] == ["simulator:out-1"]
    assert after(message, decided).status is Status.FAILED


def test_a_second_id_of_the_carrier_is_recorded_so_that_its_receipts_match_and_the_first_stays() -> None:
    message = given(queued(), sending(), sent())
    decided = taken(message, "out-2")
    assert [carrier_reference(event) for event in decided] == ["simulator:out-2"]
    assert after(message, decided).provider_message_id == "out-1"


@histories("queued", "received", "blocked")
def test_no_carrier_can_have_taken_a_message_that_was_never_handed_over(events: Sequence[Event]) -> None:
    with pytest.raises(NotSendable, match="no attempt was made"):
        taken(given(*events), "out-9")


def test_the_carrier_refused_the_message() -> None:
    message = given(queued(), sending())
    decided = refused(message)
    assert decided == [
        Failed(at=at(5), carrier=CARRIER, error_code="21211", reason="no such number", attempt=1)
    ]
    now = after(message, decided)
    assert (now.status, now.error_code, now.error_message, now.failed_at) == (
        Status.FAILED,
        "21211",
        "no such number",
        at(5),
    )


def test_the_carrier_wants_to_be_asked_later() -> None:
    message = given(queued(), sending())
    decided = try_later(message)
    assert decided == [
        Deferred(at=at(5), attempt=1, error_code="RATE_LIMIT", reason="too many", retry_at=at(15))
    ]
    now = after(message, decided)
    assert (now.status, now.retry_at, now.attempt_open, now.error_code) == (
        Status.SENDING,
        at(15),
        False,
        None,
    )


def test_after_the_last_attempt_the_message_has_failed_and_says_so() -> None:
    message = given(queued(), sending(1, 1), deferred(2, 1), sending(3, 2), deferred(4, 2), sending(5, 3))
    (event,) = try_later(message, attempts_max=3)
    assert isinstance(event, Failed)
    assert (event.attempt, event.reason) == (3, "too many (attempt 3 of 3, the last)")
    assert after(message, [event]).status is Status.FAILED


def test_nobody_can_tell_whether_the_carrier_took_the_message() -> None:
    message = given(queued(), sending())
    decided = unknown(message)
    assert decided == [OutcomeUnknown(at=at(5), attempt=1, carrier=CARRIER, reason="the answer was lost")]
    now = after(message, decided)
    assert (now.status, now.error_code) == (Status.FAILED, "OUTCOME_UNKNOWN")


@pytest.mark.parametrize("decide", [refused, try_later, unknown])
@histories_except("sending")
def test_an_answer_without_an_open_attempt_says_nothing_new(
    decide: Callable[[Message], Sequence[Event]], events: Sequence[Event]
) -> None:
    assert decide(given(*events)) == []


@pytest.mark.parametrize("decide", [taken, refused, try_later, unknown])
def test_an_answer_that_was_recorded_is_not_recorded_again(
    decide: Callable[[Message], Sequence[Event]],
) -> None:
    message = given(queued(), sending())
    assert decide(after(message, decide(message))) == []


# --- receipts


@pytest.mark.parametrize(
    ("given_receipt", "expected"),
    [
        (receipt(Status.DELIVERED), Delivered(at=at(9), carrier=CARRIER, provider_at=at(2.5))),
        (
            receipt(Status.UNDELIVERED, "30003", "unreachable"),
            Undelivered(
                at=at(9), carrier=CARRIER, error_code="30003", reason="unreachable", provider_at=at(2.5)
            ),
        ),
        (
            receipt(Status.FAILED, "30007", "filtered"),
            Failed(
                at=at(9),
                carrier=CARRIER,
                error_code="30007",
                reason="filtered",
                attempt=1,
                provider_at=at(2.5),
            ),
        ),
    ],
    ids=["delivered", "undelivered", "failed"],
)
def test_a_receipt_for_a_sent_message_is_recorded(given_receipt: Any, expected: Event) -> None:
    message = given(queued(), sending(), sent())
    decided = record_receipt(message, given_receipt, at=at(9))
    assert decided == [expected]
    assert after(message, decided).status is given_receipt.status


def test_a_receipt_saying_sent_is_recorded_where_the_answer_is_still_missing() -> None:
    message = given(queued(), sending())
    decided = record_receipt(message, receipt(Status.SENT), at=at(9))
    assert decided == [Sent(at=at(9), carrier=CARRIER, attempt=1, provider_at=at(2.5))]
    assert after(message, decided).status is Status.SENT


def test_a_receipt_saying_sent_adds_nothing_to_the_answer_that_said_so() -> None:
    assert record_receipt(given(queued(), sending(), sent()), receipt(Status.SENT), at=at(9)) == []


@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.FAILED])
@histories_except("blocked", "received")
def test_a_repeated_receipt_changes_nothing(events: Sequence[Event], status: Status) -> None:
    message = given(*events)
    once = after(message, record_receipt(message, receipt(status, "30003"), at=at(9)))
    assert record_receipt(once, receipt(status, "30003"), at=at(10)) == []


def test_a_receipt_with_another_error_code_says_something_new_and_the_first_keeps_the_error_fields() -> None:
    message = given(queued(), sending(), sent(), undelivered(error_code="30003"))
    decided = record_receipt(message, receipt(Status.UNDELIVERED, "30005", "unknown"), at=at(9))
    assert len(decided) == 1
    assert after(message, decided).error_code == "30003"


def test_an_error_code_on_a_receipt_of_success_makes_it_no_different() -> None:
    message = given(queued(), sending(), sent(), delivered())
    assert record_receipt(message, receipt(Status.DELIVERED, "0"), at=at(9)) == []


def test_what_a_carrier_can_say_of_one_message_has_an_end() -> None:
    message = given(queued(), sending(), sent())
    for number in range(RECEIPT_KINDS_MAX * 2):
        message = after(message, record_receipt(message, receipt(Status.UNDELIVERED, str(number)), at=at(9)))
    assert len(message.receipts) == RECEIPT_KINDS_MAX
    assert message.version == 2 + RECEIPT_KINDS_MAX
    message = after(message, record_receipt(message, receipt(Status.DELIVERED), at=at(10)))
    assert message.status is Status.DELIVERED


@histories("received", "blocked")
def test_no_carrier_can_report_on_a_message_that_it_was_never_given(events: Sequence[Event]) -> None:
    message = given(*events)
    with pytest.raises(ReceiptRefused, match=f"DELIVERED was refused: the message is {message.status}"):
        record_receipt(message, receipt(Status.DELIVERED), at=at(9))


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, Status.BLOCKED, Status.RECEIVED])
def test_a_receipt_can_only_say_what_carriers_know(status: Status) -> None:
    with pytest.raises(ReceiptRefused, match="a receipt cannot say that"):
        record_receipt(given(queued(), sending(), sent()), receipt(status), at=at(9))


def test_delivered_is_not_taken_back_by_a_later_failure() -> None:
    message = given(queued(), sending(), sent(), delivered(3), undelivered(4), failed(5))
    assert message.status is Status.DELIVERED
    assert (message.error_code, message.failed_at, message.delivered_at) == (None, None, at(3))


def test_delivered_after_a_failure_corrects_it_and_clears_the_error() -> None:
    message = given(queued(), sending(), sent(), failed(3), undelivered(4), delivered(5))
    assert message.status is Status.DELIVERED
    assert (message.error_code, message.error_message, message.failed_at) == (None, None, None)
    assert message.delivered_at == at(5)


# --- overdue receipts


def test_a_sent_message_without_a_receipt_ends_as_undelivered() -> None:
    message = given(queued(), sending(), sent())
    decided = record_overdue(message, at=at(60), waited_s=58)
    assert decided == [ReceiptOverdue(at=at(60), waited_s=58)]
    now = after(message, decided)
    assert (now.status, now.error_code) == (Status.UNDELIVERED, "RECEIPT_OVERDUE")
    assert now.error_message == "no receipt from the carrier within 58 s"
    assert record_overdue(now, at=at(61), waited_s=59) == []


def test_a_late_receipt_still_counts() -> None:
    message = given(queued(), sending(), sent(), overdue())
    now = after(message, record_receipt(message, receipt(Status.DELIVERED), at=at(90)))
    assert (now.status, now.error_code) == (Status.DELIVERED, None)


@histories_except("sent")
def test_a_message_that_is_not_sent_awaits_no_receipt(events: Sequence[Event]) -> None:
    assert record_overdue(given(*events), at=at(60), waited_s=58) == []


# --- block


def test_a_queued_message_can_be_blocked() -> None:
    message = given(queued())
    decided = block(message, error_code="OPTED_OUT", reason="opted out", at=at(1))
    assert decided == [Blocked(at=at(1), error_code="OPTED_OUT", reason="opted out")]
    now = after(message, decided)
    assert (now.status, now.error_code, now.error_message) == (Status.BLOCKED, "OPTED_OUT", "opted out")
    assert block(now, error_code="OPTED_OUT", reason="opted out", at=at(2)) == []


def test_a_message_that_the_carrier_did_not_take_can_be_blocked_before_the_next_attempt() -> None:
    message = given(queued(), sending(), deferred())
    decided = block(message, error_code="1006", reason="suppressed", at=at(3))
    assert after(message, decided).status is Status.BLOCKED


@histories_except("queued", "deferred", "blocked")
def test_a_message_that_may_be_with_the_carrier_cannot_be_blocked(events: Sequence[Event]) -> None:
    message = given(*events)
    with pytest.raises(NotSendable, match=f"it is {message.status}"):
        block(message, error_code="OPTED_OUT", reason="opted out", at=at(1))


# --- state


def test_an_outbound_message_is_as_its_queued_event_says() -> None:
    event = queued()
    message = given(event)
    assert (message.direction, message.status, message.version) == (Direction.OUTBOUND, Status.QUEUED, 1)
    assert (message.created_at, message.updated_at) == (event.at, event.at)
    assert (message.sender, message.recipient, message.body, message.tag, message.metadata) == (
        event.sender,
        event.recipient,
        event.body,
        event.tag,
        event.metadata,
    )


def test_an_inbound_message_is_received_and_final() -> None:
    message = given(received())
    assert (message.direction, message.status) == (Direction.INBOUND, Status.RECEIVED)
    assert message.provider_message_id == "in-1"
    assert is_final(message)


@pytest.mark.parametrize("name", HISTORIES)
def test_final_are_the_messages_with_which_nothing_more_is_done(name: str) -> None:
    open_ones = {"queued", "sending", "deferred", "sent"}
    assert is_final(given(*HISTORIES[name])) is (name not in open_ones)


def test_no_events_are_no_message() -> None:
    assert fold(MESSAGE_ID, []) is None


@pytest.mark.parametrize(
    "event",
    [
        sending(),
        deferred(),
        sent(),
        delivered(),
        undelivered(),
        failed(),
        blocked(),
        outcome_unknown(),
        overdue(),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_history_without_its_beginning_is_corrupt(event: Event) -> None:
    with pytest.raises(CorruptHistory, match="version 1"):
        fold(MESSAGE_ID, [event])


@pytest.mark.parametrize("second", [queued(), received()], ids=["queued", "received"])
@pytest.mark.parametrize("first", [queued(), received()], ids=["queued", "received"])
def test_a_history_with_two_beginnings_is_corrupt(first: Event, second: Event) -> None:
    with pytest.raises(CorruptHistory, match="version 2"):
        fold(MESSAGE_ID, [first, second])


@pytest.mark.parametrize("name", HISTORIES)
def test_only_the_events_that_introduce_a_carriers_id_carry_its_reference(name: str) -> None:
    references = [carrier_reference(event) for event in HISTORIES[name]]
    expected = {"Sent": "simulator:out-1", "Received": "simulator:in-1"}
    assert references == [expected.get(type(event).__name__) for event in HISTORIES[name]]


def test_a_sent_event_without_the_carriers_id_introduces_none() -> None:
    assert carrier_reference(sent(provider_message_id=None)) is None


def test_every_event_type_has_a_status_and_every_status_a_place() -> None:
    reached = set()
    for cls in MESSAGE_EVENTS.types.values():
        reached.add(next(given(*events).status for events in HISTORIES.values() if type(events[-1]) is cls))
    assert reached == set(Status)
    assert set(PRECEDENCE) == set(Status)
    assert len(set(PRECEDENCE.values())) == len(PRECEDENCE)
    assert set(Status) > FINAL
