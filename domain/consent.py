"""The Consent aggregate: whether an organization may send to a number, who or what said no, and who took it back.

One per organization and number; its id is made from the two, so that whoever knows them finds it without a look-up.
Decisions are pure; repeating one yields nothing new. Which keyword means what is `domain/keywords.py`'s.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias
from uuid import UUID

import msgspec
from msgspec.structs import replace

from .errors import LedgerError
from .event import PERSONAL, Event, EventTypes

ALL = "ALL"
"""Scope: every sender of the organization."""
POOL = "POOL"
"""Scope: the pool's senders. An own sender's scope is its number or name."""

SUPPRESSED_CODE = "1006"
"""Error code of a message that was kept from a suppressed recipient (seed "Error Codes")."""
SUPPRESSED_REASON = "the recipient is suppressed"

# Bytes 6 and 8 of a UUID of version 8, by the byte of the digest (RFC 9562, section 5.8).
_VERSION_8 = [bytes([byte & 0x0F | 0x80]) for byte in range(256)]
_VARIANT = [bytes([byte & 0x3F | 0x80]) for byte in range(256)]


class Reason(StrEnum):
    """Why a number is suppressed."""

    MANUAL = "MANUAL"
    """The organization wants it so."""
    OPT_OUT = "OPT_OUT"
    """The person wants it so."""
    CARRIER = "CARRIER"
    """The carrier wants it so."""


class Restoration(StrEnum):
    """Why a number is no longer suppressed."""

    MANUAL = "MANUAL"
    OPT_IN = "OPT_IN"


STRENGTH: dict[Reason, int] = {Reason.OPT_OUT: 0, Reason.CARRIER: 1, Reason.MANUAL: 2}
"""Of two reasons for one scope the stronger stands: a person's opt-in must not undo what others decided."""

# --- Events -----------------------------------------------------------------------------------------------
# Stored format: change only by adding fields with defaults, or by adding a version with an upcaster.


class Suppressed(Event, frozen=True, kw_only=True):
    """From now on nothing is sent to the number from the senders in `scope`."""

    organization_id: str
    number: Annotated[str, PERSONAL]
    scope: str
    reason: Reason
    keyword: str | None = None
    """As it stands in the list of keywords, for an opt-out by message."""
    message_id: UUID | None = None
    """The inbound message with the keyword."""
    key_id: str | None = None
    """The API key that suppressed it (its id, never the key)."""
    note: Annotated[str | None, PERSONAL] = None


class Restored(Event, frozen=True, kw_only=True):
    """The suppression in `scope` is over."""

    organization_id: str
    number: Annotated[str, PERSONAL]
    scope: str
    reason: Restoration
    keyword: str | None = None
    message_id: UUID | None = None
    key_id: str | None = None
    note: Annotated[str | None, PERSONAL] = None


ConsentEvent: TypeAlias = Suppressed | Restored

CONSENT_EVENTS: EventTypes[Event] = EventTypes(
    {"consent.suppressed.v1": Suppressed, "consent.restored.v1": Restored}
)

# --- State, and how events change it ----------------------------------------------------------------------


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What stands between an organization and a number. Version 0: nothing was ever said."""

    organization_id: str
    number: str
    version: int = 0
    suppressions: Mapping[str, Suppressed] = {}
    """By scope, in the order in which they came."""

    @property
    def consent_id(self) -> UUID:
        """The aggregate's id."""
        return consent_id(self.organization_id, self.number)


def consent_id(organization_id: str, number: str) -> UUID:
    """The id of the consent between an organization and a number (E.164): always the same, a UUID of version 8."""
    return UUID(bytes=consent_key(organization_id, number))


def consent_key(organization_id: str, number: str) -> bytes:
    """The 16 bytes of `consent_id`; made for every message that is accepted, and several times as fast."""
    digest = hashlib.sha256(f"consent\0{organization_id}\0{number}".encode()).digest()
    return digest[:6] + _VERSION_8[digest[6]] + digest[7:8] + _VARIANT[digest[8]] + digest[9:16]


def sender_scope(sender: str, *, pooled: bool) -> str:
    """The narrowest scope that `sender` is in; it is also in ALL."""
    return POOL if pooled else sender


def strongest(suppressions: Iterable[Suppressed]) -> Reason | None:
    """The reason that counts where several stand; None: there is none."""
    return max((one.reason for one in suppressions), key=STRENGTH.__getitem__, default=None)


def covers(consent: Consent, scope: str) -> bool:
    """Whether messages of `scope` are kept from the number."""
    return ALL in consent.suppressions or scope in consent.suppressions


def evolve(state: Consent, event: Event) -> Consent:
    """The state after one more event. Raises CorruptConsent for an event of another aggregate."""
    others = {
        scope: one for scope, one in state.suppressions.items() if scope != getattr(event, "scope", None)
    }
    if isinstance(event, Suppressed):
        others[event.scope] = event
    elif not isinstance(event, Restored):
        raise CorruptConsent(version=state.version + 1)
    return replace(state, version=state.version + 1, suppressions=others)


def fold(organization_id: str, number: str, events: Iterable[Event]) -> Consent:
    """The state after `events` in version order."""
    state = Consent(organization_id=organization_id, number=number)
    for event in events:
        state = evolve(state, event)
    return state


# --- Decisions --------------------------------------------------------------------------------------------


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Who or what is behind a change: a keyword of an inbound message, or an API key."""

    keyword: str | None = None
    message_id: UUID | None = None
    key_id: str | None = None
    note: str | None = None


def suppress(
    consent: Consent, *, reason: Reason, cause: Cause, at: datetime, scope: str = ALL
) -> Sequence[Event]:
    """Keep messages of `scope` from the number. Nothing where that stands already for as strong a reason.

    A scope that ALL covers is recorded all the same: what the person said holds when ALL is taken back by an opt-in.
    """
    standing = consent.suppressions.get(scope)
    if standing is not None and STRENGTH[standing.reason] >= STRENGTH[reason]:
        return []
    event = Suppressed(
        at=at,
        organization_id=consent.organization_id,
        number=consent.number,
        scope=scope,
        reason=reason,
        keyword=cause.keyword,
        message_id=cause.message_id,
        key_id=cause.key_id,
        note=cause.note,
    )
    return [event]


def restore_all(consent: Consent, *, cause: Cause, at: datetime) -> Sequence[Event]:
    """The organization takes back every suppression of the number, whatever its scope and reason."""
    return [_restored(consent, scope, Restoration.MANUAL, cause, at) for scope in consent.suppressions]


def opt_in(consent: Consent, *, scope: str, cause: Cause, at: datetime) -> Sequence[Event]:
    """The person wants messages of `scope` again.

    That takes back what the person said, in this scope and in ALL; never what the organization or the carrier decided.
    """
    return [
        _restored(consent, standing.scope, Restoration.OPT_IN, cause, at)
        for standing in consent.suppressions.values()
        if standing.scope in (scope, ALL) and standing.reason is Reason.OPT_OUT
    ]


def _restored(consent: Consent, scope: str, reason: Restoration, cause: Cause, at: datetime) -> Restored:
    return Restored(
        at=at,
        organization_id=consent.organization_id,
        number=consent.number,
        scope=scope,
        reason=reason,
        keyword=cause.keyword,
        message_id=cause.message_id,
        key_id=cause.key_id,
        note=cause.note,
    )


# --- Refusals ---------------------------------------------------------------------------------------------


class CorruptConsent(LedgerError):
    """The events of a consent have one among them that is none of its own."""

    message = "a consent has a history that cannot be read at version {version}"
