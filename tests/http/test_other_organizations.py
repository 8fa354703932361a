"""An organization never sees another's data: every endpoint with another's ids, keys, templates and cursors."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from tests.running_service import Service, wait_for_status

from .inbound import OURS, PHONE, received, store_received
from .organizations import OTP, TestOrganization, make_organization, make_template


@pytest.fixture
def other(service: Service) -> TestOrganization:
    return make_organization(service.ready.postgres_url)


@pytest.fixture
def theirs(service: Service, other: TestOrganization) -> Iterator[httpx.Client]:
    """A client of the other organization."""
    with service.client(other.server_key) as client:
        yield client


def test_anothers_message_is_answered_as_one_that_does_not_exist(
    client: httpx.Client, theirs: httpx.Client
) -> None:
    message_id = theirs.post("/v1/sms", json=OTP).json()["messageId"]
    assert theirs.get(f"/v1/sms/{message_id}").status_code == 200
    for ending in ("", "/events"):
        answer = client.get(f"/v1/sms/{message_id}{ending}")
        unknown = client.get(f"/v1/sms/sms_01hk153x00e45bavdxkn2xkbtr{ending}")
        assert answer.status_code == unknown.status_code == 404
        assert answer.content == unknown.content
        assert {name for name in answer.headers if name.startswith("ledger")} == set()


def test_lists_and_totals_are_of_ones_own_messages(client: httpx.Client, theirs: httpx.Client) -> None:
    mine = client.post("/v1/sms", json=OTP | {"tag": "shared"}).json()["messageId"]
    sent = theirs.post("/v1/sms/batch", json=[OTP | {"tag": "shared"}] * 7)
    for result in sent.json():
        wait_for_status(theirs, result["messageId"], "DELIVERED")
    message = wait_for_status(client, mine, "DELIVERED")
    position = theirs.get(f"/v1/sms/{sent.json()[-1]['messageId']}").headers["Ledger-Position"]
    own = client.get(f"/v1/sms/{mine}").headers["Ledger-Position"]
    headers = {"Ledger-Position": str(max(int(position), int(own)))}
    for query in (
        "",
        "?tag=shared",
        "?status=DELIVERED",
        "?direction=OUTBOUND",
        "?fromDate=2024-01-01",
        "?toDate=2999-01-01",
        "?status=DELIVERED&tag=shared&fromDate=2024-01-01&toDate=2999-01-01",
        f"?fromDate={message['queuedAt']}",
    ):
        page = client.get(f"/v1/sms/messages{query}", headers=headers).json()
        assert (page["totalCount"], [row["messageId"] for row in page["messages"]]) == (1, [mine]), query


def test_inbound_messages_are_listed_to_the_organization_of_their_number_alone(
    service: Service, organization: TestOrganization, client: httpx.Client, theirs: httpx.Client
) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    (message_id,), seen = store_received(
        service.ready.postgres_url, [received(organization.organization_id, at)]
    )
    assert client.get("/v1/sms/inbound", headers=seen).json()["totalCount"] == 1
    for query in ("", f"?toNumber=%2B{OURS[1:]}", f"?fromNumber=%2B{PHONE[1:]}", "?fromDate=2024-01-01"):
        page = theirs.get(f"/v1/sms/inbound{query}", headers=seen).json()
        assert page == {"totalCount": 0, "messages": [], "nextCursor": None}
    assert theirs.get(f"/v1/sms/{message_id}").status_code == 404


def test_anothers_cursor_leads_to_ones_own_messages_only(client: httpx.Client, theirs: httpx.Client) -> None:
    own = {result["messageId"] for result in client.post("/v1/sms/batch", json=[OTP] * 3).json()}
    sent = theirs.post("/v1/sms/batch", json=[OTP] * 3)
    headers = {"Ledger-Position": sent.headers["Ledger-Position"]}
    cursor = theirs.get("/v1/sms/messages?count=1", headers=headers).json()["nextCursor"]
    assert cursor
    page = client.get("/v1/sms/messages", params={"cursor": cursor}, headers=headers).json()
    assert {row["messageId"] for row in page["messages"]} == own


def test_anothers_template_is_unknown(
    service: Service, other: TestOrganization, client: httpx.Client, theirs: httpx.Client
) -> None:
    template_id, alias = make_template(service.ready.postgres_url, other.organization_id, "Code: {{ code }}")
    body = {"to": "+14155551234", "templateModel": {"code": "1"}}
    for wanted in ({"templateAlias": alias}, {"templateId": template_id}):
        assert theirs.post("/v1/sms", json=body | wanted).status_code == 200
        answer = client.post("/v1/sms", json=body | wanted)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "TEMPLATE_NOT_FOUND")


def test_an_admin_key_is_of_one_organization_too(
    service: Service, organization: TestOrganization, theirs: httpx.Client
) -> None:
    message_id = theirs.post("/v1/sms", json=OTP).json()["messageId"]
    with service.client(organization.admin_key) as admin:
        assert admin.get(f"/v1/sms/{message_id}").status_code == 404
        assert admin.get("/v1/sms/messages").json()["totalCount"] == 0
