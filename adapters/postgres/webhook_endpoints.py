"""The table `webhook_endpoints`. It checks nothing but how many endpoints an organization has."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET
from psycopg import AsyncConnection
from psycopg.rows import kwargs_row
from psycopg_pool import AsyncConnectionPool

from smsledger.application.webhooks import WebhookChange, WebhookEndpoint

_COLUMNS = "webhook_id, organization_id, url, events, description, active, created_at, updated_at"

# The endpoints of an organization, newest first (webhook_endpoints_of_organization).
_ALL = f"""
SELECT {_COLUMNS} FROM webhook_endpoints WHERE organization_id = %s ORDER BY created_at DESC, webhook_id DESC
"""  # noqa: S608  # the columns are those above
_ONE = f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE webhook_id = %s AND organization_id = %s"  # noqa: S608
# Whoever adds an endpoint for the same organization waits here; keys and templates of it do not.
_LOCK = "SELECT FROM organizations WHERE organization_id = %s FOR NO KEY UPDATE"
# Counts only after _LOCK, as a statement sees what was there when it began.
_ADD = """
INSERT INTO webhook_endpoints
    (webhook_id, organization_id, url, events, description, active, secret, created_at, updated_at)
SELECT %(webhook_id)s, %(organization_id)s, %(url)s, %(events)s, %(description)s, %(active)s, %(secret)s, %(at)s, %(at)s
WHERE (SELECT count(*) FROM webhook_endpoints WHERE organization_id = %(organization_id)s) < %(endpoints_max)s
"""
_CHANGE = f"""
UPDATE webhook_endpoints SET
    url = coalesce(%(url)s, url),
    events = coalesce(%(events)s, events),
    description = CASE WHEN %(describes)s THEN %(description)s ELSE description END,
    active = coalesce(%(active)s, active),
    updated_at = greatest(%(at)s, updated_at)
WHERE webhook_id = %(webhook_id)s AND organization_id = %(organization_id)s
RETURNING {_COLUMNS}
"""  # noqa: S608  # the columns are those above
_REMOVE = "DELETE FROM webhook_endpoints WHERE webhook_id = %s AND organization_id = %s"


class PostgresWebhookEndpoints:
    """The WebhookEndpoints port."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def all_of(self, organization_id: str) -> Sequence[WebhookEndpoint]:
        """See the port."""
        async with self._pool.connection() as conn, conn.cursor(row_factory=kwargs_row(_endpoint)) as cursor:
            return await (await cursor.execute(_ALL, [organization_id])).fetchall()

    async def get(self, organization_id: str, webhook_id: UUID) -> WebhookEndpoint | None:
        """See the port."""
        async with self._pool.connection() as conn, conn.cursor(row_factory=kwargs_row(_endpoint)) as cursor:
            return await (await cursor.execute(_ONE, [webhook_id, organization_id])).fetchone()

    async def add(self, endpoint: WebhookEndpoint, secret: bytes, endpoints_max: int) -> bool:
        """See the port."""
        values = {
            "webhook_id": endpoint.webhook_id,
            "organization_id": endpoint.organization_id,
            "url": endpoint.url,
            "events": list(endpoint.events),
            "description": endpoint.description,
            "active": endpoint.active,
            "secret": secret,
            "at": endpoint.created_at,
            "endpoints_max": endpoints_max,
        }
        async with self._pool.connection() as conn, conn.transaction():
            await conn.execute(_LOCK, [endpoint.organization_id])
            return (await conn.execute(_ADD, values)).rowcount == 1

    async def change(
        self, organization_id: str, webhook_id: UUID, change: WebhookChange, at: datetime
    ) -> WebhookEndpoint | None:
        """See the port."""
        values = {
            "webhook_id": webhook_id,
            "organization_id": organization_id,
            "url": _or_none(change.url),
            "events": _or_none(change.events),
            "describes": change.description is not UNSET,
            "description": _or_none(change.description),
            "active": _or_none(change.active),
            "at": at,
        }
        async with self._pool.connection() as conn, conn.cursor(row_factory=kwargs_row(_endpoint)) as cursor:
            return await (await cursor.execute(_CHANGE, values)).fetchone()

    async def remove(self, organization_id: str, webhook_id: UUID) -> bool:
        """See the port."""
        async with self._pool.connection() as conn:
            return (await conn.execute(_REMOVE, [webhook_id, organization_id])).rowcount == 1


def _endpoint(*, events: list[str], **columns: Any) -> WebhookEndpoint:
    return WebhookEndpoint(events=tuple(events), **columns)


def _or_none(value: Any) -> Any:
    return None if value is UNSET else value
