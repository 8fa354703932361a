"""The page's "Send Batch SMS"."""

from typing import Any

import httpx
import pytest

from tests.http.organizations import make_organization, make_template
from tests.running_service import Service

from .page import BATCH, MESSAGE_ID, SEND, SENT, TIME, error_of, list_of, same_shape


def batch(client: httpx.Client, items: list[Any]) -> list[dict[str, Any]]:
    answer = client.post("/sms/batch", json=items)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()
    assert len(results) == len(items)
    for result in results:
        assert list(result) == list(SENT)
        assert TIME.fullmatch(result["submittedAt"])
        assert (result["messageId"] is not None) == (result["errorCode"] == 0)
    return results


def test_messages_are_sent_by_post_to_sms_batch(client: httpx.Client) -> None:
    """Send Batch SMS, Request: `POST /sms/batch`."""
    assert client.post("/sms/batch", json=BATCH).status_code == 200


def test_the_example_works(client: httpx.Client) -> None:
    """Send Batch SMS, Example Request: the body of the page's curl command."""
    results = batch(client, BATCH)
    bodies = [client.get(f"/sms/{result['messageId']}").json()["body"] for result in results]
    assert bodies == ["Your verification code is 123456", "Your verification code is 789012"]


def test_the_answer_has_a_result_for_each_in_the_order_sent(client: httpx.Client) -> None:
    """Send Batch SMS, Response: field by field, in order."""
    recipients = [f"+1415555{number}" for number in range(1200, 1230)]
    results = batch(client, [SEND | {"to": to} for to in recipients])
    assert [result["to"] for result in results] == recipients
    for result in results:
        assert same_shape(result, SENT)
        assert (result["errorCode"], result["message"]) == (0, "OK")
        assert MESSAGE_ID.fullmatch(result["messageId"])
    assert len({result["messageId"] for result in results}) == len(recipients)
    assert len({result["submittedAt"] for result in results}) == 1


@pytest.mark.parametrize("count", [1, 500])
def test_up_to_500_messages_are_taken(client: httpx.Client, count: int) -> None:
    """Send Batch SMS, Request: "Send up to 500 SMS messages in a single request."."""
    results = batch(client, [SEND | {"tag": f"count-{count}"}] * count)
    assert {result["errorCode"] for result in results} == {0}
    list_of(client, "/sms/messages", count, tag=f"count-{count}")


@pytest.mark.parametrize("count", [0, 501])
def test_none_and_more_than_500_are_refused(client: httpx.Client, count: int) -> None:
    """Send Batch SMS, Request: "Send up to 500 SMS messages in a single request."."""
    answer = client.post("/sms/batch", json=[SEND | {"tag": "refused"}] * count)
    assert "500" in error_of(answer, 400, "INVALID_REQUEST")["message"]
    assert client.get("/sms/messages", params={"tag": "refused"}).json()["totalCount"] == 0


@pytest.mark.parametrize("body", [SEND, {}, "x", 1, {"messages": [SEND]}], ids=type)
def test_the_body_is_an_array(client: httpx.Client, body: Any) -> None:
    """Send Batch SMS, Body: "Array of message objects"."""
    answer = client.post("/sms/batch", json=body)
    assert "array" in error_of(answer, 400, "INVALID_REQUEST")["message"]


def test_an_item_takes_all_that_a_single_send_takes(client: httpx.Client) -> None:
    """Send Batch SMS, Body: "same structure as single send"."""
    results = batch(client, [SEND, SEND | {"tag": "other", "metadata": {"n": 2}}])
    for result, tag, metadata in zip(
        results, ("verification", "other"), ({"userId": "user_123"}, {"n": 2}), strict=True
    ):
        message = client.get(f"/sms/{result['messageId']}").json()
        assert (message["tag"], message["metadata"]) == (tag, metadata)


def test_each_item_has_the_code_of_its_own_error_and_harms_no_other(
    service: Service, nobody: httpx.Client
) -> None:
    """Send Batch SMS, Response: `errorCode` as in a single send; a refused item has no message."""
    organization = make_organization(service.ready.postgres_url)
    _, unapproved = make_template(service.ready.postgres_url, None, "x")
    nobody.headers["X-API-Key"] = organization.sending_key
    items: list[tuple[Any, int | None, str]] = [
        (SEND, 0, "OK"),
        (SEND | {"to": "12"}, 1001, "to: "),
        (SEND | {"templateAlias": "nope"}, 1002, "nope"),
        (SEND | {"templateAlias": unapproved}, 1003, unapproved),
        (SEND | {"to": "+21650123456"}, 1004, "TN"),
        # those that the page has no code for
        (SEND | {"templateModel": {}}, None, "`code`"),
        (SEND | {"tag": 1}, None, "tag"),
        (SEND | {"unknown": 1}, None, "`unknown`"),
        ({"to": "+14155551234"}, None, "templateAlias"),
        ({}, None, "`to`"),
        ("x", None, "object"),
        (None, None, "object"),
        ([SEND], None, "object"),
        (SEND, 0, "OK"),
    ]
    results = batch(nobody, [item for item, _, _ in items])
    for (item, code, words), result in zip(items, results, strict=True):
        if code is None:
            assert result["errorCode"] not in {0, *range(1001, 1007)}
        else:
            assert result["errorCode"] == code
        assert words in result["message"]
        assert result["to"] == (item.get("to", "") if isinstance(item, dict) else "")


def test_a_batch_of_an_organization_that_may_not_send_is_refused_whole(
    service: Service, nobody: httpx.Client
) -> None:
    """Send Batch SMS, Response: 1005 is the organization's and not a message's."""
    organization = make_organization(service.ready.postgres_url, sms_enabled=False)
    answer = nobody.post("/sms/batch", json=BATCH, headers={"X-API-Key": organization.server_key})
    assert error_of(answer, 403, "SMS_NOT_ENABLED")["errorCode"] == 1005
