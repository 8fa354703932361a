"""The page's "Error Responses" and "Common Error Codes"."""

import httpx
import pytest
import uuid_utils.compat

from smsledger.domain.ids import render_message_id
from smsledger.domain.message import Delivered
from tests.http.organizations import TestOrganization, make_organization
from tests.running_service import Service
from tests.runtime.ledger_events import AT, store

from .page import SEND, error_of


def test_the_example_is_answered_to_the_letter(service: Service, nobody: httpx.Client) -> None:
    """Error Responses: the page's example; beyond it, the number that the page has for the case."""
    organization = make_organization(service.ready.postgres_url, sms_enabled=False)
    answer = nobody.post("/sms", json=SEND, headers={"X-API-Key": organization.sending_key})
    error = answer.json()["error"]
    assert error.pop("errorCode") == 1005
    assert answer.json().keys() == {"error"}
    assert error == {
        "code": "SMS_NOT_ENABLED",
        "message": "SMS is not enabled for this organization",
        "statusCode": 403,
    }


@pytest.mark.parametrize("path", ["/nothing", "/sms/sms_abc123/nothing", "/sms/messages/x"])
def test_every_error_follows_the_format(client: httpx.Client, path: str) -> None:
    """Error Responses: "All errors follow this format", those of paths and methods too."""
    answer = client.get(path)
    error_of(answer, 404, answer.json()["error"]["code"])
    error_of(client.delete("/sms/messages"), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"to=%2B14155551234", b"\xff", b"null", b"[]", b'{"to": "+14155551234"'], ids=repr
)
def test_an_invalid_body_is_an_invalid_request(client: httpx.Client, content: bytes) -> None:
    """Common Error Codes: 400 INVALID_REQUEST, "Invalid request body or parameters"."""
    error_of(client.post("/sms", content=content), 400, "INVALID_REQUEST")


def test_an_invalid_parameter_is_an_invalid_request(client: httpx.Client) -> None:
    """Common Error Codes: 400 INVALID_REQUEST, "Invalid request body or parameters"."""
    error_of(client.get("/sms/messages?count=x"), 400, "INVALID_REQUEST")
    error_of(client.get("/sms/inbound?nope=1"), 400, "INVALID_REQUEST")
    message = error_of(client.post("/sms", json=SEND | {"too": 1}), 400, "INVALID_REQUEST")["message"]
    assert "`too`" in message


def test_a_missing_key_is_unauthorized(nobody: httpx.Client) -> None:
    """Common Error Codes: 401 UNAUTHORIZED, "Invalid or missing API key"."""
    error_of(nobody.get("/sms/messages"), 401, "UNAUTHORIZED")


def test_an_organization_without_sms_is_told_so(service: Service, nobody: httpx.Client) -> None:
    """Common Error Codes: 403 SMS_NOT_ENABLED; reading is possible all the same."""
    organization = make_organization(service.ready.postgres_url, sms_enabled=False)
    nobody.headers["X-API-Key"] = organization.server_key
    error_of(nobody.post("/sms", json=SEND), 403, "SMS_NOT_ENABLED")
    error_of(nobody.post("/sms/batch", json=[SEND]), 403, "SMS_NOT_ENABLED")
    assert nobody.get("/sms/messages").status_code == 200


def test_an_unknown_message_is_not_found(client: httpx.Client) -> None:
    """Common Error Codes: 404 MESSAGE_NOT_FOUND."""
    error_of(client.get("/sms/sms_abc123"), 404, "MESSAGE_NOT_FOUND")


def test_an_unknown_template_is_not_found(client: httpx.Client) -> None:
    """Common Error Codes: 404 TEMPLATE_NOT_FOUND."""
    error_of(client.post("/sms", json=SEND | {"templateAlias": "nope"}), 404, "TEMPLATE_NOT_FOUND")


def test_a_fault_of_ours_is_an_internal_error_that_tells_nothing(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    """Common Error Codes: 500 INTERNAL_ERROR; here a history that begins with its end."""
    message_id = uuid_utils.compat.uuid7()
    store(
        service.ready.postgres_url,
        (message_id, [Delivered(at=AT, carrier="simulator")]),
        organization_id=organization.organization_id,
    )
    answer = client.get(f"/sms/{render_message_id(message_id)}")
    assert error_of(answer, 500, "INTERNAL_ERROR")["message"] == "internal error"
