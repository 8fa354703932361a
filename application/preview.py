"""Previewing: what a send would do, with everything that decides it said aloud, and nothing stored.

It goes the way of `accept.py` and ends before the append. What it says of consent is true when it is read; a send
is held against it again at its commit.
"""

import msgspec

from smsledger.domain.consent import ALL, Reason, sender_scope, strongest
from smsledger.domain.segments import ForcingCharacter, forcing_characters

from .accept import NumberReader, Prepared, SendCommand, SmsNotEnabled, prepare
from .consent import ConsentBook
from .directory import Organization


class Previewed(msgspec.Struct, frozen=True):
    """What a send would do."""

    prepared: Prepared
    forcing: tuple[ForcingCharacter, ...]
    blocked_reason: Reason | None
    """Why the message would be recorded as blocked; None: it would be sent."""


class Preview:
    """Previews messages of an organization."""

    def __init__(self, consents: ConsentBook, numbers: NumberReader) -> None:
        self._consents = consents
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
        suppressions = (await self._consents.check(organization.organization_id, number)).consent.suppressions
        scopes = (ALL, sender_scope(sender.sender, pooled=sender.pooled))
        return strongest(suppressions[scope] for scope in scopes if scope in suppressions)
