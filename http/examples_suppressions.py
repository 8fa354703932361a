"""The requests and answers that the OpenAPI document shows for suppressions. They are read by people."""

from typing import Any

PHONE_NUMBER = "+14155551234"
_INBOUND_ID = "sms_inb_6t5yeeyhz9gtkrrg6jgfpahq02"
_CONSENT_ID = "con_7pm9mbktrag8x87gr80mc3zpfy"
_AT = "2024-01-01T12:30:00.000Z"

ADD: dict[str, Any] = {"phoneNumber": PHONE_NUMBER, "reason": "MANUAL", "note": "asked us by telephone"}
ADDED: dict[str, Any] = {
    "phoneNumber": PHONE_NUMBER,
    "suppressed": True,
    "reason": "MANUAL",
    "scope": "ALL",
    "keyword": None,
    "messageId": None,
    "note": "asked us by telephone",
    "createdAt": _AT,
}
OPTED_OUT: dict[str, Any] = ADDED | {
    "reason": "OPT_OUT",
    "scope": "POOL",
    "keyword": "STOP",
    "messageId": _INBOUND_ID,
    "note": None,
}
LIST: dict[str, Any] = {"totalCount": 1, "suppressions": [OPTED_OUT], "nextCursor": None}
CHECK: dict[str, Any] = {
    "phoneNumber": PHONE_NUMBER,
    "suppressed": True,
    "reason": "OPT_OUT",
    "suppressions": [OPTED_OUT],
}
HISTORY: dict[str, Any] = {
    "phoneNumber": PHONE_NUMBER,
    "events": [
        {
            "id": f"{_CONSENT_ID}.1",
            "type": "sms.suppressed",
            "source": "/smsledger",
            "subject": _CONSENT_ID,
            "time": "2024-01-01T12:30:00.000000Z",
            "organization": "demo",
            "version": 1,
            "position": 8,
            "sequence": "00000000000000000008",
            "topic": "consent.suppressed.v1",
            "data": {
                "at": "2024-01-01T12:30:00.000000Z",
                "organization_id": "demo",
                "number": PHONE_NUMBER,
                "scope": "POOL",
                "reason": "OPT_OUT",
                "keyword": "STOP",
                "message_id": "da2f9cef-47e9-86a7-8c40-d283eca8dc02",
            },
            "specversion": "1.0",
            "datacontenttype": "application/json",
        }
    ],
}
