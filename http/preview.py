"""`POST /v1/sms/preview`: what a send would do, beyond the seed's page. Reads, asks the use case, renders."""

from typing import Any

import msgspec
from litestar import Request, Response, post
from msgspec import field

from smsledger.application.preview import Previewed

from .auth import require_key
from .openapi import PreviewOperation
from .parameters import decode_send
from .services import services_of

_encode = msgspec.json.Encoder().encode


class ForcingCharacter(msgspec.Struct, rename="camel"):
    """A character that makes the body UCS-2."""

    character: str
    code_point: str
    index: int


class PreviewResult(msgspec.Struct, rename="camel"):
    """What a send would do."""

    to: str
    from_: str = field(name="from")
    from_reason: str
    country: str
    body: str
    encoding: str
    segments: int
    forcing_characters: list[ForcingCharacter]
    template_id: int
    template_version: int
    blocked: bool
    blocked_reason: str | None


@post(
    "/sms/preview",
    status_code=200,
    operation_id="previewSms",
    operation_class=PreviewOperation,
    summary="Preview an SMS",
    tags=["Messages"],
)
async def preview_sms(request: Request[Any, Any, Any]) -> Response[PreviewResult]:
    """The message that a send with this body would store, and whether it would be blocked. Nothing is stored."""
    services = services_of(request)
    key = await require_key(request.scope, services)
    command = decode_send(await request.body())
    organization = await services.directory.organization(key.organization_id)
    result = render_preview(await services.preview.preview(organization, command))
    return Response(_encode(result), media_type="application/json")  # type: ignore[arg-type]  # encoded here


def render_preview(previewed: Previewed) -> PreviewResult:
    """A preview, field by field."""
    prepared = previewed.prepared
    return PreviewResult(
        to=prepared.number.e164,
        from_=prepared.sender.sender,
        from_reason=prepared.sender_reason,
        country=prepared.number.country,
        body=prepared.body,
        encoding=prepared.segments.encoding,
        segments=prepared.segments.count,
        forcing_characters=[
            ForcingCharacter(one.character, one.code_point, one.index) for one in previewed.forcing
        ],
        template_id=prepared.template.template_id,
        template_version=prepared.template.version,
        blocked=previewed.blocked_reason is not None,
        blocked_reason=previewed.blocked_reason,
    )


HANDLERS = [preview_sms]
