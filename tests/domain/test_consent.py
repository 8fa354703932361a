"""Consent, given-when-then: who may take back what, and that nothing is said twice."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from smsledger.domain.consent import (
    ALL,
    POOL,
    STRENGTH,
    Cause,
    Consent,
    CorruptConsent,
    Reason,
    Restoration,
    Restored,
    Suppressed,
    consent_id,
    covers,
    evolve,
    fold,
    opt_in,
    restore_all,
    sender_scope,
    suppress,
)
from smsledger.domain.event import Event
from smsledger.domain.ids import derived_id

from .histories import queued

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWN = "+18005550100"
STOP = Cause(keyword="STOP", message_id=UUID(int=1))
START = Cause(keyword="START", message_id=UUID(int=2))
KEY = Cause(key_id="key_1", note="by telephone")


def given(*suppressions: tuple[str, Reason]) -> Consent:
    """The consent after these, as (scope, reason)."""
    consent = fold("acme", "+14155550123", [])
    for scope, reason in suppressions:
        consent = after(consent, suppress(consent, reason=reason, cause=KEY, at=AT, scope=scope))
    return consent


def after(consent: Consent, events: Sequence[Event]) -> Consent:
    for event in events:
        consent = evolve(consent, event)
    return consent


def test_nothing_stands_against_a_number_of_which_nothing_was_said() -> None:
    consent = given()
    assert (consent.version, covers(consent, POOL)) == (0, False)


def test_a_suppression_says_who_or_what_when_and_why() -> None:
    (event,) = suppress(given(), reason=Reason.OPT_OUT, cause=STOP, at=AT, scope=POOL)
    assert event == Suppressed(
        at=AT,
        organization_id="acme",
        number="+14155550123",
        scope=POOL,
        reason=Reason.OPT_OUT,
        keyword="STOP",
        message_id=UUID(int=1),
    )


def test_without_a_scope_every_sender_is_meant() -> None:
    consent = given((ALL, Reason.MANUAL))
    assert covers(consent, POOL)
    assert covers(consent, OWN)


def test_a_suppression_of_one_sender_is_not_one_of_the_others() -> None:
    consent = given((OWN, Reason.OPT_OUT))
    assert [covers(consent, scope) for scope in (OWN, POOL, "+18005550199")] == [True, False, False]


@pytest.mark.parametrize("standing", Reason)
@pytest.mark.parametrize("said", Reason)
def test_of_two_reasons_for_a_scope_the_stronger_stands(standing: Reason, said: Reason) -> None:
    consent = given((POOL, standing))
    events = suppress(consent, reason=said, cause=KEY, at=AT, scope=POOL)
    assert (events != []) == (STRENGTH[said] > STRENGTH[standing])
    assert after(consent, events).suppressions[POOL].reason is max(standing, said, key=lambda r: STRENGTH[r])


def test_a_person_takes_back_what_the_person_said_in_that_scope_and_in_all() -> None:
    consent = given((POOL, Reason.OPT_OUT), (ALL, Reason.OPT_OUT), (OWN, Reason.OPT_OUT))
    events = opt_in(consent, scope=POOL, cause=START, at=AT)
    assert events == [
        Restored(
            at=AT,
            organization_id="acme",
            number="+14155550123",
            scope=scope,
            reason=Restoration.OPT_IN,
            keyword="START",
            message_id=UUID(int=2),
        )
        for scope in (POOL, ALL)
    ]
    assert list(after(consent, events).suppressions) == [OWN]


@pytest.mark.parametrize("reason", [Reason.MANUAL, Reason.CARRIER])
@pytest.mark.parametrize("scope", [POOL, ALL])
def test_a_person_does_not_take_back_what_others_decided(reason: Reason, scope: str) -> None:
    assert opt_in(given((scope, reason)), scope=POOL, cause=START, at=AT) == []


def test_an_opt_out_under_a_manual_suppression_holds_when_that_one_is_taken_back_by_nobody() -> None:
    consent = given((ALL, Reason.MANUAL))
    consent = after(consent, suppress(consent, reason=Reason.OPT_OUT, cause=STOP, at=AT, scope=POOL))
    consent = after(consent, opt_in(consent, scope=POOL, cause=START, at=AT))
    assert list(consent.suppressions) == [ALL]


def test_the_organization_takes_back_everything() -> None:
    consent = given((ALL, Reason.MANUAL), (POOL, Reason.OPT_OUT), (OWN, Reason.CARRIER))
    events = restore_all(consent, cause=KEY, at=AT)
    assert [(event.scope, event.key_id) for event in events if isinstance(event, Restored)] == [
        (ALL, "key_1"),
        (POOL, "key_1"),
        (OWN, "key_1"),
    ]
    consent = after(consent, events)
    assert consent.suppressions == {}
    assert restore_all(consent, cause=KEY, at=AT) == []


def test_a_messages_event_is_none_of_a_consent() -> None:
    with pytest.raises(CorruptConsent, match="version 1"):
        fold("acme", "+14155550123", [queued()])


def test_the_id_follows_from_organization_and_number() -> None:
    one = consent_id("acme", "+14155550123")
    assert str(one) == str(given().consent_id)
    assert one.version == 8
    assert one == derived_id("consent", "acme", "+14155550123")
    assert len({one, consent_id("acme", "+14155550124"), consent_id("other", "+14155550123")}) == 3


def test_a_scope_is_the_pool_or_the_sender_itself() -> None:
    assert (sender_scope(OWN, pooled=True), sender_scope(OWN, pooled=False)) == (POOL, OWN)


SCOPES = st.sampled_from([ALL, POOL, OWN])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("suppress"), SCOPES, st.sampled_from(Reason)),
        st.tuples(st.just("opt_in"), st.sampled_from([POOL, OWN]), st.none()),
        st.tuples(st.just("restore"), st.none(), st.none()),
    ),
    max_size=12,
)


def decide(consent: Consent, step: tuple[str, str, Reason]) -> Sequence[Event]:
    kind, scope, reason = step
    if kind == "suppress":
        return suppress(consent, reason=reason, cause=KEY, at=AT, scope=scope)
    if kind == "opt_in":
        return opt_in(consent, scope=scope, cause=START, at=AT)
    return restore_all(consent, cause=KEY, at=AT)


@for_all(STEPS)
def test_whatever_happens_repeating_it_says_nothing_new_and_events_are_the_whole_truth(
    steps: list[tuple[str, str, Reason]],
) -> None:
    consent = given()
    events: list[Event] = []
    for step in steps:
        decided = decide(consent, step)
        consent = after(consent, decided)
        events += decided
        assert decide(consent, step) == []
        kind, scope, _ = step
        if kind == "suppress":
            assert covers(consent, scope)
    assert consent == fold("acme", "+14155550123", events)
    assert consent.version == len(events)


@for_all(STEPS)
def test_only_the_organization_ends_what_was_not_the_persons(steps: list[tuple[str, str, Reason]]) -> None:
    consent = given()
    for step in steps:
        before = {
            scope for scope, event in consent.suppressions.items() if event.reason is not Reason.OPT_OUT
        }
        consent = after(consent, decide(consent, step))
        if step[0] != "restore":
            assert before <= set(consent.suppressions)
