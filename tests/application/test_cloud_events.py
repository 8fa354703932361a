"""The form in which events leave the ledger: every kind of event, and back."""

from uuid import UUID

import msgspec
import pytest

from smsledger.adapters.nats.subjects import QUEUED, subject_of
from smsledger.application import cloud_events
from smsledger.domain.event import Stored, event_name
from smsledger.domain.ids import parse_id
from tests.domain.golden_events import AT, EVENTS, stored_bytes

TOPICS = sorted(EVENTS)
ID = UUID(int=1)


def stored(topic: str) -> Stored:
    return Stored(7, ID, 1, topic, "acme", AT, stored_bytes(topic)[0])


@pytest.mark.parametrize("topic", TOPICS)
def test_every_event_goes_out_and_is_read_back_as_it_was_stored(topic: str) -> None:
    assert cloud_events.decode(cloud_events.encode(stored(topic))) == stored(topic)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_subject_tells_what_it_happened_to(topic: str) -> None:
    event = msgspec.json.decode(cloud_events.encode(stored(topic)))
    prefix = {"consent": "con_", "message": "sms_"}[topic.split(".", maxsplit=1)[0]]
    if topic == "message.received.v1":
        prefix = "sms_inb_"
    assert event["subject"].startswith(f"{prefix}0")
    assert event["id"] == f"{event['subject']}.1"
    assert event["type"] == f"sms.{event_name(topic)}"
    assert parse_id(event["subject"]) == ID


def test_consents_go_out_on_subjects_of_their_own_and_are_never_dispatched() -> None:
    assert subject_of(stored("consent.suppressed.v1")) == "sms.v1.acme.suppressed"
    assert subject_of(stored("consent.restored.v1")) == "sms.v1.acme.restored"
    dispatched = [topic for topic in TOPICS if subject_of(stored(topic)) == QUEUED.replace("*", "acme")]
    assert dispatched == ["message.queued.v1"]
