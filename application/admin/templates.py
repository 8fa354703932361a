"""Templates: of the pool or of one organization, with numbered versions of which one is sent.

Versions are only ever added, so that an event that names one can always be read beside its text. Which organization
may use a template of the pool is `approvals.py`'s.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from smsledger.application.accept import InvalidField
from smsledger.domain.errors import LedgerError

from .checks import check_alias, check_name
from .listing import Listed, ListPage
from .organizations import check_organization

BODY_CHARACTERS_MAX = 10_000
ID_MAX = 2**63 - 1
VERSION_MAX = 2**31 - 1


class TemplateDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A template with the version that is sent. Of the pool, where it is no organization's."""

    template_id: int
    organization_id: str | None
    alias: str
    name: str
    version: int
    """The version that is sent."""
    versions: int
    """How many there are; they count from 1."""
    body: str
    variables: tuple[str, ...]
    """What the body takes from `templateModel`, in the order of the text."""
    created_at: datetime


class VersionDetail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A version of a template."""

    template_id: int
    version: int
    sent: bool
    """Whether it is the version that is sent."""
    body: str
    variables: tuple[str, ...]
    created_at: datetime


class CreateTemplate(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A new template with its first version."""

    alias: str
    name: str
    body: str
    organization_id: str | None = None


class ChangeTemplate(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What changes of a template; `version` is the one that is sent from now on."""

    alias: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    version: int | UnsetType = UNSET


class CreateVersion(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A new version; sent from now on, unless it only waits for that."""

    body: str
    send: bool = True


class TemplateRow(msgspec.Struct, frozen=True):
    """A template as it is stored, with the body of the version that is sent."""

    template_id: int
    organization_id: str | None
    alias: str
    name: str
    version: int
    versions: int
    body: str
    created_at: datetime


class VersionRow(msgspec.Struct, frozen=True):
    """A version as it is stored."""

    template_id: int
    version: int
    sent: bool
    body: str
    created_at: datetime


class TemplateFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which templates to list; None: all."""

    organization_id: str | None = None
    pool: bool | None = None
    alias: str | None = None


class InspectTemplate(Protocol):
    """Reads a body as it would be read when it is sent."""

    def __call__(self, body: str, /) -> tuple[str, ...]:
        """The variables that the body takes. Raises TemplateInvalid."""
        ...


class TemplateStore(Protocol):
    """Keeps templates. Whatever changes raises AliasTaken where the alias names another template already."""

    async def insert_template(self, command: CreateTemplate, at: datetime) -> TemplateRow:
        """Store it with version 1. Raises OrganizationNotFound."""
        ...

    async def update_template(self, template_id: int, change: ChangeTemplate) -> TemplateRow:
        """Store the change. Raises TemplateMissing, and InvalidField where there is no such version."""
        ...

    async def insert_version(self, template_id: int, command: CreateVersion, at: datetime) -> VersionRow:
        """Store it under the next number. Raises TemplateMissing."""
        ...

    async def template(self, template_id: int) -> TemplateRow | None:
        """One of them."""
        ...

    async def templates(self, wanted: TemplateFilter, page: ListPage) -> Listed[TemplateRow]:
        """By id."""
        ...

    async def versions(self, template_id: int, page: ListPage) -> Listed[VersionRow]:
        """Newest first."""
        ...


class Templates:
    """The use cases."""

    def __init__(self, store: TemplateStore, inspect: InspectTemplate, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._inspect = inspect
        self._clock = clock

    async def create(self, command: CreateTemplate) -> TemplateDetail:
        """Raises InvalidField, TemplateInvalid, OrganizationNotFound and AliasTaken."""
        check_alias("alias", command.alias)
        check_name(command.name)
        self._check_body(command.body)
        check_organization(command.organization_id)
        return self._shown(await self._store.insert_template(command, self._clock()))

    async def change(self, template_id: int, command: ChangeTemplate) -> TemplateDetail:
        """Raises InvalidField, TemplateMissing and AliasTaken."""
        if command.alias is not UNSET:
            check_alias("alias", command.alias)
        if command.name is not UNSET:
            check_name(command.name)
        if command.version is not UNSET and not 1 <= command.version <= VERSION_MAX:
            raise InvalidField(field="version", problem="expected the number of a version, from 1")
        check_template_id(template_id)
        return self._shown(await self._store.update_template(template_id, command))

    async def add_version(self, template_id: int, command: CreateVersion) -> VersionDetail:
        """Raises InvalidField, TemplateInvalid and TemplateMissing."""
        self._check_body(command.body)
        check_template_id(template_id)
        return self._shown_version(await self._store.insert_version(template_id, command, self._clock()))

    async def get(self, template_id: int) -> TemplateDetail:
        """Raises TemplateMissing."""
        check_template_id(template_id)
        row = await self._store.template(template_id)
        if row is None:
            raise TemplateMissing(template_id=template_id)
        return self._shown(row)

    async def list(self, wanted: TemplateFilter, page: ListPage) -> Listed[TemplateDetail]:
        """By id. Raises InvalidCursor, InvalidField and OrganizationNotFound."""
        check_organization(wanted.organization_id)
        if wanted.alias is not None:
            check_alias("alias", wanted.alias)
        found = await self._store.templates(wanted, page)
        return Listed(found.total_count, [self._shown(row) for row in found.rows], found.next_cursor)

    async def versions(self, template_id: int, page: ListPage) -> Listed[VersionDetail]:
        """Newest first. Raises InvalidCursor and TemplateMissing."""
        check_template_id(template_id)
        found = await self._store.versions(template_id, page)
        return Listed(found.total_count, [self._shown_version(row) for row in found.rows], found.next_cursor)

    def _check_body(self, body: str) -> None:
        if not 0 < len(body) <= BODY_CHARACTERS_MAX or "\x00" in body or not _is_text(body):
            raise InvalidField(
                field="body", problem=f"expected 1 to {BODY_CHARACTERS_MAX} characters without U+0000"
            )
        self._inspect(body)

    def _shown(self, row: TemplateRow) -> TemplateDetail:
        return TemplateDetail(**msgspec.structs.asdict(row), variables=self._variables(row.body))

    def _shown_version(self, row: VersionRow) -> VersionDetail:
        return VersionDetail(**msgspec.structs.asdict(row), variables=self._variables(row.body))

    def _variables(self, body: str) -> tuple[str, ...]:
        """None of a stored body that is no valid Liquid, which came past these use cases."""
        try:
            return self._inspect(body)
        except TemplateInvalid:
            return ()


def check_template_id(template_id: int) -> None:
    """Whether it could be one. Raises TemplateMissing."""
    if not 0 < template_id <= ID_MAX:
        raise TemplateMissing(template_id=template_id)


def _is_text(body: str) -> bool:
    """Not so what a command line makes of bytes that are not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in body)


class TemplateInvalid(LedgerError):
    """The body is not one that could be rendered."""

    message = "body: {reason} (line {line}, column {column})"


class TemplateMissing(LedgerError):
    """No such template."""

    message = "templateId: there is no template {template_id}"


class AliasTaken(LedgerError):
    """An alias names one template of the pool, and one of each organization."""

    message = "{field}: `{alias}` is template {template_id} of {owner} already: choose another, or change that one's"
