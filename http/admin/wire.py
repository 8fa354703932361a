"""What the administration's endpoints share: who may ask, and how lists and ids look. No logic but reading and rendering."""

from typing import Any

import msgspec
from litestar import Request, Response

from smsledger.application.admin.administration import Administration
from smsledger.application.admin.approvals import ApprovalDetail
from smsledger.application.admin.json_form import json_form
from smsledger.application.admin.keys import KeyDetail
from smsledger.application.admin.listing import Listed
from smsledger.application.admin.organizations import OrganizationDetail
from smsledger.application.admin.senders import SenderDetail
from smsledger.application.admin.templates import TemplateDetail, TemplateMissing, VersionDetail
from smsledger.http.auth import ADMIN_KINDS, require_key
from smsledger.http.services import services_of

AnyRequest = Request[Any, Any, Any]

SECRET = {"Cache-Control": "no-store"}
"""Headers of an answer that is shown once."""
_ID_DIGITS_MAX = 19


class OrganizationList(msgspec.Struct, rename="camel"):
    """Organizations by id. `nextCursor` leads to the next page; null on the last."""

    total_count: int
    organizations: list[OrganizationDetail]
    next_cursor: str | None


class KeyList(msgspec.Struct, rename="camel"):
    """Keys, newest first."""

    total_count: int
    keys: list[KeyDetail]
    next_cursor: str | None


class TemplateList(msgspec.Struct, rename="camel"):
    """Templates by id."""

    total_count: int
    templates: list[TemplateDetail]
    next_cursor: str | None


class VersionList(msgspec.Struct, rename="camel"):
    """Versions of a template, newest first."""

    total_count: int
    versions: list[VersionDetail]
    next_cursor: str | None


class ApprovalList(msgspec.Struct, rename="camel"):
    """Approvals of a template, by organization."""

    total_count: int
    approvals: list[ApprovalDetail]
    next_cursor: str | None


class SenderList(msgspec.Struct, rename="camel"):
    """Senders by country and name."""

    total_count: int
    senders: list[SenderDetail]
    next_cursor: str | None


async def administration_for(request: AnyRequest) -> Administration:
    """The use cases, for an ADMIN key. Raises Unauthorized and Forbidden."""
    services = services_of(request)
    await require_key(request.scope, services, ADMIN_KINDS)
    return services.administration


def shown(value: Any, headers: dict[str, str] | None = None) -> Response[Any]:
    """An answer; its status is the handler's."""
    return Response(json_form(value), headers=headers)


def shown_list(name: str, listed: Listed[Any]) -> Response[Any]:
    """A page of a list, whose rows stand under `name`."""
    return shown(
        {"totalCount": listed.total_count, name: list(listed.rows), "nextCursor": listed.next_cursor}
    )


def template_id_of(text: str) -> int:
    """The template id in a path. Raises TemplateMissing."""
    if not (text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS_MAX):
        raise TemplateMissing(template_id=f"`{text[:_ID_DIGITS_MAX]}`")
    return int(text)
