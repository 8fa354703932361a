"""Organizations: who may send, how much a second, and which words of a recipient opt out and in."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from smsledger.application.accept import InvalidField
from smsledger.application.directory import RateLimits
from smsledger.domain.errors import LedgerError
from smsledger.domain.keywords import Keywords

from .checks import (
    ORGANIZATION_ID_CHARACTERS_MAX,
    check_name,
    check_organization_id,
    is_organization_id,
)
from .keywords import KeywordChange, changed_keywords
from .listing import Listed, ListPage

RATE_MAX = 1_000_000
"""Requests a second; 0 is no limit."""


class OrganizationDetail(msgspec.Struct, frozen=True, rename="camel"):
    """An organization as it is shown."""

    organization_id: str
    name: str
    sms_enabled: bool
    rate_limits: RateLimits
    keywords: Keywords
    created_at: datetime


class RateLimitChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits that change; the others stay."""

    send: int | UnsetType = UNSET
    batch: int | UnsetType = UNSET
    read: int | UnsetType = UNSET


class CreateOrganization(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """A new organization; limits and keywords that are not given are the defaults."""

    organization_id: str
    name: str
    sms_enabled: bool = True
    rate_limits: RateLimitChange | None = None
    keywords: KeywordChange | None = None


class ChangeOrganization(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """What changes of an organization; None sets limits or keywords back to the defaults."""

    name: str | UnsetType = UNSET
    sms_enabled: bool | UnsetType = UNSET
    rate_limits: RateLimitChange | UnsetType | None = UNSET
    keywords: KeywordChange | UnsetType | None = UNSET


class OrganizationRow(msgspec.Struct, frozen=True):
    """An organization as it is stored; None: the defaults, also where they change with a release."""

    organization_id: str
    name: str
    sms_enabled: bool
    rate_limits: RateLimits | None
    keywords: Keywords | None
    created_at: datetime


class OrganizationStore(Protocol):
    """Keeps organizations."""

    async def insert_organization(self, row: OrganizationRow) -> bool:
        """Store it; False where there is one of this id. Its `created_at` is the caller's."""
        ...

    async def update_organization(
        self, organization_id: str, change: Callable[[OrganizationRow], OrganizationRow]
    ) -> OrganizationRow | None:
        """Store what `change` makes of it, while nobody else changes it; None where there is none."""
        ...

    async def organization(self, organization_id: str) -> OrganizationRow | None:
        """One of them."""
        ...

    async def organizations(self, page: ListPage) -> Listed[OrganizationRow]:
        """By id."""
        ...


class Organizations:
    """The use cases."""

    def __init__(self, store: OrganizationStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    async def create(self, command: CreateOrganization) -> OrganizationDetail:
        """Raises InvalidField and OrganizationExists."""
        check_organization_id(command.organization_id)
        check_name(command.name)
        limits = _changed_limits(None, command.rate_limits)
        keywords = changed_keywords(None, command.keywords)
        row = OrganizationRow(
            command.organization_id, command.name, command.sms_enabled, limits, keywords, self._clock()
        )
        if not await self._store.insert_organization(row):
            raise OrganizationExists(organization_id=command.organization_id)
        return _shown(row)

    async def change(self, organization_id: str, command: ChangeOrganization) -> OrganizationDetail:
        """Raises InvalidField and OrganizationNotFound."""
        if command.name is not UNSET:
            check_name(command.name)

        def apply(row: OrganizationRow) -> OrganizationRow:
            limits, keywords = row.rate_limits, row.keywords
            if command.rate_limits is not UNSET:
                limits = _changed_limits(limits, command.rate_limits)
            if command.keywords is not UNSET:
                keywords = changed_keywords(keywords, command.keywords)
            return OrganizationRow(
                row.organization_id,
                row.name if command.name is UNSET else command.name,
                row.sms_enabled if command.sms_enabled is UNSET else command.sms_enabled,
                limits,
                keywords,
                row.created_at,
            )

        check_organization(organization_id)
        row = await self._store.update_organization(organization_id, apply)
        if row is None:
            raise OrganizationNotFound(organization_id=organization_id)
        return _shown(row)

    async def get(self, organization_id: str) -> OrganizationDetail:
        """Raises OrganizationNotFound."""
        check_organization(organization_id)
        row = await self._store.organization(organization_id)
        if row is None:
            raise OrganizationNotFound(organization_id=organization_id)
        return _shown(row)

    async def list(self, page: ListPage) -> Listed[OrganizationDetail]:
        """By id. Raises InvalidCursor."""
        found = await self._store.organizations(page)
        return Listed(found.total_count, [_shown(row) for row in found.rows], found.next_cursor)


def check_organization(organization_id: str | None) -> None:
    """Whether it could be one's id; None is nobody's. Raises OrganizationNotFound."""
    if organization_id is not None and not is_organization_id(organization_id):
        raise OrganizationNotFound(organization_id=organization_id[:ORGANIZATION_ID_CHARACTERS_MAX])


def _changed_limits(limits: RateLimits | None, change: RateLimitChange | None) -> RateLimits | None:
    """None: the defaults, before and after."""
    if change is None:
        return None
    values = msgspec.structs.asdict(limits or RateLimits())
    for name in values:
        value = getattr(change, name)
        if value is UNSET:
            continue
        if not 0 <= value <= RATE_MAX:
            raise InvalidField(
                field=f"rateLimits.{name}",
                problem=f"expected 1 to {RATE_MAX} requests a second, or 0 for no limit",
            )
        values[name] = value
    return RateLimits(**values)


def _shown(row: OrganizationRow) -> OrganizationDetail:
    return OrganizationDetail(
        row.organization_id,
        row.name,
        row.sms_enabled,
        row.rate_limits or RateLimits(),
        row.keywords or Keywords(),
        row.created_at,
    )


class OrganizationExists(LedgerError):
    """The id of a new organization is taken."""

    message = "organizationId: there is an organization `{organization_id}` already: choose another id"


class OrganizationNotFound(LedgerError):
    """No such organization."""

    message = (
        "organizationId: there is no organization `{organization_id}`: create it first, or correct the id"
    )
