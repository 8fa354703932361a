"""The page's "Rate Limits"."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.http.organizations import make_organization
from tests.running_service import Service, eventually

from .page import SEND, error_of


@pytest.fixture
def limited(service: Service, nobody: httpx.Client) -> httpx.Client:
    """A client of a new organization, which has the page's limits."""
    organization = make_organization(service.ready.postgres_url, rate_limits=None)
    nobody.headers["X-API-Key"] = organization.sending_key
    return nobody


def test_every_answer_has_the_headers_of_the_page(limited: httpx.Client) -> None:
    """Rate Limits: "Rate limit headers are included in responses", with each endpoint's own limit."""
    sent = limited.post("/sms", json=SEND)
    answers = [
        (100, sent),
        (100, limited.post("/sms", content=b"{")),
        (10, limited.post("/sms/batch", json=[SEND])),
        (100, limited.get(f"/sms/{sent.json()['messageId']}")),
        (100, limited.get("/sms/messages")),
        (100, limited.get("/sms/inbound")),
        (100, limited.get("/sms/sms_abc123")),
    ]
    for limit, answer in answers:
        assert int(answer.headers["X-RateLimit-Limit"]) == limit
        assert 0 <= int(answer.headers["X-RateLimit-Remaining"]) < limit
        assert time.time() - 1 <= int(answer.headers["X-RateLimit-Reset"]) <= time.time() + 5  # unix seconds


def test_too_many_requests_are_refused_until_there_is_room_again(limited: httpx.Client) -> None:
    """Common Error Codes: 429 RATE_LIMITED, "Too many requests"; stored is what was not refused."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: limited.post("/sms/batch", json=[SEND]), range(60)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    for answer in refused:
        error_of(answer, 429, "RATE_LIMITED")
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["X-RateLimit-Remaining"] == "0"
    # The other endpoints have limits of their own.
    assert limited.post("/sms", json=SEND | {"tag": "single"}).status_code == 200
    eventually(lambda: limited.post("/sms/batch", json=[SEND]).status_code == 200)
    taken = len(answers) - len(refused)
    eventually(lambda: limited.get("/sms/messages").json()["totalCount"] == taken + 2)
