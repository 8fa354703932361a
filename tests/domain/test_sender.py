"""The sticky choice of a sender: even, independent of order, and moved by a change only where it must be."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsledger.domain.sender import RememberingSenders, choose_sender


class Number(msgspec.Struct, frozen=True):
    sender: str


NAMES = st.lists(
    st.from_regex(r"\+1[0-9]{10}|[A-Z][a-z]{2,10}", fullmatch=True), min_size=2, max_size=8, unique=True
)
RECIPIENTS = [f"+1415555{number:04}" for number in range(3_000)]


def choices(names: list[str]) -> dict[str, str]:
    senders = RememberingSenders(Number(name) for name in names)
    return {recipient: choose_sender(senders, recipient).sender for recipient in RECIPIENTS[:300]}


@given(NAMES, st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_or_on_what_was_asked_before(names, random) -> None:
    before = choices(names)
    shuffled = random.sample(names, len(names))
    assert choices(shuffled) == before
    plain = tuple(Number(name) for name in shuffled)
    assert all(choose_sender(plain, recipient).sender == name for recipient, name in before.items())


@given(NAMES)
def test_a_sender_that_is_added_only_takes_over(names) -> None:
    *rest, added = names
    before, after = choices(rest), choices(names)
    assert all(after[recipient] in (before[recipient], added) for recipient in before)


@given(NAMES)
def test_a_sender_that_is_removed_hands_on_only_its_own(names) -> None:
    removed, *rest = names
    before, after = choices(names), choices(rest)
    assert all(after[recipient] == sender for recipient, sender in before.items() if sender != removed)


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_the_senders_share_the_recipients_about_evenly(count: int) -> None:
    senders = RememberingSenders(Number(f"+1800555{number:04}") for number in range(count))
    shares = dict.fromkeys((number.sender for number in senders), 0)
    for recipient in RECIPIENTS:
        shares[choose_sender(senders, recipient).sender] += 1
    fair = len(RECIPIENTS) / count
    assert all(0.7 * fair < share < 1.3 * fair for share in shares.values()), shares


def test_one_sender_is_always_chosen() -> None:
    assert choose_sender((Number("Acme"),), "+14155551234") == Number("Acme")
