"""Managing webhook endpoints: what is kept, what is refused and how it is named, who may, and that secrets are shown once."""

import re
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from smsledger.application.webhooks import ENDPOINTS_MAX
from tests.running_service import Service, clean_environment, running_service

from .organizations import TestOrganization, make_organization

WEBHOOKS = "/v1/sms/webhooks"
NEW: dict[str, Any] = {
    "url": "https://your-app.com/webhooks/sms",
    "events": ["sms.delivered", "sms.failed"],
}
EVERY_EVENT = [
    *("sms.queued", "sms.sending", "sms.sent", "sms.delivered"),
    *("sms.failed", "sms.undelivered", "sms.blocked", "sms.inbound"),
]
UNKNOWN = "wh_01hk153x00e45bavdxkn2xkbtr"


def create(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post(WEBHOOKS, json=NEW | fields)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def test_a_webhook_is_created_read_listed_updated_and_deleted(client: httpx.Client) -> None:
    created = create(client, description="the first")
    assert re.fullmatch(r"wh_[0-9a-hjkmnp-tv-z]{26}", created["webhookId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created["createdAt"])
    assert created["createdAt"] == created["updatedAt"]
    shown = {name: value for name, value in created.items() if name != "secret"}
    assert shown | NEW | {"description": "the first", "active": True} == shown
    path = f"{WEBHOOKS}/{created['webhookId']}"
    assert client.get(path).json() == shown

    second = create(client, events=EVERY_EVENT, active=False)
    listed = client.get(WEBHOOKS).json()
    assert listed["totalCount"] == 2
    assert [row["webhookId"] for row in listed["webhooks"]] == [second["webhookId"], created["webhookId"]]
    assert listed["webhooks"][1] == shown
    assert (listed["webhooks"][0]["events"], listed["webhooks"][0]["active"]) == (EVERY_EVENT, False)

    changed = client.patch(path, json={"events": ["sms.inbound"]})
    assert changed.status_code == 200
    assert changed.json() == shown | {"events": ["sms.inbound"], "updatedAt": changed.json()["updatedAt"]}
    assert changed.json()["updatedAt"] >= shown["updatedAt"]

    gone = client.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(WEBHOOKS).json()["totalCount"] == 1
    for answer in (client.get(path), client.patch(path, json={"active": True}), client.delete(path)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "WEBHOOK_NOT_FOUND")


def test_an_update_changes_what_it_names_and_nothing_else(client: httpx.Client) -> None:
    created = create(client, description="before")
    path = f"{WEBHOOKS}/{created['webhookId']}"
    before = client.get(path).json()
    assert client.patch(path, json={}).json() == before
    for change in (
        {"url": "https://other.example/hooks?x=1"},
        {"description": "after"},
        {"description": None},
        {"description": ""},
        {"active": False},
        {"url": NEW["url"], "events": ["sms.sent"], "description": "all", "active": True},
    ):
        after = client.patch(path, json=change).json()
        assert after == before | change | {"updatedAt": after["updatedAt"]}
        assert client.get(path).json() == after
        before = after


def test_the_secret_is_shown_once_and_is_32_random_bytes(
    client: httpx.Client, service: Service, organization: TestOrganization
) -> None:
    answer = client.post(WEBHOOKS, json=NEW)
    secret = answer.json()["secret"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert secret.startswith("whsec_")
    assert len(b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert create(client)["secret"] != secret
    path = f"{WEBHOOKS}/{answer.json()['webhookId']}"
    for later in (
        client.get(path),
        client.get(WEBHOOKS),
        client.patch(path, json={"active": False}),
        client.patch(path, json={"secret": "whsec_mine"}),
    ):
        assert "whsec_" not in later.text
    with psycopg.connect(service.ready.postgres_url) as conn:
        stored = conn.execute(
            "SELECT secret FROM webhook_endpoints WHERE organization_id = %s ORDER BY created_at LIMIT 1",
            [organization.organization_id],
        ).fetchone()
    assert stored == (b64decode(secret.removeprefix("whsec_")),), "needed to sign, so it is kept"
    encoded = secret.removeprefix("whsec_")
    for log in [*(service.output.parent / "data").rglob("*.log"), service.output]:
        assert encoded not in log.read_text(errors="replace"), log


URLS_REFUSED = {
    "": "url: expected an absolute URL",
    "your-app.com/webhooks": "url: expected an absolute URL",
    "/webhooks": "url: expected an absolute URL",
    "//your-app.com/webhooks": "url: expected an absolute URL",
    "https:": "url: expected an absolute URL",
    "https:///webhooks": "url: expected an absolute URL",
    "ftp://your-app.com/": "url: expected an absolute URL",
    "javascript:alert(1)": "url: expected an absolute URL",
    "https://your-app.com/a b": "url: expected an absolute URL",
    "https://your-app.com/a\nb": "url: expected an absolute URL",
    " https://your-app.com/": "url: expected an absolute URL",
    "https://your-app.com\\@evil.example/": "url: expected an absolute URL",
    "https://bücher.example/": "url: expected an absolute URL",
    "https://your-app.com/\x00": "url: expected an absolute URL",
    "https://me:secret@your-app.com/": "url: a user name",
    "https://@your-app.com/": "url: a user name",
    "https://your-app.com/#part": "url: a fragment",
    "https://your-app.com/#": "url: a fragment",
    "https://your-app.com:99999/": "url: the host or the port",
    "https://your-app.com:0/": "url: the host or the port",
    "https://your-app.com:port/": "url: the host or the port",
    "https://:443/": "url: the host or the port",
    "https://-/": "url: the host or the port",
    "https://a..b/": "url: the host or the port",
    "https://[::1/": "url: the host or the port",
    "https://[v1.x]/": "url: the host or the port",
    f"https://your-app.com/{'x' * 1_980}": "url: expected at most 2,000",
}


@pytest.mark.parametrize("url", URLS_REFUSED, ids=lambda url: repr(url)[:40])
def test_a_url_that_cannot_be_called_is_refused(client: httpx.Client, url: str) -> None:
    answer = client.post(WEBHOOKS, json=NEW | {"url": url})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert answer.json()["error"]["message"].startswith(URLS_REFUSED[url])
    assert "secret@" not in answer.text
    assert client.get(WEBHOOKS).json()["totalCount"] == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://your-app.com",
        "HTTPS://Your-App.com:8443/Hooks?key=a%20b&c=d",
        "https://xn--bcher-kva.example/",
        "https://203.0.113.7/",
        "https://[2001:db8::7]:443/",
        "https://localhost/",
        "https://my_service.internal./hooks",
        "http://localhost:3000/webhooks",
        f"https://your-app.com/{'x' * 1_979}",
    ],
    ids=lambda url: url[:40],
)
def test_a_url_is_kept_as_it_was_given(client: httpx.Client, url: str) -> None:
    assert create(client, url=url)["url"] == url


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"events": []}, "events: expected at least one of sms.queued, sms.sending"),
        (
            {"events": ["sms.sent", "sms.nope"]},
            (
                "events[1]: `sms.nope` is not an event; there are sms.queued, sms.sending, sms.sent, sms.delivered, "
                "sms.failed, sms.undelivered, sms.blocked, sms.inbound"
            ),
        ),
        ({"events": ["sms.sent", "sms.sent"]}, "events[1]: sms.sent is there more than once"),
        ({"events": ["SMS.SENT"]}, "events[0]: `SMS.SENT` is not an event"),
        ({"events": "sms.sent"}, "events: expected an array, got a string"),
        ({"events": [1]}, "events[0]: expected a string, got an integer"),
        ({"events": None}, "events: expected an array, got null"),
        ({"url": None}, "url: expected a string, got null"),
        ({"url": 1}, "url: expected a string, got an integer"),
        ({"description": "x" * 256}, "description: expected at most 255 characters"),
        ({"description": "a\x00b"}, "description: the character U+0000"),
        ({"active": "yes"}, "active: expected true or false, got a string"),
        ({"active": None}, "active: expected true or false, got null"),
        ({"secret": "whsec_mine"}, "object contains unknown field `secret`"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_field_is_named(client: httpx.Client, fields: dict[str, Any], message: str) -> None:
    path = f"{WEBHOOKS}/{create(client)['webhookId']}"
    before = client.get(path).json()
    for answer in (client.post(WEBHOOKS, json=NEW | fields), client.patch(path, json=fields)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
        assert answer.json()["error"]["message"].startswith(message)
    assert client.get(WEBHOOKS).json()["webhooks"] == [before]


@pytest.mark.parametrize("missing", ["url", "events"])
def test_a_missing_field_is_named(client: httpx.Client, missing: str) -> None:
    body = {name: value for name, value in NEW.items() if name != missing}
    answer = client.post(WEBHOOKS, json=body)
    assert answer.status_code == 400
    assert f"`{missing}`" in answer.json()["error"]["message"]


def test_bodies_that_are_no_json_and_parameters_are_refused(client: httpx.Client) -> None:
    path = f"{WEBHOOKS}/{create(client)['webhookId']}"
    for content in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
        for answer in (client.post(WEBHOOKS, content=content), client.patch(path, content=content)):
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST"), content[
                :10
            ]
    assert client.get(f"{WEBHOOKS}?page=2").json()["error"]["message"].startswith("page: not a parameter")
    assert client.put(path, json={}).status_code == 405


def test_an_unknown_id_and_a_text_that_is_none_are_not_found(client: httpx.Client) -> None:
    for webhook_id in (UNKNOWN, "nonsense", "wh_", UNKNOWN + "x", UNKNOWN.replace("wh_", "sms_"), "%00"):
        answer = client.get(f"{WEBHOOKS}/{webhook_id}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "WEBHOOK_NOT_FOUND"), webhook_id


def test_a_sending_key_manages_no_webhooks_and_an_admin_key_those_of_its_organization(
    service: Service, organization: TestOrganization, client: httpx.Client
) -> None:
    path = f"{WEBHOOKS}/{create(client)['webhookId']}"
    with service.client(organization.sending_key) as sending, service.client(None) as nobody:
        for key, status in ((sending, 403), (nobody, 401)):
            for answer in (
                key.get(WEBHOOKS),
                key.post(WEBHOOKS, json=NEW),
                key.get(path),
                key.patch(path, json={"active": False}),
                key.delete(path),
            ):
                assert answer.status_code == status
    with service.client(organization.admin_key) as admin:
        assert admin.get(WEBHOOKS).json()["totalCount"] == 1
        assert admin.patch(path, json={"active": False}).json()["active"] is False
        assert admin.delete(path).status_code == 204


def test_anothers_webhook_is_answered_as_one_that_does_not_exist(
    service: Service, client: httpx.Client
) -> None:
    path, unknown = f"{WEBHOOKS}/{create(client)['webhookId']}", f"{WEBHOOKS}/{UNKNOWN}"
    other = make_organization(service.ready.postgres_url)
    for key in (other.server_key, other.admin_key):
        with service.client(key) as theirs:
            assert theirs.get(WEBHOOKS).json() == {"totalCount": 0, "webhooks": []}
            for method, body in (("GET", None), ("PATCH", {"active": False}), ("DELETE", None)):
                answer = theirs.request(method, path, json=body)
                assert answer.status_code == 404
                assert answer.content == theirs.request(method, unknown, json=body).content
    assert client.get(path).json()["active"] is True


def test_an_organization_has_at_most_a_hundred_even_when_they_come_at_once(
    service: Service, client: httpx.Client
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post(WEBHOOKS, json=NEW), range(ENDPOINTS_MAX + 5)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * ENDPOINTS_MAX + [409] * 5
    refused = next(answer.json()["error"] for answer in answers if answer.status_code == 409)
    assert refused["code"] == "TOO_MANY_WEBHOOKS"
    listed = client.get(WEBHOOKS).json()
    assert listed["totalCount"] == len(listed["webhooks"]) == ENDPOINTS_MAX
    created = [webhook["createdAt"] for webhook in listed["webhooks"]]
    assert created == sorted(created, reverse=True)
    assert client.delete(f"{WEBHOOKS}/{listed['webhooks'][50]['webhookId']}").status_code == 204
    create(client)
    with service.client(make_organization(service.ready.postgres_url).server_key) as other:
        create(other)


def test_http_is_refused_where_the_setting_says_so(tmp_path: Path) -> None:
    environment = clean_environment(webhook_allow_http="false")
    with (
        running_service(tmp_path / "data", env=environment) as service,
        service.client(service.ready.server_key) as client,
    ):
        answer = client.post(WEBHOOKS, json=NEW | {"url": "http://your-app.com/"})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("url: expected https://")
        create(client)
