"""What the page says, word for word where it has words: its examples, its names, its formats, its sections."""

import json
import re
from typing import Any

import httpx

from tests.running_service import eventually

SECTIONS = [
    "Authentication",
    "Base URL",
    *("Send SMS, Request", "Send SMS, Body Parameters", "Send SMS, Example Request", "Send SMS, Response"),
    "Send SMS, Error Codes",
    *("Send Batch SMS, Request", "Send Batch SMS, Body", "Send Batch SMS, Example Request"),
    "Send Batch SMS, Response",
    *("Get SMS Message, Path Parameters", "Get SMS Message, Response", "Get SMS Message, Message Statuses"),
    *("List SMS Messages, Query Parameters", "List SMS Messages, Example Request"),
    "List SMS Messages, Response",
    *("List Inbound Messages, Query Parameters", "List Inbound Messages, Example Request"),
    "List Inbound Messages, Response",
    "Suppressions Methods",
    "Webhooks Methods",
    "Rate Limits",
    "Error Responses",
    "Common Error Codes",
]

SEND = json.loads("""
{
"to": "+14155551234",
"templateAlias": "otp-verification",
"templateModel": {
"code": "123456"
},
"tag": "verification",
"metadata": {
"userId": "user_123"
}
}""")
BATCH = json.loads("""
[
{
"to": "+14155551234",
"templateAlias": "otp-verification",
"templateModel": { "code": "123456" }
},
{
"to": "+14155555678",
"templateAlias": "otp-verification",
"templateModel": { "code": "789012" }
}
]""")
MESSAGE = json.loads("""
{
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
"metadata": {
"userId": "user_123"
},
"errorCode": null,
"errorMessage": null,
"queuedAt": "2024-01-01T00:00:00.000Z",
"sentAt": "2024-01-01T00:00:01.000Z",
"deliveredAt": "2024-01-01T00:00:02.000Z",
"failedAt": null,
"events": [
{
"eventType": "QUEUED",
"timestamp": "2024-01-01T00:00:00.000Z"
},
{
"eventType": "SENT",
"timestamp": "2024-01-01T00:00:01.000Z"
},
{
"eventType": "DELIVERED",
"timestamp": "2024-01-01T00:00:02.000Z"
}
]
}""")
LISTED = json.loads("""
{
"messageId": "sms_abc123",
"from": "+18005551234",
"to": "+14155551234",
"status": "DELIVERED",
"direction": "OUTBOUND",
"segments": 1,
"country": "US",
"tag": "verification",
"queuedAt": "2024-01-01T00:00:00.000Z",
"sentAt": "2024-01-01T00:00:01.000Z",
"deliveredAt": "2024-01-01T00:00:02.000Z",
"failedAt": null
}""")
INBOUND = json.loads("""
{
"messageId": "sms_inb_abc123",
"providerMessageId": "SM12345",
"from": "+14155551234",
"to": "+18005551234",
"body": "Thanks for the update!",
"receivedAt": "2024-01-01T12:30:00.000Z"
}""")
SENT = json.loads("""
{
"to": "+14155551234",
"submittedAt": "2024-01-01T00:00:00.000Z",
"messageId": "sms_abc123",
"errorCode": 0,
"message": "OK"
}""")

STATUSES = ["QUEUED", "SENDING", "SENT", "DELIVERED", "FAILED", "UNDELIVERED", "BLOCKED"]

MESSAGE_ID = re.compile(r"sms_[a-z0-9]+")
INBOUND_ID = re.compile(r"sms_inb_[a-z0-9]+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NUMBER = re.compile(r"\+[1-9]\d{7,14}")


def same_shape(value: Any, example: Any) -> bool:
    """Whether `value` has the example's fields, no more and no fewer, each of its type; null may stand for a text."""
    if isinstance(example, dict):
        return (
            isinstance(value, dict)
            and set(value) == set(example)
            and all(same_shape(value[name], inner) for name, inner in example.items())
        )
    if isinstance(example, list):
        return isinstance(value, list) and all(same_shape(one, example[0]) for one in value)
    if example is None or isinstance(example, str):
        return value is None or isinstance(value, str)
    return type(value) is type(example)


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error object of an answer in the page's envelope."""
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    error: dict[str, Any] = answer.json()["error"]
    assert {"code", "message", "statusCode"} <= set(error) <= {"code", "message", "statusCode", "errorCode"}
    assert (error["code"], error["statusCode"]) == (code, status)
    assert isinstance(error["message"], str)
    assert error["message"]
    return error


def send(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    """The page's message, changed; a change to None leaves the field out."""
    body = {name: value for name, value in (SEND | changes).items() if value is not None}
    answer = client.post("/sms", json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def message_in(client: httpx.Client, message_id: str, *statuses: str) -> dict[str, Any]:
    """The message as soon as it is in one of `statuses`."""

    def look() -> dict[str, Any] | None:
        message: dict[str, Any] = client.get(f"/sms/{message_id}").raise_for_status().json()
        return message if message["status"] in statuses else None

    return eventually(look)


def list_of(client: httpx.Client, path: str, total: int, **query: Any) -> dict[str, Any]:
    """The list as soon as it shows `total` messages."""

    def look() -> dict[str, Any] | None:
        answer = client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page if page["totalCount"] == total else None

    return eventually(look)
