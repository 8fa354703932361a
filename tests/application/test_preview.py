"""Previewing: whether a message would be blocked is told from the consent that keeps the send itself back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from smsledger.adapters.phone_numbers import E164Numbers
from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.adapters.templates import compile_template
from smsledger.application.accept import Accept, Accepted, SendCommand, SmsNotEnabled
from smsledger.application.consent import ConsentBook
from smsledger.application.directory import ApiKey, KeyKind, Organization, Sender, Template
from smsledger.application.ports import Append, ConsentChange
from smsledger.application.preview import Preview
from smsledger.domain.consent import ALL, POOL, Reason, Restoration, Restored, Suppressed, consent_id
from smsledger.domain.event import Event
from smsledger.domain.ledger_events import LEDGER_EVENTS
from smsledger.domain.message import carrier_reference

from .conftest import Pool, SetClock

US, GB = "+14155552671", "+447400123456"
AT = datetime(2026, 3, 1, tzinfo=UTC)
TEMPLATE = Template(1, 3, "otp", True, compile_template("Your code is {{ code }}"))
# An own number in GB, the pool's in the US.
ACME = Organization(
    "acme",
    True,
    {"otp": TEMPLATE},
    {1: TEMPLATE},
    {"US": (Sender("+18005550101", True),), "GB": (Sender("ACME", False),)},
)
KEY = ApiKey("key_1", "acme", KeyKind.SENDING, None)


def command(to: str) -> SendCommand:
    return SendCommand(to=to, template_alias="otp", template_model={"code": "1"})


def suppressed(number: str, scope: str, reason: Reason, organization_id: str = "acme") -> Suppressed:
    return Suppressed(at=AT, organization_id=organization_id, number=number, scope=scope, reason=reason)


def restored(number: str, scope: str) -> Restored:
    return Restored(at=AT, organization_id="acme", number=number, scope=scope, reason=Restoration.MANUAL)


@pytest.mark.parametrize(
    ("to", "said", "blocked"),
    [
        (US, [], None),
        (US, [suppressed(US, ALL, Reason.MANUAL)], "MANUAL"),
        (US, [suppressed(US, POOL, Reason.OPT_OUT)], "OPT_OUT"),
        (GB, [suppressed(GB, "ACME", Reason.OPT_OUT)], "OPT_OUT"),
        (GB, [suppressed(GB, POOL, Reason.OPT_OUT)], None),
        (US, [suppressed(US, "ACME", Reason.OPT_OUT)], None),
        (US, [suppressed(US, POOL, Reason.OPT_OUT), suppressed(US, ALL, Reason.CARRIER)], "CARRIER"),
        (US, [suppressed(US, POOL, Reason.OPT_OUT), restored(US, POOL)], None),
        (US, [suppressed(US, ALL, Reason.MANUAL, "other")], None),
    ],
)
async def test_a_preview_is_blocked_where_a_send_is(
    database: str,
    pool: Pool,
    clock: SetClock,
    to: str,
    said: Sequence[Suppressed | Restored],
    blocked: str | None,
) -> None:
    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(database, autocommit=True)

    appender = GroupCommitAppender(connect, LEDGER_EVENTS, carrier_reference)
    book = ConsentBook(PostgresEventReader(pool, LEDGER_EVENTS), appender, clock)
    preview = Preview(book, E164Numbers())
    try:
        for version, event in enumerate(said, start=1):
            change = ConsentChange(version, event.scope, isinstance(event, Suppressed))
            events: list[Event] = [event]
            consent = consent_id(event.organization_id, event.number)
            await appender.append(
                [Append(consent, event.organization_id, version, events, consents=[change])]
            )
        previewed = await preview.preview(ACME, command(to))
        (sent,) = await Accept(appender, E164Numbers(), uuid4, clock).accept(ACME, KEY, [command(to)])
    finally:
        await appender.close()
    assert previewed.blocked_reason == blocked
    assert isinstance(sent, Accepted)
    assert sent.blocked == (blocked is not None)


async def test_who_may_not_send_may_not_preview(
    pool: Pool, appender: GroupCommitAppender, clock: SetClock
) -> None:
    silent = Organization("silent", False, {}, {}, {})
    book = ConsentBook(PostgresEventReader(pool, LEDGER_EVENTS), appender, clock)
    with pytest.raises(SmsNotEnabled):
        await Preview(book, E164Numbers()).preview(silent, command(US))
