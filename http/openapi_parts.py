"""Pieces that every part of the OpenAPI document is made of: JSON bodies and answers with their examples, the error envelope."""

from typing import Any

import msgspec
from litestar.openapi.spec import (
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIType

from smsledger.projections.messages import PAGE_COUNT_MAX, PAGE_OFFSET_MAX

JSON = "application/json"

_STRING, _INTEGER, _OBJECT = OpenAPIType.STRING, OpenAPIType.INTEGER, OpenAPIType.OBJECT

ERROR_SCHEMA = Schema(
    type=_OBJECT,
    required=["error"],
    properties={
        "error": Schema(
            type=_OBJECT,
            required=["code", "message", "statusCode"],
            properties={
                "code": Schema(type=_STRING, description="For programs"),
                "message": Schema(type=_STRING, description="For people; names the field that is at fault"),
                "statusCode": Schema(type=_INTEGER, description="The HTTP status"),
                "errorCode": Schema(type=_INTEGER, description="The numeric code, where the case has one"),
            },
        )
    },
)
"""The seed's error envelope."""
RATE_HEADERS: dict[str, OpenAPIHeader] = {
    "X-RateLimit-Limit": OpenAPIHeader(
        schema=Schema(type=_INTEGER, minimum=1),
        description="Requests of this class that the organization may make in a second; absent where there is no limit",
    ),
    "X-RateLimit-Remaining": OpenAPIHeader(
        schema=Schema(type=_INTEGER, minimum=0), description="How many of them are left now"
    ),
    "X-RateLimit-Reset": OpenAPIHeader(
        schema=Schema(type=_INTEGER),
        description="When all of them are left again if no more is asked, in unix seconds",
    ),
}
"""On every answer to a known key but those of `/v1/admin`."""


def query(name: str, schema: Schema, description: str) -> Parameter:
    """A parameter of the query, which may be left out."""
    return Parameter(name=name, param_in="query", schema=schema, description=description, required=False)


def page_parameters(rows: str) -> list[Parameter]:
    """The parameters of every list, whose rows are called `rows`."""
    count = Schema(type=_INTEGER, minimum=1, maximum=PAGE_COUNT_MAX, default=100)
    offset = Schema(type=_INTEGER, minimum=0, maximum=PAGE_OFFSET_MAX, default=0)
    return [
        query("count", count, "Number to return"),
        query("offset", offset, f"{rows} to skip; better use cursor"),
        query("cursor", Schema(type=_STRING), "`nextCursor` of the page before"),
    ]


def timeline_schema(about: str, example: dict[str, Any]) -> Schema:
    """The events of what the field `about` names, as CloudEvents, by the example of one."""
    event = Schema(
        type=_OBJECT,
        required=list(example),
        properties={
            name: Schema(
                type={int: _INTEGER, dict: _OBJECT}.get(type(value), _STRING)
            )  # the others are texts
            for name, value in example.items()
        },
    )
    events = Schema(type=OpenAPIType.ARRAY, description="CloudEvents 1.0 in version order", items=event)
    return Schema(
        type=_OBJECT,
        required=[about, "events"],
        properties={about: Schema(type=_STRING), "events": events},
    )


def nullable(kind: OpenAPIType, description: str, **more: Any) -> Schema:
    """A value of that kind, or null."""
    return Schema(type=[kind, OpenAPIType.NULL], description=description, **more)


def json_response(
    schema: Any, example: Any, description: str, headers: dict[str, OpenAPIHeader] | None = None
) -> OpenAPIResponse:
    """An answer with an example."""
    return OpenAPIResponse(
        description=description, headers={**(headers or {})}, content={JSON: _media(schema, example)}
    )


def _media(schema: Any, example: Any) -> OpenAPIMediaType:
    # As bytes, because the framework leaves out what is null.
    value = msgspec.Raw(msgspec.json.encode(example))
    return OpenAPIMediaType(schema=schema, examples={"example": Example(value=value)})


def json_body(schema: Schema, example: Any, description: str) -> RequestBody:
    """A body with an example."""
    return RequestBody(content={JSON: _media(schema, example)}, required=True, description=description)


def count_for_limit(responses: dict[str, OpenAPIResponse | Reference]) -> None:
    """Describe what rate limits add to an operation: their headers, and 429."""
    for response in responses.values():
        if isinstance(response, OpenAPIResponse):
            response.headers = {**(response.headers or {}), **RATE_HEADERS}
    responses["429"] = Reference(ref="#/components/responses/Error429")
