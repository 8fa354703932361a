"""The page's suppression methods, as its SDKs put them on the wire, and what the page says of suppressed recipients."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.http.organizations import TestOrganization

from .page import SEND, SENT, TIME, error_of, list_of, message_in, same_shape, send

NUMBER = "+14155551234"


@pytest.fixture
def server(base_url: str, organization: TestOrganization) -> Iterator[httpx.Client]:
    """A client with the SERVER key; afterwards, nobody is suppressed."""
    headers = {"Authorization": f"Bearer {organization.server_key}"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=20, trust_env=False) as client:
        yield client
        for one in client.get("/sms/suppressions").json()["suppressions"]:
            client.delete(f"/sms/suppressions/{one['phoneNumber']}").raise_for_status()


def suppress(client: httpx.Client, number: str = NUMBER, reason: str = "MANUAL") -> dict[str, Any]:
    answer = client.post("/sms/suppressions", json={"phoneNumber": number, "reason": reason})
    assert answer.status_code == 201, answer.text
    suppression: dict[str, Any] = answer.json()
    return suppression


def check(client: httpx.Client, number: str = NUMBER) -> dict[str, Any]:
    answer = client.get(f"/sms/suppressions/{number}")
    assert answer.status_code == 200, answer.text
    checked: dict[str, Any] = answer.json()
    return checked


def test_a_number_is_added_checked_listed_and_removed(server: httpx.Client) -> None:
    """Suppressions Methods: `add`, `check` with `suppressed` and `reason`, `list`, `remove`, in the page's order."""
    assert server.get("/sms/suppressions").json()["suppressions"] == []
    assert (check(server)["suppressed"], check(server)["reason"]) == (False, None)

    added = suppress(server)
    assert (added["phoneNumber"], added["suppressed"], added["reason"]) == (NUMBER, True, "MANUAL")
    assert TIME.fullmatch(added["createdAt"])
    assert (check(server)["suppressed"], check(server)["reason"]) == (True, "MANUAL")
    page = server.get("/sms/suppressions").json()
    assert (page["totalCount"], page["suppressions"], page["nextCursor"]) == (1, [added], None)

    assert server.delete(f"/sms/suppressions/{NUMBER}").status_code == 204
    assert check(server)["suppressed"] is False
    assert server.get("/sms/suppressions").json()["totalCount"] == 0


def test_adding_and_removing_twice_does_no_harm(server: httpx.Client) -> None:
    """Suppressions Methods: a repeated `add` answers with what stands, a repeated `remove` with success."""
    added = suppress(server)
    again = server.post("/sms/suppressions", json={"phoneNumber": NUMBER, "reason": "MANUAL"})
    assert (again.status_code, again.json()) == (200, added)
    for _ in range(2):
        assert server.delete(f"/sms/suppressions/{NUMBER}").status_code == 204


def test_an_encoded_plus_sign_is_the_same_number(server: httpx.Client) -> None:
    """Suppressions Methods: `check` and `remove` take the number as SDKs encode it in a path."""
    suppress(server)
    for path in (f"/sms/suppressions/{NUMBER}", f"/sms/suppressions/%2B{NUMBER[1:]}"):
        assert server.get(path).json()["suppressed"] is True
    assert server.delete(f"/sms/suppressions/%2B{NUMBER[1:]}").status_code == 204
    assert check(server)["suppressed"] is False


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "phoneNumber"),
        ({"phoneNumber": "4155551234"}, "phoneNumber"),
        ({"phoneNumber": 1}, "phoneNumber"),
        ({"phoneNumber": NUMBER, "reason": "BORED"}, "reason"),
        ({"phoneNumber": NUMBER, "other": 1}, "other"),
    ],
)
def test_a_wrong_field_is_named(server: httpx.Client, body: dict[str, Any], name: str) -> None:
    """Suppressions Methods: `add` with wrong values."""
    answer = server.post("/sms/suppressions", json=body)
    assert name in error_of(answer, 400, "INVALID_REQUEST")["message"]


def test_code_1006_is_a_suppressed_recipient(server: httpx.Client, client: httpx.Client) -> None:
    """Send SMS, Error Codes: 1006, "Recipient opted out (suppressed)"; the message is recorded as BLOCKED."""
    suppress(server)
    result = send(client)
    assert list(result) == list(SENT)
    assert same_shape(result, SENT)
    assert (result["to"], result["errorCode"]) == (NUMBER, 1006)
    assert result["message"] != "OK"
    assert result["messageId"]


def test_a_message_to_a_suppressed_recipient_is_blocked(server: httpx.Client, client: httpx.Client) -> None:
    """Get SMS Message, Message Statuses: BLOCKED, "Blocked (e.g., suppressed)"."""
    suppress(server)
    message = message_in(client, send(client, tag="blocked")["messageId"], "BLOCKED")
    assert [event["eventType"] for event in message["events"]] == ["QUEUED", "BLOCKED"]
    assert message["errorCode"] == "1006"
    assert message["errorMessage"]
    assert (message["providerMessageId"], message["sentAt"], message["deliveredAt"]) == (None, None, None)
    page = list_of(client, "/sms/messages", 1, status="BLOCKED", tag="blocked")
    assert page["messages"][0]["messageId"] == message["messageId"]


def test_in_a_batch_only_the_suppressed_recipients_are_blocked(
    server: httpx.Client, client: httpx.Client
) -> None:
    """Send Batch SMS, Response: 1006 beside 0."""
    suppress(server)
    others = ["+14155555678", NUMBER, "+14155555679"]
    results = client.post("/sms/batch", json=[SEND | {"to": to} for to in others]).json()
    assert [(result["to"], result["errorCode"]) for result in results] == [
        ("+14155555678", 0),
        (NUMBER, 1006),
        ("+14155555679", 0),
    ]
    assert all(result["messageId"] for result in results)
    message_in(client, results[0]["messageId"], "DELIVERED")
    message_in(client, results[1]["messageId"], "BLOCKED")


def test_after_removal_messages_are_sent_again(server: httpx.Client, client: httpx.Client) -> None:
    """Suppressions Methods: `remove`."""
    suppress(server)
    server.delete(f"/sms/suppressions/{NUMBER}").raise_for_status()
    result = send(client)
    assert result["errorCode"] == 0
    message_in(client, result["messageId"], "DELIVERED")


def test_a_preview_tells_of_the_suppression(server: httpx.Client, client: httpx.Client) -> None:
    """Suppressions Methods: beyond the page, a preview says what a send would meet."""
    assert client.post("/sms/preview", json=SEND).json()["blocked"] is False
    suppress(server, reason="OPT_OUT")
    preview = client.post("/sms/preview", json=SEND).json()
    assert (preview["blocked"], preview["blockedReason"]) == (True, "OPT_OUT")
