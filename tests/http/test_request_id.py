"""`X-Request-Id`: on every answer of both lanes, as it was given or made."""

import httpx
import pytest

from .organizations import OTP


def test_every_answer_names_its_request(client: httpx.Client) -> None:
    sent = client.post("/v1/sms", json=OTP)
    answers = [
        sent,
        client.get(f"/v1/sms/{sent.json()['messageId']}"),
        client.get("/v1/sms/messages"),
        client.post("/v1/sms", content=b"{"),
        client.get("/v1/sms/sms_nonsense"),
        client.get("/nowhere"),
        client.put("/v1/sms"),
        client.post("/v1/sms/webhooks", content=b" " * 3_000_000),
        client.get("/v1/sms/messages", headers={"Authorization": "Bearer nonsense"}),
        client.get("/healthz"),
        client.get("/docs"),
    ]
    made = [answer.headers.get_list("X-Request-Id") for answer in answers]
    assert all(len(ids) == 1 for ids in made)
    assert len({ids[0] for ids in made}) == len(answers)


@pytest.mark.parametrize("given", ["abc-123", "x" * 128, "!~"], ids=len)
def test_the_clients_own_id_is_echoed(client: httpx.Client, given: str) -> None:
    headers = {"X-Request-Id": given}
    for answer in (
        client.post("/v1/sms", json=OTP, headers=headers),
        client.get("/v1/sms/messages", headers=headers),
    ):
        assert answer.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\tb", b"\xff", b"caf\xc3\xa9"], ids=repr)
def test_an_id_that_a_log_line_could_not_hold_is_replaced(client: httpx.Client, given: bytes) -> None:
    answer = client.get("/v1/sms/messages", headers={b"X-Request-Id": given})
    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"].encode() != given
    assert len(answer.headers["X-Request-Id"]) == 32
