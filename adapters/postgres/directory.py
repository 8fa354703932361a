"""The directory in PostgreSQL, answered from memory: each key and organization is read once and kept until any
of the directory's tables changes.

Every change adds one to `directory_version`; `follow` looks at it twice a second, so a revoked key stops working
within a second in every process. It never writes.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from smsledger.adapters.templates import BrokenTemplate, compile_template
from smsledger.application.directory import (
    ApiKey,
    CompiledTemplate,
    KeyKind,
    Organization,
    OrganizationMissing,
    RateLimits,
    Sender,
    Template,
    TemplateFailed,
)
from smsledger.domain.keywords import DEFAULT_KEYWORDS
from smsledger.domain.sender import RememberingSenders

T = TypeVar("T")

log = structlog.get_logger(__name__)

FOLLOW_S = 0.5
KEYS_MAX = 10_000
"""Keys kept in memory, and as many unknown ones apart from them; a memory that is full is emptied."""
ORGANIZATIONS_MAX = 10_000
COMPILED_MAX = 10_000
"""Compiled bodies kept for organizations that are read later; old versions are among them until it is full."""

# The key that a request presents (unique index on digest).
_KEY = """
SELECT key_id, organization_id, kind, expires_at FROM api_keys WHERE digest = %s AND revoked_at IS NULL
"""
_ORGANIZATION = """
SELECT sms_enabled, rate_limits::text, keywords::text FROM organizations WHERE organization_id = %s
"""
# Own templates, and the pool's with whether they are approved. Custom aliases come last, so that they win.
_TEMPLATES = """
SELECT t.template_id, t.alias, a.custom_alias, t.version, v.body,
    (t.organization_id IS NOT NULL OR a.template_id IS NOT NULL) AS approved
FROM templates t
JOIN template_versions v ON v.template_id = t.template_id AND v.version = t.version
LEFT JOIN template_approvals a ON a.template_id = t.template_id AND a.organization_id = %(organization_id)s
WHERE t.organization_id IS NULL OR t.organization_id = %(organization_id)s
ORDER BY t.organization_id NULLS FIRST, t.template_id
"""
# Own senders first.
_SENDERS = """
SELECT sender, country, organization_id IS NULL AS pooled FROM senders
WHERE organization_id IS NULL OR organization_id = %s ORDER BY country, organization_id NULLS LAST, sender
"""
_VERSION = "SELECT version FROM directory_version"


class PostgresDirectory:
    """The Directory port."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._keys: dict[str, ApiKey] = {}
        self._unknown_keys: set[str] = set()
        self._organizations: dict[str, Organization] = {}
        # Organizations without senders of their own share the pool's lists, which remember what they chose.
        self._senders: dict[tuple[Sender, ...], RememberingSenders[Sender]] = {}
        self._compiled: dict[str, CompiledTemplate] = {}
        self._version: int | None = None

    async def key(self, presented: str) -> ApiKey | None:
        """See the port."""
        key = self._keys.get(presented)
        if key is None and presented not in self._unknown_keys:
            key = await self._read_key(presented)
        if key is not None and key.expires_at is not None and key.expires_at <= datetime.now(UTC):
            return None
        return key

    async def organization(self, organization_id: str) -> Organization:
        """See the port."""
        organization = self._organizations.get(organization_id)
        if organization is None:
            organization = await self._read_organization(organization_id)
        return organization

    async def follow(self) -> None:
        """Forget everything whenever the directory changes; runs until cancelled."""
        while True:
            try:
                await self.refresh()
            except (psycopg.Error, PoolTimeout, OSError) as error:
                log.warning("directory_unreachable", error=str(error).strip())
            await asyncio.sleep(FOLLOW_S)

    async def refresh(self) -> None:
        """Forget everything if the directory has changed."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_VERSION)).fetchone()
        version = None if row is None else int(row[0])
        if version != self._version:
            # Replaced, not cleared: a read under way puts what it found into the old one.
            self._keys, self._unknown_keys, self._organizations = {}, set(), {}
            self._senders = {}
            self._version = version

    async def _read_key(self, presented: str) -> ApiKey | None:
        keys, unknown_keys = self._keys, self._unknown_keys
        digest = hashlib.sha256(presented.encode()).digest()
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_KEY, [digest])).fetchone()
        if row is None:
            # Apart, so that somebody who tries many does not push out those that are used.
            if len(unknown_keys) >= KEYS_MAX:
                unknown_keys.clear()
            unknown_keys.add(presented)
            return None
        if len(keys) >= KEYS_MAX:
            keys.clear()
        key = keys[presented] = ApiKey(row[0], row[1], KeyKind(row[2]), row[3])
        return key

    async def _read_organization(self, organization_id: str) -> Organization:
        organizations = self._organizations
        async with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            row = await (await cursor.execute(_ORGANIZATION, [organization_id])).fetchone()
            if row is None:
                raise OrganizationMissing(organization_id=organization_id)
            await cursor.execute(_TEMPLATES, {"organization_id": organization_id})
            templates = await cursor.fetchall()
            await cursor.execute(_SENDERS, [organization_id])
            senders = await cursor.fetchall()
        by_alias, by_id = self._templates(templates)
        by_country = {
            country: self._senders.setdefault(found, RememberingSenders(found))
            for country, found in _senders(senders).items()
        }
        organization = Organization(
            organization_id,
            row["sms_enabled"],
            by_alias,
            by_id,
            by_country,
            keywords=_own(row["keywords"], DEFAULT_KEYWORDS),
            rate_limits=_own(row["rate_limits"], RateLimits()),
        )
        if len(organizations) >= ORGANIZATIONS_MAX:
            organizations.clear()
            self._senders.clear()
        organizations[organization_id] = organization
        return organization

    def _templates(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, Template], dict[int, Template]]:
        by_alias: dict[str, Template] = {}
        custom: dict[str, Template] = {}
        by_id: dict[int, Template] = {}
        for row in rows:
            compiled = self._compiled.get(row["body"])
            if compiled is None:
                if len(self._compiled) >= COMPILED_MAX:
                    self._compiled.clear()
                compiled = self._compiled[row["body"]] = _compiled(row["template_id"], row["body"])
            template = Template(row["template_id"], row["version"], row["alias"], row["approved"], compiled)
            by_id[template.template_id] = template
            by_alias[template.alias] = template
            if row["custom_alias"] is not None:
                custom[row["custom_alias"]] = template
        return by_alias | custom, by_id


def _own(stored: str | None, default: T) -> T:
    """What is stored of an organization's own; what is not there is as in `default`."""
    return default if stored is None else msgspec.json.decode(stored, type=type(default))


def _compiled(template_id: int, body: str) -> CompiledTemplate:
    try:
        return compile_template(body)
    except TemplateFailed as failure:
        log.error("template_broken", template_id=template_id, reason=str(failure))  # noqa: TRY400  # no trace needed
        return BrokenTemplate(failure)


def _senders(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Sender, ...]]:
    found: dict[str, list[Sender]] = {}
    for row in rows:
        senders = found.setdefault(row["country"], [])
        # The pool is for organizations that have no number of their own in the country.
        if not (row["pooled"] and senders and not senders[0].pooled):
            senders.append(Sender(row["sender"], row["pooled"]))
    return {country: tuple(senders) for country, senders in found.items()}
