"""API keys in PostgreSQL, by their digests."""

from datetime import datetime

import msgspec

from smsledger.application.admin.keys import KeyDetail
from smsledger.application.admin.listing import Listed, ListPage
from smsledger.application.admin.organizations import OrganizationNotFound
from smsledger.application.directory import KeyKind

from .store import Row, Store, has_organization, one

_INSERT = """
INSERT INTO api_keys (key_id, organization_id, kind, name, digest, created_at, expires_at)
VALUES (%(key_id)s, %(organization_id)s, %(kind)s, %(name)s, %(digest)s, %(created_at)s, %(expires_at)s)
"""
# A key that is revoked already stays as it is, so that no cache is emptied for it.
_REVOKE = "UPDATE api_keys SET revoked_at = %(at)s WHERE key_id = %(key_id)s AND revoked_at IS NULL"
_KNOWN = "SELECT revoked_at FROM api_keys WHERE key_id = %(key_id)s"
_TOTAL = """
SELECT count(*) AS total FROM api_keys
WHERE %(organization_id)s::text IS NULL OR organization_id = %(organization_id)s
"""
_PAGE = """
SELECT k.key_id, k.organization_id, k.kind, k.name, k.created_at, k.expires_at, k.revoked_at, u.last_used_at
FROM api_keys k LEFT JOIN api_key_uses u ON u.key_id = k.key_id
WHERE (%(organization_id)s::text IS NULL OR k.organization_id = %(organization_id)s)
    AND (%(after_id)s::text IS NULL OR (k.created_at, k.key_id) < (%(after_at)s::timestamptz, %(after_id)s))
ORDER BY k.created_at DESC, k.key_id DESC LIMIT %(limit)s OFFSET %(offset)s
"""


class PostgresKeys(Store):
    """The KeyStore port."""

    async def insert_key(self, detail: KeyDetail, digest: bytes) -> bool:
        """See the port."""
        async with self._changing() as conn:
            if not await has_organization(conn, detail.organization_id):
                return False
            await conn.execute(_INSERT, {**msgspec.structs.asdict(detail), "digest": digest})
            return True

    async def revoke_key(self, key_id: str, at: datetime) -> bool:
        """See the port."""
        async with self._changing() as conn:
            known = await one(conn, _KNOWN, {"key_id": key_id})
            if known is not None and known["revoked_at"] is None:
                await conn.execute(_REVOKE, {"key_id": key_id, "at": at})
            return known is not None

    async def keys(self, organization_id: str | None, page: ListPage) -> Listed[KeyDetail]:
        """See the port. Raises OrganizationNotFound."""
        if organization_id is not None:
            async with self._lend() as conn:
                if not await has_organization(conn, organization_id):
                    raise OrganizationNotFound(organization_id=organization_id)
        after = page.after("keys", tuple[datetime, str])
        after_at, after_id = after or (None, None)
        values = {"organization_id": organization_id, "after_at": after_at, "after_id": after_id}
        return await self._page("keys", _TOTAL, _PAGE, values, page, ("created_at", "key_id"), _detail)


def _detail(row: Row) -> KeyDetail:
    return KeyDetail(**{**row, "kind": KeyKind(row["kind"])})
