"""When a call is tried again, after which wait, and that no second attempt can send twice."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest

from smsledger_client import (
    AsyncTransactional,
    ConnectionFailedError,
    IdempotencyError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    Retries,
    ServiceError,
    SmsLedgerError,
    TimedOutError,
    Transactional,
)
from smsledger_client.attempts import retry_after_seconds

Answering = Callable[..., Transactional]
Planted = httpx.Response | type[httpx.RequestError]

RESULT = {
    "to": "+14155551234",
    "submittedAt": "2024-01-01T00:00:00.000Z",
    "messageId": "sms_abc123",
    "errorCode": 0,
    "message": "OK",
}
OTP: dict[str, Any] = {"to": "+14155551234", "template_alias": "otp", "template_model": {"code": "1"}}
WEBHOOK: dict[str, Any] = {"url": "https://your-app.com/", "events": ["sms.sent"]}


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    error = {"code": code, "message": "no", "statusCode": status}
    return httpx.Response(
        status,
        json={"error": error},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


class Script:
    """Answers one request after the other as told, and keeps the requests."""

    def __init__(self, *answers: Planted) -> None:
        self.answers: list[Planted] = [*answers]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("planted", request=request)

    def headers(self, name: str) -> Sequence[str | None]:
        return [request.headers.get(name) for request in self.requests]


TRANSIENT: list[Planted] = [
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ReadTimeout,
    httpx.ReadError,
    httpx.RemoteProtocolError,
    *(refusal(status, "ANY") for status in (408, 429, 500, 502, 503, 504)),
    refusal(409, "IDEMPOTENCY_KEY_IN_USE"),
    httpx.Response(502, text="<h1>Bad gateway</h1>"),
]


@pytest.mark.parametrize("transient", TRANSIENT, ids=str)
def test_a_send_is_tried_again_with_the_same_bytes_key_and_request_id(
    answering: Answering, transient: Planted
) -> None:
    script = Script(transient, transient, httpx.Response(200, json=RESULT))
    assert answering(script).sms.send(**OTP).ok
    assert len(script.requests) == 3
    assert len(set(script.headers("Idempotency-Key"))) == 1
    assert len(set(script.headers("X-Request-Id"))) == 1
    assert len({request.content for request in script.requests}) == 1


def test_every_send_has_a_key_of_its_own_unless_the_caller_gives_one(answering: Answering) -> None:
    one, batch = httpx.Response(200, json=RESULT), httpx.Response(200, json=[RESULT])
    script = Script(one, one, batch, batch, one, batch)
    sms = answering(script).sms
    sms.send(**OTP)
    sms.send(**OTP)
    sms.send_batch([OTP])
    sms.send_batch([OTP])
    sms.send(**OTP, idempotency_key="mine")
    sms.send_batch([OTP], idempotency_key="mine too")
    keys = script.headers("Idempotency-Key")
    assert len(set(keys)) == 6
    assert None not in keys
    assert keys[4:] == ["mine", "mine too"]


def test_what_does_not_send_has_no_key(answering: Answering) -> None:
    script = Script(*[refusal(404, "MESSAGE_NOT_FOUND")] * 3)
    sms = answering(script).sms
    asks: list[Callable[[], object]] = [
        lambda: sms.get("sms_abc123"),
        lambda: sms.preview(**OTP),
        lambda: sms.webhooks.create(**WEBHOOK),
    ]
    for ask in asks:
        with pytest.raises(NotFoundError) as raised:
            ask()
        assert raised.value.idempotency_key is None
    assert script.headers("Idempotency-Key") == [None] * 3


@pytest.mark.parametrize(("most", "requests"), [(0, 1), (3, 4)])
def test_the_last_attempts_error_is_raised(answering: Answering, most: int, requests: int) -> None:
    script = Script(*[refusal(503, "LEDGER_UNAVAILABLE", Retry_After="0")] * requests)
    client = answering(script, retries=Retries(most=most, first_wait=0))
    with pytest.raises(ServiceError) as raised:
        client.sms.send(**OTP)
    assert len(script.requests) == requests
    assert raised.value.idempotency_key == script.headers("Idempotency-Key")[0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_what_is_wrong_stays_wrong_and_is_not_tried_again(answering: Answering, status: int) -> None:
    script = Script(refusal(status, "ANY"))
    with pytest.raises(SmsLedgerError):
        answering(script).sms.send(**OTP)
    assert len(script.requests) == 1


def test_a_key_that_was_used_for_something_else_is_not_tried_again(answering: Answering) -> None:
    with pytest.raises(IdempotencyError):
        answering(Script(refusal(422, "IDEMPOTENCY_KEY_REUSED"))).sms.send(**OTP)


@pytest.mark.parametrize(
    "failure", [httpx.ReadTimeout, httpx.ReadError, refusal(500, "INTERNAL_ERROR")], ids=str
)
def test_a_webhook_is_not_created_again_where_it_may_exist(answering: Answering, failure: Planted) -> None:
    script = Script(failure)
    with pytest.raises(SmsLedgerError):
        answering(script).sms.webhooks.create(**WEBHOOK)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError, httpx.ConnectTimeout, refusal(429, "RATE_LIMITED")], ids=str
)
def test_a_webhook_is_created_later_where_no_earlier_attempt_can_have(
    answering: Answering, failure: Planted
) -> None:
    created = WEBHOOK | {
        "webhookId": "wh_1",
        "description": None,
        "active": True,
        "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2024-01-01T00:00:00.000Z",
        "secret": "whsec_secret",
    }
    webhook = answering(Script(failure, httpx.Response(201, json=created))).sms.webhooks.create(**WEBHOOK)
    assert webhook.secret == "whsec_secret"
    assert "whsec_secret" not in repr(webhook)


def test_a_deletion_whose_answer_was_lost_has_succeeded(answering: Answering) -> None:
    gone = refusal(404, "WEBHOOK_NOT_FOUND")
    webhooks = answering(Script(httpx.ReadTimeout, gone, gone)).sms.webhooks
    webhooks.delete("wh_1")
    with pytest.raises(NotFoundError):
        webhooks.delete("wh_1")


def test_a_request_that_cannot_be_made_is_not_tried_again(answering: Answering) -> None:
    script = Script(httpx.LocalProtocolError)
    with pytest.raises(ConnectionFailedError):
        answering(script).sms.get("sms_abc123")
    assert len(script.requests) == 1


def test_a_wait_that_is_too_long_is_told_to_the_caller(answering: Answering) -> None:
    script = Script(refusal(429, "RATE_LIMITED", Retry_After="61"))
    with pytest.raises(RateLimitedError) as raised:
        answering(script).sms.send(**OTP)
    assert raised.value.retry_after == 61
    assert len(script.requests) == 1


def test_no_answer_says_so(answering: Answering) -> None:
    client = answering(Script(httpx.ReadTimeout, httpx.ReadError), retries=0)
    with pytest.raises(TimedOutError) as late:
        client.sms.send(**OTP)
    with pytest.raises(ConnectionFailedError) as lost:
        client.sms.send(**OTP)
    for caught, code in ((late.value, "TIMEOUT"), (lost.value, "CONNECTION_FAILED")):
        assert (caught.code, caught.status_code) == (code, None)
        assert caught.idempotency_key
        assert caught.request_id


def test_waits_grow_are_spread_and_never_shorter_than_retry_after() -> None:
    retries = Retries(first_wait=1, longest_wait=6)
    assert [retries.wait(attempt, None, 1.0) for attempt in range(5)] == [1, 2, 4, 6, 6]
    assert [retries.wait(attempt, None, 0.0) for attempt in range(5)] == [0.5, 1, 2, 3, 3]
    assert retries.wait(0, 10, 0.0) == 10.5


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    now = datetime(2024, 1, 1, tzinfo=timezone.utc)
    for header, seconds in (
        (None, None),
        ("7", 7),
        ("0", 0),
        ("Mon, 01 Jan 2024 00:00:30 GMT", 30),
        ("Mon, 01 Jan 2024 00:00:30 -0000", 30),
        ("Sun, 31 Dec 2023 23:59:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ):
        assert retry_after_seconds(header, now) == seconds, header


async def test_the_async_client_tries_again_alike() -> None:
    script = Script(httpx.ReadError, refusal(503, "LEDGER_BUSY"), httpx.Response(200, json=RESULT))
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(script)) as http,
        AsyncTransactional(api_key="sk_test", retries=Retries(first_wait=0), http_client=http) as client,
    ):
        assert (await client.sms.send(**OTP)).ok
        assert len(script.requests) == 3
        assert len(set(script.headers("Idempotency-Key"))) == 1
        script.answers = [refusal(400, "INVALID_REQUEST")]
        with pytest.raises(InvalidRequestError):
            await client.sms.send(**OTP)
    assert json.loads(script.requests[0].content) == {
        "to": "+14155551234",
        "templateAlias": "otp",
        "templateModel": {"code": "1"},
    }
