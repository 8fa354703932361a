"""Every method on the live service, sync and async: results are what the service says, errors are of their kinds."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from smsledger_client import (
    AsyncTransactional,
    AuthenticationError,
    ConnectionFailedError,
    IdempotencyError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    Transactional,
)
from tests.http.organizations import TestOrganization, make_organization
from tests.running_service import Service, eventually

OTP: dict[str, Any] = {
    "to": "+14155551234",
    "template_alias": "otp-verification",
    "template_model": {"code": "123456"},
}
PHONE = "+14155559876"


@pytest.fixture
async def async_client(service: Service, organization: TestOrganization) -> AsyncIterator[AsyncTransactional]:
    """The async client with the same key."""
    async with AsyncTransactional(
        api_key=organization.server_key, base_url=service.ready.url
    ) as async_client:
        yield async_client


def test_a_message_is_sent_and_followed_to_its_delivery(client: Transactional) -> None:
    result = client.sms.send(**OTP, tag="verification", metadata={"userId": "user_123"})
    assert result.ok
    assert result.message_id is not None
    assert result.position is not None

    def delivered() -> bool:
        return client.sms.get(str(result.message_id)).status == "DELIVERED"

    assert eventually(delivered)
    message = client.sms.get(result.message_id)
    assert (message.to, message.tag, message.metadata) == (OTP["to"], "verification", {"userId": "user_123"})
    assert message.from_.startswith("+")
    assert message.queued_at is not None
    assert message.delivered_at is not None
    assert message.queued_at <= message.delivered_at
    assert [event.event_type for event in message.events] == ["QUEUED", "SENDING", "SENT", "DELIVERED"]
    history = client.sms.events(result.message_id)
    assert [event["type"] for event in history.events] == [
        "sms.queued",
        "sms.sending",
        "sms.sent",
        "sms.delivered",
    ]
    page = client.sms.list(status="DELIVERED", tag="verification", position=history.position)
    assert [row.message_id for row in page] == [result.message_id]
    assert message.extra == page.extra == page.messages[0].extra == history.extra == result.extra == {}


def test_a_batch_has_a_result_for_each_and_raises_nothing(client: Transactional) -> None:
    results = client.sms.send_batch(
        [
            {"to": "+14155551234", "template_alias": "otp", "template_model": {"code": "1"}},
            {"to": "12345", "template_alias": "otp", "template_model": {"code": "2"}},
            {"to": "+14155551234", "template_alias": "nope"},
            {"to": "+14155551234", "template_alias": "otp"},
        ]
    )
    assert [result.error_code for result in results] == [0, 1001, 1002, 1000]
    assert [result.message_id is None for result in results] == [False, True, True, True]
    assert all(result.message for result in results)


def test_the_same_key_sends_once_and_another_message_under_it_is_refused(client: Transactional) -> None:
    first, second = (client.sms.send(**OTP, idempotency_key="order-1042") for _ in range(2))
    assert first == second
    with pytest.raises(IdempotencyError) as raised:
        client.sms.send(**OTP, tag="other", idempotency_key="order-1042")
    assert (raised.value.status_code, raised.value.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert client.sms.list(position=first.position).total_count == 1


def test_iteration_gives_every_message_once(client: Transactional) -> None:
    results = client.sms.send_batch([OTP] * 7)
    ids = [message.message_id for message in client.sms.iter(page_count=3, position=results[-1].position)]
    assert sorted(ids) == sorted(str(result.message_id) for result in results)
    assert list(client.sms.iter(tag="none")) == []
    assert list(client.sms.iter_inbound()) == []


def test_a_preview_stores_nothing(client: Transactional) -> None:
    preview = client.sms.preview(
        to="+14155551234",
        template_alias="order-confirmation",
        template_model={"name": "O\u2019Brien", "order_id": "A-1042", "total": "$59.90"},
    )
    assert (preview.encoding, preview.segments, preview.blocked) == ("UCS_2", 1, False)
    assert [(one.character, one.code_point) for one in preview.forcing_characters] == [("\u2019", "U+2019")]
    assert preview.from_.startswith("+")
    assert preview.extra == {}
    assert client.sms.list().total_count == 0


def test_suppressions_are_added_checked_listed_and_removed(client: Transactional) -> None:
    suppressions = client.sms.suppressions
    assert suppressions.check(PHONE).suppressed is False
    added = suppressions.add(phone_number=PHONE, note="asked by phone")
    assert (added.phone_number, added.reason, added.scope, added.note) == (
        PHONE,
        "MANUAL",
        "ALL",
        "asked by phone",
    )
    assert suppressions.add(phone_number=PHONE).created_at == added.created_at
    status = suppressions.check(PHONE)
    assert (status.suppressed, status.reason, len(status.suppressions)) == (True, "MANUAL", 1)
    assert eventually(lambda: suppressions.list().total_count == 1)
    assert [one.phone_number for one in suppressions.iter(page_count=1)] == [PHONE]
    blocked = client.sms.send(**{**OTP, "to": PHONE})
    assert (blocked.ok, blocked.error_code) == (False, 1006)
    assert client.sms.get(str(blocked.message_id)).status == "BLOCKED"
    assert client.sms.preview(**{**OTP, "to": PHONE}).blocked
    assert len(suppressions.history(PHONE).events) == 1
    suppressions.remove(PHONE)
    suppressions.remove(PHONE)
    assert not suppressions.check(PHONE).suppressed
    assert len(suppressions.history(PHONE).events) == 2
    assert client.sms.send(**{**OTP, "to": PHONE}).ok
    assert added.extra == status.extra == {}


def test_webhooks_are_created_read_changed_and_deleted(client: Transactional) -> None:
    webhooks = client.sms.webhooks
    created = webhooks.create(url="https://your-app.com/webhooks", events=["sms.sent"], description="mine")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", created.secret)
    assert (created.active, created.description, created.extra) == (True, "mine", {})
    shown = webhooks.get(created.webhook_id)
    assert not hasattr(shown, "secret")
    assert list(webhooks.list()) == [shown]
    changed = webhooks.update(created.webhook_id, events=("sms.failed", "sms.inbound"), description=None)
    assert (changed.events, changed.description) == (("sms.failed", "sms.inbound"), None)
    assert changed.url == created.url
    assert webhooks.update(created.webhook_id, active=False).active is False
    webhooks.delete(created.webhook_id)
    with pytest.raises(NotFoundError) as raised:
        webhooks.delete(created.webhook_id)
    assert raised.value.code == "WEBHOOK_NOT_FOUND"


def test_errors_are_of_their_kinds_and_name_their_request(
    service: Service, organization: TestOrganization, client: Transactional
) -> None:
    with pytest.raises(InvalidRequestError) as invalid:
        client.sms.send(**{**OTP, "to": "12345"})
    assert (invalid.value.status_code, invalid.value.code, invalid.value.error_code) == (
        400,
        "INVALID_REQUEST",
        1001,
    )
    assert re.fullmatch(r"[0-9a-f]{32}", str(invalid.value.request_id))
    with pytest.raises(NotFoundError) as missing:
        client.sms.send(to="+14155551234", template_alias="nope")
    assert (missing.value.code, missing.value.error_code) == ("TEMPLATE_NOT_FOUND", 1002)
    with pytest.raises(InvalidRequestError, match="fromDate"):
        client.sms.list(from_date="yesterday")
    with (
        Transactional(api_key="sk_unknown", base_url=service.ready.url) as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.sms.list()
    with Transactional(api_key=organization.sending_key, base_url=service.ready.url) as sending:
        assert sending.sms.send(**OTP).ok
        with pytest.raises(PermissionDeniedError):
            sending.sms.webhooks.list()
    disabled = make_organization(service.ready.postgres_url, sms_enabled=False)
    with (
        Transactional(api_key=disabled.server_key, base_url=service.ready.url) as off,
        pytest.raises(PermissionDeniedError) as refused,
    ):
        off.sms.send(**OTP)
    assert (refused.value.code, refused.value.error_code) == ("SMS_NOT_ENABLED", 1005)


def test_a_service_that_is_not_there_is_said_to_be_none() -> None:
    with (
        Transactional(api_key="sk_test", base_url="http://127.0.0.1:1", retries=0) as client,
        pytest.raises(ConnectionFailedError) as raised,
    ):
        client.sms.send(**OTP)
    assert raised.value.idempotency_key


async def test_the_async_client_does_the_same(async_client: AsyncTransactional) -> None:
    sms = async_client.sms
    result = await sms.send(**OTP)
    results = await sms.send_batch([OTP] * 4)
    message = await sms.get(str(result.message_id))
    assert message.body == "Your verification code is 123456"
    ids = [row.message_id async for row in sms.iter(page_count=2, position=results[-1].position)]
    assert sorted(ids) == sorted(str(one.message_id) for one in [result, *results])
    assert (await sms.list(count=1)).total_count == 5
    assert [row async for row in sms.iter_inbound()] == []
    assert (await sms.preview(**OTP)).segments == 1
    webhook = await sms.webhooks.create(url="https://your-app.com/webhooks", events=["sms.sent"])
    assert (await sms.webhooks.update(webhook.webhook_id, active=False)).active is False
    await sms.webhooks.delete(webhook.webhook_id)
    assert (await sms.webhooks.list()).total_count == 0
    await sms.suppressions.add(phone_number=PHONE)
    assert (await sms.suppressions.check(PHONE)).suppressed
    await sms.suppressions.remove(PHONE)
    with pytest.raises(NotFoundError):
        await sms.events("sms_01hk153x00e45bavdxkn2xkbtr")
