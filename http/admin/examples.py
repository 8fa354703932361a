"""The requests and answers of the administration that the OpenAPI document and docs/api.md show. Tests send and compare them."""

from typing import Any

_AT = "2024-01-01T00:00:00.000Z"

NEW_ORGANIZATION: dict[str, Any] = {
    "organizationId": "acme",
    "name": "Acme Inc.",
    "rateLimits": {"send": 200},
}
ORGANIZATION: dict[str, Any] = {
    "organizationId": "acme",
    "name": "Acme Inc.",
    "smsEnabled": True,
    "rateLimits": {"send": 200, "batch": 10, "read": 100},
    "keywords": {
        "optOut": ["STOP", "STOPALL", "UNSUBSCRIBE"],
        "optIn": ["START", "YES"],
        "help": ["HELP"],
        "optOutReply": "You are unsubscribed. Reply START to get our messages again.",
        "optInReply": None,
        "helpReply": None,
    },
    "createdAt": _AT,
}
ORGANIZATION_CHANGE: dict[str, Any] = {
    "smsEnabled": True,
    "keywords": {
        "optOut": ["STOP", "STOPALL", "UNSUBSCRIBE"],
        "optIn": ["START", "YES"],
        "help": ["HELP"],
        "optOutReply": "You are unsubscribed. Reply START to get our messages again.",
        "optInReply": None,
        "helpReply": None,
    },
}
ORGANIZATIONS: dict[str, Any] = {"totalCount": 1, "organizations": [ORGANIZATION], "nextCursor": None}

KEY_ID = "key_5f2b8c1d9e3a7046"
NEW_KEY: dict[str, Any] = {
    "organizationId": "acme",
    "kind": "SENDING",
    "name": "checkout service",
    "expiresAt": "2030-01-31T00:00:00Z",
}
LISTED_KEY: dict[str, Any] = {
    "keyId": KEY_ID,
    "organizationId": "acme",
    "kind": "SENDING",
    "name": "checkout service",
    "createdAt": _AT,
    "expiresAt": "2030-01-31T00:00:00.000Z",
    "revokedAt": None,
    "lastUsedAt": None,
}
CREATED_KEY: dict[str, Any] = LISTED_KEY | {"key": "sk_sending_shown-this-once"}
KEYS: dict[str, Any] = {"totalCount": 1, "keys": [LISTED_KEY], "nextCursor": None}

NEW_TEMPLATE: dict[str, Any] = {
    "alias": "parcel-arrived",
    "name": "Parcel arrived",
    "body": "Hi {{ name | default: 'there' }}, your parcel {{ parcel }} has arrived.",
}
TEMPLATE: dict[str, Any] = {
    "templateId": 7,
    "organizationId": None,
    "alias": "parcel-arrived",
    "name": "Parcel arrived",
    "version": 1,
    "versions": 1,
    "body": "Hi {{ name | default: 'there' }}, your parcel {{ parcel }} has arrived.",
    "variables": ["name", "parcel"],
    "createdAt": _AT,
}
TEMPLATES: dict[str, Any] = {"totalCount": 1, "templates": [TEMPLATE], "nextCursor": None}
NEW_VERSION: dict[str, Any] = {"body": "Your parcel {{ parcel }} has arrived.", "send": True}
VERSION: dict[str, Any] = {
    "templateId": 7,
    "version": 2,
    "sent": True,
    "body": "Your parcel {{ parcel }} has arrived.",
    "variables": ["parcel"],
    "createdAt": _AT,
}
VERSIONS: dict[str, Any] = {"totalCount": 2, "versions": [VERSION], "nextCursor": "WyJ2ZXJzaW9ucyIsWzJdXQ"}
TEMPLATE_CHANGE: dict[str, Any] = {"version": 1}

APPROVE: dict[str, Any] = {"customAlias": "parcel"}
APPROVAL: dict[str, Any] = {
    "templateId": 7,
    "organizationId": "acme",
    "customAlias": "parcel",
    "approvedAt": _AT,
}
APPROVALS: dict[str, Any] = {"totalCount": 1, "approvals": [APPROVAL], "nextCursor": None}

NEW_SENDER: dict[str, Any] = {"sender": "Acme", "country": "DE", "organizationId": "acme"}
SENDER: dict[str, Any] = {"sender": "Acme", "country": "DE", "organizationId": "acme", "createdAt": _AT}
SENDERS: dict[str, Any] = {"totalCount": 1, "senders": [SENDER], "nextCursor": None}
