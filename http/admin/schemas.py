"""The bodies that the administration reads, as the OpenAPI document describes them."""

from typing import Any

from litestar.openapi.spec import Schema
from litestar.openapi.spec.enums import OpenAPIType

from smsledger.application.accept import SEGMENTS_MAX
from smsledger.application.admin.checks import NAME_CHARACTERS_MAX
from smsledger.application.admin.keywords import KEYWORD_CHARACTERS_MAX, KEYWORDS_MAX
from smsledger.application.admin.organizations import RATE_MAX
from smsledger.application.admin.templates import BODY_CHARACTERS_MAX, VERSION_MAX
from smsledger.application.directory import KeyKind
from smsledger.http.openapi_parts import nullable

_STRING, _BOOLEAN, _INTEGER = OpenAPIType.STRING, OpenAPIType.BOOLEAN, OpenAPIType.INTEGER
_OBJECT, _ARRAY = OpenAPIType.OBJECT, OpenAPIType.ARRAY
ID_PATTERN = "^[a-z0-9][a-z0-9-]{0,62}$"
ALIAS_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def _text(description: str, **more: Any) -> Schema:
    return Schema(type=_STRING, description=description, **more)


def _object(required: list[str], *, nullable_object: bool = False, **properties: Schema) -> Schema:
    kind: Any = [_OBJECT, OpenAPIType.NULL] if nullable_object else _OBJECT
    return Schema(
        type=kind, required=required or None, additional_properties=False, properties={**properties}
    )


def _rate(description: str) -> Schema:
    return Schema(type=_INTEGER, minimum=0, maximum=RATE_MAX, description=f"{description}; 0: no limit")


def _words(description: str, *, least: int = 0) -> Schema:
    word = Schema(type=_STRING, min_length=1, max_length=KEYWORD_CHARACTERS_MAX)
    return Schema(type=_ARRAY, items=word, min_items=least, max_items=KEYWORDS_MAX, description=description)


def _reply(kind: str) -> Schema:
    return nullable(_STRING, f"Reply to {kind}, at most {SEGMENTS_MAX} segments; null: none", min_length=1)


_NAME = _text("For people", min_length=1, max_length=NAME_CHARACTERS_MAX)
_ORGANIZATION_ID = _text("Lower-case letters, digits and hyphens", pattern=ID_PATTERN)
_POOL_OR_ORGANIZATION = nullable(
    _STRING, "The organization that owns it; null or left out: the pool", pattern=ID_PATTERN
)
_ALIAS = _text("How sends name it", pattern=ALIAS_PATTERN)
_TEMPLATE_BODY = _text("The text, in Liquid", min_length=1, max_length=BODY_CHARACTERS_MAX)
_SMS_ENABLED = Schema(type=_BOOLEAN, description="Whether the organization may send")
_RATE_LIMITS = _object(
    [],
    nullable_object=True,
    send=_rate("`POST /v1/sms` a second"),
    batch=_rate("`POST /v1/sms/batch` a second"),
    read=_rate("`GET /v1/sms/…` a second"),
)
_KEYWORDS = _object(
    [],
    nullable_object=True,
    optOut=_words("What opts a recipient out", least=1),
    optIn=_words("What opts a recipient in again"),
    help=_words("What asks for help"),
    optOutReply=_reply("an opt-out"),
    optInReply=_reply("an opt-in"),
    helpReply=_reply("a call for help"),
)

CREATE_ORGANIZATION = _object(
    ["organizationId", "name"],
    organizationId=_ORGANIZATION_ID,
    name=_NAME,
    smsEnabled=_SMS_ENABLED,
    rateLimits=_RATE_LIMITS,
    keywords=_KEYWORDS,
)
CHANGE_ORGANIZATION = _object(
    [], name=_NAME, smsEnabled=_SMS_ENABLED, rateLimits=_RATE_LIMITS, keywords=_KEYWORDS
)
CREATE_KEY = _object(
    ["organizationId", "kind", "name"],
    organizationId=_ORGANIZATION_ID,
    kind=_text(
        "SENDING sends, previews and reads; SERVER does everything of its organization; ADMIN the installation",
        enum=[str(kind) for kind in KeyKind],
    ),
    name=_NAME,
    expiresAt=nullable(_STRING, "ISO 8601, in the future; null: never", examples=["2030-01-31T00:00:00Z"]),
)
CREATE_TEMPLATE = _object(
    ["alias", "name", "body"],
    alias=_ALIAS,
    name=_NAME,
    body=_TEMPLATE_BODY,
    organizationId=_POOL_OR_ORGANIZATION,
)
CHANGE_TEMPLATE = _object(
    [],
    alias=_ALIAS,
    name=_NAME,
    version=Schema(
        type=_INTEGER, minimum=1, maximum=VERSION_MAX, description="The version to send from now on"
    ),
)
CREATE_VERSION = _object(
    ["body"],
    body=_TEMPLATE_BODY,
    send=Schema(type=_BOOLEAN, default=True, description="Whether it is sent from now on"),
)
APPROVE = _object(
    [],
    customAlias=nullable(
        _STRING, "The organization's own alias for it; null: only the pool's", pattern=ALIAS_PATTERN
    ),
)
ADD_SENDER = _object(
    ["sender", "country"],
    sender=_text(
        "A number in E.164 format, or a name of 1 to 11 characters with at least one letter", min_length=1
    ),
    country=_text("ISO 3166-1 alpha-2: where it sends to", pattern="^[A-Z]{2}$"),
    organizationId=_POOL_OR_ORGANIZATION,
    acceptCountryMismatch=Schema(
        type=_BOOLEAN, default=False, description="Use a number for a country that is not its own"
    ),
)
