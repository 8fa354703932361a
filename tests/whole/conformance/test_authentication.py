"""The page's "Authentication" and "Base URL"."""

import httpx
import pytest

from tests.http.organizations import TestOrganization

from .page import SEND, error_of

PATHS = ["/sms/messages", "/sms/inbound"]


@pytest.mark.parametrize("kind", ["sending_key", "server_key"])
def test_a_sending_and_a_server_key_can_access_the_endpoints(
    nobody: httpx.Client, organization: TestOrganization, kind: str
) -> None:
    """Authentication: "Both SENDING and SERVER API key types can access SMS endpoints." """
    headers = {"Authorization": f"Bearer {getattr(organization, kind)}"}
    sent = nobody.post("/sms", json=SEND, headers=headers)
    assert sent.status_code == 200
    assert nobody.post("/sms/batch", json=[SEND], headers=headers).status_code == 200
    for path in [*PATHS, f"/sms/{sent.json()['messageId']}"]:
        assert nobody.get(path, headers=headers).status_code == 200


def test_the_key_may_stand_in_the_other_header(nobody: httpx.Client, organization: TestOrganization) -> None:
    """Authentication: "Or use the X-API-Key header" """
    headers = {"X-API-Key": organization.sending_key}
    assert nobody.post("/sms", json=SEND, headers=headers).json()["errorCode"] == 0
    for path in PATHS:
        assert nobody.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer YOUR_API_KEY"}, {"X-API-Key": "YOUR_API_KEY"}], ids=repr
)
def test_a_missing_or_invalid_key_is_unauthorized(nobody: httpx.Client, headers: dict[str, str]) -> None:
    """Authentication: all endpoints require it; the page's error is 401 UNAUTHORIZED."""
    answers = [
        nobody.post("/sms", json=SEND, headers=headers),
        nobody.post("/sms/batch", json=[SEND], headers=headers),
        nobody.get("/sms/sms_abc123", headers=headers),
        *(nobody.get(path, headers=headers) for path in PATHS),
    ]
    for answer in answers:
        error_of(answer, 401, "UNAUTHORIZED")


def test_every_path_of_the_page_follows_the_base_url(client: httpx.Client, base_url: str) -> None:
    """Base URL: ends in /v1; with another one a client works unchanged."""
    assert base_url.endswith("/v1")
    assert client.post("/sms", json=SEND).status_code == 200
    outside = httpx.post(f"{base_url.removesuffix('/v1')}/sms", json=SEND, headers=client.headers)
    assert outside.status_code == 404
