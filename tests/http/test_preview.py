"""`POST /v1/sms/preview`: what it says is what a send then does, its errors are a send's, and it stores nothing."""

from typing import Any

import httpx
import pytest

from tests.running_service import Service

from .organizations import OTP, TestOrganization, make_organization, make_template, stored_events

FIELDS = [
    *("to", "from", "fromReason", "country", "body", "encoding", "segments", "forcingCharacters"),
    *("templateId", "templateVersion", "blocked", "blockedReason"),
]


def previewed(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/v1/sms/preview", json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    assert list(result) == FIELDS
    return result


def test_a_preview_is_what_a_send_then_does(client: httpx.Client) -> None:
    for to in ("+14155551234", "+447400123457", "+4915123456780"):
        preview = previewed(client, OTP | {"to": to})
        message_id = client.post("/v1/sms", json=OTP | {"to": to}).json()["messageId"]
        message = client.get(f"/v1/sms/{message_id}").json()
        same = ("to", "from", "country", "body", "segments")
        assert {name: preview[name] for name in same} == {name: message[name] for name in same}
        (queued, *_) = client.get(f"/v1/sms/{message_id}/events").json()["events"]
        assert {
            "fromReason": queued["data"]["sender_reason"],
            "encoding": queued["data"]["encoding"],
            "templateId": queued["data"]["template_id"],
            "templateVersion": queued["data"]["template_version"],
        }.items() <= preview.items()
        assert (preview["blocked"], preview["blockedReason"], preview["forcingCharacters"]) == (
            False,
            None,
            [],
        )


def test_a_preview_stores_nothing(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    answer = client.post("/v1/sms/preview", json=OTP)
    assert "Ledger-Position" not in answer.headers
    assert stored_events(service.ready.postgres_url, organization.organization_id) == 0


@pytest.mark.parametrize(
    ("code", "encoding", "segments", "forcing"),
    [
        ("x" * 134, "GSM_7", 1, {}),
        ("x" * 135, "GSM_7", 2, {}),
        ("{€}", "GSM_7", 1, {}),
        # a typographic apostrophe twice, and an en dash
        ("don\u2019t \u2013 won\u2019t", "UCS_2", 1, {"\u2019": ("U+2019", 3), "\u2013": ("U+2013", 6)}),
        ("🎉!🎉", "UCS_2", 1, {"🎉": ("U+1F389", 0)}),
        ("ç\t", "UCS_2", 1, {"ç": ("U+00E7", 0), "\t": ("U+0009", 1)}),
        ("日" * 45, "UCS_2", 2, {"日": ("U+65E5", 0)}),
    ],
)
def test_a_preview_says_what_forces_ucs_2_and_how_many_segments_are_billed(
    client: httpx.Client, code: str, encoding: str, segments: int, forcing: dict[str, tuple[str, int]]
) -> None:
    result = previewed(client, OTP | {"templateModel": {"code": code}})
    assert (result["encoding"], result["segments"]) == (encoding, segments)
    start = result["body"].index(code)
    assert result["forcingCharacters"] == [
        {"character": character, "codePoint": code_point, "index": start + place}
        for character, (code_point, place) in forcing.items()
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"to": "12"},
        {"to": 5},
        {"templateAlias": "nope"},
        {"templateAlias": None},
        {"templateId": 1},
        {"templateModel": {}},
        {"templateModel": {"code": None}},
        {"templateModel": {"code": "x" * 2_000}},
        {"tag": "x" * 256},
        {"metadata": {"a": "\0"}},
        {"to": "+21650123456"},
        {"foo": 1},
    ],
    ids=str,
)
def test_what_a_send_would_refuse_a_preview_refuses_alike(
    client: httpx.Client, change: dict[str, Any]
) -> None:
    sent = client.post("/v1/sms", json=OTP | change)
    preview = client.post("/v1/sms/preview", json=OTP | change)
    assert preview.status_code >= 400
    assert (preview.status_code, preview.json()) == (sent.status_code, sent.json())


def test_a_preview_needs_a_key_and_an_organization_that_may_send(service: Service) -> None:
    organization = make_organization(service.ready.postgres_url, sms_enabled=False)
    with service.client(organization.sending_key) as client, service.client(None) as nobody:
        assert client.post("/v1/sms/preview", json=OTP).json()["error"]["errorCode"] == 1005
        assert nobody.post("/v1/sms/preview", json=OTP).status_code == 401


def test_anothers_template_cannot_be_previewed(service: Service, client: httpx.Client) -> None:
    other = make_organization(service.ready.postgres_url)
    template_id, alias = make_template(service.ready.postgres_url, other.organization_id, "Secret")
    for wanted in ({"templateAlias": alias}, {"templateId": template_id}):
        answer = client.post("/v1/sms/preview", json={"to": "+14155551234"} | wanted)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "TEMPLATE_NOT_FOUND")


def test_a_sending_key_may_preview(service: Service, organization: TestOrganization) -> None:
    with service.client(organization.sending_key) as client:
        assert previewed(client, OTP)["body"] == "Your verification code is 123456"
