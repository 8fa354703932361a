"""Senders in PostgreSQL: a row for each country that a sender is for."""

import msgspec

from smsledger.application.admin.listing import Listed, ListPage
from smsledger.application.admin.organizations import OrganizationNotFound
from smsledger.application.admin.senders import SenderDetail, SenderExists, SenderFilter, SenderTaken

from .store import Row, Store, has_organization, one

_OWNER = "SELECT organization_id FROM senders WHERE sender = %(sender)s LIMIT 1"
_INSERT = """
INSERT INTO senders (sender, country, organization_id, created_at)
VALUES (%(sender)s, %(country)s, %(organization_id)s, %(created_at)s) ON CONFLICT DO NOTHING RETURNING sender
"""
# No statement where there is none, which would empty caches: the caller looks first.
_DELETE = """
DELETE FROM senders WHERE sender = %(sender)s AND (%(country)s::text IS NULL OR country = %(country)s)
"""
_COUNT = """
SELECT count(*) AS total FROM senders
WHERE sender = %(sender)s AND (%(country)s::text IS NULL OR country = %(country)s)
"""
_TOTAL = """
SELECT count(*) AS total FROM senders
WHERE (%(organization_id)s::text IS NULL OR organization_id = %(organization_id)s)
    AND (%(pool)s::bool IS NULL OR (organization_id IS NULL) = %(pool)s)
    AND (%(country)s::text IS NULL OR country = %(country)s)
"""
_PAGE = """
SELECT sender, country, organization_id, created_at FROM senders
WHERE (%(organization_id)s::text IS NULL OR organization_id = %(organization_id)s)
    AND (%(pool)s::bool IS NULL OR (organization_id IS NULL) = %(pool)s)
    AND (%(country)s::text IS NULL OR country = %(country)s)
    AND (%(after_sender)s::text IS NULL OR (country, sender) > (%(after_country)s, %(after_sender)s))
ORDER BY country, sender LIMIT %(limit)s OFFSET %(offset)s
"""


class PostgresSenders(Store):
    """The SenderStore port."""

    async def insert_sender(self, detail: SenderDetail) -> None:
        """See the port."""
        async with self._changing() as conn:
            owner = detail.organization_id
            if owner is not None and not await has_organization(conn, owner):
                raise OrganizationNotFound(organization_id=owner)
            there = await one(conn, _OWNER, {"sender": detail.sender})
            if there is not None and there["organization_id"] != owner:
                raise SenderTaken(sender=detail.sender, owner=owner_in_words(there["organization_id"]))
            if await one(conn, _INSERT, msgspec.structs.asdict(detail)) is None:
                raise SenderExists(sender=detail.sender, country=detail.country)

    async def delete_sender(self, sender: str, country: str | None) -> int:
        """See the port."""
        values = {"sender": sender, "country": country}
        async with self._changing() as conn:
            found = await one(conn, _COUNT, values)
            count: int = found["total"] if found else 0
            if count:
                await conn.execute(_DELETE, values)
            return count

    async def senders(self, wanted: SenderFilter, page: ListPage) -> Listed[SenderDetail]:
        """See the port. Raises OrganizationNotFound."""
        if wanted.organization_id is not None:
            async with self._lend() as conn:
                if not await has_organization(conn, wanted.organization_id):
                    raise OrganizationNotFound(organization_id=wanted.organization_id)
        after = page.after("senders", tuple[str, str])
        after_country, after_sender = after or (None, None)
        values = {
            **msgspec.structs.asdict(wanted),
            "after_country": after_country,
            "after_sender": after_sender,
        }
        return await self._page("senders", _TOTAL, _PAGE, values, page, ("country", "sender"), _detail)


def _detail(row: Row) -> SenderDetail:
    return SenderDetail(**row)


def owner_in_words(organization_id: str | None) -> str:
    """Whose something is, for a message."""
    return "the pool" if organization_id is None else f"organization `{organization_id}`"
