"""Suppressing numbers, taking that back, and looking at what stands: the use cases around the Consent aggregate.

Consent that comes by inbound message is `inbound.py`'s; that nobody who is suppressed is sent to is a condition of
the appends (`ports.Guard`).
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from smsledger.domain import consent as consents
from smsledger.domain.consent import Cause, Consent, Reason, Suppressed
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event, Stored

from .clock import Clock
from .ports import Append, Appended, Appender, ConsentChange, EventReader, Guard

CONFLICTS_MAX = 8
"""Times a decision is made anew because others changed the consent meanwhile."""

Decision: TypeAlias = Callable[[Consent], Sequence[Event]]


class ConsentContended(LedgerError):
    """Others kept changing the consent."""

    message = "the consent of this number changed {conflicts} times while it was being changed: try again"


class Standing(msgspec.Struct, frozen=True):
    """A consent, and the position of its last event (0: none)."""

    consent: Consent
    position: int
    changed: bool = False
    """Whether the request that asked for it changed it."""


class SuppressionPage(msgspec.Struct, frozen=True):
    """A part of an organization's suppressions, newest first."""

    total_count: int
    suppressions: list[Suppressed]
    next_before: int | None
    """Where the next page goes on; None on the last."""


class Suppressions(Protocol):
    """The list of those who are suppressed, always up to date: it is written with the events."""

    async def page(
        self, organization_id: str, *, count: int, offset: int, before: int | None
    ) -> SuppressionPage:
        """Up to `count` suppressions after `offset`, of those with events before position `before`."""
        ...


async def read_standing(reader: EventReader, organization_id: str, number: str) -> Standing:
    """What stands between the organization and the number (E.164), folded from the consent's own events."""
    consent_id = consents.consent_id(organization_id, number)
    recorded = (await reader.load([consent_id])).get(consent_id, [])
    consent = consents.fold(organization_id, number, [one.event for one in recorded])
    return Standing(consent, recorded[-1].position if recorded else 0)


def guard_for(organization_id: str, recipient: str, sender: str, *, pooled: bool) -> Guard:
    """The condition that `recipient` is not suppressed for `sender`."""
    return Guard(
        consents.consent_key(organization_id, recipient), consents.sender_scope(sender, pooled=pooled)
    )


class ConsentBook:
    """The consents of all organizations, as the event store has them."""

    def __init__(self, reader: EventReader, appender: Appender, clock: Clock) -> None:
        self._reader = reader
        self._appender = appender
        self._clock = clock

    async def check(self, organization_id: str, number: str) -> Standing:
        """What stands between the organization and the number (E.164)."""
        return await read_standing(self._reader, organization_id, number)

    async def history(self, organization_id: str, number: str) -> list[Stored]:
        """Every event of the consent, as it was stored."""
        return await self._reader.history(consents.consent_id(organization_id, number))

    async def suppress(
        self,
        organization_id: str,
        number: str,
        *,
        reason: Reason,
        cause: Cause,
        scope: str = consents.ALL,
    ) -> Standing:
        """Keep messages of `scope` from the number; unchanged where that stands already for as strong a reason."""
        at = self._clock()
        return await self.change(
            organization_id,
            number,
            lambda consent: consents.suppress(consent, reason=reason, cause=cause, at=at, scope=scope),
        )

    async def restore(self, organization_id: str, number: str, *, cause: Cause) -> Standing:
        """Take back every suppression of the number; unchanged where there is none."""
        at = self._clock()
        return await self.change(
            organization_id, number, lambda consent: consents.restore_all(consent, cause=cause, at=at)
        )

    async def change(self, organization_id: str, number: str, decide: Decision) -> Standing:
        """Append what `decide` says; decided again after a conflict. Raises ConsentContended."""
        for _ in range(CONFLICTS_MAX):
            standing = await self.check(organization_id, number)
            events = decide(standing.consent)
            if not events:
                return standing
            (result,) = await self._appender.append([consent_append(standing.consent, events)])
            if isinstance(result, Appended):
                consent = standing.consent
                for event in events:
                    consent = consents.evolve(consent, event)
                return Standing(consent, result.position, changed=True)
        raise ConsentContended(conflicts=CONFLICTS_MAX)


def consent_append(consent: Consent, events: Sequence[Event]) -> Append:
    """The append of the consent's next events, with what they change in who is suppressed."""
    changes = [
        ConsentChange(version, event.scope, suppressed=isinstance(event, Suppressed))
        for version, event in enumerate(events, consent.version + 1)
        if isinstance(event, consents.Suppressed | consents.Restored)
    ]
    return Append(consent.consent_id, consent.organization_id, consent.version + 1, events, consents=changes)
