"""The page's "Get SMS Message"."""

from datetime import datetime
from itertools import pairwise

import httpx
import pytest

from tests.http.organizations import TestOrganization, make_organization
from tests.running_service import Service

from .page import MESSAGE, MESSAGE_ID, NUMBER, STATUSES, TIME, error_of, message_in, same_shape, send

# docs/simulator.md: what happens to a message is decided by its recipient.
DELIVERED, UNDELIVERED, FAILED, NO_RECEIPT, SLOW = (
    f"+1500555{n}" for n in ("0001", "0002", "0003", "0005", "0011")
)


def test_a_message_is_found_by_its_id(client: httpx.Client) -> None:
    """Get SMS Message, Path Parameters: `messageId`."""
    sent = send(client)
    answer = client.get(f"/sms/{sent['messageId']}")
    assert answer.status_code == 200
    assert answer.json()["messageId"] == sent["messageId"]


@pytest.mark.parametrize(
    "message_id", ["sms_abc123", "sms_01hk153x00e45bavdxkn2xkbtr", "x", "sms_inb_abc123"]
)
def test_an_unknown_message_is_not_found(client: httpx.Client, message_id: str) -> None:
    """Get SMS Message, Path Parameters: the page's error is 404 MESSAGE_NOT_FOUND."""
    error_of(client.get(f"/sms/{message_id}"), 404, "MESSAGE_NOT_FOUND")


def test_anothers_message_is_not_found(service: Service, client: httpx.Client, nobody: httpx.Client) -> None:
    """Get SMS Message, Path Parameters: of another organization."""
    sent = send(client)
    other: TestOrganization = make_organization(service.ready.postgres_url)
    answer = nobody.get(f"/sms/{sent['messageId']}", headers={"X-API-Key": other.server_key})
    error_of(answer, 404, "MESSAGE_NOT_FOUND")


def test_a_delivered_message_has_every_field_of_the_page(client: httpx.Client) -> None:
    """Get SMS Message, Response: field by field."""
    sent = send(client)
    message = message_in(client, sent["messageId"], "DELIVERED")
    assert list(message) == list(MESSAGE)
    assert same_shape(message, MESSAGE)
    own = {"messageId", "providerMessageId", "from", "queuedAt", "sentAt", "deliveredAt", "events"}
    assert {name: message[name] for name in MESSAGE if name not in own} == {
        name: value for name, value in MESSAGE.items() if name not in own
    }
    assert MESSAGE_ID.fullmatch(message["messageId"])
    assert message["providerMessageId"]
    assert NUMBER.fullmatch(message["from"])
    times = [message["queuedAt"], message["sentAt"], message["deliveredAt"]]
    assert all(TIME.fullmatch(time) for time in times)
    assert times == sorted(times)
    assert message["queuedAt"] == sent["submittedAt"]


def test_the_events_are_the_messages_life_in_order(client: httpx.Client) -> None:
    """Get SMS Message, Response: `events`, of which the page shows QUEUED, SENT, DELIVERED."""
    message = message_in(client, send(client)["messageId"], "DELIVERED")
    for event in message["events"]:
        assert list(event) == ["eventType", "timestamp"]
        assert TIME.fullmatch(event["timestamp"])
    types = [event["eventType"] for event in message["events"]]
    assert [name for name in types if name != "SENDING"] == ["QUEUED", "SENT", "DELIVERED"]
    moments = [datetime.fromisoformat(event["timestamp"]) for event in message["events"]]
    assert all(one <= next_one for one, next_one in pairwise(moments))
    at = {event["eventType"]: event["timestamp"] for event in message["events"]}
    assert (at["QUEUED"], at["SENT"], at["DELIVERED"]) == (
        message["queuedAt"],
        message["sentAt"],
        message["deliveredAt"],
    )


def test_a_message_without_tag_and_metadata_has_null_and_nothing(client: httpx.Client) -> None:
    """Get SMS Message, Response: `tag` and `metadata` where they were not given."""
    message = client.get(f"/sms/{send(client, tag=None, metadata=None)['messageId']}").json()
    assert (message["tag"], message["metadata"]) == (None, {})


def test_the_segments_are_those_of_the_body(client: httpx.Client) -> None:
    """Get SMS Message, Response: `segments`."""
    for code, segments in (("x" * 134, 1), ("x" * 135, 2), ("日" * 44, 1), ("日" * 45, 2)):
        sent = send(client, templateModel={"code": code})
        assert client.get(f"/sms/{sent['messageId']}").json()["segments"] == segments


def test_the_country_is_the_recipients(client: httpx.Client) -> None:
    """Get SMS Message, Response: `country`."""
    for to, country in (("+14155551234", "US"), ("+447400123457", "GB"), ("+4915123456780", "DE")):
        assert client.get(f"/sms/{send(client, to=to)['messageId']}").json()["country"] == country


@pytest.mark.parametrize(
    ("to", "status"),
    [
        (SLOW, "SENDING"),
        (NO_RECEIPT, "SENT"),
        (DELIVERED, "DELIVERED"),
        (FAILED, "FAILED"),
        (UNDELIVERED, "UNDELIVERED"),
    ],
    ids=["SENDING", "SENT", "DELIVERED", "FAILED", "UNDELIVERED"],
)
def test_a_status_is_reached(client: httpx.Client, to: str, status: str) -> None:
    """Get SMS Message, Message Statuses: each that a carrier can bring about, with what it says of errors and times."""
    message = message_in(client, send(client, to=to)["messageId"], status)
    assert status in STATUSES
    ended_badly = status in {"FAILED", "UNDELIVERED"}
    assert bool(message["errorCode"]) == bool(message["errorMessage"]) == ended_badly
    assert bool(message["failedAt"]) == ended_badly
    assert bool(message["deliveredAt"]) == (status == "DELIVERED")
    if status not in {"SENDING", "FAILED"}:
        assert message["sentAt"]
    assert message["events"][-1]["eventType"] == status


def test_a_message_begins_as_queued(client: httpx.Client) -> None:
    """Get SMS Message, Message Statuses: QUEUED, "Message accepted, waiting to send"."""
    message = client.get(f"/sms/{send(client, to=SLOW)['messageId']}").json()
    assert message["events"][0]["eventType"] == "QUEUED"
    assert message["status"] in {"QUEUED", "SENDING"}
