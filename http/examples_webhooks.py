"""The requests and answers of the webhooks' management that the OpenAPI document shows. See `examples.py`."""

from typing import Any

WEBHOOK_ID = "wh_01hk153x00e45bavdxkn2xkbtr"

NEW_WEBHOOK: dict[str, Any] = {
    "url": "https://your-app.com/webhooks/sms",
    "events": ["sms.delivered", "sms.failed"],
}
WEBHOOK_CHANGE: dict[str, Any] = {"events": ["sms.delivered", "sms.failed", "sms.inbound"]}

WEBHOOK: dict[str, Any] = {
    "webhookId": WEBHOOK_ID,
    "url": "https://your-app.com/webhooks/sms",
    "events": ["sms.delivered", "sms.failed"],
    "description": None,
    "active": True,
    "createdAt": "2024-01-01T00:00:00.000Z",
    "updatedAt": "2024-01-01T00:00:00.000Z",
}
CREATED_WEBHOOK: dict[str, Any] = WEBHOOK | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="}
UPDATED_WEBHOOK: dict[str, Any] = WEBHOOK | WEBHOOK_CHANGE | {"updatedAt": "2024-01-02T00:00:00.000Z"}
WEBHOOKS: dict[str, Any] = {"totalCount": 1, "webhooks": [WEBHOOK]}
