"""Pieces that every part of the OpenAPI document is made of: JSON bodies and answers with their examples, the error envelope."""

from typing import Any

import msgspec
from litestar.openapi.spec import (
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    RequestBody,
    Schema,
)
from litestar.openapi.spec.enums import OpenAPIType

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
