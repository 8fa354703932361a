"""The OpenAPI document beyond what handlers' types say: bodies that are read by hand, parameters, examples, errors.

The examples are in `examples.py`; which errors there are is the table in `errors.py`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import (
    Components,
    OpenAPIHeader,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    Schema,
    SecurityScheme,
    Tag,
)
from litestar.openapi.spec.enums import OpenAPIType

from smsledger.application import accept, idempotency, ports, rate_limits
from smsledger.domain.errors import LedgerError
from smsledger.domain.status import Direction, Status

from . import examples
from .errors import ERRORS, Forbidden, MessageNotFound, Unauthorized, error_body
from .idempotency import KEY_CHARACTERS_MAX
from .openapi_parts import (
    ERROR_SCHEMA,
    JSON,
    RATE_HEADERS,
    count_for_limit,
    json_body,
    json_response,
    nullable,
    page_parameters,
    query,
    timeline_schema,
)

_STRING, _INTEGER, _OBJECT, _ARRAY = (
    OpenAPIType.STRING,
    OpenAPIType.INTEGER,
    OpenAPIType.OBJECT,
    OpenAPIType.ARRAY,
)
_SEND_SCHEMA = Schema(
    type=_OBJECT,
    required=["to"],
    additional_properties=False,
    properties={
        "to": Schema(type=_STRING, description="Recipient phone number in E.164 format"),
        "templateAlias": nullable(_STRING, "Custom or pool template alias; this or templateId"),
        "templateId": nullable(_INTEGER, "Template id; this or templateAlias"),
        "templateModel": nullable(_OBJECT, "Variables of the template"),
        "tag": nullable(_STRING, "Tag for filtering", min_length=1, max_length=accept.TAG_CHARACTERS_MAX),
        "metadata": nullable(_OBJECT, "Your own key-value data, kept with the message"),
    },
)
_EVENTS_SCHEMA = timeline_schema("messageId", examples.EVENTS["events"][0])
_POSITION_HEADER = OpenAPIHeader(
    schema=Schema(type=_INTEGER, minimum=0),
    description="Position of what was stored or read; given to a list, the list waits until it shows it",
)
_RETRY_HEADER = OpenAPIHeader(schema=Schema(type=_INTEGER), description="Seconds to wait")

_REPLAYED_HEADER = OpenAPIHeader(
    schema=Schema(type=_STRING, enum=["true"]),
    description="The answer was given before, to a request with the same Idempotency-Key",
)
_IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    param_in="header",
    schema=Schema(type=_STRING, min_length=1, max_length=KEY_CHARACTERS_MAX, pattern=r"^[\x21-\x7e]+$"),
    required=False,
    description="Your own name for this request: for 24 hours, a repeat of it is given the same answer and sends nothing",
)

_FAULTS: dict[int, LedgerError] = {
    400: accept.InvalidField(field="tag", problem=f"expected 1 to {accept.TAG_CHARACTERS_MAX} characters"),
    401: Unauthorized(),
    403: Forbidden(needed="a SERVER", kind="SENDING"),
    404: MessageNotFound(),
    409: idempotency.KeyInFlight(),
    422: idempotency.KeyReused(),
    429: rate_limits.RateLimited(limit=100, endpoint_class="send"),
    503: ports.LedgerUnavailable(reason="it does not answer"),
}
"""An example for each status that several operations share."""
_OF_MESSAGES: dict[int, tuple[type[LedgerError], ...]] = {
    404: (MessageNotFound, accept.TemplateNotFound),
    409: (idempotency.KeyInFlight,),
}
"""Those of a status that other operations describe for themselves."""
_TOO_LARGE = {
    "error": {
        "code": "REQUEST_TOO_LARGE",
        "message": "the body is larger than 2097152 bytes",
        "statusCode": 413,
    }
}


def _error_responses() -> dict[str, OpenAPIResponse | Reference]:
    responses: dict[str, OpenAPIResponse | Reference] = {
        "Error413": json_response(ERROR_SCHEMA, _TOO_LARGE, "REQUEST_TOO_LARGE", RATE_HEADERS)
    }
    for status, error in _FAULTS.items():
        of_status = [cls for cls, kind in ERRORS.items() if kind.status == status]
        codes = dict.fromkeys(ERRORS[cls].code for cls in _OF_MESSAGES.get(status, of_status))
        headers = {"Retry-After": _RETRY_HEADER} if status in (409, 429, 503) else {}
        if status != 401:
            headers |= RATE_HEADERS
        example = msgspec.to_builtins(error_body(error))
        responses[f"Error{status}"] = json_response(ERROR_SCHEMA, example, " or ".join(codes), headers)
    return responses


class SmsOperation(Operation):
    """An operation of the SMS API: its answer with an example, and the errors that it may end with."""

    answer: ClassVar[Any]
    answer_description: ClassVar[str]
    answer_headers: ClassVar[dict[str, OpenAPIHeader]] = {}
    faults: ClassVar[tuple[int, ...]] = (400, 401, 403, 404, 413, 503)
    positioned: ClassVar[bool] = True
    """Whether the answer tells the position of what was stored or read."""

    def __post_init__(self) -> None:
        """Describe the answers; the schema of the good one is what the framework read from the handler."""
        made = (self.responses or {}).get("200")
        content = made.content if isinstance(made, OpenAPIResponse) else None
        schema = content[JSON].schema if content and JSON in content else None
        headers = {"Ledger-Position": _POSITION_HEADER} if self.positioned else {}
        headers |= self.answer_headers
        good = json_response(schema, self.answer, self.answer_description, headers)
        self.responses = {"200": good}
        for status in self.faults:
            self.responses[str(status)] = Reference(ref=f"#/components/responses/Error{status}")
        count_for_limit(self.responses)


@dataclass
class SendOperation(SmsOperation):
    """`POST /v1/sms`."""

    answer = examples.RESULT
    answer_description = "The message is durable; with errorCode 1006 it is recorded as BLOCKED, and not sent"
    answer_headers: ClassVar[dict[str, OpenAPIHeader]] = {"Idempotency-Replayed": _REPLAYED_HEADER}
    faults = (400, 401, 403, 404, 409, 413, 422, 503)

    def __post_init__(self) -> None:
        """Describe the body."""
        super().__post_init__()
        self.parameters = [_IDEMPOTENCY_KEY]
        self.request_body = json_body(_SEND_SCHEMA, examples.SEND, "One message")


@dataclass
class BatchOperation(SmsOperation):
    """`POST /v1/sms/batch`."""

    answer = examples.RESULTS
    answer_description = "What became of each message, in the order sent; those with a messageId are durable"
    answer_headers: ClassVar[dict[str, OpenAPIHeader]] = {"Idempotency-Replayed": _REPLAYED_HEADER}
    faults = (400, 401, 403, 409, 413, 422, 503)

    def __post_init__(self) -> None:
        """Describe the body."""
        super().__post_init__()
        self.parameters = [_IDEMPOTENCY_KEY]
        schema = Schema(type=_ARRAY, items=_SEND_SCHEMA, min_items=1, max_items=500)
        self.request_body = json_body(schema, examples.BATCH, "1 to 500 messages")


@dataclass
class PreviewOperation(SmsOperation):
    """`POST /v1/sms/preview`."""

    answer = examples.PREVIEW
    answer_description = "What a send with this body would do; nothing is stored"
    positioned = False

    def __post_init__(self) -> None:
        """Describe the body."""
        super().__post_init__()
        self.request_body = json_body(_SEND_SCHEMA, examples.PREVIEW_SEND, "The body of a send")


@dataclass
class MessageOperation(SmsOperation):
    """`GET /v1/sms/{messageId}`."""

    answer = examples.MESSAGE
    answer_description = "The message with its events"
    faults = (401, 403, 404, 503)

    def __post_init__(self) -> None:
        """Describe the path."""
        super().__post_init__()
        schema = Schema(type=_STRING, examples=[examples.MESSAGE_ID])
        self.parameters = [
            Parameter(
                name="messageId",
                param_in="path",
                required=True,
                description="The message ID, or its UUID as the `data` of events has it",
                schema=schema,
            )
        ]


@dataclass
class EventsOperation(MessageOperation):
    """`GET /v1/sms/{messageId}/events`."""

    answer = examples.EVENTS
    answer_description = "Every event of the message, as it was stored"

    def __post_init__(self) -> None:
        """Describe the events, which are passed on unread."""
        super().__post_init__()
        good = (self.responses or {})["200"]
        if isinstance(good, OpenAPIResponse) and good.content:
            good.content[JSON].schema = _EVENTS_SCHEMA


_DATE_PARAMETERS = [
    query("fromDate", Schema(type=_STRING, examples=["2024-01-01T00:00:00Z"]), "ISO 8601, inclusive"),
    query("toDate", Schema(type=_STRING, examples=["2024-01-31"]), "ISO 8601, exclusive"),
]
_SEEN_PARAMETER = Parameter(
    name="Ledger-Position",
    param_in="header",
    schema=Schema(type=_INTEGER, minimum=0),
    required=False,
    description="Wait (at most 2 s) until the list shows this position: read your own writes",
)


@dataclass
class InboundListOperation(SmsOperation):
    """`GET /v1/sms/inbound`."""

    answer = examples.INBOUND
    answer_description = "A page of inbound messages, newest first, and how many there are in all"
    faults = (400, 401, 403, 503)

    def __post_init__(self) -> None:
        """Describe the parameters."""
        super().__post_init__()
        number = Schema(type=_STRING, examples=["+14155551234"])
        self.parameters = [
            *page_parameters("Messages"),
            query("fromNumber", number, "Filter by sender number"),
            query("toNumber", number, "Filter by receiving number"),
            *_DATE_PARAMETERS,
            _SEEN_PARAMETER,
        ]


@dataclass
class ListOperation(SmsOperation):
    """`GET /v1/sms/messages`."""

    answer = examples.MESSAGES
    answer_description = "A page of messages, newest first, and how many there are in all"
    faults = (400, 401, 403, 503)

    def __post_init__(self) -> None:
        """Describe the parameters."""
        super().__post_init__()
        self.parameters = [
            *page_parameters("Messages"),
            query("status", Schema(type=_STRING, enum=[str(s) for s in Status]), "Filter by status"),
            query("direction", Schema(type=_STRING, enum=[str(d) for d in Direction]), "Filter by direction"),
            query(
                "tag",
                Schema(type=_STRING, min_length=1, max_length=accept.TAG_CHARACTERS_MAX),
                "Filter by tag",
            ),
            *_DATE_PARAMETERS,
            _SEEN_PARAMETER,
        ]


def openapi_config(version: str, render_plugins: list[Any]) -> OpenAPIConfig:
    """The document's frame."""
    return OpenAPIConfig(
        title="smsledger",
        version=version,
        description="An event-sourced ledger for transactional SMS: every message with every event of its life.",
        path="/docs",
        render_plugins=render_plugins,
        tags=[
            Tag("Messages", "Send, get and list messages"),
            Tag("Suppressions", "Who must not be sent to"),
            Tag("Administration", "Organizations, keys, templates and senders; for ADMIN keys"),
            Tag("Webhooks", "Where you are told what becomes of your messages"),
            Tag("Operations", "Health of the service"),
        ],
        security=[{"bearer": []}, {"apiKey": []}],
        components=Components(
            responses=_error_responses(),
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", description="An API key"),
                "apiKey": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
            },
        ),
    )
