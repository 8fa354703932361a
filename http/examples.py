"""The requests and answers that the OpenAPI document shows: those of the seed's page, with ids and events as they are here.

They are read by people; a test sends the requests and compares the answers' fields.
"""

from typing import Any

SEND: dict[str, Any] = {
    "to": "+14155551234",
    "templateAlias": "otp-verification",
    "templateModel": {"code": "123456"},
    "tag": "verification",
    "metadata": {"userId": "user_123"},
}
BATCH: list[dict[str, Any]] = [
    {"to": "+14155551234", "templateAlias": "otp-verification", "templateModel": {"code": "123456"}},
    {"to": "+14155555678", "templateAlias": "otp-verification", "templateModel": {"code": "789012"}},
]

MESSAGE_ID = "sms_01hk153x00e45bavdxkn2xkbtr"
_OTHER_ID = "sms_01hk153x00e45bavdxkn2xkbts"
_QUEUED_AT = "2024-01-01T00:00:00.000Z"
_SENDING_AT = "2024-01-01T00:00:00.020Z"
_SENT_AT = "2024-01-01T00:00:01.000Z"
_DELIVERED_AT = "2024-01-01T00:00:02.000Z"

RESULT: dict[str, Any] = {
    "to": "+14155551234",
    "submittedAt": _QUEUED_AT,
    "messageId": MESSAGE_ID,
    "errorCode": 0,
    "message": "OK",
}
RESULTS: list[dict[str, Any]] = [RESULT, RESULT | {"to": "+14155555678", "messageId": _OTHER_ID}]

LISTED: dict[str, Any] = {
    "messageId": MESSAGE_ID,
    "from": "+18005551234",
    "to": "+14155551234",
    "status": "DELIVERED",
    "direction": "OUTBOUND",
    "segments": 1,
    "country": "US",
    "tag": "verification",
    "queuedAt": _QUEUED_AT,
    "sentAt": _SENT_AT,
    "deliveredAt": _DELIVERED_AT,
    "failedAt": None,
}
MESSAGES: dict[str, Any] = {"totalCount": 1, "messages": [LISTED], "nextCursor": None}
MESSAGE: dict[str, Any] = {
    "messageId": MESSAGE_ID,
    "providerMessageId": "SM12345",
    "from": "+18005551234",
    "to": "+14155551234",
    "body": "Your verification code is 123456",
    "status": "DELIVERED",
    "direction": "OUTBOUND",
    "segments": 1,
    "country": "US",
    "tag": "verification",
    "metadata": {"userId": "user_123"},
    "errorCode": None,
    "errorMessage": None,
    "queuedAt": _QUEUED_AT,
    "sentAt": _SENT_AT,
    "deliveredAt": _DELIVERED_AT,
    "failedAt": None,
    "events": [
        {"eventType": "QUEUED", "timestamp": _QUEUED_AT},
        {"eventType": "SENDING", "timestamp": _SENDING_AT},
        {"eventType": "SENT", "timestamp": _SENT_AT},
        {"eventType": "DELIVERED", "timestamp": _DELIVERED_AT},
    ],
}
INBOUND: dict[str, Any] = {
    "totalCount": 1,
    "messages": [
        {
            "messageId": "sms_inb_01hk2g2qg0e45bavdxkn2xkbtr",
            "providerMessageId": "SM12345",
            "from": "+14155551234",
            "to": "+18005551234",
            "body": "Thanks for the update!",
            "receivedAt": "2024-01-01T12:30:00.000Z",
            "inReplyTo": MESSAGE_ID,
        }
    ],
    "nextCursor": None,
}
PREVIEW_SEND: dict[str, Any] = {
    "to": "+14155551234",
    "templateAlias": "order-confirmation",
    "templateModel": {"name": "O\u2019Brien", "order_id": "A-1042", "total": "$59.90"},
}
PREVIEW: dict[str, Any] = {
    "to": "+14155551234",
    "from": "+18005551234",
    "fromReason": "pool number for US",
    "country": "US",
    "body": "Hi O\u2019Brien, your order A-1042 is confirmed. Total: $59.90.",
    "encoding": "UCS_2",
    "segments": 1,
    "forcingCharacters": [{"character": "\u2019", "codePoint": "U+2019", "index": 4}],
    "templateId": 2,
    "templateVersion": 1,
    "blocked": False,
    "blockedReason": None,
}
EVENTS: dict[str, Any] = {
    "messageId": MESSAGE_ID,
    "events": [
        {
            "id": f"{MESSAGE_ID}.4",
            "type": "sms.delivered",
            "source": "/smsledger",
            "subject": MESSAGE_ID,
            "time": "2024-01-01T00:00:02.000000Z",
            "organization": "demo",
            "version": 4,
            "position": 4,
            "sequence": "00000000000000000004",
            "topic": "message.delivered.v1",
            "data": {"at": "2024-01-01T00:00:02.000000Z", "carrier": "simulator"},
            "specversion": "1.0",
            "datacontenttype": "application/json",
        }
    ],
}
