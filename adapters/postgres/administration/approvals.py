"""Approvals of the pool's templates in PostgreSQL."""

import msgspec

from smsledger.application.admin.approvals import ApprovalDetail, NotOfThePool
from smsledger.application.admin.listing import Listed, ListPage
from smsledger.application.admin.organizations import OrganizationNotFound

from .store import Row, Store, has_organization, one
from .templates import require_free_alias, require_template

_ONE = """
SELECT template_id, organization_id, custom_alias, approved_at FROM template_approvals
WHERE template_id = %(template_id)s AND organization_id = %(organization_id)s
"""
# The first approval's time stays.
_PUT = """
INSERT INTO template_approvals (template_id, organization_id, custom_alias, approved_at)
VALUES (%(template_id)s, %(organization_id)s, %(custom_alias)s, %(approved_at)s)
ON CONFLICT (template_id, organization_id) DO UPDATE SET custom_alias = excluded.custom_alias
RETURNING template_id, organization_id, custom_alias, approved_at
"""
_DELETE = """
DELETE FROM template_approvals WHERE template_id = %(template_id)s AND organization_id = %(organization_id)s
"""
_TOTAL = "SELECT count(*) AS total FROM template_approvals WHERE template_id = %(template_id)s"
_PAGE = """
SELECT template_id, organization_id, custom_alias, approved_at FROM template_approvals
WHERE template_id = %(template_id)s AND (%(after)s::text IS NULL OR organization_id > %(after)s)
ORDER BY organization_id LIMIT %(limit)s OFFSET %(offset)s
"""


class PostgresApprovals(Store):
    """The ApprovalStore port."""

    async def put_approval(self, detail: ApprovalDetail) -> ApprovalDetail:
        """See the port."""
        async with self._changing() as conn:
            template = await require_template(conn, detail.template_id)
            if not await has_organization(conn, detail.organization_id):
                raise OrganizationNotFound(organization_id=detail.organization_id)
            if template.organization_id is not None:
                raise NotOfThePool(template_id=template.template_id, owner=template.organization_id)
            values = msgspec.structs.asdict(detail)
            there = await one(conn, _ONE, values)
            if there is not None and there["custom_alias"] == detail.custom_alias:
                return _detail(there)
            if detail.custom_alias is not None:
                await require_free_alias(
                    conn, detail.organization_id, "customAlias", detail.custom_alias, detail.template_id
                )
            stored = await one(conn, _PUT, values)
            return detail if stored is None else _detail(stored)

    async def delete_approval(self, template_id: int, organization_id: str) -> None:
        """See the port."""
        values = {"template_id": template_id, "organization_id": organization_id}
        async with self._changing() as conn:
            await require_template(conn, template_id)
            if not await has_organization(conn, organization_id):
                raise OrganizationNotFound(organization_id=organization_id)
            if await one(conn, _ONE, values) is not None:
                await conn.execute(_DELETE, values)

    async def approvals(self, template_id: int, page: ListPage) -> Listed[ApprovalDetail]:
        """See the port."""
        async with self._lend() as conn:
            await require_template(conn, template_id)
        after = page.after("approvals", tuple[str])
        values = {"template_id": template_id, "after": after[0] if after else None}
        return await self._page("approvals", _TOTAL, _PAGE, values, page, ("organization_id",), _detail)


def _detail(row: Row) -> ApprovalDetail:
    return ApprovalDetail(**row)
