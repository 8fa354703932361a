"""`GET /v1/sms/messages`: every filter of the page, exact totals, pages, and reading one's own writes."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.running_service import Service, eventually, show_position, wait_for_status

from .organizations import OTP, make_organization

FIELDS = [
    *("messageId", "from", "to", "status", "direction", "segments", "country", "tag"),
    *("queuedAt", "sentAt", "deliveredAt", "failedAt"),
]
# recipient (its script, docs/simulator.md), final status, tag
SCRIPTED = [
    ("+15005550001", "DELIVERED", "a"),
    ("+15005550001", "DELIVERED", "a"),
    ("+15005550001", "DELIVERED", None),
    ("+15005550002", "UNDELIVERED", "a"),
    ("+15005550003", "FAILED", "b"),
    ("+15005550005", "SENT", "b"),
    ("+15005550005", "SENT", None),
]


@pytest.fixture(scope="module")
def settled(service: Service) -> Iterator[httpx.Client]:
    """A client of an organization with the scripted messages, sent one by one and shown by the lists as they end."""
    organization = make_organization(service.ready.postgres_url)
    with service.client(organization.server_key) as client:
        position = 0
        for recipient, status, tag in SCRIPTED:
            sent = client.post("/v1/sms", json=OTP | {"to": recipient, "tag": tag}).json()
            wait_for_status(client, sent["messageId"], status)
            position = max(position, int(show_position(client, sent["messageId"])["Ledger-Position"]))
        client.get("/v1/sms/messages", headers={"Ledger-Position": str(position)}).raise_for_status()
        yield client


def listed(client: httpx.Client, **filters: Any) -> dict[str, Any]:
    answer = client.get("/v1/sms/messages", params=filters)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    assert list(page) == ["totalCount", "messages", "nextCursor"]
    return page


def test_a_listed_message_has_the_fields_of_the_page(settled: httpx.Client) -> None:
    page = listed(settled)
    assert page["totalCount"] == len(page["messages"]) == len(SCRIPTED)
    assert page["nextCursor"] is None
    for row in page["messages"]:
        assert list(row) == FIELDS
        message = settled.get(f"/v1/sms/{row['messageId']}").json()
        assert row == {name: message[name] for name in FIELDS}


def test_the_newest_message_comes_first(settled: httpx.Client) -> None:
    rows = listed(settled)["messages"]
    assert [(row["to"], row["status"], row["tag"]) for row in reversed(rows)] == SCRIPTED


@pytest.mark.parametrize(
    "status", ["DELIVERED", "UNDELIVERED", "FAILED", "SENT", "QUEUED", "BLOCKED", "RECEIVED"]
)
@pytest.mark.parametrize("tag", ["a", "b", "c", None])
def test_status_and_tag_narrow_the_list_and_its_total(
    settled: httpx.Client, status: str, tag: str | None
) -> None:
    filters = {"status": status} | ({"tag": tag} if tag else {})
    page = listed(settled, **filters)
    expected = [row for row in SCRIPTED if row[1] == status and tag in (None, row[2])]
    assert page["totalCount"] == len(page["messages"]) == len(expected)
    assert {row["status"] for row in page["messages"]} <= {status}


def test_a_tag_alone_and_both_directions(settled: httpx.Client) -> None:
    assert listed(settled, tag="a")["totalCount"] == 3
    assert listed(settled, direction="OUTBOUND")["totalCount"] == len(SCRIPTED)
    assert listed(settled, direction="OUTBOUND", status="FAILED", tag="b")["totalCount"] == 1
    assert listed(settled, direction="INBOUND") == {"totalCount": 0, "messages": [], "nextCursor": None}


def test_dates_are_inclusive_at_the_start_and_exclusive_at_the_end(settled: httpx.Client) -> None:
    rows = listed(settled)["messages"]
    times = [row["queuedAt"] for row in rows]
    moment = times[3]
    assert listed(settled, fromDate=moment)["totalCount"] == sum(time >= moment for time in times)
    assert listed(settled, toDate=moment)["totalCount"] == sum(time < moment for time in times)
    inside = listed(settled, fromDate=times[5], toDate=times[1])
    assert [row["queuedAt"] for row in inside["messages"]] == [t for t in times if times[5] <= t < times[1]]
    assert inside["totalCount"] == len(inside["messages"])


@pytest.mark.parametrize(
    ("filters", "all_of_them"),
    [
        ({"fromDate": "2024-01-01"}, True),
        ({"fromDate": "2024-01-01T00:00:00Z", "toDate": "2999-12-31"}, True),
        ({"fromDate": "2024-01-01T00:00:00+02:00"}, True),
        ({"fromDate": "2024-01-01T00:00:00.123-05:00"}, True),
        ({"fromDate": "2024-01-01T00:00:00"}, True),
        ({"fromDate": "2999-01-01"}, False),
        ({"toDate": "2024-01-01"}, False),
        ({"toDate": "0001-01-01"}, False),
        ({"fromDate": "2999-01-01", "toDate": "2024-01-01"}, False),
    ],
)
def test_dates_come_in_the_shapes_of_iso_8601(
    settled: httpx.Client, filters: dict[str, str], all_of_them: bool
) -> None:
    assert listed(settled, **filters)["totalCount"] == (len(SCRIPTED) if all_of_them else 0)


def test_a_plus_sign_that_was_not_encoded_is_understood(settled: httpx.Client) -> None:
    answer = settled.get("/v1/sms/messages?fromDate=2024-01-01T00:00:00+02:00")
    assert answer.json()["totalCount"] == len(SCRIPTED)


def test_offset_and_count_walk_the_list(settled: httpx.Client) -> None:
    everything = listed(settled)["messages"]
    walked: list[Any] = []
    for offset in range(0, 9, 3):
        page = listed(settled, count=3, offset=offset)
        assert page["totalCount"] == len(SCRIPTED)
        walked += page["messages"]
    assert walked == everything
    assert listed(settled, offset=1000) == {
        "totalCount": len(SCRIPTED),
        "messages": [],
        "nextCursor": None,
    }


def test_a_page_has_100_messages_unless_asked_otherwise_and_500_at_most(client: httpx.Client) -> None:
    position = client.post("/v1/sms/batch", json=[OTP] * 500).headers["Ledger-Position"]
    client.post("/v1/sms", json=OTP)
    client.get("/v1/sms/messages", headers={"Ledger-Position": position}).raise_for_status()
    assert len(listed(client)["messages"]) == 100
    page = eventually(lambda: (p := listed(client, count=500))["totalCount"] == 501 and p)
    assert len(page["messages"]) == 500
    assert len(listed(client, cursor=page["nextCursor"])["messages"]) == 1


def test_pages_by_cursor_skip_and_repeat_nothing_while_messages_arrive(client: httpx.Client) -> None:
    sent = client.post("/v1/sms/batch", json=[OTP | {"tag": "old"}] * 130)
    position = sent.headers["Ledger-Position"]
    walked: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get(
            "/v1/sms/messages",
            params={"count": 20} | ({"cursor": cursor} if cursor else {}),
            headers={"Ledger-Position": position},
        )
        walked += [row["messageId"] for row in answer.json()["messages"]]
        cursor = answer.json()["nextCursor"]
        position = client.post("/v1/sms/batch", json=[OTP | {"tag": "new"}] * 3).headers["Ledger-Position"]
    assert Counter(walked) == Counter(result["messageId"] for result in sent.json())
    assert walked == sorted(walked, reverse=True)


def test_a_filter_holds_over_all_pages_of_a_cursor(settled: httpx.Client) -> None:
    first = listed(settled, tag="a", count=2)
    second = listed(settled, tag="a", count=2, cursor=first["nextCursor"])
    assert [row["tag"] for row in first["messages"] + second["messages"]] == ["a"] * 3
    assert (first["totalCount"], second["totalCount"], second["nextCursor"]) == (3, 3, None)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        *(
            (f"count={value}", "count")
            for value in ("0", "501", "-1", "x", "", "1.5", "%D9%A3", "9" * 30, "1e2")
        ),
        *((f"offset={value}", "offset") for value in ("-1", "x", "10000001", "")),
        *((f"status={value}", "status") for value in ("delivered", "X", "", "DELIVERED%20")),
        *((f"direction={value}", "direction") for value in ("out", "")),
        *((f"fromDate={value}", "fromDate") for value in ("x", "", "2024-13-01", "2024-02-30", "1704067200")),
        *((f"toDate={value}", "toDate") for value in ("today", "2024-01-01T25:00", "9999-12-31T23:59-01:00")),
        ("tag=a%00b", "tag"),
        ("tag=", "tag: expected 1 to 255 characters"),
        (f"tag={'x' * 256}", "tag: expected 1 to 255 characters"),
        ("cursor=x", "cursor"),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("cursor=AQAGYN0ZpbToAaIDWoihdYin--5OXpGLUQ&offset=1", "cursor"),
        ("foo=1", "foo"),
        ("Status=SENT", "Status"),
        ("count=1&count=2", "count"),
        ("tag=a&tag=b", "tag"),
    ],
)
def test_a_wrong_parameter_is_named(settled: httpx.Client, query: str, name: str) -> None:
    answer = settled.get(f"/v1/sms/messages?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["statusCode"], error["code"]) == (400, 400, "INVALID_REQUEST")
    assert name in error["message"]


# --- Reading one's own writes -----------------------------------------------------------------------------


def test_a_list_with_the_position_of_a_send_always_shows_its_message(client: httpx.Client) -> None:
    for number in range(1, 31):
        sent = client.post("/v1/sms", json=OTP)
        page = client.get("/v1/sms/messages", headers={"Ledger-Position": sent.headers["Ledger-Position"]})
        assert page.json()["messages"][0]["messageId"] == sent.json()["messageId"]
        assert page.json()["totalCount"] == number
        assert int(page.headers["Ledger-Position"]) >= int(sent.headers["Ledger-Position"])


def test_a_list_that_stays_behind_ends_the_wait_with_503(client: httpx.Client, service: Service) -> None:
    with psycopg.connect(service.ready.postgres_url) as conn:
        conn.execute("SELECT FROM projections FOR UPDATE")  # the projector cannot go on
        position = client.post("/v1/sms", json=OTP).headers["Ledger-Position"]
        answer = client.get("/v1/sms/messages", headers={"Ledger-Position": position}, timeout=10)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "PROJECTION_BEHIND"
    assert answer.headers["Retry-After"] == "1"


def test_a_position_that_the_ledger_has_not_come_to_is_refused_at_once(settled: httpx.Client) -> None:
    answer = settled.get("/v1/sms/messages", headers={"Ledger-Position": "999999999"})
    assert answer.status_code == 400
    assert re.match(
        r"Ledger-Position: the ledger has come to position \d+ only", answer.json()["error"]["message"]
    )


@pytest.mark.parametrize("position", ["-1", "x", "1.5", "", "9" * 30, "1, 2"])
def test_a_position_that_is_none_is_refused(settled: httpx.Client, position: str) -> None:
    answer = settled.get("/v1/sms/messages", headers={"Ledger-Position": position})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Ledger-Position: ")
