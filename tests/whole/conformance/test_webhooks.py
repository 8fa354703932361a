"""The page's webhook methods, as its SDKs put them on the wire."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.http.organizations import TestOrganization

from .page import TIME, error_of

URL = "https://your-app.com/webhooks/sms"
EVENTS = ["sms.delivered", "sms.failed"]


@pytest.fixture
def server(base_url: str, organization: TestOrganization) -> Iterator[httpx.Client]:
    """A client with the SERVER key; afterwards, there is no webhook."""
    headers = {"Authorization": f"Bearer {organization.server_key}"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=20, trust_env=False) as client:
        yield client
        for one in client.get("/sms/webhooks").json()["webhooks"]:
            client.delete(f"/sms/webhooks/{one['webhookId']}").raise_for_status()


def create(client: httpx.Client) -> dict[str, Any]:
    answer = client.post("/sms/webhooks", json={"url": URL, "events": EVENTS})
    assert answer.status_code == 201, answer.text
    webhook: dict[str, Any] = answer.json()
    return webhook


def test_a_webhook_is_created_listed_updated_and_deleted(server: httpx.Client) -> None:
    """Webhooks Methods: `create`, `list`, `update`, `delete`, with the page's own arguments."""
    assert server.get("/sms/webhooks").json()["webhooks"] == []
    created = create(server)
    assert (created["url"], created["events"], created["active"]) == (URL, EVENTS, True)
    assert TIME.fullmatch(created["createdAt"])

    webhooks = server.get("/sms/webhooks").json()["webhooks"]
    assert [one["webhookId"] for one in webhooks] == [created["webhookId"]]

    more = [*EVENTS, "sms.inbound"]
    path = f"/sms/webhooks/{created['webhookId']}"
    updated = server.patch(path, json={"events": more})
    assert (updated.status_code, updated.json()["events"], updated.json()["url"]) == (200, more, URL)

    assert server.delete(path).status_code == 204
    error_of(server.get(path), 404, "WEBHOOK_NOT_FOUND")


def test_the_secret_is_shown_once(server: httpx.Client) -> None:
    """Webhooks Methods: `create` alone answers with the secret."""
    created = create(server)
    assert created["secret"].startswith("whsec_")
    path = f"/sms/webhooks/{created['webhookId']}"
    for answer in (server.get(path), server.get("/sms/webhooks"), server.patch(path, json={"active": False})):
        assert created["secret"] not in answer.text


@pytest.mark.parametrize(
    "status", ["queued", "sending", "sent", "delivered", "failed", "undelivered", "blocked"]
)
def test_every_status_of_the_page_is_an_event(server: httpx.Client, status: str) -> None:
    """Webhooks Methods: `events`."""
    answer = server.post("/sms/webhooks", json={"url": URL, "events": [f"sms.{status}"]})
    assert (answer.status_code, answer.json()["events"]) == (201, [f"sms.{status}"])


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"events": EVENTS}, "url"),
        ({"url": "your-app.com", "events": EVENTS}, "url"),
        ({"url": URL}, "events"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["sms.read"]}, "events"),
    ],
)
def test_a_wrong_field_is_named(server: httpx.Client, body: dict[str, Any], name: str) -> None:
    """Webhooks Methods: `create` with wrong values."""
    answer = server.post("/sms/webhooks", json=body)
    assert name in error_of(answer, 400, "INVALID_REQUEST")["message"]
