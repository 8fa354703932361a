"""Which request each method makes, and what the client refuses before there is one."""

import json
from collections.abc import Callable
from datetime import date, datetime, timezone
from typing import Any

import httpx
import pytest

import smsledger_client
from smsledger_client import InvalidRequestError, SmsLedgerError, Transactional
from smsledger_client.parsing import wire_name

Answering = Callable[..., Transactional]

CALLS: dict[str, Callable[[Any], object]] = {
    "POST /v1/sms": lambda sms: sms.send(
        to="+1", template_id=5, tag="t", metadata={"a_b": {"c_d": None}}, template_model={"x_y": "ü"}
    ),
    "POST /v1/sms/batch": lambda sms: sms.send_batch(
        [{"to": "+1", "template_alias": "otp", "template_model": {"a_b": 1}}, {"to": "+2", "templateId": 5}]
    ),
    "POST /v1/sms/preview": lambda sms: sms.preview(to="+1", template_alias="otp"),
    "GET /v1/sms/sms_1%2F..": lambda sms: sms.get("sms_1/.."),
    "GET /v1/sms/sms_1/events": lambda sms: sms.events("sms_1"),
    "GET /v1/sms/messages": lambda sms: sms.list(),
    "GET /v1/sms/messages?count=5&offset=2&status=SENT&direction=OUTBOUND&tag=a+b&fromDate=2024-01-31&"
    "toDate=2024-02-01T00%3A00%3A00%2B00%3A00": lambda sms: sms.list(
        count=5,
        offset=2,
        status="SENT",
        direction="OUTBOUND",
        tag="a b",
        from_date=date(2024, 1, 31),
        to_date=datetime(2024, 2, 1, tzinfo=timezone.utc),
    ),
    "GET /v1/sms/inbound?cursor=x&fromNumber=%2B1&toNumber=%2B2": lambda sms: sms.list_inbound(
        cursor="x", from_number="+1", to_number="+2"
    ),
    "GET /v1/sms/suppressions?count=1": lambda sms: sms.suppressions.list(count=1),
    "GET /v1/sms/suppressions/%2B14155551234": lambda sms: sms.suppressions.check("+14155551234"),
    "POST /v1/sms/suppressions": lambda sms: sms.suppressions.add(phone_number="+14155551234", note="asked"),
    "DELETE /v1/sms/suppressions/%2B14155551234": lambda sms: sms.suppressions.remove("+14155551234"),
    "GET /v1/sms/suppressions/%2B14155551234/history": lambda sms: sms.suppressions.history("+14155551234"),
    "GET /v1/sms/webhooks": lambda sms: sms.webhooks.list(),
    "POST /v1/sms/webhooks": lambda sms: sms.webhooks.create(url="https://a.example", events=("sms.sent",)),
    "GET /v1/sms/webhooks/wh_1": lambda sms: sms.webhooks.get("wh_1"),
    "PATCH /v1/sms/webhooks/wh_1": lambda sms: sms.webhooks.update("wh_1", description=None, active=False),
    "DELETE /v1/sms/webhooks/wh_1": lambda sms: sms.webhooks.delete("wh_1"),
}
BODIES: dict[str, Any] = {
    "POST /v1/sms": {
        "to": "+1",
        "templateId": 5,
        "tag": "t",
        "metadata": {"a_b": {"c_d": None}},
        "templateModel": {"x_y": "ü"},
    },
    "POST /v1/sms/batch": [
        {"to": "+1", "templateAlias": "otp", "templateModel": {"a_b": 1}},
        {"to": "+2", "templateId": 5},
    ],
    "POST /v1/sms/preview": {"to": "+1", "templateAlias": "otp"},
    "POST /v1/sms/suppressions": {"phoneNumber": "+14155551234", "reason": "MANUAL", "note": "asked"},
    "POST /v1/sms/webhooks": {"url": "https://a.example", "events": ["sms.sent"], "active": True},
    "PATCH /v1/sms/webhooks/wh_1": {"description": None, "active": False},
}


@pytest.mark.parametrize("expected", CALLS)
def test_each_method_makes_its_request(answering: Answering, expected: str) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(400, json={"error": {"code": "INVALID_REQUEST", "message": "no"}})

    with pytest.raises(InvalidRequestError):
        CALLS[expected](answering(answer).sms)
    (request,) = requests
    assert f"{request.method} {request.url.raw_path.decode()}" == expected
    assert request.headers["Authorization"] == "Bearer sk_test"
    assert (json.loads(request.content) if request.content else None) == BODIES.get(expected)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_that_would_lead_elsewhere_is_refused(answering: Answering, name: str) -> None:
    sms = answering(lambda _: httpx.Response(500)).sms
    asks: list[Callable[[str], object]] = [
        sms.get,
        sms.events,
        sms.suppressions.remove,
        sms.webhooks.delete,
    ]
    for ask in asks:
        with pytest.raises(ValueError):
            ask(name)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://sms.example", "https://sms.example/v1/sms/webhooks"),
        ("https://sms.example/", "https://sms.example/v1/sms/webhooks"),
        ("https://sms.example:8443/v1", "https://sms.example:8443/v1/sms/webhooks"),
        ("https://sms.example/behind/a/proxy/v1/", "https://sms.example/behind/a/proxy/v1/sms/webhooks"),
    ],
)
def test_a_base_url_without_a_path_gets_the_version(answering: Answering, base_url: str, url: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"totalCount": 0, "webhooks": []})

    answering(answer, base_url=base_url).sms.webhooks.list()
    assert asked == [url]


@pytest.mark.parametrize(
    "base_url", ["", "sms.example", "ftp://sms.example", "https://", "https://sms.example/?a=1"]
)
def test_a_base_url_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Transactional(api_key="sk_test", base_url=base_url)


@pytest.mark.parametrize("key", ["", "schlüssel", "sk_test\n"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="api_key"):
        Transactional(api_key=key)


def test_the_key_is_not_shown(answering: Answering) -> None:
    client = answering(lambda _: httpx.Response(401))
    with pytest.raises(SmsLedgerError) as raised:
        client.sms.get("sms_abc123")
    assert "sk_test" not in f"{client!r} {vars(client)!r} {raised.value!r} {raised.value}"


def test_the_clients_own_connections_are_closed_and_the_callers_are_not() -> None:
    with httpx.Client() as http:
        with Transactional(api_key="sk_test", http_client=http):
            pass
        assert not http.is_closed
    client = Transactional(api_key="sk_test")
    client.close()
    with pytest.raises(RuntimeError):
        client.sms.webhooks.list()


def test_both_names_of_the_clients_stand_for_the_same() -> None:
    assert smsledger_client.Client is smsledger_client.Transactional
    assert smsledger_client.AsyncClient is smsledger_client.AsyncTransactional
    assert all(hasattr(smsledger_client, name) for name in smsledger_client.__all__)


def test_names_are_written_as_the_api_does() -> None:
    names = ("to", "from_", "message_id", "provider_message_id")
    assert [wire_name(name) for name in names] == ["to", "from", "messageId", "providerMessageId"]
