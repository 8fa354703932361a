"""Accepting messages: check, choose, render, decide, and make durable in one transaction. The hot path.

It answers after the commit and waits for nothing else: no stream, no projection, no carrier.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import msgspec

from smsledger.domain.consent import SUPPRESSED_CODE, SUPPRESSED_REASON
from smsledger.domain.errors import LedgerError
from smsledger.domain.message import Blocked, Queued
from smsledger.domain.phone_number import PhoneNumber
from smsledger.domain.segments import Segments, count_segments
from smsledger.domain.sender import choose_sender

from .clock import Clock
from .consent import guard_for
from .directory import ApiKey, Organization, Sender, Template
from .ports import Append, Appended, Appender, Guard, Once, RecipientsSuppressed, VersionConflict

TAG_CHARACTERS_MAX = 255
METADATA_BYTES_MAX = 4_096
MODEL_BYTES_MAX = 16_384
DATA_LEVELS_MAX = 32
"""Objects and arrays within each other. How deep a decoder can go depends on who calls it, so what one process
could just read would stop another."""
TEMPLATE_SHOWN_MAX = 100
"""Characters of an unknown template's alias that are said back."""
SEGMENTS_MAX = 10
"""A longer body is a mistake far more often than a message; carriers cut at about 1,600 characters."""

NUL_REFUSED = "the character U+0000 cannot be sent or stored"
TOO_DEEP = f"at most {DATA_LEVELS_MAX} objects and arrays within each other"

# The escape \u0000, and not a backslash in front of such digits.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_encode = msgspec.json.Encoder().encode


class SendCommand(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a client asks for (seed "Send SMS", body parameters, whose names it has on the wire)."""

    to: str
    template_alias: str | None = None
    template_id: int | float | None = None
    """A number of JSON: 7.0 is 7 (RFC 8259, section 6, leaves the difference to programs)."""
    template_model: dict[str, Any] | None = None
    tag: str | None = None
    metadata: dict[str, Any] | None = None


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The message is durable."""

    message_id: UUID
    at: datetime
    position: int
    blocked: bool = False
    """The recipient is suppressed: the message is recorded as BLOCKED, and will not be sent."""


Result: TypeAlias = Accepted | LedgerError
"""What became of a command."""
OnceFor: TypeAlias = Callable[[Sequence[Result]], Once]
"""Makes the condition of a request that may be repeated from its results, whose positions are not known yet."""


class NumberReader(Protocol):
    """Knows phone numbers."""

    def parse(self, value: str) -> PhoneNumber:
        """The number in `value`. Raises InvalidPhoneNumber."""
        ...


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A message as it would be sent: checked, rendered and counted, with its sender chosen."""

    number: PhoneNumber
    template: Template
    sender: Sender
    sender_reason: str
    body: str
    segments: Segments


def prepare(organization: Organization, command: SendCommand, numbers: NumberReader) -> Prepared:
    """What would be sent for `command`. The one way to it, for accepting and for previews.

    Raises InvalidField, InvalidPhoneNumber, TemplateNotFound, TemplateNotApproved, NoPoolNumber, MissingVariable,
    TemplateFailed and BodyLength.
    """
    _check(command)
    number = numbers.parse(command.to)
    template = _template(organization, command)
    sender, why = _sender(organization, number)
    body = template.compiled.render(command.template_model or {})
    if "\x00" in body:  # by a filter of the template
        raise InvalidField(field="templateModel", problem=NUL_REFUSED)
    segments = count_segments(body)
    if not 1 <= segments.count <= SEGMENTS_MAX or not body:
        raise BodyLength(segments=segments.count if body else 0, segments_max=SEGMENTS_MAX)
    return Prepared(number, template, sender, why, body, segments)


class Accept:
    """Accepts messages for an organization."""

    def __init__(
        self, appender: Appender, numbers: NumberReader, new_id: Callable[[], UUID], clock: Clock
    ) -> None:
        self._appender = appender
        self._numbers = numbers
        self._new_id = new_id
        self._clock = clock

    async def accept(
        self,
        organization: Organization,
        key: ApiKey,
        commands: Sequence[SendCommand | LedgerError],
        once_for: OnceFor | None = None,
    ) -> Sequence[Result]:
        """Accept `commands` in one transaction; per command what became of it, in order.

        A command that cannot be accepted harms no other; one that is already an error is passed through. Where none
        is accepted nothing is stored, and `once_for` not asked. Raises SmsNotEnabled for all, and what the appender
        raises but for RecipientsSuppressed.
        """
        if not organization.sms_enabled:
            raise SmsNotEnabled
        at = self._clock()
        # Each command's place is taken by what became of it.
        results: list[Any] = list(commands)
        places: list[int] = []
        appends: list[Append] = []
        for place, command in enumerate(commands):
            if isinstance(command, LedgerError):
                continue
            try:
                queued, guard = self._decide(organization, key, command, at)
            except LedgerError as error:
                results[place] = error
                continue
            places.append(place)
            appends.append(Append(self._new_id(), organization.organization_id, 1, (queued,), guard))
        if appends:
            await self._append(appends, places, at, results, once_for)
        return results

    async def _append(
        self,
        appends: list[Append],
        places: Sequence[int],
        at: datetime,
        results: list[Any],
        once_for: OnceFor | None,
    ) -> None:
        """Store the appends, those to suppressed recipients as BLOCKED, and put what became of them in their places.

        Who is suppressed is known at the commit only, under its lock: then nothing is stored, and decided anew.
        """
        blocked: set[int] = set()
        stored: Sequence[Appended | VersionConflict] | None = None
        while stored is None:  # each turn blocks one more of them
            once = None
            if once_for is not None:
                for number, (place, append) in enumerate(zip(places, appends, strict=True)):
                    results[place] = Accepted(append.aggregate_id, at, 0, number in blocked)
                once = once_for(results)
            try:
                stored = await self._appender.append(appends, once)
            except RecipientsSuppressed as suppressed:
                blocked |= suppressed.appends
                for number in suppressed.appends:
                    appends[number] = _blocked(appends[number], at)
        for number, (place, append, result) in enumerate(zip(places, appends, stored, strict=True)):
            results[place] = (
                Accepted(append.aggregate_id, at, result.position, number in blocked)
                if isinstance(result, Appended)
                else result
            )

    def _decide(
        self, organization: Organization, key: ApiKey, command: SendCommand, at: datetime
    ) -> tuple[Queued, Guard]:
        prepared = prepare(organization, command, self._numbers)
        number, sender = prepared.number, prepared.sender
        queued = Queued(
            at=at,
            organization_id=organization.organization_id,
            sender=sender.sender,
            sender_reason=prepared.sender_reason,
            recipient=number.e164,
            country=number.country,
            body=prepared.body,
            encoding=prepared.segments.encoding,
            segments=prepared.segments.count,
            template_id=prepared.template.template_id,
            template_version=prepared.template.version,
            template_alias=command.template_alias,
            template_model=command.template_model or {},
            tag=command.tag,
            metadata=command.metadata or {},
            key_id=key.key_id,
            pooled=sender.pooled,
        )
        guard = guard_for(organization.organization_id, number.e164, sender.sender, pooled=sender.pooled)
        return queued, guard


def _check(command: SendCommand) -> None:
    if command.tag is not None and not 0 < len(command.tag) <= TAG_CHARACTERS_MAX:
        raise InvalidField(field="tag", problem=f"expected 1 to {TAG_CHARACTERS_MAX} characters")
    if command.tag is not None and "\x00" in command.tag:
        raise InvalidField(field="tag", problem=NUL_REFUSED)
    if command.metadata:
        _check_data("metadata", command.metadata, METADATA_BYTES_MAX)
    if command.template_model:
        _check_data("templateModel", command.template_model, MODEL_BYTES_MAX)


def _is_plain(data: dict[str, Any], bytes_max: int) -> bool:
    """Whether `data` is a few short texts, which need no closer look."""
    room = bytes_max // 6  # as JSON, no character takes more than six bytes
    for name, value in data.items():
        if type(value) is not str or "\x00" in value or "\x00" in name:
            return False
        room -= len(name) + len(value) + 1
    return room > 0


def _check_data(field: str, data: dict[str, Any], bytes_max: int) -> None:
    """Whether `data` can be stored, and read again by everybody."""
    if _is_plain(data, bytes_max):
        return
    try:
        encoded = _encode(data)
    except RecursionError:
        raise InvalidField(field=field, problem=TOO_DEEP) from None
    if len(encoded) > bytes_max:
        raise InvalidField(field=field, problem=f"at most {bytes_max} bytes as JSON")
    if b"\\u0000" in encoded and _NUL.search(encoded):
        raise InvalidField(field=field, problem=NUL_REFUSED)
    # Brackets are quick to count, and most data has few.
    if encoded.count(b"{") + encoded.count(b"[") > DATA_LEVELS_MAX and _levels(data) > DATA_LEVELS_MAX:
        raise InvalidField(field=field, problem=TOO_DEEP)


def _blocked(append: Append, at: datetime) -> Append:
    """The same message, which goes nowhere: that needs no guard."""
    blocked = Blocked(at=at, error_code=SUPPRESSED_CODE, reason=SUPPRESSED_REASON)
    return Append(append.aggregate_id, append.organization_id, 1, (*append.events, blocked))


def _levels(data: Any) -> int:
    """How deep objects and arrays lie in each other."""
    levels = 0
    layer = [data]
    while layer := [value for value in layer if isinstance(value, dict | list)]:
        levels += 1
        layer = [inner for value in layer for inner in (value.values() if isinstance(value, dict) else value)]
    return levels


def _template(organization: Organization, command: SendCommand) -> Template:
    if command.template_alias is None and command.template_id is None:
        raise InvalidField(field="templateAlias", problem="give either templateAlias or templateId")
    if command.template_alias is not None and command.template_id is not None:
        raise InvalidField(field="templateAlias", problem="give either templateAlias or templateId, not both")
    if command.template_alias is not None:
        template = organization.templates_by_alias.get(command.template_alias)
    else:
        template = organization.templates_by_id.get(_whole(command.template_id or 0))
    if template is None:
        raise TemplateNotFound(template=_asked_for(command))
    if not template.approved:
        raise TemplateNotApproved(template=_asked_for(command))
    return template


def _whole(template_id: float) -> int:
    if template_id != template_id // 1:
        raise InvalidField(field="templateId", problem="expected a whole number")
    return int(template_id)


def _asked_for(command: SendCommand) -> str:
    """The template's alias or id as the client gave it, cut where it is absurd."""
    wanted = command.template_id if command.template_alias is None else command.template_alias
    return str(wanted)[:TEMPLATE_SHOWN_MAX]


def _sender(organization: Organization, number: PhoneNumber) -> tuple[Sender, str]:
    senders = organization.senders.get(number.country)
    if not senders:
        raise NoPoolNumber(country=number.country)
    sender = choose_sender(senders, number.e164)
    return sender, f"{'pool' if sender.pooled else 'own'} number for {number.country}"


class InvalidField(LedgerError):
    """A field of the request has a value that cannot be used."""

    message = "{field}: {problem}"


class SmsNotEnabled(LedgerError):
    """The organization may not send."""

    message = "SMS is not enabled for this organization"


class TemplateNotFound(LedgerError):
    """There is no such template, in the pool or of the organization."""

    message = "template `{template}` not found: check templateAlias or templateId"


class TemplateNotApproved(LedgerError):
    """The template exists and the organization may not use it."""

    message = "template `{template}` is not approved for this organization"


class NoPoolNumber(LedgerError):
    """Nothing to send from."""

    message = "no sender number is available for country {country}"


class BodyLength(LedgerError):
    """The rendered body is empty or too long."""

    message = "the rendered body needs {segments} segments; 1 to {segments_max} are sent"
