"""`GET /v1/sms/inbound`: every field and filter of the page, and pages that neither skip nor repeat."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from smsledger.domain.ids import parse_id, parse_message_id
from tests.running_service import Service, wait_for_status

from .inbound import OTHER_OF_OURS, OTHER_PHONE, OURS, PHONE, received, store_received
from .organizations import OTP, make_organization

FIELDS = ["messageId", "providerMessageId", "from", "to", "body", "receivedAt", "inReplyTo"]
START = datetime(2024, 1, 1, 12, 30, tzinfo=UTC)
# minutes after START, from, to, body
ARRIVED = [
    (0, PHONE, OURS, "Thanks for the update!"),
    (1, PHONE, OTHER_OF_OURS, "é€🎉"),
    (2, OTHER_PHONE, OURS, "2"),
    (3, "12345", OURS, "3"),
    (60 * 24, OTHER_PHONE, OTHER_OF_OURS, "tomorrow"),
]


class Inbox(msgspec.Struct, frozen=True):
    """An organization with messages that came in."""

    client: httpx.Client
    ids: list[str]
    seen: dict[str, str]

    def listed(self, **filters: Any) -> dict[str, Any]:
        """A page of the list, which shows every message."""
        answer = self.client.get("/v1/sms/inbound", params=filters, headers=self.seen)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        assert list(page) == ["totalCount", "messages", "nextCursor"]
        return page


@pytest.fixture(scope="module")
def inbox(service: Service) -> Iterator[Inbox]:
    organization = make_organization(service.ready.postgres_url)
    events = [
        received(
            organization.organization_id,
            START + timedelta(minutes=minutes),
            sender=sender,
            recipient=recipient,
            body=body,
        )
        for minutes, sender, recipient, body in ARRIVED
    ]
    ids, seen = store_received(service.ready.postgres_url, events)
    with service.client(organization.server_key) as client:
        sent = client.post("/v1/sms", json=OTP)  # is never in a list of inbound messages
        seen = {"Ledger-Position": sent.headers["Ledger-Position"]}
        yield Inbox(client, ids, seen)


def test_an_inbound_message_has_the_fields_of_the_page(inbox: Inbox) -> None:
    page = inbox.listed()
    assert (page["totalCount"], page["nextCursor"]) == (len(ARRIVED), None)
    assert [row["messageId"] for row in page["messages"]] == inbox.ids[::-1]
    first = page["messages"][-1]
    assert list(first) == FIELDS
    assert first == {
        "messageId": inbox.ids[0],
        "providerMessageId": f"IN{START.timestamp():.0f}",
        "from": PHONE,
        "to": OURS,
        "body": "Thanks for the update!",
        "receivedAt": "2024-01-01T12:30:00.000Z",
        "inReplyTo": None,
    }


def test_an_inbound_message_names_the_message_that_it_answers(service: Service) -> None:
    organization = make_organization(service.ready.postgres_url)
    with service.client(organization.sending_key) as client:
        sent = client.post("/v1/sms", json=OTP).json()["messageId"]
        event = received(organization.organization_id, START, in_reply_to=parse_message_id(sent))
        _, seen = store_received(service.ready.postgres_url, [event])
        (row,) = client.get("/v1/sms/inbound", headers=seen).json()["messages"]
    assert row["inReplyTo"] == sent


def test_an_inbound_message_is_found_by_the_id_of_the_list(inbox: Inbox) -> None:
    message = inbox.client.get(f"/v1/sms/{inbox.ids[1]}").json()
    assert (message["messageId"], message["direction"]) == (inbox.ids[1], "INBOUND")
    assert (message["from"], message["to"], message["body"]) == (PHONE, OTHER_OF_OURS, "é€🎉")
    assert (message["queuedAt"], message["sentAt"]) == (None, None)


def test_the_uuid_that_events_name_a_message_by_finds_it_as_its_id_does(service: Service) -> None:
    organization, other = (make_organization(service.ready.postgres_url) for _ in range(2))
    with service.client(organization.server_key) as client, service.client(other.server_key) as stranger:
        sent = client.post("/v1/sms", json=OTP | {"to": "+15005550005"}).json()["messageId"]
        wait_for_status(client, sent, "SENT")
        event = received(organization.organization_id, START, in_reply_to=parse_message_id(sent))
        (came,), _ = store_received(service.ready.postgres_url, [event])
        (told,) = client.get(f"/v1/sms/{came}/events").json()["events"]
        for message_id, uuid in (
            (sent, told["data"]["in_reply_to"]),
            (came, str(parse_message_id(came))),
        ):
            for ending in ("", "/events"):
                answer = client.get(f"/v1/sms/{uuid}{ending}")
                assert answer.json()["messageId"] == message_id
                assert answer.content == client.get(f"/v1/sms/{message_id}{ending}").content
                unknown = stranger.get(f"/v1/sms/00000000-0000-0000-0000-000000000000{ending}")
                theirs = stranger.get(f"/v1/sms/{uuid}{ending}")
                assert (theirs.status_code, theirs.content) == (404, unknown.content)


def test_the_uuid_of_a_consent_is_no_messages(client: httpx.Client) -> None:
    assert client.post("/v1/sms/suppressions", json={"phoneNumber": PHONE}).status_code in (200, 201)
    (told,) = client.get(f"/v1/sms/suppressions/{PHONE}/history").json()["events"]
    for ending in ("", "/events"):
        assert client.get(f"/v1/sms/{parse_id(told['subject'])}{ending}").status_code == 404


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({"fromNumber": PHONE}, [0, 1]),
        ({"fromNumber": "12345"}, [3]),
        ({"fromNumber": "+14155550000"}, []),
        ({"fromNumber": OURS}, []),
        ({"toNumber": OURS}, [0, 2, 3]),
        ({"fromNumber": OTHER_PHONE, "toNumber": OTHER_OF_OURS}, [4]),
        ({"fromDate": "2024-01-01T12:31:00.000Z"}, [1, 2, 3, 4]),
        ({"toDate": "2024-01-01T12:31:00Z"}, [0]),
        ({"fromDate": "2024-01-01T13:31:00+01:00", "toDate": "2024-01-01T07:33:00-05:00"}, [1, 2]),
        ({"fromDate": "2024-01-02"}, [4]),
        ({"toDate": "2024-01-02"}, [0, 1, 2, 3]),
        ({"toNumber": OURS, "fromDate": "2024-01-01T12:31", "toDate": "2024-01-01T12:33"}, [2]),
        ({"count": 2, "offset": 1}, [2, 3]),
        ({"offset": 10_000_000}, []),
    ],
)
def test_filters_narrow_the_list_and_its_total(
    inbox: Inbox, filters: dict[str, Any], shown: list[int]
) -> None:
    page = inbox.listed(**filters)
    assert [row["messageId"] for row in page["messages"]] == [inbox.ids[place] for place in reversed(shown)]
    assert page["totalCount"] == (len(ARRIVED) if "offset" in filters else len(shown))


def test_a_plus_sign_that_was_not_encoded_is_understood(inbox: Inbox) -> None:
    answer = inbox.client.get(f"/v1/sms/inbound?fromNumber={OTHER_PHONE}", headers=inbox.seen)
    assert answer.json()["totalCount"] == 2


def test_a_cursor_walks_the_list_while_messages_arrive(service: Service, inbox: Inbox) -> None:
    organization = make_organization(service.ready.postgres_url)

    def arrive(count: int, since: datetime) -> tuple[list[str], dict[str, str]]:
        return store_received(
            service.ready.postgres_url,
            [
                received(organization.organization_id, since + timedelta(seconds=number))
                for number in range(count)
            ],
        )

    ids, seen = arrive(9, START)
    walked: list[str] = []
    cursor = None
    with service.client(organization.sending_key) as client:
        while True:
            query = {"count": 2} | ({"cursor": cursor} if cursor else {})
            page = client.get("/v1/sms/inbound", params=query, headers=seen).json()
            walked += [row["messageId"] for row in page["messages"]]
            cursor = page["nextCursor"]
            if cursor is None:
                break
            _, seen = arrive(3, START + timedelta(days=1, hours=len(walked)))
    assert walked == ids[::-1]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("fromNumber=", "fromNumber"),
        ("fromNumber=4155551234", "fromNumber"),
        ("fromNumber=%2B1%20415", "fromNumber"),
        ("fromNumber=a%00b", "fromNumber"),
        ("toNumber=%2B0123", "toNumber"),
        ("toNumber=abcdefghijklm", "toNumber"),
        ("count=0", "count"),
        ("count=501", "count"),
        ("offset=-1", "offset"),
        ("fromDate=yesterday", "fromDate"),
        ("toDate=2024-02-30", "toDate"),
        ("cursor=x", "cursor"),
        ("status=DELIVERED", "status"),
        ("direction=INBOUND", "direction"),
        ("tag=x", "tag"),
        ("toNumber=%2B18005551234&toNumber=%2B18005551234", "toNumber"),
    ],
)
def test_a_wrong_parameter_is_named(inbox: Inbox, query: str, name: str) -> None:
    answer = inbox.client.get(f"/v1/sms/inbound?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["statusCode"], error["code"]) == (400, 400, "INVALID_REQUEST")
    assert error["message"].startswith(name)


def test_a_list_knows_the_position_that_was_seen(inbox: Inbox) -> None:
    answer = inbox.client.get("/v1/sms/inbound", headers={"Ledger-Position": "999999999"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
