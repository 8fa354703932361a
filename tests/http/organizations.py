"""Organizations made directly in the tables, so that each test has one that nobody else writes to."""

import secrets
from typing import Any

import msgspec
import psycopg

from smsledger.runtime.demo import make_key
from tests.running_service import LIFTED

OTP: dict[str, Any] = {
    "to": "+14155551234",
    "templateAlias": "otp-verification",
    "templateModel": {"code": "123456"},
}


class TestOrganization(msgspec.Struct, frozen=True):
    """An organization and its keys in the clear."""

    __test__ = False  # a name that begins with Test, and no test

    organization_id: str
    server_key: str
    sending_key: str
    admin_key: str


def make_organization(
    postgres_url: str, *, sms_enabled: bool = True, approved: bool = True, rate_limits: str | None = LIFTED
) -> TestOrganization:
    """A new organization, with all templates of the pool approved for it and no rate limit in its way, unless said otherwise.

    `rate_limits` None: those of any new organization.
    """
    organization_id = f"org-{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url) as conn, conn.cursor() as cursor:
        cursor.execute(
            "INSERT INTO organizations (organization_id, name, sms_enabled, rate_limits) VALUES (%s, 'Test', %s, %s)",
            [organization_id, sms_enabled, rate_limits],
        )
        if approved:
            cursor.execute(
                "INSERT INTO template_approvals (template_id, organization_id) "
                "SELECT template_id, %s FROM templates WHERE organization_id IS NULL",
                [organization_id],
            )
        keys = [make_key(cursor, organization_id, kind, "test") for kind in ("SERVER", "SENDING", "ADMIN")]
    return TestOrganization(organization_id, *keys)


def make_template(postgres_url: str, organization_id: str | None, body: str) -> tuple[int, str]:
    """A template of the organization (None: of the pool, approved for nobody); its id and alias."""
    alias = f"template-{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url) as conn:
        row = conn.execute(
            "INSERT INTO templates (organization_id, alias, name) VALUES (%s, %s, 'Test') RETURNING template_id",
            [organization_id, alias],
        ).fetchone()
        assert row is not None
        conn.execute(
            "INSERT INTO template_versions (template_id, version, body) VALUES (%s, 1, %s)", [row[0], body]
        )
    return row[0], alias


def stored_events(postgres_url: str, organization_id: str) -> int:
    """How many events the ledger has of an organization."""
    with psycopg.connect(postgres_url) as conn:
        row = conn.execute(
            "SELECT count(*) FROM ledger_events WHERE organization_id = %s", [organization_id]
        ).fetchone()
    assert row is not None
    count: int = row[0]
    return count
