"""Accepting: every refusal names its reason and stores nothing, and harms nothing beside it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from smsledger.adapters.phone_numbers import E164Numbers
from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.directory import PostgresDirectory
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.application.accept import (
    METADATA_BYTES_MAX,
    MODEL_BYTES_MAX,
    SEGMENTS_MAX,
    TAG_CHARACTERS_MAX,
    Accept,
    Accepted,
    BodyLength,
    InvalidField,
    NoPoolNumber,
    SendCommand,
    SmsNotEnabled,
    TemplateNotApproved,
    TemplateNotFound,
)
from smsledger.application.directory import (
    ApiKey,
    KeyKind,
    MissingVariable,
    Organization,
    OrganizationMissing,
    TemplateFailed,
)
from smsledger.domain.errors import LedgerError
from smsledger.domain.message import Queued
from smsledger.domain.phone_number import InvalidPhoneNumber
from smsledger.domain.segments import Encoding

from .conftest import Pool, SetClock
from .messages import events_of

US, GB, FR = "+14155552671", "+447400123456", "+33612345678"
KEY = ApiKey("key_1", "acme", KeyKind.SENDING, None)

_DIRECTORY = """
INSERT INTO organizations (organization_id, name, sms_enabled) VALUES
    ('acme', 'Acme', true), ('other', 'Other', true), ('silent', 'Silent', false);
INSERT INTO templates (template_id, organization_id, alias, name, version) VALUES
    (1, NULL, 'otp', 'One-time password', 2), (2, NULL, 'news', 'News', 1), (3, 'acme', 'own', 'Own', 1),
    (4, 'other', 'theirs', 'Theirs', 1), (5, NULL, 'body', 'Any body', 1), (6, NULL, 'welcome', 'Welcome', 1),
    (7, NULL, 'filtered', 'With a filter', 1), (8, 'acme', 'news', 'News of our own', 1);
INSERT INTO template_versions (template_id, version, body) VALUES
    (1, 1, 'Old {{ code }}'), (1, 2, 'Your code is {{ code }}'), (2, 1, 'News'), (3, 1, 'Own {{ x }}'),
    (4, 1, 'Theirs'), (5, 1, '{{ body }}'), (6, 1, 'Welcome'), (7, 1, '{{ x | divided_by: y }}'), (8, 1, 'Our news');
INSERT INTO template_approvals (template_id, organization_id, custom_alias) VALUES
    (1, 'acme', NULL), (5, 'acme', NULL), (6, 'acme', 'otp-welcome'), (7, 'acme', 'own');
INSERT INTO senders (sender, organization_id, country) VALUES
    ('+18005550101', NULL, 'US'), ('+18005550102', NULL, 'US'), ('+18005550103', NULL, 'US'),
    ('+447400000001', NULL, 'GB'), ('ACME', 'acme', 'GB'), ('THEIRS', 'other', 'FR');
"""


@pytest.fixture
async def directory(pool: Pool) -> PostgresDirectory:
    async with pool.connection() as conn:
        await conn.execute(_DIRECTORY)
    return PostgresDirectory(pool)


@pytest.fixture
async def acme(directory: PostgresDirectory) -> Organization:
    return await directory.organization("acme")


@pytest.fixture
def accept(appender: GroupCommitAppender, clock: SetClock) -> Accept:
    return Accept(appender, E164Numbers(), uuid4, clock)


def command(**fields: Any) -> SendCommand:
    """A command that is accepted, but for `fields`."""
    given: dict[str, Any] = {"to": US, "template_alias": "otp", "template_model": {"code": "123456"}}
    return SendCommand(**(given | fields))


def body(text: str, **fields: Any) -> SendCommand:
    """A command whose body is `text`."""
    return command(template_alias="body", template_model={"body": text}, **fields)


async def queued_by(reader: PostgresEventReader, result: Accepted | LedgerError) -> Queued:
    assert isinstance(result, Accepted)
    (event,) = await events_of(reader, result.message_id)
    assert isinstance(event, Queued)
    return event


async def test_an_accepted_message_is_in_the_ledger_with_all_that_it_needs(
    accept: Accept, acme: Organization, reader: PostgresEventReader, clock: SetClock
) -> None:
    (result,) = await accept.accept(acme, KEY, [command(tag="t", metadata={"user": "u1"})])
    event = await queued_by(reader, result)
    assert isinstance(result, Accepted)
    assert (result.position, result.at, event.at) == (1, clock.now, clock.now)
    assert event == Queued(
        at=clock.now,
        organization_id="acme",
        sender=event.sender,
        sender_reason="pool number for US",
        recipient=US,
        country="US",
        body="Your code is 123456",
        encoding=Encoding.GSM_7,
        segments=1,
        template_id=1,
        template_version=2,
        template_alias="otp",
        template_model={"code": "123456"},
        tag="t",
        metadata={"user": "u1"},
        key_id="key_1",
    )
    (stored,) = await reader.history(result.message_id)
    assert (stored.organization_id, stored.recorded_at) == ("acme", clock.now)


REFUSED: dict[str, tuple[SendCommand, type[LedgerError], str]] = {
    "no number": (command(to="hello"), InvalidPhoneNumber, "no leading plus"),
    "no such number": (command(to="+1555"), InvalidPhoneNumber, "not a valid number"),
    "no template": (command(template_alias=None), InvalidField, "templateAlias: give either"),
    "two templates": (
        command(template_id=1),
        InvalidField,
        "templateAlias: give either templateAlias or templateId, not both",
    ),
    "unknown alias": (command(template_alias="nothing"), TemplateNotFound, "`nothing` not found"),
    "unknown id": (command(template_alias=None, template_id=99), TemplateNotFound, "`99` not found"),
    "id zero": (command(template_alias=None, template_id=0), TemplateNotFound, "`0` not found"),
    "another organization's": (command(template_alias="theirs"), TemplateNotFound, "not found"),
    "another organization's id": (command(template_alias=None, template_id=4), TemplateNotFound, "not found"),
    "not approved": (command(template_alias=None, template_id=2), TemplateNotApproved, "not approved"),
    "no sender": (command(to=FR), NoPoolNumber, "country FR"),
    "variable missing": (command(template_model={}), MissingVariable, "variable `code`"),
    "engine fails": (
        command(template_alias="own", template_model={"x": 1, "y": 0}),
        TemplateFailed,
        "cannot be rendered",
    ),
    "odd values": (
        command(template_alias="own", template_model={"x": [], "y": {}, "self": 1}),
        TemplateFailed,
        "cannot be rendered",
    ),
    "empty body": (body(""), BodyLength, "needs 0 segments"),
    "long body": (body("x" * 1531), BodyLength, "needs 11 segments"),
    "long body in UCS-2": (body("€ж" * 340), BodyLength, "needs 11 segments"),
    "empty tag": (command(tag=""), InvalidField, "tag: expected 1 to 255"),
    "long tag": (command(tag="x" * (TAG_CHARACTERS_MAX + 1)), InvalidField, "tag: expected 1 to 255"),
    "tag with U+0000": (command(tag="a\x00"), InvalidField, "tag: the character"),
    "much metadata": (command(metadata={"a": "x" * METADATA_BYTES_MAX}), InvalidField, "metadata: at most"),
    "a large model": (
        command(template_model={"code": "1", "a": "x" * MODEL_BYTES_MAX}),
        InvalidField,
        "templateModel: at most",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_accepted_is_refused_with_its_reason_and_harms_no_neighbour(
    accept: Accept, acme: Organization, reader: PostgresEventReader, name: str
) -> None:
    refused, error, reason = REFUSED[name]
    before, result, after = await accept.accept(acme, KEY, [command(), refused, command()])
    assert type(result) is error
    assert reason in str(result)
    assert [one.position for one in (before, after) if isinstance(one, Accepted)] == [1, 2]
    assert await reader.last_position() == 2


LIMITS: dict[str, SendCommand] = {
    "tag": command(tag="x" * TAG_CHARACTERS_MAX),
    "body": body("x" * 1530),
    "metadata": command(metadata={"a": "x" * (METADATA_BYTES_MAX - len('{"a":""}'))}),
    "model": body("x", metadata={}, to=US),
}


@pytest.mark.parametrize("name", LIMITS)
async def test_what_just_fits_is_accepted(
    accept: Accept, acme: Organization, reader: PostgresEventReader, name: str
) -> None:
    (result,) = await accept.accept(acme, KEY, [LIMITS[name]])
    assert (await queued_by(reader, result)).segments <= SEGMENTS_MAX


async def test_an_item_that_is_an_error_already_is_passed_through_in_its_place(
    accept: Accept, acme: Organization
) -> None:
    error = InvalidField(field="to", problem="expected a string")
    results = await accept.accept(acme, KEY, [error, command(), error])
    assert (results[0], results[2]) == (error, error)
    assert isinstance(results[1], Accepted)


@pytest.mark.parametrize("commands", [[], [command(to="x")]], ids=["no command", "no good command"])
async def test_where_nothing_can_be_accepted_nothing_is_stored(
    accept: Accept, acme: Organization, reader: PostgresEventReader, commands: Sequence[SendCommand]
) -> None:
    assert len(await accept.accept(acme, KEY, commands)) == len(commands)
    assert await reader.last_position() == 0


async def test_an_organization_that_may_not_send_is_refused_as_a_whole(
    accept: Accept, directory: PostgresDirectory, reader: PostgresEventReader
) -> None:
    with pytest.raises(SmsNotEnabled):
        await accept.accept(await directory.organization("silent"), KEY, [command()])
    assert await reader.last_position() == 0


async def test_an_organization_that_is_gone_is_named(directory: PostgresDirectory) -> None:
    with pytest.raises(OrganizationMissing, match="nobody"):
        await directory.organization("nobody")


async def test_a_whole_batch_is_stored_in_order_and_in_one_piece(
    accept: Accept, acme: Organization, reader: PostgresEventReader
) -> None:
    results = await accept.accept(acme, KEY, [command(tag=str(number)) for number in range(500)])
    stored = await reader.after(0, 1_000)
    assert [one.aggregate_id for one in stored] == [
        one.message_id for one in results if isinstance(one, Accepted)
    ]
    assert [one.position for one in results if isinstance(one, Accepted)] == list(range(1, 501))


async def test_a_recipient_keeps_seeing_one_sender_and_recipients_are_spread(
    accept: Accept, acme: Organization, reader: PostgresEventReader
) -> None:
    numbers = [f"+1415555{2000 + n}" for n in range(30)]
    commands = [command(to=number) for number in numbers * 2]
    senders = [(await queued_by(reader, one)).sender for one in await accept.accept(acme, KEY, commands)]
    assert senders[:30] == senders[30:]
    assert set(senders) == {"+18005550101", "+18005550102", "+18005550103"}


async def test_an_organizations_own_sender_comes_before_the_pools(
    accept: Accept, acme: Organization, directory: PostgresDirectory, reader: PostgresEventReader
) -> None:
    (ours,) = await accept.accept(acme, KEY, [command(to=GB)])
    event = await queued_by(reader, ours)
    assert (event.sender, event.sender_reason) == ("ACME", "own number for GB")
    assert [one.sender for one in (await directory.organization("other")).senders["GB"]] == ["+447400000001"]


async def test_a_template_is_found_by_its_custom_alias_first_then_the_own_then_the_pools(
    acme: Organization, directory: PostgresDirectory
) -> None:
    by_alias = {alias: template.template_id for alias, template in acme.templates_by_alias.items()}
    assert by_alias == {
        "otp": 1,
        "news": 8,  # its own, before the pool's of the same name
        "own": 7,  # the custom alias, before its own of the same name
        "body": 5,
        "welcome": 6,
        "otp-welcome": 6,
        "filtered": 7,
    }
    other = await directory.organization("other")
    assert {alias: one.template_id for alias, one in other.templates_by_alias.items()} == {
        "otp": 1,
        "news": 2,
        "body": 5,
        "welcome": 6,
        "filtered": 7,
        "theirs": 4,
    }
    assert {alias for alias, one in other.templates_by_alias.items() if one.approved} == {"theirs"}


async def test_the_alias_that_was_asked_for_is_kept_with_the_message(
    accept: Accept, acme: Organization, reader: PostgresEventReader
) -> None:
    by_alias, by_id = await accept.accept(
        acme, KEY, [command(template_alias="otp-welcome"), command(template_alias=None, template_id=6)]
    )
    first, second = await queued_by(reader, by_alias), await queued_by(reader, by_id)
    assert (first.template_alias, first.template_id, first.body) == ("otp-welcome", 6, "Welcome")
    assert (second.template_alias, second.template_id, second.body) == (None, 6, "Welcome")


async def test_messages_of_one_call_share_its_moment(
    accept: Accept, acme: Organization, clock: SetClock
) -> None:
    first = await accept.accept(acme, KEY, [command(), command()])
    clock.now += timedelta(seconds=1)
    (second,) = await accept.accept(acme, KEY, [command()])
    assert [one.at for one in first if isinstance(one, Accepted)] == [clock.now - timedelta(seconds=1)] * 2
    assert isinstance(second, Accepted)
    assert second.at == clock.now
