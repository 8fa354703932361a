"""Organizations in PostgreSQL."""

from collections.abc import Callable

import msgspec

from smsledger.application.admin.listing import Listed, ListPage
from smsledger.application.admin.organizations import OrganizationRow
from smsledger.application.directory import RateLimits
from smsledger.domain.keywords import Keywords

from .store import Row, Store, one

_INSERT = """
INSERT INTO organizations (organization_id, name, sms_enabled, rate_limits, keywords, created_at)
VALUES (%(organization_id)s, %(name)s, %(sms_enabled)s, %(rate_limits)s::jsonb, %(keywords)s::jsonb, %(created_at)s)
ON CONFLICT DO NOTHING RETURNING organization_id
"""
_UPDATE = """
UPDATE organizations SET name = %(name)s, sms_enabled = %(sms_enabled)s, rate_limits = %(rate_limits)s::jsonb,
    keywords = %(keywords)s::jsonb
WHERE organization_id = %(organization_id)s
"""
_ONE = """
SELECT organization_id, name, sms_enabled, rate_limits::text, keywords::text, created_at
FROM organizations WHERE organization_id = %(organization_id)s
"""
_TOTAL = "SELECT count(*) AS total FROM organizations"
_PAGE = """
SELECT organization_id, name, sms_enabled, rate_limits::text, keywords::text, created_at
FROM organizations WHERE (%(after)s::text IS NULL OR organization_id > %(after)s)
ORDER BY organization_id LIMIT %(limit)s OFFSET %(offset)s
"""


class PostgresOrganizations(Store):
    """The OrganizationStore port."""

    async def insert_organization(self, row: OrganizationRow) -> bool:
        """See the port."""
        async with self._changing() as conn:
            return await one(conn, _INSERT, _values(row)) is not None

    async def update_organization(
        self, organization_id: str, change: Callable[[OrganizationRow], OrganizationRow]
    ) -> OrganizationRow | None:
        """See the port."""
        async with self._changing() as conn:
            found = await one(conn, _ONE, {"organization_id": organization_id})
            if found is None:
                return None
            row = change(_row(found))
            if row != _row(found):
                await conn.execute(_UPDATE, _values(row))
            return row

    async def organization(self, organization_id: str) -> OrganizationRow | None:
        """See the port."""
        found = await self._one(_ONE, {"organization_id": organization_id})
        return None if found is None else _row(found)

    async def organizations(self, page: ListPage) -> Listed[OrganizationRow]:
        """See the port."""
        after = page.after("organizations", tuple[str])
        values = {"after": after[0] if after else None}
        return await self._page(
            "organizations", _TOTAL, _PAGE, values, page, key=("organization_id",), convert=_row
        )


def _values(row: OrganizationRow) -> Row:
    return {
        **msgspec.structs.asdict(row),
        "rate_limits": None if row.rate_limits is None else msgspec.json.encode(row.rate_limits).decode(),
        "keywords": None if row.keywords is None else msgspec.json.encode(row.keywords).decode(),
    }


def _row(found: Row) -> OrganizationRow:
    limits, keywords = found["rate_limits"], found["keywords"]
    return OrganizationRow(
        found["organization_id"],
        found["name"],
        found["sms_enabled"],
        None if limits is None else msgspec.json.decode(limits, type=RateLimits),
        None if keywords is None else msgspec.json.decode(keywords, type=Keywords),
        found["created_at"],
    )
