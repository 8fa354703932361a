"""Rate limits: their headers on every answer to a known key, 429 beyond them, each organization and class by itself."""

import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.running_service import Service, eventually

from .organizations import OTP, make_organization

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
LIST = "/v1/sms/messages?count=1"
MISSING = "/v1/sms/sms_01hk153x00e45bavdxkn2xkbtr"


@pytest.fixture
def limited(service: Service) -> Iterator[httpx.Client]:
    """A client of an organization with the limits of any new one, but for reading."""
    organization = make_organization(service.ready.postgres_url, rate_limits='{"read": 3}')
    with service.client(organization.server_key) as client:
        yield client


def numbers(answer: httpx.Response) -> list[int]:
    return [int(answer.headers[name]) for name in HEADERS]


def read_until_refused(client: httpx.Client, most: int) -> httpx.Response:
    """Read more often than `most` times within a second; a busy machine may need some more."""
    for _ in range(50 * most):
        answer = client.get(LIST)
        if answer.status_code != 200:
            return answer
    pytest.fail("nothing was refused")


def test_every_answer_to_a_known_key_has_the_three_headers(limited: httpx.Client) -> None:
    answers = {
        200: limited.post("/v1/sms", json=OTP),
        400: limited.post("/v1/sms", content=b"{"),
        413: limited.post("/v1/sms", content=b" " * 3_000_000),
        404: limited.get(MISSING),
        405: limited.put("/v1/sms", json=OTP),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        limit, remaining, reset = numbers(answer)
        assert limit == (3 if status == 404 else 100)
        assert 0 <= remaining < limit
        assert 0 < reset - time.time() < 10
    batch = limited.post("/v1/sms/batch", json=[OTP])
    assert batch.status_code == 200
    assert numbers(batch)[0] == 10


@pytest.mark.parametrize(
    ("path", "limit"),
    [("//v1/sms", 100), ("/v1//sms/", 100), ("/v1/sms/batch/", 10), ("/v1/sms//batch", 10)],
)
def test_a_slash_too_many_leads_round_no_limit(limited: httpx.Client, path: str, limit: int) -> None:
    url = limited.base_url.copy_with(raw_path=path.encode())
    answer = limited.post(url, json=[OTP] if limit == 10 else OTP)
    assert answer.status_code == 200
    assert numbers(answer)[0] == limit


def test_who_has_no_good_key_learns_nothing_about_limits(service: Service) -> None:
    for key in (None, "unknown"):
        with service.client(key) as nobody:
            for answer in (nobody.get(LIST), nobody.post("/v1/sms", json=OTP), nobody.get("/healthz")):
                assert not [name for name in HEADERS if name in answer.headers]
                assert answer.status_code in (200, 401)


def test_beyond_the_limit_a_request_is_refused_and_after_the_time_named_it_is_not(
    limited: httpx.Client,
) -> None:
    refused = read_until_refused(limited, 3)
    assert refused.status_code == 429
    assert refused.json()["error"] == {
        "code": "RATE_LIMITED",
        "message": "more than 3 read requests a second: wait for the time in `Retry-After`",
        "statusCode": 429,
    }
    assert numbers(refused)[:2] == [3, 0]
    wait_s = int(refused.headers["Retry-After"])
    assert 1 <= wait_s <= 2
    eventually(lambda: limited.get(LIST).status_code == 200, 10)


def test_each_class_counts_by_itself(limited: httpx.Client) -> None:
    assert read_until_refused(limited, 3).status_code == 429
    assert limited.post("/v1/sms", json=OTP).status_code == 200
    assert limited.post("/v1/sms/batch", json=[OTP]).status_code == 200


def test_a_refused_send_stores_nothing_and_keeps_its_connection(service: Service) -> None:
    organization = make_organization(service.ready.postgres_url, rate_limits='{"send": 1}')
    sent = []
    with service.client(organization.server_key) as client:
        while 429 not in sent:
            sent.append(client.post("/v1/sms", content=b" " * 300_000 + b"{", timeout=10).status_code)
            assert len(sent) < 50
        stored = client.get("/v1/sms/messages").json()["totalCount"]
    assert set(sent) == {400, 429}
    assert stored == 0


def test_another_organization_is_not_slowed_down(service: Service, limited: httpx.Client) -> None:
    other = make_organization(service.ready.postgres_url, rate_limits='{"read": 1000}')
    assert read_until_refused(limited, 3).status_code == 429
    with service.client(other.server_key) as client:
        for _ in range(5):
            answer = client.get(LIST)
            assert (answer.status_code, numbers(answer)[0]) == (200, 1000)


def test_all_keys_of_an_organization_share_its_limit(service: Service) -> None:
    organization = make_organization(service.ready.postgres_url, rate_limits='{"read": 2}')
    with service.client(organization.server_key) as one, service.client(organization.sending_key) as another:
        answers = []
        while 429 not in answers:
            answers += [client.get(LIST).status_code for client in (one, another)]
            assert len(answers) < 100


def test_a_changed_limit_holds_soon_and_none_is_no_limit(service: Service) -> None:
    organization = make_organization(service.ready.postgres_url, rate_limits='{"read": 50}')

    def change(limits: str) -> None:
        with psycopg.connect(service.ready.postgres_url) as conn:
            conn.execute(
                "UPDATE organizations SET rate_limits = %s WHERE organization_id = %s",
                [limits, organization.organization_id],
            )

    with service.client(organization.server_key) as client:
        assert numbers(client.get(LIST))[0] == 50
        change('{"read": 70}')
        # Directories look twice a second; how long it took is not asserted on a busy machine.
        eventually(lambda: client.get(LIST).headers["X-RateLimit-Limit"] == "70", 5)
        change('{"read": 0}')
        unlimited = eventually(
            lambda: (
                (answer := client.get(LIST)).status_code == 200
                and not [name for name in HEADERS if name in answer.headers]
            ),
            5,
        )
        assert unlimited
