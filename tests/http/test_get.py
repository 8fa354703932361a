"""`GET /v1/sms/{messageId}` and its events: current at once, and field by field as on the page."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.running_service import Service, wait_for_status

from .organizations import OTP, TestOrganization

FIELDS = [
    *("messageId", "providerMessageId", "from", "to", "body", "status", "direction", "segments", "country"),
    *("tag", "metadata", "errorCode", "errorMessage", "queuedAt", "sentAt", "deliveredAt", "failedAt"),
    "events",
]
NEVER_A_RECEIPT = "+15005550005"


def send(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/sms", json=OTP | changes)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def test_a_message_can_be_read_as_soon_as_its_send_is_answered(client: httpx.Client) -> None:
    for number in range(20):
        sent = send(client, templateModel={"code": f"n{number}"})
        answer = client.get(f"/v1/sms/{sent['messageId']}")
        assert answer.status_code == 200
        message = answer.json()
        assert message["body"].endswith(f"n{number}")
        assert message["queuedAt"] == sent["submittedAt"]
        assert message["events"][0] == {"eventType": "QUEUED", "timestamp": sent["submittedAt"]}


def test_a_delivered_message_has_the_fields_of_the_page(client: httpx.Client) -> None:
    sent = send(client, tag="verification", metadata={"userId": "user_123"})
    message = wait_for_status(client, sent["messageId"], "DELIVERED")
    assert list(message) == FIELDS
    expected = {
        "messageId": sent["messageId"],
        "to": "+14155551234",
        "body": "Your verification code is 123456",
        "direction": "OUTBOUND",
        "segments": 1,
        "country": "US",
        "tag": "verification",
        "metadata": {"userId": "user_123"},
        "errorCode": None,
        "errorMessage": None,
        "failedAt": None,
    }
    assert {name: message[name] for name in expected} == expected
    assert message["from"].startswith("+1")
    assert message["providerMessageId"]
    steps = {step["eventType"]: step["timestamp"] for step in message["events"]}
    assert list(steps) == ["QUEUED", "SENDING", "SENT", "DELIVERED"]
    assert [message[name] for name in ("queuedAt", "sentAt", "deliveredAt")] == [
        steps[name] for name in ("QUEUED", "SENT", "DELIVERED")
    ]
    assert list(steps.values()) == sorted(steps.values())


def test_what_is_not_known_yet_is_null(client: httpx.Client) -> None:
    sent = send(client, to=NEVER_A_RECEIPT)
    message = wait_for_status(client, sent["messageId"], "SENT")
    assert (message["tag"], message["metadata"]) == (None, {})
    assert (message["deliveredAt"], message["failedAt"], message["errorCode"]) == (None, None, None)


@pytest.mark.parametrize(
    ("recipient", "status", "code", "steps"),
    [
        ("+15005550002", "UNDELIVERED", "30003", ["QUEUED", "SENDING", "SENT", "UNDELIVERED"]),
        ("+15005550003", "FAILED", "30007", ["QUEUED", "SENDING", "SENT", "FAILED"]),
        ("+15005550004", "FAILED", "21610", ["QUEUED", "SENDING", "FAILED"]),
    ],
)
def test_a_failure_says_why_and_when(
    client: httpx.Client, recipient: str, status: str, code: str, steps: list[str]
) -> None:
    message = wait_for_status(client, send(client, to=recipient)["messageId"], status)
    assert message["errorCode"] == code
    assert message["errorMessage"]
    assert [step["eventType"] for step in message["events"]] == steps
    assert message["failedAt"] == message["events"][-1]["timestamp"]
    assert message["deliveredAt"] is None


# --- Events -----------------------------------------------------------------------------------------------


def test_events_are_cloud_events_in_version_order(
    organization: TestOrganization, client: httpx.Client
) -> None:
    message_id = send(client)["messageId"]
    wait_for_status(client, message_id, "DELIVERED")
    answer = client.get(f"/v1/sms/{message_id}/events")
    assert answer.status_code == 200
    assert list(answer.json()) == ["messageId", "events"]
    assert answer.json()["messageId"] == message_id
    events = answer.json()["events"]
    assert [event["type"] for event in events] == [
        "sms.queued",
        "sms.sending",
        "sms.sent",
        "sms.delivered",
    ]
    for version, event in enumerate(events, 1):
        assert (event["specversion"], event["datacontenttype"]) == ("1.0", "application/json")
        assert (event["id"], event["version"]) == (f"{message_id}.{version}", version)
        assert (event["subject"], event["source"]) == (message_id, "/smsledger")
        assert event["organization"] == organization.organization_id
        assert event["topic"] == f"message.{event['type'].removeprefix('sms.')}.v1"
        assert event["sequence"] == f"{event['position']:020}"
        assert event["time"] == event["data"]["at"]
        assert datetime.fromisoformat(event["time"]).utcoffset() is not None
    assert all(first["position"] < second["position"] for first, second in pairwise(events))
    assert answer.headers["Ledger-Position"] == str(events[-1]["position"])


def test_the_first_event_holds_everything_that_was_decided(client: httpx.Client) -> None:
    sent = send(client, tag="t", metadata={"a": [1, {"b": None}]})
    event = client.get(f"/v1/sms/{sent['messageId']}/events").json()["events"][0]
    data = event["data"]
    assert {name: data[name] for name in ("recipient", "body", "tag", "metadata", "template_model")} == {
        "recipient": "+14155551234",
        "body": "Your verification code is 123456",
        "tag": "t",
        "metadata": {"a": [1, {"b": None}]},
        "template_model": {"code": "123456"},
    }
    assert (data["template_alias"], data["template_version"], data["encoding"]) == (
        "otp-verification",
        1,
        "GSM_7",
    )
    assert data["key_id"].startswith("key_")


def test_an_event_never_changes_once_it_was_read(client: httpx.Client) -> None:
    sent = send(client)
    first = client.get(f"/v1/sms/{sent['messageId']}/events").json()["events"]
    wait_for_status(client, sent["messageId"], "DELIVERED")
    assert client.get(f"/v1/sms/{sent['messageId']}/events").json()["events"][: len(first)] == first


# --- Health -----------------------------------------------------------------------------------------------


def test_health_and_readiness_need_no_key_and_show_every_follower(service: Service) -> None:
    with service.client(None) as nobody:
        for path in ("/healthz", "/readyz"):
            answer = nobody.get(path)
            assert answer.status_code == 200
            state = answer.json()
            assert state["status"] == "ok"
            assert state["ledger"]["head"] >= 0
            names = {follower["name"] for follower in state["ledger"]["followers"]}
            assert {"publisher", "messages"} <= names
            for follower in state["ledger"]["followers"]:
                assert {"position", "lag_events", "lag_s"} <= set(follower)


def test_head_answers_like_get_without_the_body(service: Service, client: httpx.Client) -> None:
    sent = send(client)
    wait_for_status(client, sent["messageId"], "DELIVERED")
    for path in (
        f"/v1/sms/{sent['messageId']}",
        f"/v1/sms/{sent['messageId']}/events",
        "/v1/sms/messages?fromDate=2999-01-01",
        "/v1/sms/inbound",
        "/healthz",
        "/v1/sms/sms_01hk153x00e45bavdxkn2xkbtr",
        "/v1/sms/messages?count=0",
    ):
        get, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert set(head.headers) == set(get.headers)
        if path != "/healthz":  # whose numbers move
            assert head.headers["content-length"] == str(len(get.content))
    with service.client(None) as nobody:
        assert nobody.head("/v1/sms/messages").status_code == 401
    assert client.head("/v1/sms").status_code == 405
