"""Previewing: what a send would do, with everything that decides it said aloud, and nothing stored.

It goes the way of `accept.py` and ends before the append. What it says of consent is true when it is read; a send
is held against it again at its commit.
"""

import msgspec

from smsledger.domain.consent import ALL, STRENGTH, Reason, consent_id, fold, sender_scope
from smsledger.domain.segments import ForcingCharacter, forcing_characters

from .accept import NumberReader, Prepared, SendCommand, SmsNotEnabled, prepare
from .directory import Organization
from .ports import EventReader


class Previewed(msgspec.Struct, frozen=True):
    """What a send would do."""

    prepared: Prepared
    forcing: tuple[ForcingCharacter, ...]
    blocked_reason: Reason | None
    """Why the message would be recorded as blocked; None: it would be sent."""


class Preview:
    """Previews messages of an organization."""

    def __init__(self, reader: EventReader, numbers: NumberReader) -> None:
        self._reader = reader
        self._numbers = numbers

    async def preview(self, organization: Organization, command: SendCommand) -> Previewed:
        """What sending `command` would do now. Raises what a send would raise, but for what the append does."""
        if not organization.sms_enabled:
            raise SmsNotEnabled
        prepared = prepare(organization, command, self._numbers)
        return Previewed(
            prepared, forcing_characters(prepared.body), await self._blocked(organization, prepared)
        )

    async def _blocked(self, organization: Organization, prepared: Prepared) -> Reason | None:
        """The strongest reason among the suppressions that the sender is under."""
        number, sender = prepared.number.e164, prepared.sender
        consent = consent_id(organization.organization_id, number)
        events = (await self._reader.load([consent])).get(consent, [])
        suppressions = fold(organization.organization_id, number, (one.event for one in events)).suppressions
        scopes = (ALL, sender_scope(sender.sender, pooled=sender.pooled))
        reasons = [suppressions[scope].reason for scope in scopes if scope in suppressions]
        return max(reasons, key=STRENGTH.__getitem__, default=None)
