"""Suppressions over HTTP: added, listed, checked, taken back, with their history; and what they do to sends."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.running_service import Service, wait_for_status

from .organizations import OTP, TestOrganization, make_organization

PERSON = OTP["to"]
PATH = "/v1/sms/suppressions"


def add(client: httpx.Client, number: str = PERSON, **fields: Any) -> httpx.Response:
    return client.post(PATH, json={"phoneNumber": number} | fields)


def test_a_number_is_suppressed_and_checked_and_restored(client: httpx.Client) -> None:
    added = add(client, reason="MANUAL", note="by telephone")
    assert added.status_code == 201
    suppression = added.json()
    assert suppression == {
        "phoneNumber": PERSON,
        "suppressed": True,
        "reason": "MANUAL",
        "scope": "ALL",
        "keyword": None,
        "messageId": None,
        "note": "by telephone",
        "createdAt": suppression["createdAt"],
    }
    assert int(added.headers["Ledger-Position"]) > 0
    for text in (PERSON, quote(PERSON, safe="")):
        checked = client.get(f"{PATH}/{text}")
        assert checked.status_code == 200
        assert checked.headers["Ledger-Position"] == added.headers["Ledger-Position"]
        assert checked.json() == {
            "phoneNumber": PERSON,
            "suppressed": True,
            "reason": "MANUAL",
            "suppressions": [suppression],
        }
    removed = client.delete(f"{PATH}/{PERSON}")
    assert (removed.status_code, removed.content) == (204, b"")
    assert int(removed.headers["Ledger-Position"]) > int(added.headers["Ledger-Position"])
    assert client.get(f"{PATH}/{PERSON}").json() == {
        "phoneNumber": PERSON,
        "suppressed": False,
        "reason": None,
        "suppressions": [],
    }


def test_repeating_a_request_changes_nothing(client: httpx.Client) -> None:
    first, second = add(client), add(client, reason="OPT_OUT")
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()
    assert second.headers["Ledger-Position"] == first.headers["Ledger-Position"]
    assert [client.delete(f"{PATH}/{PERSON}").status_code for _ in range(2)] == [204, 204]
    assert len(client.get(f"{PATH}/{PERSON}/history").json()["events"]) == 2


def test_a_number_of_which_nothing_was_said_is_not_suppressed(client: httpx.Client) -> None:
    assert client.delete(f"{PATH}/{PERSON}").status_code == 204
    checked = client.get(f"{PATH}/{PERSON}")
    assert (checked.status_code, checked.json()["suppressed"]) == (200, False)
    assert client.get(f"{PATH}/{PERSON}/history").json() == {"phoneNumber": PERSON, "events": []}


def test_the_history_tells_who_did_what_as_cloud_events(client: httpx.Client) -> None:
    add(client, note="by telephone")
    client.delete(f"{PATH}/{PERSON}")
    suppressed, restored = client.get(f"{PATH}/{PERSON}/history").json()["events"]
    assert (suppressed["type"], restored["type"]) == ("sms.suppressed", "sms.restored")
    assert suppressed["subject"] == restored["subject"]
    assert suppressed["subject"].startswith("con_")
    assert (suppressed["version"], restored["version"]) == (1, 2)
    assert suppressed["data"]["note"] == "by telephone"
    assert suppressed["data"]["key_id"] == restored["data"]["key_id"]
    assert restored["data"]["reason"] == "MANUAL"


def test_a_send_to_a_suppressed_number_is_recorded_as_blocked_until_it_is_restored(
    client: httpx.Client,
) -> None:
    add(client)
    answer = client.post("/v1/sms", json=OTP)
    assert answer.status_code == 200
    assert answer.json()["errorCode"] == 1006
    message = client.get(f"/v1/sms/{answer.json()['messageId']}").json()
    assert (message["status"], message["errorCode"]) == ("BLOCKED", "1006")
    client.delete(f"{PATH}/{PERSON}")
    sent = client.post("/v1/sms", json=OTP).json()
    assert sent["errorCode"] == 0
    wait_for_status(client, sent["messageId"], "DELIVERED")


def test_the_list_is_newest_first_in_pages_and_right_at_once(client: httpx.Client) -> None:
    numbers = [f"+141555512{n}" for n in range(10, 15)]
    for number in numbers:
        add(client, number)
    pages, query = [], "?count=2"
    while query:
        page = client.get(f"{PATH}{query}").json()
        assert page["totalCount"] == 5
        pages.append([one["phoneNumber"] for one in page["suppressions"]])
        query = page["nextCursor"] and f"?count=2&cursor={page['nextCursor']}"
    assert pages == [numbers[4:2:-1], numbers[2:0:-1], numbers[0:1]]
    beyond = client.get(f"{PATH}?offset=5").json()
    assert beyond == {"totalCount": 5, "suppressions": [], "nextCursor": None}
    assert len(client.get(PATH).json()["suppressions"]) == 5


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "phoneNumber"),
        ({"phoneNumber": "4155551234"}, "phoneNumber: the value is not a phone number"),
        ({"phoneNumber": 1}, "phoneNumber"),
        ({"phoneNumber": PERSON, "reason": "BORED"}, "reason: expected one of "),
        ({"phoneNumber": PERSON, "note": "x" * 501}, "note: at most 500"),
        ({"phoneNumber": PERSON, "note": "a\x00"}, "note: at most 500"),
        ({"phoneNumber": PERSON, "colour": "red"}, "colour"),
        ([], "expected an object, got an array"),
    ],
)
def test_a_wrong_body_is_refused_and_the_field_named(client: httpx.Client, body: Any, named: str) -> None:
    answer = client.post(PATH, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_REQUEST"
    assert named in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("count=0", "count"),
        ("count=501", "count"),
        ("offset=-1", "offset"),
        ("cursor=nonsense", "cursor"),
        ("cursor=AgAAAAAAAAAB&offset=1", "cursor: give either"),
        ("status=SENT", "status: not a parameter"),
    ],
)
def test_a_wrong_parameter_is_refused_and_named(client: httpx.Client, query: str, named: str) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


@pytest.mark.parametrize("ending", ["", "/history"])
def test_a_path_without_a_valid_number_is_refused(client: httpx.Client, ending: str) -> None:
    answer = client.get(f"{PATH}/hello{ending}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("phoneNumber: ")


def requests(client: httpx.Client) -> list[httpx.Response]:
    return [
        client.get(PATH),
        add(client),
        client.get(f"{PATH}/{PERSON}"),
        client.get(f"{PATH}/{PERSON}/history"),
        client.delete(f"{PATH}/{PERSON}"),
    ]


def test_a_sending_key_may_not_and_no_key_is_asked_for_one(
    service: Service, organization: TestOrganization
) -> None:
    with service.client(organization.sending_key) as client:
        answers = requests(client)
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["error"]["message"] for answer in answers} == {
        "this needs a SERVER key, not a SENDING key"
    }
    with service.client(None) as client:
        assert {answer.status_code for answer in requests(client)} == {401}
    with service.client(organization.admin_key) as client:
        assert {answer.status_code for answer in requests(client)} == {200, 201, 204}


def test_organizations_do_not_see_or_touch_each_others_suppressions(
    service: Service, client: httpx.Client
) -> None:
    add(client)
    other = make_organization(service.ready.postgres_url)
    with service.client(other.server_key) as theirs:
        assert theirs.get(PATH).json()["totalCount"] == 0
        assert theirs.get(f"{PATH}/{PERSON}").json()["suppressed"] is False
        assert theirs.get(f"{PATH}/{PERSON}/history").json()["events"] == []
        assert theirs.delete(f"{PATH}/{PERSON}").status_code == 204
        assert theirs.post("/v1/sms", json=OTP).json()["errorCode"] == 0
    assert client.get(PATH).json()["totalCount"] == 1
    assert client.get(f"{PATH}/{PERSON}").json()["suppressed"] is True


def test_a_consents_id_is_no_messages(client: httpx.Client) -> None:
    add(client)
    (event,) = client.get(f"{PATH}/{PERSON}/history").json()["events"]
    digits = event["subject"].removeprefix("con_")
    for message_id in (f"sms_{digits}", f"sms_inb_{digits}", event["subject"]):
        for ending in ("", "/events"):
            assert client.get(f"/v1/sms/{message_id}{ending}").status_code == 404
