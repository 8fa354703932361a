"""Stored events stay readable for ever, and are stored today as they ever were. How to add one: golden_events.py."""

import re

import msgspec
import pytest

from smsledger.domain.event import UnknownEventType, event_name, personal_fields
from smsledger.domain.ledger_events import LEDGER_EVENTS

from .golden_events import EVENTS, FOLDER, stored_bytes

TOPICS = sorted(LEDGER_EVENTS.types)

PERSONAL_FIELDS = {
    "message.queued.v1": ["recipient", "body", "template_model", "metadata"],
    "message.received.v1": ["sender", "body"],
    "consent.suppressed.v1": ["number", "note"],
    "consent.restored.v1": ["number", "note"],
}
"""Everything else is kept in clear for ever: a field that is added here or missing here is a decision about people."""


@pytest.mark.parametrize("topic", TOPICS)
def test_stored_bytes_are_read_as_the_event_they_were(topic: str) -> None:
    assert [LEDGER_EVENTS.decode(topic, state) for state in stored_bytes(topic)] == list(EVENTS[topic])


@pytest.mark.parametrize("topic", TOPICS)
def test_an_event_is_stored_today_as_it_ever_was(topic: str) -> None:
    assert [LEDGER_EVENTS.encode(event) for event in EVENTS[topic]] == stored_bytes(topic)


def test_every_event_type_has_its_golden_file_and_no_file_is_left_over() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == [f"{topic}.json" for topic in TOPICS]
    assert sorted(EVENTS) == TOPICS


@pytest.mark.parametrize("topic", TOPICS)
def test_the_full_event_sets_every_field_and_the_minimal_one_leaves_out_what_it_can(topic: str) -> None:
    fields = msgspec.structs.fields(LEDGER_EVENTS.types[topic])
    full, minimal, *later = (msgspec.json.decode(state) for state in stored_bytes(topic))
    assert list(full) == [field.name for field in fields][: len(full)]
    assert {*full}.union(*later) == {field.name for field in fields}
    assert list(minimal) == [field.name for field in fields if field.required]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_aggregate_name_and_version(topic: str) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*\.v[1-9][0-9]*", topic)
    assert topic.split(".")[1] == event_name(topic)
    assert LEDGER_EVENTS.topic(EVENTS[topic][0]) == topic


@pytest.mark.parametrize("topic", TOPICS)
def test_personal_are_exactly_the_fields_that_are_listed(topic: str) -> None:
    assert list(personal_fields(LEDGER_EVENTS.types[topic])) == PERSONAL_FIELDS.get(topic, [])


@pytest.mark.parametrize("topic", TOPICS)
def test_a_field_of_a_newer_release_is_read_over(topic: str) -> None:
    state = stored_bytes(topic)[0]
    newer = state[:-1] + b',"added_later":{"a":[1,2]}}'
    assert LEDGER_EVENTS.decode(topic, newer) == EVENTS[topic][0]


def test_an_event_type_of_a_newer_release_is_named() -> None:
    with pytest.raises(UnknownEventType, match=r"message\.queued\.v2 is not known"):
        LEDGER_EVENTS.decode("message.queued.v2", b"{}")


def test_bytes_of_something_else_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        LEDGER_EVENTS.decode("message.sent.v1", b'{"at":"2026-03-01T12:00:00Z"}')
