"""The page's "Send SMS"."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.http.organizations import make_organization, make_template
from tests.running_service import Service

from .page import MESSAGE_ID, NUMBER, SEND, SENT, TIME, error_of, list_of, same_shape, send


def test_a_message_is_sent_by_post_to_sms(client: httpx.Client) -> None:
    """Send SMS, Request: `POST /sms`."""
    assert client.post("/sms", json=SEND).status_code == 200
    assert client.get("/sms").status_code == 405


def test_the_example_works_byte_for_byte(client: httpx.Client) -> None:
    """Send SMS, Example Request: the body of the page's curl command."""
    body = """{
"to": "+14155551234",
"templateAlias": "otp-verification",
"templateModel": {
"code": "123456"
},
"tag": "verification",
"metadata": {
"userId": "user_123"
}
}"""
    answer = client.post("/sms", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    message = client.get(f"/sms/{answer.json()['messageId']}").json()
    assert message["body"] == "Your verification code is 123456"
    assert (message["tag"], message["metadata"]) == ("verification", {"userId": "user_123"})


def test_the_answer_has_the_fields_of_the_page(client: httpx.Client) -> None:
    """Send SMS, Response: field by field."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    result = send(client)
    assert list(result) == list(SENT)
    assert same_shape(result, SENT)
    assert (result["to"], result["errorCode"], result["message"]) == ("+14155551234", 0, "OK")
    assert MESSAGE_ID.fullmatch(result["messageId"])
    assert TIME.fullmatch(result["submittedAt"])
    assert before <= datetime.fromisoformat(result["submittedAt"]) <= datetime.now(UTC)


# --- Parameters -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["+14155551234", "+447400123457", "+4915123456780", "+33612345670"])
def test_the_recipient_is_a_number_in_e164(client: httpx.Client, to: str) -> None:
    """Send SMS, Body Parameters: `to`, string, "Recipient phone number in E.164 format"."""
    result = send(client, to=to)
    assert result["to"] == to
    message = client.get(f"/sms/{result['messageId']}").json()
    assert message["to"] == to
    assert NUMBER.fullmatch(message["from"])


def test_the_recipient_is_required(client: httpx.Client) -> None:
    """Send SMS, Body Parameters: `to`, required."""
    body = {name: value for name, value in SEND.items() if name != "to"}
    assert "`to`" in error_of(client.post("/sms", json=body), 400, "INVALID_REQUEST")["message"]


def test_a_template_is_named_by_the_pools_alias(client: httpx.Client) -> None:
    """Send SMS, Body Parameters: `templateAlias`, string, "Pool template alias …"."""
    result = send(client, templateAlias="otp", templateModel={"code": "111"})
    assert client.get(f"/sms/{result['messageId']}").json()["body"] == "Code: 111"


def test_a_custom_alias_goes_before_the_pools(service: Service, nobody: httpx.Client) -> None:
    """Send SMS, Body Parameters: `templateAlias`, string, "… or custom alias"."""
    organization = make_organization(service.ready.postgres_url)
    with psycopg.connect(service.ready.postgres_url) as conn:
        conn.execute(
            "UPDATE template_approvals SET custom_alias = 'otp' WHERE organization_id = %s AND template_id = "
            "(SELECT template_id FROM templates WHERE alias = 'otp-verification' AND organization_id IS NULL)",
            [organization.organization_id],
        )
    nobody.headers["X-API-Key"] = organization.sending_key
    result = send(nobody, templateAlias="otp", templateModel={"code": "111"})
    message = nobody.get(f"/sms/{result['messageId']}").json()
    assert message["body"] == "Your verification code is 111"


def test_a_template_is_named_by_its_id(service: Service, nobody: httpx.Client) -> None:
    """Send SMS, Body Parameters: `templateId`, number."""
    organization = make_organization(service.ready.postgres_url)
    nobody.headers["X-API-Key"] = organization.sending_key
    template_id, _ = make_template(service.ready.postgres_url, organization.organization_id, "Hi {{ name }}")
    result = send(nobody, templateAlias=None, templateId=template_id, templateModel={"name": "Ann"})
    assert nobody.get(f"/sms/{result['messageId']}").json()["body"] == "Hi Ann"


def test_one_of_alias_and_id_is_required(client: httpx.Client) -> None:
    """Send SMS, Body Parameters: "Either templateAlias or templateId is required."."""
    for wanted in ({}, {"templateAlias": "otp", "templateId": 1}):
        answer = client.post("/sms", json={"to": "+14155551234", "templateModel": {"code": "1"}} | wanted)
        message = error_of(answer, 400, "INVALID_REQUEST")["message"]
        assert "templateAlias" in message
        assert "templateId" in message


def test_the_model_is_substituted(client: httpx.Client) -> None:
    """Send SMS, Body Parameters: `templateModel`, object, "Variables for template substitution"."""
    model = {"name": "Ann", "order_id": "A-1", "total": "$5", "unused": {"a": [1, None, True]}}
    result = send(client, templateAlias="order-confirmation", templateModel=model)
    message = client.get(f"/sms/{result['messageId']}").json()
    assert message["body"] == "Hi Ann, your order A-1 is confirmed. Total: $5."


@pytest.mark.parametrize("model", [None, {}, {"code": None}, {"Code": "1"}], ids=repr)
def test_a_missing_variable_is_named(client: httpx.Client, model: dict[str, Any] | None) -> None:
    """Send SMS, Body Parameters: `templateModel` is optional, a variable of the template is not."""
    body = SEND | {"templateModel": model}
    if model is None:
        del body["templateModel"]
    message = error_of(client.post("/sms", json=body), 400, "INVALID_REQUEST")["message"]
    assert "templateModel" in message
    assert "`code`" in message


def test_a_default_in_the_template_makes_a_variable_optional(client: httpx.Client) -> None:
    """Send SMS, Body Parameters: `templateModel`; `order-confirmation` has a default for the name."""
    result = send(client, templateAlias="order-confirmation", templateModel={"order_id": "A", "total": "5"})
    message = client.get(f"/sms/{result['messageId']}").json()
    assert message["body"] == "Hi there, your order A is confirmed. Total: 5."


def test_a_tag_filters(client: httpx.Client) -> None:
    """Send SMS, Body Parameters: `tag`, string, "Tag for filtering (max 255 chars)"."""
    for tag in ("t", "x" * 255, "é" * 255):
        result = send(client, tag=tag)
        page = list_of(client, "/sms/messages", 1, tag=tag)
        assert [row["messageId"] for row in page["messages"]] == [result["messageId"]]
    answer = client.post("/sms", json=SEND | {"tag": "x" * 256})
    assert "tag" in error_of(answer, 400, "INVALID_REQUEST")["message"]


def test_metadata_comes_back(client: httpx.Client) -> None:
    """Send SMS, Body Parameters: `metadata`, object, "Custom key-value metadata"."""
    for metadata in ({"userId": "user_123"}, {}, {"a": {"b": [1, 1.5, None, True, "é"]}, "": "empty"}):
        result = send(client, metadata=metadata)
        assert client.get(f"/sms/{result['messageId']}").json()["metadata"] == metadata
    assert client.get(f"/sms/{send(client, metadata=None)['messageId']}").json()["metadata"] == {}


WRONG_TYPES: dict[str, list[Any]] = {
    "to": [1, True, ["+14155551234"], {}, None],
    "templateAlias": [1, [], {}],
    "templateId": ["1", 1.5, True, []],
    "templateModel": ["code", 1, ["123456"]],
    "tag": [1, True, []],
    "metadata": ["a", 1, []],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG_TYPES.items() for value in values]
)
def test_a_value_of_another_type_is_named(client: httpx.Client, name: str, value: Any) -> None:
    """Send SMS, Body Parameters: the column "Type"."""
    body = SEND | {name: value}
    if name == "templateId":
        del body["templateAlias"]
    assert error_of(client.post("/sms", json=body), 400, "INVALID_REQUEST")["message"].startswith(name)


# --- Codes ------------------------------------------------------------------------------------------------


def test_code_0_is_success(client: httpx.Client) -> None:
    """Send SMS, Error Codes: 0."""
    assert send(client)["errorCode"] == 0


@pytest.mark.parametrize(
    "to", ["", "4155551234", "14155551234", "+1415555", "+1 415 555 1234", "x", "+0123456789"]
)
def test_code_1001_is_an_invalid_number(client: httpx.Client, to: str) -> None:
    """Send SMS, Error Codes: 1001."""
    error = error_of(client.post("/sms", json=SEND | {"to": to}), 400, "INVALID_REQUEST")
    assert error["errorCode"] == 1001
    assert error["message"].startswith("to: ")


@pytest.mark.parametrize("wanted", [{"templateAlias": "nope"}, {"templateId": 999_999}], ids=repr)
def test_code_1002_is_an_unknown_template(client: httpx.Client, wanted: dict[str, Any]) -> None:
    """Send SMS, Error Codes: 1002."""
    body = {"to": "+14155551234", "templateModel": {"code": "1"}} | wanted
    error = error_of(client.post("/sms", json=body), 404, "TEMPLATE_NOT_FOUND")
    assert error["errorCode"] == 1002
    assert str(*wanted.values()) in error["message"]


def test_code_1003_is_a_template_that_is_not_approved(service: Service, nobody: httpx.Client) -> None:
    """Send SMS, Error Codes: 1003."""
    organization = make_organization(service.ready.postgres_url)
    nobody.headers["X-API-Key"] = organization.sending_key
    template_id, alias = make_template(service.ready.postgres_url, None, "x")
    for wanted in ({"templateAlias": alias}, {"templateId": template_id}):
        answer = nobody.post("/sms", json={"to": "+14155551234"} | wanted)
        assert error_of(answer, 403, "TEMPLATE_NOT_APPROVED")["errorCode"] == 1003


def test_code_1004_is_a_country_without_a_pool_number(client: httpx.Client) -> None:
    """Send SMS, Error Codes: 1004."""
    error = error_of(client.post("/sms", json=SEND | {"to": "+21650123456"}), 400, "NO_POOL_NUMBER")
    assert error["errorCode"] == 1004
    assert "TN" in error["message"]


def test_code_1005_is_an_organization_that_may_not_send(service: Service, nobody: httpx.Client) -> None:
    """Send SMS, Error Codes: 1005."""
    organization = make_organization(service.ready.postgres_url, sms_enabled=False)
    answer = nobody.post("/sms", json=SEND, headers={"X-API-Key": organization.sending_key})
    error = error_of(answer, 403, "SMS_NOT_ENABLED")
    assert (error["errorCode"], error["message"]) == (1005, "SMS is not enabled for this organization")
