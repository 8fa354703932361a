"""Approvals: which organization may use which template of the pool, and by which alias of its own."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from smsledger.domain.errors import LedgerError

from .checks import check_alias
from .listing import Listed, ListPage
from .organizations import check_organization
from .templates import check_template_id


class ApprovalDetail(msgspec.Struct, frozen=True, rename="camel"):
    """An organization may use a template of the pool."""

    template_id: int
    organization_id: str
    custom_alias: str | None
    """The organization's own name for it, which wins over any other template of that alias."""
    approved_at: datetime


class Approve(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a template is approved; without a custom alias the organization uses the pool's."""

    custom_alias: str | None = None


class ApprovalStore(Protocol):
    """Keeps approvals."""

    async def put_approval(self, detail: ApprovalDetail) -> ApprovalDetail:
        """Store it, or the alias of the one there is; what is stored now.

        Raises TemplateMissing, OrganizationNotFound, NotOfThePool and AliasTaken.
        """
        ...

    async def delete_approval(self, template_id: int, organization_id: str) -> None:
        """Remove it if it is there. Raises TemplateMissing and OrganizationNotFound."""
        ...

    async def approvals(self, template_id: int, page: ListPage) -> Listed[ApprovalDetail]:
        """By organization. Raises TemplateMissing."""
        ...


class Approvals:
    """The use cases."""

    def __init__(self, store: ApprovalStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def approve(self, template_id: int, organization_id: str, command: Approve) -> ApprovalDetail:
        """Approve it, or change its custom alias; again it changes nothing.

        Raises InvalidField, TemplateMissing, OrganizationNotFound, NotOfThePool and AliasTaken.
        """
        if command.custom_alias is not None:
            check_alias("customAlias", command.custom_alias)
        self._check(template_id, organization_id)
        return await self._store.put_approval(
            ApprovalDetail(template_id, organization_id, command.custom_alias, self._clock())
        )

    async def withdraw(self, template_id: int, organization_id: str) -> None:
        """The organization may no longer use it; again it changes nothing. Raises TemplateMissing and OrganizationNotFound."""
        self._check(template_id, organization_id)
        await self._store.delete_approval(template_id, organization_id)

    async def list(self, template_id: int, page: ListPage) -> Listed[ApprovalDetail]:
        """By organization. Raises InvalidCursor and TemplateMissing."""
        check_template_id(template_id)
        return await self._store.approvals(template_id, page)

    def _check(self, template_id: int, organization_id: str) -> None:
        check_template_id(template_id)
        check_organization(organization_id)


class NotOfThePool(LedgerError):
    """An organization's own template needs no approval, and is nobody else's."""

    message = "templateId: template {template_id} is `{owner}`'s own: only templates of the pool are approved"
