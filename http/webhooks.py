"""Managing webhook endpoints: list, create, get, update, delete. Reads, calls the use case, renders; nothing is delivered here."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post

from smsledger.application.webhooks import NewWebhook, WebhookChange, WebhookEndpoint
from smsledger.domain.ids import parse_webhook_id, render_webhook_id

from .auth import SERVER_KINDS, require_key
from .openapi_webhooks import (
    CreateWebhookOperation,
    DeleteWebhookOperation,
    GetWebhookOperation,
    ListWebhooksOperation,
    UpdateWebhookOperation,
)
from .parameters import decode_body, refuse_parameters
from .services import Services, services_of
from .wire import timestamp

AnyRequest = Request[Any, Any, Any]


class CreateWebhook(NewWebhook, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Body of `POST /v1/sms/webhooks`."""


class UpdateWebhook(WebhookChange, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Body of `PATCH /v1/sms/webhooks/{webhookId}`."""


class Webhook(msgspec.Struct, rename="camel", kw_only=True):
    """A webhook endpoint."""

    webhook_id: str
    url: str
    events: list[str]
    description: str | None
    active: bool
    created_at: str
    updated_at: str


class CreatedWebhook(Webhook, rename="camel", kw_only=True):
    """A new endpoint with its secret, which is shown this once."""

    secret: str


class WebhookList(msgspec.Struct, rename="camel"):
    """All endpoints of the organization, newest first."""

    total_count: int
    webhooks: list[Webhook]


_create_decoder = msgspec.json.Decoder(CreateWebhook)
_update_decoder = msgspec.json.Decoder(UpdateWebhook)


@get(
    "/sms/webhooks",
    operation_id="listWebhooks",
    operation_class=ListWebhooksOperation,
    summary="List webhooks",
    tags=["Webhooks"],
)
async def list_webhooks(request: AnyRequest) -> Response[WebhookList]:
    """All webhook endpoints of the organization, newest first. They are few, so there are no pages."""
    services, organization_id = await _whose(request)
    endpoints = await services.webhooks.all_of(organization_id)
    return Response(WebhookList(len(endpoints), [Webhook(**_fields(endpoint)) for endpoint in endpoints]))


@post(
    "/sms/webhooks",
    status_code=201,
    operation_id="createWebhook",
    operation_class=CreateWebhookOperation,
    summary="Create a webhook",
    tags=["Webhooks"],
)
async def create_webhook(request: AnyRequest) -> Response[CreatedWebhook]:
    """Register an endpoint. The answer has the secret that will sign what is delivered; it is never shown again."""
    services, organization_id = await _whose(request)
    wanted = decode_body(_create_decoder, await request.body())
    endpoint, secret = await services.webhooks.create(organization_id, wanted)
    return Response(CreatedWebhook(**_fields(endpoint), secret=secret), headers={"Cache-Control": "no-store"})


@get(
    "/sms/webhooks/{webhookId:str}",
    operation_id="getWebhook",
    operation_class=GetWebhookOperation,
    summary="Get a webhook",
    tags=["Webhooks"],
)
async def get_webhook(request: AnyRequest) -> Response[Webhook]:
    """One endpoint, without its secret."""
    services, organization_id = await _whose(request)
    endpoint = await services.webhooks.get(organization_id, _webhook_id(request))
    return Response(Webhook(**_fields(endpoint)))


@patch(
    "/sms/webhooks/{webhookId:str}",
    operation_id="updateWebhook",
    operation_class=UpdateWebhookOperation,
    summary="Update a webhook",
    tags=["Webhooks"],
)
async def update_webhook(request: AnyRequest) -> Response[Webhook]:
    """Change what the body names; the rest stays, and so does the secret."""
    services, organization_id = await _whose(request)
    webhook_id = _webhook_id(request)
    change = decode_body(_update_decoder, await request.body())
    endpoint = await services.webhooks.change(organization_id, webhook_id, change)
    return Response(Webhook(**_fields(endpoint)))


@delete(
    "/sms/webhooks/{webhookId:str}",
    status_code=204,
    operation_id="deleteWebhook",
    operation_class=DeleteWebhookOperation,
    summary="Delete a webhook",
    tags=["Webhooks"],
)
async def delete_webhook(request: AnyRequest) -> None:
    """Forget an endpoint and its secret."""
    services, organization_id = await _whose(request)
    await services.webhooks.remove(organization_id, _webhook_id(request))


async def _whose(request: AnyRequest) -> tuple[Services, str]:
    """The services, and the organization whose endpoints they are asked for."""
    services = services_of(request)
    key = await require_key(request.scope, services, SERVER_KINDS)
    refuse_parameters(request.query_params)
    return services, key.organization_id


def _webhook_id(request: AnyRequest) -> UUID:
    return parse_webhook_id(request.path_params["webhookId"])


def _fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "webhook_id": render_webhook_id(endpoint.webhook_id),
        "url": endpoint.url,
        "events": list(endpoint.events),
        "description": endpoint.description,
        "active": endpoint.active,
        "created_at": timestamp(endpoint.created_at) or "",
        "updated_at": timestamp(endpoint.updated_at) or "",
    }


HANDLERS = [list_webhooks, create_webhook, get_webhook, update_webhook, delete_webhook]
