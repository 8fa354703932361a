"""The operations on suppressions in the OpenAPI document; its frame and the errors are in `openapi.py`."""

from dataclasses import dataclass
from typing import Any, ClassVar

from litestar.openapi.spec import OpenAPIHeader, OpenAPIResponse, Operation, Parameter, Reference, Schema
from litestar.openapi.spec.enums import OpenAPIType

from . import examples_suppressions as examples
from .openapi_parts import (
    JSON,
    count_for_limit,
    json_body,
    json_response,
    nullable,
    page_parameters,
    timeline_schema,
)

STRING, INTEGER, OBJECT = OpenAPIType.STRING, OpenAPIType.INTEGER, OpenAPIType.OBJECT
POSITION_HEADER = OpenAPIHeader(
    schema=Schema(type=INTEGER, minimum=1),
    description="Position of what was stored or read, where there is any",
)


_NUMBER_PARAMETER = Parameter(
    name="phoneNumber",
    param_in="path",
    required=True,
    description="A number in E.164 format; the plus sign may be encoded as %2B",
    schema=Schema(type=STRING, examples=[examples.PHONE_NUMBER]),
)
_REASONS = ["MANUAL", "OPT_OUT", "CARRIER"]
_ADD_SCHEMA = Schema(
    type=OBJECT,
    required=["phoneNumber"],
    additional_properties=False,
    properties={
        "phoneNumber": Schema(type=STRING, description="E.164 format"),
        "reason": Schema(type=STRING, enum=_REASONS, default="MANUAL"),
        "note": nullable(STRING, "For you; kept with the event", max_length=500),
    },
)
_HISTORY_SCHEMA = timeline_schema("phoneNumber", examples.HISTORY["events"][0])


class SuppressionOperation(Operation):
    """An operation with its good answers by status, and the errors that it may end with."""

    answers: ClassVar[dict[str, tuple[Any, str]]]
    """Status to example and description."""
    faults: ClassVar[tuple[int, ...]] = (400, 401, 403, 503)
    headers: ClassVar[dict[str, OpenAPIHeader]] = {"Ledger-Position": POSITION_HEADER}

    def __post_init__(self) -> None:
        """Describe the answers; their schema is what the framework read from the handler."""
        schema = None
        for made in (self.responses or {}).values():
            if isinstance(made, OpenAPIResponse) and made.content and JSON in made.content and schema is None:
                schema = made.content[JSON].schema
        self.responses = {
            status: OpenAPIResponse(description=description, headers={**self.headers})
            if example is None
            else json_response(schema, example, description, self.headers)
            for status, (example, description) in self.answers.items()
        }
        for status in self.faults:
            self.responses[str(status)] = Reference(ref=f"#/components/responses/Error{status}")
        count_for_limit(self.responses)


@dataclass
class SuppressionListOperation(SuppressionOperation):
    """`GET /v1/sms/suppressions`."""

    answers: ClassVar[dict[str, tuple[Any, str]]] = {
        "200": (examples.LIST, "A page of suppressions, newest first, and how many there are in all")
    }
    headers: ClassVar[dict[str, OpenAPIHeader]] = {}

    def __post_init__(self) -> None:
        """Describe the parameters."""
        super().__post_init__()
        self.parameters = [*page_parameters("Suppressions")]


@dataclass
class AddOperation(SuppressionOperation):
    """`POST /v1/sms/suppressions`."""

    answers: ClassVar[dict[str, tuple[Any, str]]] = {
        "201": (examples.ADDED, "The number is suppressed"),
        "200": (examples.ADDED, "It was suppressed already, for this or a stronger reason: as that stands"),
    }
    faults = (400, 401, 403, 413, 503)

    def __post_init__(self) -> None:
        """Describe the body."""
        super().__post_init__()
        self.request_body = json_body(_ADD_SCHEMA, examples.ADD, "Whom, and why")


@dataclass
class _NumberOperation(SuppressionOperation):
    def __post_init__(self) -> None:
        """Describe the path."""
        super().__post_init__()
        self.parameters = [_NUMBER_PARAMETER]


@dataclass
class CheckOperation(_NumberOperation):
    """`GET /v1/sms/suppressions/{phoneNumber}`."""

    answers: ClassVar[dict[str, tuple[Any, str]]] = {
        "200": (examples.CHECK, "Whether the number is suppressed, and by what")
    }


@dataclass
class RemoveOperation(_NumberOperation):
    """`DELETE /v1/sms/suppressions/{phoneNumber}`."""

    answers: ClassVar[dict[str, tuple[Any, str]]] = {
        "204": (None, "The number is not suppressed, now or as before")
    }


@dataclass
class HistoryOperation(_NumberOperation):
    """`GET /v1/sms/suppressions/{phoneNumber}/history`."""

    answers: ClassVar[dict[str, tuple[Any, str]]] = {
        "200": (examples.HISTORY, "Every event of the number's consent, as it was stored")
    }

    def __post_init__(self) -> None:
        """Describe the events, which are passed on unread."""
        super().__post_init__()
        good = (self.responses or {})["200"]
        if isinstance(good, OpenAPIResponse) and good.content:
            good.content[JSON].schema = _HISTORY_SCHEMA
