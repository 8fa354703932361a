"""The page's "List Inbound Messages"."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.http.inbound import received, store_received
from tests.http.organizations import TestOrganization
from tests.running_service import Service

from .page import INBOUND, INBOUND_ID, TIME, error_of, list_of, same_shape, send

START = datetime(2024, 1, 1, 12, 30, tzinfo=UTC)
# hours after START, from, to, body
ARRIVED = [
    (0, "+14155551234", "+18005551234", "Thanks for the update!"),
    (1, "+14155551234", "+18885550100", "é 日本 🎉"),
    (2, "+14155555678", "+18005551234", "2"),
    (30, "+14155555678", "+18885550100", "3"),
]


@pytest.fixture(scope="module")
def inbox(service: Service, organization: TestOrganization, client: httpx.Client) -> list[dict[str, Any]]:
    """What the list says of the messages in ARRIVED, the newest first."""
    events = [
        received(
            organization.organization_id,
            START + timedelta(hours=hours),
            sender=sender,
            recipient=recipient,
            body=body,
        )
        for hours, sender, recipient, body in ARRIVED
    ]
    store_received(service.ready.postgres_url, events)
    send(client)  # is not among them
    rows: list[dict[str, Any]] = list_of(client, "/sms/inbound", len(ARRIVED))["messages"]
    return rows


def shown(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """All that a filter leaves, with its total checked."""
    answer = client.get("/sms/inbound", params=query)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert page["totalCount"] == len(page["messages"])
    messages: list[dict[str, Any]] = page["messages"]
    return messages


def test_the_example_works(client: httpx.Client, inbox: list[dict[str, Any]]) -> None:
    """List Inbound Messages, Example Request: the query of the page's curl command."""
    assert client.get("/sms/inbound?count=50").json()["messages"] == inbox


def test_the_answer_has_the_fields_of_the_page(client: httpx.Client, inbox: list[dict[str, Any]]) -> None:
    """List Inbound Messages, Response: field by field; beyond the page, only the cursor of the next."""
    page = client.get("/sms/inbound").json()
    assert set(page) == {"totalCount", "messages", "nextCursor"}
    for row, (hours, sender, recipient, body) in zip(reversed(page["messages"]), ARRIVED, strict=True):
        assert set(INBOUND) <= set(row)
        assert same_shape({name: row[name] for name in INBOUND}, INBOUND)
        assert INBOUND_ID.fullmatch(row["messageId"])
        assert row["providerMessageId"]
        assert (row["from"], row["to"], row["body"]) == (sender, recipient, body)
        assert TIME.fullmatch(row["receivedAt"])
        assert datetime.fromisoformat(row["receivedAt"]) == START + timedelta(hours=hours)


def test_count_and_offset_walk_the_list(client: httpx.Client, inbox: list[dict[str, Any]]) -> None:
    """List Inbound Messages, Query Parameters: `count` (default 100, max 500) and `offset` (default 0)."""
    for offset in (0, 1, 3, 4, 100_000):
        page = client.get("/sms/inbound", params={"count": 2, "offset": offset}).json()
        assert (page["totalCount"], page["messages"]) == (len(ARRIVED), inbox[offset : offset + 2])
    assert client.get("/sms/inbound", params={"count": 500}).json()["messages"] == inbox


def test_numbers_filter(client: httpx.Client, inbox: list[dict[str, Any]]) -> None:
    """List Inbound Messages, Query Parameters: `fromNumber`, "Filter by sender number", and `toNumber`."""
    for sender in ("+14155551234", "+14155555678", "+14155550000"):
        assert shown(client, fromNumber=sender) == [row for row in inbox if row["from"] == sender]
        for recipient in ("+18005551234", "+18885550100"):
            assert shown(client, toNumber=recipient) == [row for row in inbox if row["to"] == recipient]
            assert shown(client, fromNumber=sender, toNumber=recipient) == [
                row for row in inbox if (row["from"], row["to"]) == (sender, recipient)
            ]


def test_dates_include_the_start_and_exclude_the_end(
    client: httpx.Client, inbox: list[dict[str, Any]]
) -> None:
    """List Inbound Messages, Query Parameters: `fromDate` and `toDate`, ISO 8601."""
    moment = inbox[2]["receivedAt"]
    assert shown(client, fromDate=moment) == inbox[:3]
    assert shown(client, toDate=moment) == inbox[3:]
    assert shown(client, fromDate="2024-01-01T00:00:00Z") == inbox
    assert shown(client, fromDate="2024-01-02", toNumber="+18885550100") == inbox[:1]
    assert shown(client, toDate="2024-01-02") == inbox[1:]
    assert shown(client, fromDate="2024-01-01T15:30:00+02:00", toDate="2024-01-01T16:30:00+02:00") == [
        inbox[2]
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("count", value) for value in (0, 501, "x")),
        *(("offset", value) for value in (-1, "x")),
        *(("fromNumber", value) for value in ("4155551234", "x" * 20, "")),
        *(("toNumber", value) for value in ("+0", "+1 415 555 1234")),
        *(("fromDate", value) for value in ("yesterday", "2024-02-30")),
        *(("toDate", value) for value in ("x", "")),
        ("status", "DELIVERED"),
        ("tag", "x"),
    ],
)
def test_a_wrong_parameter_is_named(client: httpx.Client, name: str, value: Any) -> None:
    """List Inbound Messages, Query Parameters: values and names that the page does not have."""
    answer = client.get("/sms/inbound", params={name: value})
    assert error_of(answer, 400, "INVALID_REQUEST")["message"].startswith(name)


def test_an_inbound_message_is_in_the_list_of_all_messages(
    client: httpx.Client, inbox: list[dict[str, Any]]
) -> None:
    """List SMS Messages, Query Parameters: `direction`, INBOUND."""
    rows = shown_in_all(client)
    assert [row["messageId"] for row in rows] == [row["messageId"] for row in inbox]
    assert {row["direction"] for row in rows} == {"INBOUND"}


def shown_in_all(client: httpx.Client) -> list[dict[str, Any]]:
    """The list of all messages, narrowed to those that came in."""
    messages: list[dict[str, Any]] = list_of(client, "/sms/messages", len(ARRIVED), direction="INBOUND")[
        "messages"
    ]
    return messages
