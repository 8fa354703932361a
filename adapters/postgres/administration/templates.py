"""Templates and their versions in PostgreSQL."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET
from psycopg import AsyncConnection

from smsledger.application.accept import InvalidField
from smsledger.application.admin.listing import Listed, ListPage
from smsledger.application.admin.organizations import OrganizationNotFound
from smsledger.application.admin.templates import (
    AliasTaken,
    ChangeTemplate,
    CreateTemplate,
    CreateVersion,
    TemplateFilter,
    TemplateMissing,
    TemplateRow,
    VersionRow,
)

from .senders import owner_in_words
from .store import Row, Store, has_organization, one

_INSERT = """
INSERT INTO templates (organization_id, alias, name, created_at)
VALUES (%(organization_id)s, %(alias)s, %(name)s, %(at)s) RETURNING template_id
"""
_INSERT_VERSION = """
INSERT INTO template_versions (template_id, version, body, created_at)
VALUES (%(template_id)s, %(version)s, %(body)s, %(at)s)
"""
_UPDATE = """
UPDATE templates SET alias = %(alias)s, name = %(name)s, version = %(version)s WHERE template_id = %(template_id)s
"""
# The template with the text that is sent; one without any, made by hand, has an empty text.
_ONE = """
SELECT t.template_id, t.organization_id, t.alias, t.name, t.version,
    (SELECT coalesce(max(o.version), 0) FROM template_versions o WHERE o.template_id = t.template_id) AS versions,
    coalesce(v.body, '') AS body, t.created_at
FROM templates t LEFT JOIN template_versions v ON v.template_id = t.template_id AND v.version = t.version
WHERE t.template_id = %(template_id)s
"""
_TOTAL = """
SELECT count(*) AS total FROM templates
WHERE (%(organization_id)s::text IS NULL OR organization_id = %(organization_id)s)
    AND (%(pool)s::bool IS NULL OR (organization_id IS NULL) = %(pool)s)
    AND (%(alias)s::text IS NULL OR alias = %(alias)s)
"""
_PAGE = """
SELECT t.template_id, t.organization_id, t.alias, t.name, t.version,
    (SELECT coalesce(max(o.version), 0) FROM template_versions o WHERE o.template_id = t.template_id) AS versions,
    coalesce(v.body, '') AS body, t.created_at
FROM templates t LEFT JOIN template_versions v ON v.template_id = t.template_id AND v.version = t.version
WHERE (%(organization_id)s::text IS NULL OR t.organization_id = %(organization_id)s)
    AND (%(pool)s::bool IS NULL OR (t.organization_id IS NULL) = %(pool)s)
    AND (%(alias)s::text IS NULL OR t.alias = %(alias)s)
    AND (%(after)s::bigint IS NULL OR t.template_id > %(after)s)
ORDER BY t.template_id LIMIT %(limit)s OFFSET %(offset)s
"""
_VERSION = """
SELECT version FROM template_versions WHERE template_id = %(template_id)s AND version = %(version)s
"""
_TOTAL_VERSIONS = "SELECT count(*) AS total FROM template_versions WHERE template_id = %(template_id)s"
_PAGE_VERSIONS = """
SELECT v.template_id, v.version, v.version = t.version AS sent, v.body, v.created_at
FROM template_versions v JOIN templates t ON t.template_id = v.template_id
WHERE v.template_id = %(template_id)s AND (%(after)s::bigint IS NULL OR v.version < %(after)s)
ORDER BY v.version DESC LIMIT %(limit)s OFFSET %(offset)s
"""
# What an alias names already: among the pool's templates, or among an organization's own and its custom aliases.
_ALIAS_IN_POOL = """
SELECT template_id FROM templates
WHERE organization_id IS NULL AND alias = %(alias)s AND template_id <> %(template_id)s
"""
_ALIAS_OF_ORGANIZATION = """
SELECT template_id FROM templates
WHERE organization_id = %(organization_id)s AND alias = %(alias)s AND template_id <> %(template_id)s
UNION ALL
SELECT template_id FROM template_approvals
WHERE organization_id = %(organization_id)s AND custom_alias = %(alias)s AND template_id <> %(template_id)s
LIMIT 1
"""


class PostgresTemplates(Store):
    """The TemplateStore port."""

    async def insert_template(self, command: CreateTemplate, at: datetime) -> TemplateRow:
        """See the port."""
        async with self._changing() as conn:
            owner = command.organization_id
            if owner is not None and not await has_organization(conn, owner):
                raise OrganizationNotFound(organization_id=owner)
            await require_free_alias(conn, owner, "alias", command.alias)
            values = {**msgspec.structs.asdict(command), "at": at, "version": 1}
            values |= await one(conn, _INSERT, values) or {}
            await conn.execute(_INSERT_VERSION, values)
            return await require_template(conn, values["template_id"])

    async def update_template(self, template_id: int, change: ChangeTemplate) -> TemplateRow:
        """See the port."""
        async with self._changing() as conn:
            row = await require_template(conn, template_id)
            given = {
                name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET
            }
            changed = msgspec.structs.replace(row, **given)
            if changed == row:
                return row
            if changed.alias != row.alias:
                await require_free_alias(conn, row.organization_id, "alias", changed.alias, template_id)
            if await one(conn, _VERSION, {"template_id": template_id, "version": changed.version}) is None:
                raise InvalidField(
                    field="version", problem=f"template {template_id} has the versions 1 to {row.versions}"
                )
            await conn.execute(_UPDATE, msgspec.structs.asdict(changed))
            return await require_template(conn, template_id)

    async def insert_version(self, template_id: int, command: CreateVersion, at: datetime) -> VersionRow:
        """See the port."""
        async with self._changing() as conn:
            row = await require_template(conn, template_id)
            number = row.versions + 1
            await conn.execute(
                _INSERT_VERSION,
                {"template_id": template_id, "version": number, "body": command.body, "at": at},
            )
            if command.send:
                await conn.execute(_UPDATE, {**msgspec.structs.asdict(row), "version": number})
            return VersionRow(template_id, number, command.send, command.body, at)

    async def template(self, template_id: int) -> TemplateRow | None:
        """See the port."""
        found = await self._one(_ONE, {"template_id": template_id})
        return None if found is None else TemplateRow(**found)

    async def templates(self, wanted: TemplateFilter, page: ListPage) -> Listed[TemplateRow]:
        """See the port. Raises OrganizationNotFound."""
        if wanted.organization_id is not None:
            async with self._lend() as conn:
                if not await has_organization(conn, wanted.organization_id):
                    raise OrganizationNotFound(organization_id=wanted.organization_id)
        after = page.after("templates", tuple[int])
        values = {**msgspec.structs.asdict(wanted), "after": after[0] if after else None}
        return await self._page("templates", _TOTAL, _PAGE, values, page, ("template_id",), _template)

    async def versions(self, template_id: int, page: ListPage) -> Listed[VersionRow]:
        """See the port."""
        async with self._lend() as conn:
            await require_template(conn, template_id)
        after = page.after("versions", tuple[int])
        values = {"template_id": template_id, "after": after[0] if after else None}
        return await self._page(
            "versions", _TOTAL_VERSIONS, _PAGE_VERSIONS, values, page, ("version",), _version
        )


async def require_template(conn: AsyncConnection[Any], template_id: int) -> TemplateRow:
    """The template. Raises TemplateMissing."""
    found = await one(conn, _ONE, {"template_id": template_id})
    if found is None:
        raise TemplateMissing(template_id=template_id)
    return TemplateRow(**found)


async def require_free_alias(
    conn: AsyncConnection[Any], owner: str | None, field: str, alias: str, template_id: int = 0
) -> None:
    """Whether `alias` names nothing yet but `template_id`, for the pool or for one organization. Raises AliasTaken."""
    values = {"organization_id": owner, "alias": alias, "template_id": template_id}
    taken = await one(conn, _ALIAS_IN_POOL if owner is None else _ALIAS_OF_ORGANIZATION, values)
    if taken is not None:
        raise AliasTaken(
            field=field, alias=alias, template_id=taken["template_id"], owner=owner_in_words(owner)
        )


def _template(row: Row) -> TemplateRow:
    return TemplateRow(**row)


def _version(row: Row) -> VersionRow:
    return VersionRow(**row)
