"""The examples of UseTransactional's page on its Python SDK, word for word, on the live service.

Changed are the import and the base URL; the ids that the page makes up exist where an example runs a second time.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smsledger_client import (
    CreatedWebhook,
    InboundPage,
    Message,
    MessagePage,
    NotFoundError,
    SendResult,
    SuppressionPage,
    SuppressionStatus,
    Transactional,
    WebhookList,
)
from tests.http.organizations import TestOrganization
from tests.running_service import Service

Run = Callable[..., dict[str, Any]]

INITIALIZATION = """
from transactional import Transactional
import os

client = Transactional(api_key=os.environ["TRANSACTIONAL_API_KEY"])
"""
SEND = """
# Send single SMS
result = client.sms.send(
    to="+14155551234",
    template_alias="otp-verification",
    template_model={"code": "123456"},
)
"""
SEND_BATCH = """
# Send batch SMS
results = client.sms.send_batch([
    {"to": "+14155551234", "template_alias": "otp", "template_model": {"code": "111"}},
    {"to": "+14155555678", "template_alias": "otp", "template_model": {"code": "222"}},
])
"""
GET = """
# Get message details
message = client.sms.get("sms_abc123")
"""
LIST = """
# List messages
messages = client.sms.list(
    count=50,
    status="DELIVERED",
    tag="verification",
)
"""
LIST_INBOUND = """
# List inbound messages
inbound = client.sms.list_inbound(
    count=50,
    from_date="2024-01-01T00:00:00Z",
)
"""
SUPPRESSIONS = """
# List suppressions
suppressions = client.sms.suppressions.list()

# Check if suppressed
result = client.sms.suppressions.check("+14155551234")
if result.suppressed:
    print(f"Number is suppressed: {result.reason}")

# Add suppression
client.sms.suppressions.add(
    phone_number="+14155551234",
    reason="MANUAL",
)
"""
REMOVE_SUPPRESSION = """
# Remove suppression
client.sms.suppressions.remove("+14155551234")
"""
WEBHOOKS = """
# List webhooks
webhooks = client.sms.webhooks.list()

# Create webhook
webhook = client.sms.webhooks.create(
    url="https://your-app.com/webhooks/sms",
    events=["sms.delivered", "sms.failed"],
)
"""
CHANGE_WEBHOOK = """
# Update webhook
client.sms.webhooks.update(
    webhook_id,
    events=["sms.delivered", "sms.failed", "sms.inbound"],
)

# Delete webhook
client.sms.webhooks.delete(webhook_id)
"""


@pytest.fixture
def page(service: Service, organization: TestOrganization, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs an example after the page's initialization, and gives what its names stand for then."""
    monkeypatch.setenv("TRANSACTIONAL_API_KEY", organization.server_key)
    names: dict[str, Any] = {}

    def run(example: str, **more: Any) -> dict[str, Any]:
        names.update(more)
        exec(compile(example, "<the page>", "exec"), names)
        return names

    initialization = INITIALIZATION.replace("from transactional ", "from smsledger_client ")
    run(initialization.replace('"])', f'"], base_url="{service.ready.url}/v1")'))
    yield run
    names["client"].close()


def test_initialization(page: Run) -> None:
    assert isinstance(page("")["client"], Transactional)


def test_send(page: Run) -> None:
    result = page(SEND)["result"]
    assert isinstance(result, SendResult)
    assert (result.to, result.error_code, result.message) == ("+14155551234", 0, "OK")


def test_send_batch(page: Run) -> None:
    results = page(SEND_BATCH)["results"]
    assert [(result.to, result.error_code) for result in results] == [
        ("+14155551234", 0),
        ("+14155555678", 0),
    ]


def test_get(page: Run) -> None:
    with pytest.raises(NotFoundError) as raised:
        page(GET)
    assert raised.value.code == "MESSAGE_NOT_FOUND"
    sent = page(SEND)["result"]
    message = page(GET.replace("sms_abc123", sent.message_id))["message"]
    assert isinstance(message, Message)
    assert message.body == "Your verification code is 123456"


def test_list(page: Run) -> None:
    messages = page(LIST)["messages"]
    assert isinstance(messages, MessagePage)
    assert (messages.total_count, messages.messages) == (0, ())


def test_list_inbound(page: Run) -> None:
    inbound = page(LIST_INBOUND)["inbound"]
    assert isinstance(inbound, InboundPage)
    assert (inbound.total_count, inbound.messages) == (0, ())


def test_suppressions(page: Run, capsys: pytest.CaptureFixture[str]) -> None:
    names = page(SUPPRESSIONS)
    assert isinstance(names["suppressions"], SuppressionPage)
    assert isinstance(names["result"], SuppressionStatus)
    assert not names["result"].suppressed
    page(SUPPRESSIONS)
    assert capsys.readouterr().out == "Number is suppressed: MANUAL\n"
    assert not page(REMOVE_SUPPRESSION + SUPPRESSIONS)["result"].suppressed


def test_webhooks(page: Run) -> None:
    names = page(WEBHOOKS)
    assert isinstance(names["webhooks"], WebhookList)
    assert isinstance(names["webhook"], CreatedWebhook)
    page(CHANGE_WEBHOOK, webhook_id=names["webhook"].webhook_id)
    assert page(WEBHOOKS)["webhooks"].total_count == 0
