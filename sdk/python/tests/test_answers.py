"""What results and errors are made of an answer, and what is said of one that is not the API's."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

from smsledger_client import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServiceError,
    SmsLedgerError,
    Transactional,
)

Answering = Callable[..., Transactional]

MESSAGE: dict[str, Any] = {
    "messageId": "sms_abc123",
    "providerMessageId": "SM12345",
    "from": "+18005551234",
    "to": "+14155551234",
    "body": "Your verification code is 123456",
    "status": "DELIVERED",
    "direction": "OUTBOUND",
    "segments": 1,
    "country": "US",
    "tag": "verification",
    "metadata": {"userId": "user_123"},
    "errorCode": None,
    "errorMessage": None,
    "queuedAt": "2024-01-01T00:00:00.000Z",
    "sentAt": "2024-01-01T00:00:01.000Z",
    "deliveredAt": "2024-01-01T00:00:02.000Z",
    "failedAt": None,
    "events": [{"eventType": "QUEUED", "timestamp": "2024-01-01T00:00:00.000Z"}],
}


def test_a_message_of_the_page_is_read(answering: Answering) -> None:
    answer = httpx.Response(200, json=MESSAGE, headers={"Ledger-Position": "7"})
    message = answering(lambda _: answer).sms.get("sms_abc123")
    assert message.from_ == "+18005551234"
    assert message.provider_message_id == "SM12345"
    assert message.delivered_at == datetime(2024, 1, 1, 0, 0, 2, tzinfo=timezone.utc)
    assert message.failed_at is None
    assert message.metadata == {"userId": "user_123"}
    assert message.events[0].event_type == "QUEUED"
    assert (message.position, message.extra) == (7, {})
    with pytest.raises(FrozenInstanceError):
        message.tag = "other"  # type: ignore[misc]  # frozen


def test_unknown_fields_are_kept_and_fields_that_may_be_missing_are_none(answering: Answering) -> None:
    needed = ("messageId", "from", "to", "body", "status", "direction", "segments", "country")
    event = {"eventType": "QUEUED", "timestamp": "2024-01-01T00:00:00Z", "by": "carrier"}
    answer = {name: MESSAGE[name] for name in needed} | {"price": {"amount": "0.01"}, "events": [event]}
    message = answering(lambda _: httpx.Response(200, json=answer)).sms.get("sms_abc123")
    assert message.extra == {"price": {"amount": "0.01"}}
    assert message.events[0].extra == {"by": "carrier"}
    assert (message.tag, message.queued_at, message.error_code) == (None, None, None)
    assert message.metadata == {}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200),
        httpx.Response(204),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json=MESSAGE | {"queuedAt": "yesterday"}),
        httpx.Response(200, json=MESSAGE | {"events": [1]}),
        httpx.Response(200, json=MESSAGE | {"events": None}),
        httpx.Response(302, headers={"Location": "https://elsewhere.example/"}),
        httpx.Response(404, text="<h1>Not found</h1>"),
        httpx.Response(400, json={"error": "text"}),
    ],
    ids=str,
)
def test_an_answer_that_is_not_the_apis_is_said_to_be_none(
    answering: Answering, answer: httpx.Response
) -> None:
    with pytest.raises(ServiceError, match="check base_url") as raised:
        answering(lambda _: answer).sms.get("sms_abc123")
    assert (raised.value.code, raised.value.status_code) == ("UNEXPECTED_ANSWER", answer.status_code)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_REQUEST", InvalidRequestError),
        (400, "NO_POOL_NUMBER", InvalidRequestError),
        (401, "UNAUTHORIZED", AuthenticationError),
        (403, "SMS_NOT_ENABLED", PermissionDeniedError),
        (404, "TEMPLATE_NOT_FOUND", NotFoundError),
        (409, "TOO_MANY_WEBHOOKS", InvalidRequestError),
        (413, "REQUEST_TOO_LARGE", InvalidRequestError),
        (429, "RATE_LIMITED", RateLimitedError),
        (500, "INTERNAL_ERROR", ServiceError),
    ],
)
def test_an_error_has_everything_that_was_answered(
    answering: Answering, status: int, code: str, kind: type[SmsLedgerError]
) -> None:
    error = {"code": code, "message": "to: no", "statusCode": status, "errorCode": 1001}
    headers = {"X-Request-Id": "r-1", "Retry-After": "3"}
    answer = httpx.Response(status, json={"error": error}, headers=headers)
    with pytest.raises(kind) as raised:
        answering(lambda _: answer, retries=0).sms.get("sms_abc123")
    caught = raised.value
    assert (caught.code, caught.error_code, caught.status_code) == (code, 1001, status)
    assert (caught.message, caught.request_id, caught.retry_after) == ("to: no", "r-1", 3)
    assert str(caught) == f"{code}: to: no (status {status}, error code 1001, request r-1)"


def test_a_refused_message_of_a_batch_is_a_result(answering: Answering) -> None:
    refused = {
        "to": "1",
        "submittedAt": "2024-01-01T00:00:00.000Z",
        "messageId": None,
        "errorCode": 1001,
        "message": "to: no",
    }
    (result,) = answering(lambda _: httpx.Response(200, json=[refused])).sms.send_batch([{"to": "1"}])
    assert (result.ok, result.message_id, result.error_code) == (False, None, 1001)
