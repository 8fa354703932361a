"""`POST /v1/sms` and `POST /v1/sms/batch`: what is accepted, and the answers field by field."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.running_service import Service, wait_for_status

from .organizations import OTP, TestOrganization, make_template, stored_events

MESSAGE_ID = re.compile(r"sms_[0-9a-hjkmnp-tv-z]{26}")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def body_of(client: httpx.Client, message_id: str) -> str:
    body: str = client.get(f"/v1/sms/{message_id}").json()["body"]
    return body


def test_a_message_is_answered_as_on_the_page(client: httpx.Client) -> None:
    before = datetime.now(UTC)
    answer = client.post("/v1/sms", json=OTP | {"tag": "verification", "metadata": {"userId": "user_123"}})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    result = answer.json()
    assert list(result) == ["to", "submittedAt", "messageId", "errorCode", "message"]
    assert (result["to"], result["errorCode"], result["message"]) == ("+14155551234", 0, "OK")
    assert MESSAGE_ID.fullmatch(result["messageId"])
    assert TIMESTAMP.fullmatch(result["submittedAt"])
    submitted = datetime.fromisoformat(result["submittedAt"])
    assert before - timedelta(milliseconds=1) <= submitted <= datetime.now(UTC)
    assert int(answer.headers["Ledger-Position"]) >= 1


def test_a_message_is_stored_when_it_is_answered(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    for number in range(1, 4):
        client.post("/v1/sms", json=OTP | {"to": "+15005550005"}).raise_for_status()
        assert stored_events(service.ready.postgres_url, organization.organization_id) >= number


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/json; charset=utf-8", ""]
)
def test_the_content_type_does_not_matter(client: httpx.Client, content_type: str) -> None:
    content = b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": "1"}}'
    answer = client.post("/v1/sms", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == 200


def test_a_template_is_named_by_its_id(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    template_id, _ = make_template(service.ready.postgres_url, organization.organization_id, "Hi {{ name }}")
    for number in (template_id, float(template_id)):  # a client may write 7.0 for 7
        body = {"to": "+14155551234", "templateId": number, "templateModel": {"name": "Ann"}}
        answer = client.post("/v1/sms", json=body)
        assert body_of(client, answer.json()["messageId"]) == "Hi Ann"


def test_null_is_the_same_as_absent(client: httpx.Client) -> None:
    """SDKs send null for what their caller did not give."""
    answer = client.post("/v1/sms", json=OTP | {"templateId": None, "tag": None, "metadata": None})
    message = client.get(f"/v1/sms/{answer.json()['messageId']}").json()
    assert (message["tag"], message["metadata"]) == (None, {})


@pytest.mark.parametrize(
    "code",
    ["👩‍👩‍👧 é", "日本語", "\u202eabc", "{{ code }}", "{% raw %}", '"\\', 123456, 10**30, 1.5, True],
    ids=ascii,
)
def test_values_of_variables_come_out_as_they_went_in(client: httpx.Client, code: Any) -> None:
    answer = client.post("/v1/sms", json=OTP | {"templateModel": {"code": code}, "metadata": {"given": code}})
    assert answer.status_code == 200
    message = client.get(f"/v1/sms/{answer.json()['messageId']}").json()
    shown = "true" if code is True else str(code)
    assert message["body"] == f"Your verification code is {shown}"
    assert message["metadata"] == {"given": code}


def test_a_variable_may_have_any_name(client: httpx.Client) -> None:
    model = {"order_id": "A1", "total": "5", "self": 1, "args": 2, "": 3, "a b": 4}
    answer = client.post(
        "/v1/sms", json=OTP | {"templateAlias": "order-confirmation", "templateModel": model}
    )
    assert answer.status_code == 200
    assert body_of(client, answer.json()["messageId"]).startswith("Hi there, your order A1")


@pytest.mark.parametrize("tag", ["x", "x" * 255, "🎉" * 255, "a b/c?d=e&f%20'\""], ids=len)
def test_a_tag_is_any_text_of_1_to_255_characters(client: httpx.Client, tag: str) -> None:
    answer = client.post("/v1/sms", json=OTP | {"tag": tag})
    assert client.get(f"/v1/sms/{answer.json()['messageId']}").json()["tag"] == tag
    listed = client.get(
        "/v1/sms/messages",
        params={"tag": tag},
        headers={"Ledger-Position": answer.headers["Ledger-Position"]},
    )
    assert [message["tag"] for message in listed.json()["messages"]] == [tag]


def test_the_largest_body_is_accepted(client: httpx.Client) -> None:
    content = b'{"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": "1"}}'
    answer = client.post("/v1/sms", content=content.rjust(2_097_152))
    assert answer.status_code == 200


def test_the_sender_fits_the_recipients_country(client: httpx.Client) -> None:
    for recipient, country, sender in (
        ("+447400123457", "GB", "+447400123456"),
        ("+4915123456780", "DE", "+4915123456789"),
    ):
        answer = client.post("/v1/sms", json=OTP | {"to": recipient})
        message = client.get(f"/v1/sms/{answer.json()['messageId']}").json()
        assert (message["country"], message["from"]) == (country, sender)


# --- Batches ----------------------------------------------------------------------------------------------


def test_a_batch_of_one(client: httpx.Client) -> None:
    answer = client.post("/v1/sms/batch", json=[OTP])
    assert answer.status_code == 200
    (result,) = answer.json()
    assert list(result) == ["to", "submittedAt", "messageId", "errorCode", "message"]
    assert (result["errorCode"], result["message"]) == (0, "OK")
    assert client.get(f"/v1/sms/{result['messageId']}").status_code == 200


def test_a_batch_of_500_is_answered_in_its_order(client: httpx.Client) -> None:
    recipients = [f"+1415555{number:04}" for number in range(1000, 1500)]
    answer = client.post("/v1/sms/batch", json=[OTP | {"to": recipient} for recipient in recipients])
    results = answer.json()
    assert [result["to"] for result in results] == recipients
    assert {result["errorCode"] for result in results} == {0}
    assert len({result["messageId"] for result in results}) == 500
    for place in (0, 249, 499):
        assert client.get(f"/v1/sms/{results[place]['messageId']}").json()["to"] == recipients[place]
    headers = {"Ledger-Position": answer.headers["Ledger-Position"]}
    assert client.get("/v1/sms/messages", headers=headers).json()["totalCount"] == 500


def test_the_position_of_a_batch_is_that_of_its_last_message(client: httpx.Client) -> None:
    answer = client.post("/v1/sms/batch", json=[OTP | {"to": "+15005550005"}] * 5)
    positions = [
        client.get(f"/v1/sms/{result['messageId']}/events").json()["events"][0]["position"]
        for result in answer.json()
    ]
    assert positions == list(range(positions[0], positions[0] + 5))
    assert answer.headers["Ledger-Position"] == str(positions[-1])


def test_a_bad_item_harms_no_other(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    _, unapproved = make_template(service.ready.postgres_url, None, "x")
    items: list[tuple[Any, int, str]] = [
        (OTP | {"to": "+15005550005"}, 0, "OK"),
        (5, 1000, "expected an object, got an integer"),
        (None, 1000, "expected an object, got null"),
        ({}, 1000, "object missing required field `to`"),
        (OTP | {"to": 1}, 1000, "to: expected a string, got an integer"),
        (OTP | {"foo": 1}, 1000, "object contains unknown field `foo`"),
        (OTP | {"to": "12"}, 1001, "to: the value is not a phone number"),
        (OTP | {"templateAlias": "nope"}, 1002, "template `nope` not found"),
        (OTP | {"templateAlias": unapproved}, 1003, "is not approved for this organization"),
        (OTP | {"to": "+21650123456"}, 1004, "no sender number is available for country TN"),
        (OTP | {"tag": "x" * 256}, 1000, "tag: expected 1 to 255 characters"),
        (OTP | {"templateModel": {}}, 1000, "needs the variable `code`"),
        (OTP | {"metadata": {"a": "\0"}}, 1000, "metadata: the character U+0000"),
        (OTP | {"to": "+15005550005"}, 0, "OK"),
    ]
    answer = client.post("/v1/sms/batch", json=[item for item, _, _ in items])
    assert answer.status_code == 200
    results = answer.json()
    assert len(results) == len(items)
    for (item, code, text), result in zip(items, results, strict=True):
        assert (result["errorCode"], text in result["message"]) == (code, True), (item, result)
        assert (result["messageId"] is None) == (code != 0)
        to = item.get("to", "") if isinstance(item, dict) else ""
        assert result["to"] == (to if isinstance(to, str) else "")
        assert TIMESTAMP.fullmatch(result["submittedAt"])
    for result in (results[0], results[-1]):
        wait_for_status(client, result["messageId"], "SENT")
    assert stored_events(service.ready.postgres_url, organization.organization_id) == 2 * 3


def test_a_batch_of_bad_items_only_is_answered_without_a_position(client: httpx.Client) -> None:
    answer = client.post("/v1/sms/batch", json=[5, OTP | {"to": "12"}])
    assert [result["errorCode"] for result in answer.json()] == [1000, 1001]
    assert "Ledger-Position" not in answer.headers
