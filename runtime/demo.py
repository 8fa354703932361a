"""What a first start finds: an organization `demo` with keys, approved templates and sender numbers.

For trying the product out; a production installation is set up by its operators.
"""

import msgspec
import psycopg

from smsledger.application.admin.keys import new_key
from smsledger.application.directory import KeyKind

ORGANIZATION = "demo"

TEMPLATES = {
    "otp-verification": ("One-time password", "Your verification code is {{code}}"),
    "otp": ("One-time password, short", "Code: {{code}}"),
    "order-confirmation": (
        "Order confirmation",
        "Hi {{ name | default: 'there' }}, your order {{ order_id }} is confirmed. Total: {{ total }}.",
    ),
    "shipping-update": ("Shipping update", "Your order {{ order_id }} is on its way: {{ tracking_url }}"),
    "appointment-reminder": (
        "Appointment reminder",
        "Reminder: your appointment is on {{ date }} at {{ time }}.",
    ),
}
"""Alias to (name, body in Liquid)."""

SENDERS = {
    "US": ("+18005551234", "+18885550100"),
    "CA": ("+16475550123",),
    "GB": ("+447400123456",),
    "DE": ("+4915123456789",),
    "FR": ("+33612345678",),
    "ES": ("+34612345678",),
    "IT": ("+393123456789",),
    "NL": ("+31612345678",),
    "IN": ("+918123456789",),
    "BR": ("+5511961234567",),
    "AU": ("+61412345678",),
    "JP": ("+819012345678",),
    "MX": ("+522221234567",),
    "ZA": ("+27711234567",),
    "SG": ("+6581234567",),
}
"""Country to sender numbers of the pool (the numbering plans' own example numbers)."""

_LOCK = "SELECT pg_advisory_xact_lock(1513489)"


class DemoKeys(msgspec.Struct, frozen=True):
    """The demo organization's keys in the clear; only their digests are stored in the ledger."""

    server_key: str
    sending_key: str
    admin_key: str


def ensure_demo(conninfo: str) -> DemoKeys | None:
    """Make the demo organization on an installation that has no organization yet; its keys, shown this once.

    None where there is an organization already.
    """
    with psycopg.connect(conninfo) as conn, conn.cursor() as cursor:
        cursor.execute(_LOCK)
        if cursor.execute("SELECT FROM organizations LIMIT 1").fetchone() is not None:
            return None
        cursor.execute(
            "INSERT INTO organizations (organization_id, name) VALUES (%s, 'Demo')", [ORGANIZATION]
        )
        for alias, (name, body) in TEMPLATES.items():
            cursor.execute(
                "INSERT INTO templates (alias, name) VALUES (%s, %s) RETURNING template_id", [alias, name]
            )
            row = cursor.fetchone()
            template_id = row[0] if row else None
            cursor.execute(
                "INSERT INTO template_versions (template_id, version, body) VALUES (%s, 1, %s)",
                [template_id, body],
            )
            cursor.execute(
                "INSERT INTO template_approvals (template_id, organization_id) VALUES (%s, %s)",
                [template_id, ORGANIZATION],
            )
        cursor.executemany(
            "INSERT INTO senders (sender, country) VALUES (%s, %s)",
            [(sender, country) for country, senders in SENDERS.items() for sender in senders],
        )
        return DemoKeys(
            *(make_key(cursor, ORGANIZATION, kind, "demo") for kind in ("SERVER", "SENDING", "ADMIN"))
        )


def make_key(cursor: psycopg.Cursor[tuple[object, ...]], organization_id: str, kind: str, name: str) -> str:
    """Store a new key of `kind` and return it; it cannot be read back later."""
    key_id, key, digest = new_key(KeyKind(kind))
    cursor.execute(
        "INSERT INTO api_keys (key_id, organization_id, kind, name, digest) VALUES (%s, %s, %s, %s, %s)",
        [key_id, organization_id, kind, name, digest],
    )
    return key
