"""Ids as people see them: one form for each kind of thing, and back."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsledger.domain.ids import (
    InvalidId,
    InvalidMessageId,
    derived_id,
    is_inbound_id,
    parse_id,
    parse_message_id,
    render_aggregate_id,
    render_consent_id,
    render_message_id,
)


@given(st.uuids(), st.booleans())
def test_a_messages_id_is_read_back(message_id: UUID, inbound: bool) -> None:
    text = render_message_id(message_id, inbound=inbound)
    assert parse_message_id(text) == parse_id(text) == message_id
    assert is_inbound_id(text) is inbound


@given(st.uuids())
def test_a_messages_uuid_is_read_in_its_canonical_form_alone(message_id: UUID) -> None:
    assert parse_message_id(str(message_id)) == message_id
    for text in (message_id.hex, f"{{{message_id}}}", message_id.urn, f"{message_id} ", f"{message_id}\n"):
        with pytest.raises(InvalidMessageId):
            parse_message_id(text)


@given(st.uuids())
def test_a_consents_id_is_none_of_a_message(consent_id: UUID) -> None:
    text = render_consent_id(consent_id)
    assert text.startswith("con_")
    assert parse_id(text) == consent_id
    with pytest.raises(InvalidMessageId):
        parse_message_id(text)


@pytest.mark.parametrize(
    ("topic", "prefix"),
    [
        ("message.queued.v1", "sms_0"),
        ("message.received.v1", "sms_inb_0"),
        ("consent.suppressed.v1", "con_0"),
        ("consent.restored.v1", "con_0"),
    ],
)
def test_the_topic_of_an_event_tells_how_the_id_is_written(topic: str, prefix: str) -> None:
    assert render_aggregate_id(topic, UUID(int=1)).startswith(prefix)


@pytest.mark.parametrize(
    "text", ["", "con_", "con_1", "msg_" + "0" * 26, "con_" + "u" * 26, "con_8" + "0" * 25]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidId):
        parse_id(text)


@given(st.lists(st.text(), min_size=1))
def test_a_derived_id_is_always_the_same_and_of_version_8(parts: list[str]) -> None:
    assert derived_id(*parts) == derived_id(*parts)
    assert derived_id(*parts).version == 8


def test_parts_are_not_run_together() -> None:
    assert derived_id("a", "bc") != derived_id("ab", "c")
