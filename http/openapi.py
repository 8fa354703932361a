"""The OpenAPI document beyond what handlers' types say: bodies that are read by hand, parameters, examples."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIMediaType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.openapi.spec.enums import OpenAPIType

from smsledger.domain.status import Direction, Status

_SEND_EXAMPLE = {
    "to": "+14155551234",
    "templateAlias": "otp-verification",
    "templateModel": {"code": "123456"},
    "tag": "verification",
    "metadata": {"userId": "user_123"},
}
_STRING, _INTEGER, _OBJECT = OpenAPIType.STRING, OpenAPIType.INTEGER, OpenAPIType.OBJECT
_SEND_SCHEMA = Schema(
    type=_OBJECT,
    required=["to"],
    additional_properties=False,
    properties={
        "to": Schema(
            type=_STRING, description="Recipient phone number in E.164 format", examples=["+14155551234"]
        ),
        "templateAlias": Schema(
            type=_STRING, description="Custom or pool template alias; this or templateId"
        ),
        "templateId": Schema(type=_INTEGER, description="Template id; this or templateAlias"),
        "templateModel": Schema(type=_OBJECT, description="Variables of the template"),
        "tag": Schema(type=_STRING, max_length=255, description="Tag for filtering"),
        "metadata": Schema(type=_OBJECT, description="Your own key-value data, kept with the message"),
    },
)


def _body(schema: Schema, example: Any, description: str) -> RequestBody:
    media = OpenAPIMediaType(schema=schema, examples={"example": Example(value=example)})
    return RequestBody(content={"application/json": media}, required=True, description=description)


@dataclass
class SendOperation(Operation):
    """`POST /v1/sms`."""

    def __post_init__(self) -> None:
        """Describe the body."""
        self.request_body = _body(_SEND_SCHEMA, _SEND_EXAMPLE, "One message")


@dataclass
class BatchOperation(Operation):
    """`POST /v1/sms/batch`."""

    def __post_init__(self) -> None:
        """Describe the body."""
        schema = Schema(type=OpenAPIType.ARRAY, items=_SEND_SCHEMA, min_items=1, max_items=500)
        second = _SEND_EXAMPLE | {"to": "+14155555678", "templateModel": {"code": "789012"}}
        self.request_body = _body(schema, [_SEND_EXAMPLE, second], "1 to 500 messages")


def _query(name: str, schema: Schema, description: str) -> Parameter:
    return Parameter(name=name, param_in="query", schema=schema, description=description, required=False)


@dataclass
class ListOperation(Operation):
    """`GET /v1/sms/messages`."""

    def __post_init__(self) -> None:
        """Describe the parameters."""
        self.parameters = [
            _query("count", Schema(type=_INTEGER, minimum=1, maximum=500, default=100), "Number to return"),
            _query(
                "offset", Schema(type=_INTEGER, minimum=0, default=0), "Messages to skip; better use cursor"
            ),
            _query("cursor", Schema(type=_STRING), "`nextCursor` of the page before"),
            _query("status", Schema(type=_STRING, enum=[str(s) for s in Status]), "Filter by status"),
            _query(
                "direction", Schema(type=_STRING, enum=[str(d) for d in Direction]), "Filter by direction"
            ),
            _query("tag", Schema(type=_STRING), "Filter by tag"),
            _query(
                "fromDate", Schema(type=_STRING, examples=["2024-01-01T00:00:00Z"]), "ISO 8601, inclusive"
            ),
            _query("toDate", Schema(type=_STRING, examples=["2024-01-31"]), "ISO 8601, exclusive"),
            Parameter(
                name="Ledger-Position",
                param_in="header",
                schema=Schema(type=_INTEGER, minimum=0),
                required=False,
                description="Wait (at most 2 s) until the list shows this position: read your own writes",
            ),
        ]


def openapi_config(version: str, render_plugins: list[Any]) -> OpenAPIConfig:
    """The document's frame."""
    return OpenAPIConfig(
        title="smsledger",
        version=version,
        description="An event-sourced ledger for transactional SMS: every message with every event of its life.",
        path="/docs",
        render_plugins=render_plugins,
        tags=[Tag("Messages", "Send, get and list messages"), Tag("Operations", "Health of the service")],
        security=[{"bearer": []}, {"apiKey": []}],
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", description="An API key"),
                "apiKey": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
            }
        ),
    )
