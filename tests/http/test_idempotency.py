"""`Idempotency-Key`: a request that is sent again acts once, in whatever process it arrives."""

import concurrent.futures
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from tests.running_service import Service, eventually

from .organizations import TestOrganization, make_organization

SEND = {"to": "+14155551234", "templateAlias": "otp-verification", "templateModel": {"code": "123456"}}


@pytest.fixture
def other(service: Service) -> Iterator[httpx.Client]:
    """A client of another organization."""
    with service.client(make_organization(service.ready.postgres_url).server_key) as client:
        yield client


def send(client: httpx.Client, key: str, body: object = SEND, path: str = "/v1/sms") -> httpx.Response:
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def messages(client: httpx.Client, position: str) -> int:
    answer = client.get("/v1/sms/messages", headers={"Ledger-Position": position})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["totalCount"])


def test_the_same_key_and_body_are_given_the_same_answer_and_send_one_message(client: httpx.Client) -> None:
    first, again = send(client, "k-1"), send(client, "k-1")
    assert first.status_code == again.status_code == 200
    assert again.content == first.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Ledger-Position"] == first.headers["Ledger-Position"]
    assert messages(client, first.headers["Ledger-Position"]) == 1


def test_spaces_and_the_order_of_fields_make_no_other_request(client: httpx.Client) -> None:
    first = send(client, "k-1")
    reordered = (
        '{ "templateModel": {"code":"123456"}, "templateAlias":"otp-verification", "to":"+14155551234" }'
    )
    again = client.post("/v1/sms", content=reordered, headers={"Idempotency-Key": "k-1"})
    assert again.content == first.content


def test_another_body_under_the_same_key_is_refused(client: httpx.Client) -> None:
    first = send(client, "k-1")
    answer = send(client, "k-1", SEND | {"tag": "other"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert messages(client, first.headers["Ledger-Position"]) == 1


def test_the_same_key_at_another_address_is_another_request(client: httpx.Client) -> None:
    assert send(client, "k-1").status_code == 200
    assert send(client, "k-1", [SEND], "/v1/sms/batch").status_code == 422


def test_a_batch_is_repeated_whole_with_its_refused_items(client: httpx.Client) -> None:
    batch = [SEND, SEND | {"to": "nonsense"}, SEND | {"templateAlias": "unheard-of"}]
    first, again = (send(client, "b-1", batch, "/v1/sms/batch") for _ in range(2))
    assert [item["errorCode"] for item in first.json()] == [0, 1001, 1002]
    assert again.content == first.content
    assert messages(client, first.headers["Ledger-Position"]) == 1


def test_only_successes_are_repeated(client: httpx.Client, organization: TestOrganization) -> None:
    wrong = SEND | {"templateModel": {}}
    assert send(client, "k-1", wrong).status_code == 400
    mended = send(client, "k-1", SEND)
    assert mended.status_code == 200
    assert "Idempotency-Replayed" not in mended.headers


def test_an_answer_is_repeated_even_where_the_request_would_be_refused_now(
    client: httpx.Client, organization: TestOrganization, service: Service
) -> None:
    first = send(client, "k-1")
    with psycopg.connect(service.ready.postgres_url, autocommit=True) as conn:
        conn.execute(
            "UPDATE organizations SET sms_enabled = false WHERE organization_id = %s",
            [organization.organization_id],
        )
    eventually(lambda: client.post("/v1/sms", json=SEND).status_code == 403)  # the directory has heard of it
    assert client.post("/v1/sms", json=SEND).json()["error"]["code"] == "SMS_NOT_ENABLED"
    assert send(client, "k-1").content == first.content


def test_keys_of_organizations_are_apart(client: httpx.Client, other: httpx.Client) -> None:
    assert send(client, "k-1").json()["messageId"] != send(other, "k-1").json()["messageId"]


def test_a_key_may_be_used_anew_after_a_day(client: httpx.Client, service: Service) -> None:
    first = send(client, "k-1")
    with psycopg.connect(service.ready.postgres_url, autocommit=True) as conn:
        conn.execute("UPDATE idempotency_keys SET stored_at = stored_at - interval '24 hours 1 second'")
    second = send(client, "k-1", SEND | {"tag": "later"})
    assert second.status_code == 200
    assert second.json()["messageId"] != first.json()["messageId"]
    assert send(client, "k-1", SEND | {"tag": "later"}).content == second.content


def test_of_many_at_once_one_acts(client: httpx.Client) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: send(client, "k-1"), range(48)))
    given = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert given
    assert {answer.json()["error"]["code"] for answer in refused} <= {"IDEMPOTENCY_KEY_IN_USE"}
    assert {answer.status_code for answer in refused} <= {409}
    assert len({answer.content for answer in given}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in given) <= 1
    assert messages(client, given[0].headers["Ledger-Position"]) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\there"])
def test_a_key_that_cannot_be_used_is_named(client: httpx.Client, key: str) -> None:
    answer = send(client, key)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["error"]["message"]


def test_the_longest_key_can_be_used(client: httpx.Client) -> None:
    assert send(client, "x" * 255).status_code == 200


def test_two_keys_on_one_request_are_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/sms", json=SEND, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Idempotency-Key: given more than once"
