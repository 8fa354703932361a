"""Takes in messages from phones: finds whose they are, records them once, and does what a keyword asks for.

At-least-once: whoever calls `take` acknowledges to the carrier only afterwards; a repeated message changes nothing,
because its id follows from the carrier's. What an organization's keywords are is `domain/keywords.py`'s.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from smsledger.domain import consent as consents
from smsledger.domain.consent import Cause, Consent, Reason, covers
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event
from smsledger.domain.ids import derived_id
from smsledger.domain.keywords import KeywordKind, Said
from smsledger.domain.message import Message, Queued, Received
from smsledger.domain.phone_number import InvalidPhoneNumber
from smsledger.domain.segments import count_segments
from smsledger.projections.behind import ConversationsBehind

from .accept import NumberReader
from .clock import Clock
from .consent import ConsentBook, consent_append
from .directory import Directory, Organization, OrganizationMissing
from .ledger import MessageLedger
from .ports import (
    Append,
    Appended,
    Appender,
    CarrierInbound,
    Conversations,
    EventReader,
    ParkedInbound,
    SenderOwners,
)

log = structlog.get_logger(__name__)

ATTRIBUTED_WITHIN = timedelta(hours=72)
"""A message that came in belongs to the last one that was sent the other way, if that is not older."""
NO_COUNTRY = "ZZ"
"""Country of a sender that is no phone number (ISO 3166-1 keeps ZZ free)."""
REPLY_REASON = "reply from the number that was written to"
PARKED_BATCH = 200
CONFLICTS_MAX = 8
"""Times a message is decided anew because others changed the consent meanwhile."""
LOOK_S = 5.0
"""Seconds between two looks at what is parked."""


class InboundContended(LedgerError):
    """Others kept changing the consent of the person who wrote: the carrier hands the message over again."""

    message = "the consent of a person changed {conflicts} times while their message was being recorded"


class _Route(msgspec.Struct, frozen=True):
    """Where a message belongs."""

    organization: Organization
    scope: str
    """Of the sender that was written to."""
    pooled: bool
    in_reply_to: UUID | None


class _Person(msgspec.Struct, frozen=True):
    """Who wrote."""

    number: str
    country: str
    can_be_answered: bool


class InboundIntake:
    """The way of a message from a phone into the ledger, the same for every carrier."""

    role = "inbound"

    def __init__(
        self,
        ledger: MessageLedger,
        reader: EventReader,
        appender: Appender,
        directory: Directory,
        owners: SenderOwners,
        conversations: Conversations,
        parked: ParkedInbound,
        numbers: NumberReader,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._appender = appender
        self._directory = directory
        self._owners = owners
        self._conversations = conversations
        self._parked = parked
        self._numbers = numbers
        self._clock = clock
        self._book = ConsentBook(reader, appender, clock)
        self._parked_after = 0
        self._next_look: datetime | None = None

    async def take(self, messages: Sequence[CarrierInbound]) -> None:
        """Record the messages, or park them. Raises only where they must be handed over again."""
        by_person: dict[str, list[CarrierInbound]] = {}
        for message in messages:
            cleaned = _storable(message)
            by_person.setdefault(cleaned.sender, []).append(cleaned)
        outcomes = await asyncio.gather(
            *[self._take_in_order(own) for own in by_person.values()], return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def step(self) -> int:
        """Look again at a page of what is parked, every LOOK_S seconds; how many were recorded."""
        now = self._clock()
        if self._next_look is not None and now < self._next_look <= now + timedelta(seconds=LOOK_S):
            return 0
        found = await self._parked.waiting(self._parked_after, PARKED_BATCH)
        recorded = 0
        contended: InboundContended | None = None
        for number, message in found:
            try:
                if await self._record(message):
                    await self._parked.forget(number)
                    recorded += 1
            except InboundContended as error:  # keeps no other back; raised below, so that it is counted
                contended = error
        self._parked_after = found[-1][0] if found else 0
        if len(found) < PARKED_BATCH:
            self._parked_after = 0
            self._next_look = now + timedelta(seconds=LOOK_S)
        if contended is not None:
            raise contended
        return recorded

    async def _take_in_order(self, messages: Sequence[CarrierInbound]) -> None:
        """One person's messages: STOP and START in the order in which they came."""
        for message in messages:
            try:
                recorded = await self._record(message)
            except ConversationsBehind as behind:  # kept here: carriers do not try for ever
                log.warning("inbound_waits_for_conversations", carrier=message.carrier, error=str(behind))
                await self._parked.park(message)
                continue
            if not recorded:
                log.warning(
                    "inbound_without_organization", carrier=message.carrier, recipient=message.recipient
                )
                await self._parked.park(message)

    async def _record(self, message: CarrierInbound) -> bool:
        """Record one message with what follows from it; False where nobody knows whose it is."""
        person = self._person(message.sender)
        route = await self._route(message, person)
        if route is None:
            return False
        for _ in range(CONFLICTS_MAX):
            if await self._try_record(message, person, route):
                return True
        raise InboundContended(conflicts=CONFLICTS_MAX)

    async def _try_record(self, message: CarrierInbound, person: _Person, route: _Route) -> bool:
        """Record message and consent as one, beside them the reply; False where somebody else changed the consent."""
        organization_id = route.organization.organization_id
        said = route.organization.keywords.said_in(message.body)
        # Read in this order: what was recorded after the consent was read shows as a conflict of its version.
        consent = (await self._book.check(organization_id, person.number)).consent
        message_id = derived_id("inbound", organization_id, message.carrier, message.provider_message_id)
        if await self._is_recorded(message, message_id):
            return True
        at = self._clock()
        received = _received(message, person, route, at)
        events = _changes(consent, said, route.scope, message_id, at)
        if said is not None and said.kind is KeywordKind.OPT_IN:
            taken_back = await self._said_since(consent, message)
            events = [event for event in events if getattr(event, "scope", None) not in taken_back]
        appends = [Append(message_id, organization_id, 1, (received,))]
        if events:
            appends.append(consent_append(consent, events))
        if said is not None and person.can_be_answered:
            appends += _reply(said, received, message_id, route, _after(consent, events))
        recorded, *_ = await self._appender.append(appends)  # a reply that conflicts was sent already
        return isinstance(recorded, Appended)

    async def _is_recorded(self, message: CarrierInbound, message_id: UUID) -> bool:
        """Whether it was recorded before, for whichever organization; messages to phones may have the same carrier's id."""
        known = (await self._reader.by_carrier_references([message.reference])).get(message.reference)
        if known is None:
            return False
        found = await self._reader.load([*{known, message_id}])
        return any(isinstance(events[0].event, Received) for events in found.values())

    async def _said_since(self, consent: Consent, message: CarrierInbound) -> frozenset[str]:
        """Scopes of opt-outs that the person wrote after `message`, by the carrier's time: what could not be taken at
        once comes again after what was written later, and must not undo that.
        """
        written_at = message.provider_at
        said_by = {one.message_id: one.scope for one in consent.suppressions.values() if one.message_id}
        if written_at is None or not said_by:
            return frozenset()
        found = await self._reader.load(list(said_by))
        times = {
            said_by[message_id]: recorded[0].event.provider_at
            for message_id, recorded in found.items()
            if isinstance(recorded[0].event, Received)
        }
        return frozenset(scope for scope, at in times.items() if at is not None and at > written_at)

    def _person(self, sender: str) -> _Person:
        try:
            number = self._numbers.parse(sender)
        except InvalidPhoneNumber:
            return _Person(sender, NO_COUNTRY, can_be_answered=False)
        return _Person(number.e164, number.country, can_be_answered=True)

    async def _route(self, message: CarrierInbound, person: _Person) -> _Route | None:
        """Whose the message is: the owner's of the number, else the only one's, else whose message it answers."""
        owner = await self._owners.owner(message.recipient)
        own = owner.organization_id if owner is not None else None
        own = own or await self._owners.only_organization()
        last = await self._conversations.last_sent(message.recipient, person.number, own)
        organization_id = own or (last[1] if last else None)
        if organization_id is None:
            return None
        try:
            organization = await self._directory.organization(organization_id)
        except OrganizationMissing:
            return None
        answered = (await self._ledger.load_readable([last[0]])).get(last[0]) if last else None
        scope = await self._scope(message.recipient, answered)
        is_recent = last is not None and self._clock() - last[2] <= ATTRIBUTED_WITHIN
        return _Route(
            organization, scope, scope == consents.POOL, last[0] if last is not None and is_recent else None
        )

    async def _scope(self, sender: str, answered: Message | None) -> str:
        """The scope of the sender that was written to; of one that is gone, what it was when it was last used."""
        owner = await self._owners.owner(sender)
        if owner is not None:
            return consents.sender_scope(sender, pooled=owner.organization_id is None)
        return consents.sender_scope(sender, pooled=answered is not None and answered.pooled)


def _storable(message: CarrierInbound) -> CarrierInbound:
    """PostgreSQL's text holds no U+0000, and a message must not be lost for it."""
    texts = (message.provider_message_id, message.sender, message.recipient, message.body)
    if not any("\x00" in text for text in texts):
        return message
    log.warning("inbound_with_nul", carrier=message.carrier)
    provider_message_id, sender, recipient, body = (
        text.replace("\x00", "\N{REPLACEMENT CHARACTER}") for text in texts
    )
    return CarrierInbound(message.carrier, provider_message_id, sender, recipient, body, message.provider_at)


def _received(message: CarrierInbound, person: _Person, route: _Route, at: datetime) -> Received:
    segments = count_segments(message.body)
    return Received(
        at=at,
        organization_id=route.organization.organization_id,
        carrier=message.carrier,
        provider_message_id=message.provider_message_id,
        sender=person.number,
        recipient=message.recipient,
        body=message.body,
        encoding=segments.encoding,
        segments=segments.count,
        country=person.country,
        provider_at=message.provider_at,
        in_reply_to=route.in_reply_to,
    )


def _changes(
    consent: Consent, said: Said | None, scope: str, message_id: UUID, at: datetime
) -> Sequence[Event]:
    """What a keyword changes in a consent."""
    if said is None or said.kind is KeywordKind.HELP:
        return []
    cause = Cause(keyword=said.keyword, message_id=message_id)
    if said.kind is KeywordKind.OPT_OUT:
        return consents.suppress(consent, reason=Reason.OPT_OUT, cause=cause, at=at, scope=scope)
    return consents.opt_in(consent, scope=scope, cause=cause, at=at)


def _after(consent: Consent, events: Sequence[Event]) -> Consent:
    for event in events:
        consent = consents.evolve(consent, event)
    return consent


def _reply_id(said: Said, received: Received, consent: Consent) -> UUID:
    """One reply an hour to a person, from one sender, for one kind of keyword: a second one has the same id.

    So no flood of HELP is answered with a flood. Whatever changed the consent is answered always, and what repeats it
    once an hour together with that: the version that the consent then has is part of the id.
    """
    version = 0 if said.kind is KeywordKind.HELP else consent.version
    hour = received.at.strftime("%Y-%m-%dT%H")
    about = (received.organization_id, received.recipient, received.sender, said.kind, hour, str(version))
    return derived_id("reply", *about)


def _reply(
    said: Said, received: Received, message_id: UUID, route: _Route, consent: Consent
) -> Sequence[Append]:
    """The reply to a keyword, from the number that was written to; to a number that is suppressed, too."""
    text = route.organization.keywords.reply_to(said.kind)
    if not text or not route.organization.sms_enabled:
        return []
    if said.kind is KeywordKind.OPT_IN and covers(consent, route.scope):
        return []  # of who stays suppressed by others it would not be true
    segments = count_segments(text)
    queued = Queued(
        at=received.at,
        organization_id=received.organization_id,
        sender=received.recipient,
        sender_reason=REPLY_REASON,
        recipient=received.sender,
        country=received.country,
        body=text,
        encoding=segments.encoding,
        segments=segments.count,
        template_id=0,
        template_version=0,
        key_id="",
        pooled=route.pooled,
        in_reply_to=message_id,
    )
    return [Append(_reply_id(said, received, consent), received.organization_id, 1, (queued,))]
