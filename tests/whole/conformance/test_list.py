"""The page's "List SMS Messages"."""

from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.http.organizations import make_organization
from tests.running_service import Service

from .page import (
    LISTED,
    MESSAGE_ID,
    NUMBER,
    SEND,
    STATUSES,
    TIME,
    error_of,
    list_of,
    message_in,
    same_shape,
    send,
)

# recipient (docs/simulator.md), the status it ends in, tag
SENT = [
    ("+15005550001", "DELIVERED", "verification"),
    ("+15005550002", "UNDELIVERED", "verification"),
    ("+15005550003", "FAILED", "other"),
    ("+15005550005", "SENT", None),
    ("+15005550001", "DELIVERED", "other"),
    ("+15005550001", "DELIVERED", "verification"),
]


@pytest.fixture(scope="module")
def settled(client: httpx.Client) -> list[dict[str, Any]]:
    """What the list says of the messages in SENT once all have come to rest, the newest first."""
    for to, status, tag in SENT:
        message_in(client, send(client, to=to, tag=tag)["messageId"], status)
    for status in ("DELIVERED", "UNDELIVERED", "FAILED", "SENT"):
        list_of(client, "/sms/messages", [one[1] for one in SENT].count(status), status=status)
    rows: list[dict[str, Any]] = list_of(client, "/sms/messages", len(SENT))["messages"]
    return rows


def shown(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """All that a filter leaves, with its total checked."""
    answer = client.get("/sms/messages", params=query)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert page["totalCount"] == len(page["messages"])
    messages: list[dict[str, Any]] = page["messages"]
    return messages


def test_the_example_works(client: httpx.Client, settled: list[dict[str, Any]]) -> None:
    """List SMS Messages, Example Request: the query of the page's curl command."""
    page = client.get("/sms/messages?count=50&status=DELIVERED&tag=verification").json()
    wanted = [row for row in settled if (row["status"], row["tag"]) == ("DELIVERED", "verification")]
    assert (page["totalCount"], page["messages"]) == (2, wanted)


def test_the_answer_has_the_fields_of_the_page(client: httpx.Client, settled: list[dict[str, Any]]) -> None:
    """List SMS Messages, Response: field by field; beyond the page, only the cursor of the next."""
    page = client.get("/sms/messages").json()
    assert set(page) == {"totalCount", "messages", "nextCursor"}
    assert page["totalCount"] == len(SENT)
    assert [(row["to"], row["status"], row["tag"]) for row in reversed(page["messages"])] == SENT
    for row in page["messages"]:
        assert list(row) == list(LISTED)
        assert same_shape(row, LISTED)
        assert MESSAGE_ID.fullmatch(row["messageId"])
        assert NUMBER.fullmatch(row["from"])
        assert TIME.fullmatch(row["queuedAt"])
        message = client.get(f"/sms/{row['messageId']}").json()
        assert row == {name: message[name] for name in row}


def test_count_is_100_and_at_most_500(service: Service, nobody: httpx.Client) -> None:
    """List SMS Messages, Query Parameters: `count`, number, default 100, "max 500"."""
    organization = make_organization(service.ready.postgres_url)
    nobody.headers["X-API-Key"] = organization.server_key
    for _ in range(2):
        nobody.post("/sms/batch", json=[SEND] * 251).raise_for_status()
    assert len(list_of(nobody, "/sms/messages", 502)["messages"]) == 100
    for count in (1, 99, 500):
        page = nobody.get("/sms/messages", params={"count": count}).json()
        assert (page["totalCount"], len(page["messages"])) == (502, count)
    for wrong in (0, 501, -1, "x", "", "1.5"):
        answer = nobody.get("/sms/messages", params={"count": wrong})
        assert error_of(answer, 400, "INVALID_REQUEST")["message"].startswith("count")


def test_offset_skips(client: httpx.Client, settled: list[dict[str, Any]]) -> None:
    """List SMS Messages, Query Parameters: `offset`, number, default 0."""
    for offset in (0, 1, 4, 6, 1_000_000):
        page = client.get("/sms/messages", params={"count": 2, "offset": offset}).json()
        assert (page["totalCount"], page["messages"]) == (len(SENT), settled[offset : offset + 2])
    for wrong in (-1, "x", ""):
        answer = client.get("/sms/messages", params={"offset": wrong})
        assert error_of(answer, 400, "INVALID_REQUEST")["message"].startswith("offset")


@pytest.mark.parametrize("status", STATUSES)
def test_status_filters(client: httpx.Client, settled: list[dict[str, Any]], status: str) -> None:
    """List SMS Messages, Query Parameters: `status`, every one of the page."""
    assert shown(client, status=status) == [row for row in settled if row["status"] == status]


def test_direction_filters(client: httpx.Client, settled: list[dict[str, Any]]) -> None:
    """List SMS Messages, Query Parameters: `direction`, "OUTBOUND or INBOUND"."""
    assert shown(client, direction="OUTBOUND") == settled
    assert shown(client, direction="INBOUND") == []


def test_tag_filters(client: httpx.Client, settled: list[dict[str, Any]]) -> None:
    """List SMS Messages, Query Parameters: `tag`."""
    for tag in ("verification", "other", "nobody's"):
        assert shown(client, tag=tag) == [row for row in settled if row["tag"] == tag]


def test_dates_include_the_start_and_exclude_the_end(
    client: httpx.Client, settled: list[dict[str, Any]]
) -> None:
    """List SMS Messages, Query Parameters: `fromDate` and `toDate`, ISO 8601."""
    times = [row["queuedAt"] for row in settled]
    for moment in times:
        assert shown(client, fromDate=moment) == [row for row in settled if row["queuedAt"] >= moment]
        assert shown(client, toDate=moment) == [row for row in settled if row["queuedAt"] < moment]
    inside = [row for row in settled if times[4] <= row["queuedAt"] < times[1]]
    assert shown(client, fromDate=times[4], toDate=times[1]) == inside
    assert shown(client, fromDate=times[4], toDate=times[1], status="DELIVERED", tag="other") == [
        row for row in inside if (row["status"], row["tag"]) == ("DELIVERED", "other")
    ]


@pytest.mark.parametrize(
    "date",
    [
        *("2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00"),
        *("2024-01-01T02:00:00+02:00", "2023-12-31T19:00:00-05:00", "20240101T000000Z"),
    ],
)
def test_dates_are_iso_8601_in_every_usual_shape(
    client: httpx.Client, settled: list[dict[str, Any]], date: str
) -> None:
    """List SMS Messages, Query Parameters: "ISO 8601 start date" and "end date"."""
    assert shown(client, fromDate=date) == settled
    assert shown(client, toDate=date) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("status", value) for value in ("delivered", "UNKNOWN", "")),
        *(("direction", value) for value in ("outbound", "BOTH", "")),
        *(("fromDate", value) for value in ("yesterday", "2024-02-30", "1704067200", "")),
        *(("toDate", value) for value in ("tomorrow", "2024-01-01T25:00:00Z", "")),
        ("limit", "10"),
        ("from_date", "2024-01-01"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_would_be_right(
    client: httpx.Client, name: str, value: str
) -> None:
    """List SMS Messages, Query Parameters: values and names that the page does not have."""
    message = error_of(client.get("/sms/messages", params={name: value}), 400, "INVALID_REQUEST")["message"]
    assert message.startswith(name)
    assert "expected" in message or "known are" in message


def test_a_cursor_neither_skips_nor_repeats_while_messages_arrive(service: Service, base_url: str) -> None:
    """List SMS Messages, Query Parameters: beyond the page, where `offset` would repeat what moved on."""
    organization = make_organization(service.ready.postgres_url)
    headers = {"X-API-Key": organization.sending_key}
    ended = Event()
    arrived: list[str] = []

    def keep_sending() -> None:
        with httpx.Client(base_url=base_url, headers=headers, timeout=20, trust_env=False) as sender:
            while not ended.is_set():
                results = sender.post("/sms/batch", json=[SEND] * 10).raise_for_status().json()
                arrived.extend(result["messageId"] for result in results)

    with httpx.Client(base_url=base_url, headers=headers, timeout=20, trust_env=False) as client:
        before = {r["messageId"] for r in client.post("/sms/batch", json=[SEND] * 200).json()}
        list_of(client, "/sms/messages", 200)
        senders = [Thread(target=keep_sending) for _ in range(2)]
        for sender in senders:
            sender.start()
        walked: list[str] = []
        cursor: str | None = None
        try:
            while True:
                query = {"count": 7} | ({"cursor": cursor} if cursor else {})
                page = client.get("/sms/messages", params=query).raise_for_status().json()
                walked += [row["messageId"] for row in page["messages"]]
                cursor = page["nextCursor"]
                if cursor is None:
                    break
        finally:
            ended.set()
            for sender in senders:
                sender.join()
    assert len(walked) == len(set(walked))
    assert before <= set(walked)
    assert set(walked) <= before | set(arrived)
    assert len(arrived) > len(set(walked) - before), "messages arrived while the pages were read"
