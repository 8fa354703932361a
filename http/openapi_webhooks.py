"""The OpenAPI document's part on managing webhook endpoints. See `openapi.py`."""

from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from litestar.openapi.spec import OpenAPIResponse, Operation, Parameter, Reference, Schema
from litestar.openapi.spec.enums import OpenAPIType

from smsledger.application import webhooks

from . import examples_webhooks as examples
from .errors import error_body
from .openapi_parts import (
    ERROR_SCHEMA,
    JSON,
    RATE_HEADERS,
    count_for_limit,
    json_body,
    json_response,
    nullable,
)

_EVENTS = Schema(
    type=OpenAPIType.ARRAY,
    description="What the endpoint is told",
    items=Schema(type=OpenAPIType.STRING, enum=[str(event) for event in webhooks.WebhookEvent]),
    min_items=1,
    unique_items=True,
)
_URL = Schema(
    type=OpenAPIType.STRING,
    description="Absolute https URL without user name, password and fragment",
    max_length=webhooks.URL_CHARACTERS_MAX,
)
_DESCRIPTION = nullable(
    OpenAPIType.STRING, "For you; null removes it", max_length=webhooks.DESCRIPTION_CHARACTERS_MAX
)
_ACTIVE = Schema(type=OpenAPIType.BOOLEAN, description="Whether it is told anything")
_FIELDS = {"url": _URL, "events": _EVENTS, "description": _DESCRIPTION, "active": _ACTIVE}
_CREATE_SCHEMA = Schema(
    type=OpenAPIType.OBJECT, required=["url", "events"], additional_properties=False, properties={**_FIELDS}
)
_UPDATE_SCHEMA = Schema(type=OpenAPIType.OBJECT, additional_properties=False, properties={**_FIELDS})
_PATH = Parameter(
    name="webhookId",
    param_in="path",
    required=True,
    description="The webhook's ID",
    schema=Schema(type=OpenAPIType.STRING, examples=[examples.WEBHOOK_ID]),
)


def _not_found() -> OpenAPIResponse:
    body = msgspec.to_builtins(error_body(webhooks.WebhookNotFound()))
    return json_response(ERROR_SCHEMA, body, "WEBHOOK_NOT_FOUND")


class WebhookOperation(Operation):
    """An operation on webhook endpoints: its answer with an example, and the errors that it may end with."""

    status: ClassVar[int] = 200
    answer: ClassVar[Any] = examples.WEBHOOK
    answer_description: ClassVar[str]
    faults: ClassVar[tuple[int, ...]] = (400, 401, 403, 503)
    about_one: ClassVar[bool] = True
    """Whether the path names an endpoint."""

    def __post_init__(self) -> None:
        """Describe the answers; the schema of the good one is what the framework read from the handler."""
        good = (self.responses or {})[str(self.status)]
        if isinstance(good, OpenAPIResponse) and good.content and JSON in good.content:
            good = json_response(good.content[JSON].schema, self.answer, self.answer_description)
        self.responses = {str(self.status): good}
        if self.about_one:
            self.parameters = [_PATH]
            self.responses["404"] = _not_found()
        for status in self.faults:
            self.responses[str(status)] = Reference(ref=f"#/components/responses/Error{status}")
        count_for_limit(self.responses)


@dataclass
class ListWebhooksOperation(WebhookOperation):
    """`GET /v1/sms/webhooks`."""

    answer = examples.WEBHOOKS
    answer_description = "All endpoints of the organization, newest first"
    about_one = False


@dataclass
class CreateWebhookOperation(WebhookOperation):
    """`POST /v1/sms/webhooks`."""

    status = 201
    answer = examples.CREATED_WEBHOOK
    answer_description = "The new endpoint with its secret, which is shown this once"
    faults = (400, 401, 403, 413, 503)
    about_one = False

    def __post_init__(self) -> None:
        """Describe the body and the limit."""
        super().__post_init__()
        self.request_body = json_body(_CREATE_SCHEMA, examples.NEW_WEBHOOK, "The endpoint")
        too_many = webhooks.TooManyWebhooks(endpoints_max=webhooks.ENDPOINTS_MAX)
        body = msgspec.to_builtins(error_body(too_many))
        if self.responses is not None:
            self.responses["409"] = json_response(ERROR_SCHEMA, body, "TOO_MANY_WEBHOOKS", RATE_HEADERS)


@dataclass
class GetWebhookOperation(WebhookOperation):
    """`GET /v1/sms/webhooks/{webhookId}`."""

    answer_description = "The endpoint, without its secret"


@dataclass
class UpdateWebhookOperation(WebhookOperation):
    """`PATCH /v1/sms/webhooks/{webhookId}`."""

    answer = examples.UPDATED_WEBHOOK
    answer_description = "The endpoint as it is now"
    faults = (400, 401, 403, 413, 503)

    def __post_init__(self) -> None:
        """Describe the body."""
        super().__post_init__()
        self.request_body = json_body(_UPDATE_SCHEMA, examples.WEBHOOK_CHANGE, "What changes")


@dataclass
class DeleteWebhookOperation(WebhookOperation):
    """`DELETE /v1/sms/webhooks/{webhookId}`."""

    status = 204
    answer_description = "It is gone"
