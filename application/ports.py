"""What the use cases need from the outside, as Protocols; `adapters/` implements them, `runtime/` joins them.

Only types stand here, no behaviour.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import msgspec

from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event, Recorded, Stored
from smsledger.domain.status import Status


class Guard(msgspec.Struct, frozen=True, gc=False):
    """A condition: the recipient is not suppressed for this sender at the moment of the commit."""

    consent_key: bytes
    """`domain.consent.consent_key` of the recipient."""
    scope: str
    """What the sender falls under, besides ALL: POOL, or the sender itself."""


class ConsentChange(msgspec.Struct, frozen=True):
    """What an append to a consent changes in who is suppressed; written in the same transaction."""

    version: int
    """Of the event that says so."""
    scope: str
    suppressed: bool


class Append(msgspec.Struct, frozen=True, gc=False):
    """Events to store for one aggregate, all or none. `version` is that of the first of them."""

    aggregate_id: UUID
    organization_id: str
    version: int
    events: Sequence[Event]
    guard: Guard | None = None
    consents: Sequence[ConsentChange] = ()


class Once(msgspec.Struct, frozen=True):
    """A condition: the idempotency key was not used within 24 hours. The answer is stored with the events."""

    organization_id: str
    key: str
    fingerprint: bytes
    """Of the request: another request under the same key is a mistake of the client's."""
    answer: bytes
    """The body of the answer that this request is given, and repeats of it."""


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The append is durable; `position` is that of its last event."""

    position: int


class VersionConflict(LedgerError):
    """The aggregate is not at the version before: somebody else appended first. Nothing of this append was stored."""

    message = (
        "version {version} of {aggregate_id} cannot be appended: it exists, or the version before does not"
    )


class RecipientsSuppressed(LedgerError):
    """Some of the guarded recipients must not be sent to. Nothing was stored."""

    message = "{count} of the recipients are suppressed"

    def __init__(self, appends: frozenset[int]) -> None:
        """`appends`: which, by their places in what was to be appended."""
        super().__init__(count=len(appends))
        self.appends = appends


class KeyUsed(LedgerError):
    """The idempotency key was used before, within 24 hours. Nothing was stored."""

    message = "the idempotency key was used before"


class LedgerUnavailable(LedgerError):
    """The event store did not answer in time. Whether the append was stored is not known to the caller."""

    message = "the event store cannot be reached ({reason}): try again"


class LedgerBusy(LedgerError):
    """More is waiting to be stored than the process holds in memory."""

    message = "too many writes are waiting ({waiting} events): try again shortly"


class Appender(Protocol):
    """Where events become durable: the only way to write them."""

    async def append(
        self, appends: Sequence[Append], once: Once | None = None
    ) -> Sequence[Appended | VersionConflict]:
        """Store `appends` in one transaction; a conflict fails only its own append, a condition all of them.

        Returns one result per append, in order, after the commit. Raises RecipientsSuppressed and KeyUsed (nothing
        stored), LedgerBusy (nothing stored) and LedgerUnavailable (outcome not known to the caller).
        """
        ...


class UsedKey(msgspec.Struct, frozen=True):
    """What an idempotency key was used for."""

    fingerprint: bytes
    answer: bytes
    position: int


class UsedKeys(Protocol):
    """Reads back what `Once` stored."""

    async def find(self, organization_id: str, key: str) -> UsedKey | None:
        """What the key was used for within 24 hours; None: nothing."""
        ...


class EventReader(Protocol):
    """Reads events back, in order."""

    async def load(self, aggregate_ids: Sequence[UUID]) -> dict[UUID, list[Recorded[Any]]]:
        """The events of each aggregate, in version order; aggregates without events are left out."""
        ...

    async def history(self, aggregate_id: UUID) -> list[Stored]:
        """All events of one aggregate in version order, not decoded."""
        ...

    async def after(self, position: int, limit: int) -> list[Stored]:
        """Up to `limit` events with positions greater than `position`, in position order, not decoded."""
        ...

    async def last_position(self) -> int:
        """The position of the last event; 0 where there is none."""
        ...

    async def by_carrier_references(self, references: Sequence[str]) -> dict[str, UUID]:
        """The messages behind the carriers' own ids (`<carrier>:<id>`), as far as they are known."""
        ...


class Submission(msgspec.Struct, frozen=True):
    """A message as it is handed to a carrier."""

    message_id: UUID
    """Our own id; carriers that accept an idempotency key or a client reference are given it."""
    sender: str
    recipient: str
    body: str
    attempt: int


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """The carrier took the message on under an id of its own."""

    provider_message_id: str
    provider_at: datetime | None = None


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The carrier will never take this message."""

    error_code: str
    reason: str


class TryLater(msgspec.Struct, frozen=True, tag="try_later"):
    """The carrier certainly did not take the message this time, and may later (rate limit, not connected)."""

    error_code: str
    reason: str
    retry_after_s: float | None = None
    """The carrier's own wish, where it has one."""


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """The answer was lost: the carrier may have taken the message."""

    reason: str


Outcome: TypeAlias = Taken | Refused | TryLater | Unknown


class CarrierReceipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a carrier says later about a message it took, under its own id."""

    carrier: str
    provider_message_id: str
    status: Status
    error_code: str = ""
    reason: str = ""
    provider_at: datetime | None = None

    @property
    def reference(self) -> str:
        """The carrier's id as the event store indexes it (domain.message.carrier_reference)."""
        return f"{self.carrier}:{self.provider_message_id}"


TakeReceipts: TypeAlias = Callable[[Sequence[CarrierReceipt]], Awaitable[None]]


class CarrierInbound(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that came in from a phone, as the carrier hands it over."""

    carrier: str
    provider_message_id: str
    """The carrier's own id: the same when it hands the message over again."""
    sender: str
    """The person's number."""
    recipient: str
    """The number that was written to: one of our senders."""
    body: str
    provider_at: datetime | None = None

    @property
    def reference(self) -> str:
        """The carrier's id as the event store indexes it (domain.message.carrier_reference)."""
        return f"{self.carrier}:{self.provider_message_id}"


TakeInbound: TypeAlias = Callable[[Sequence[CarrierInbound]], Awaitable[None]]


class Carrier(Protocol):
    """What carries messages. One conformance suite runs on every implementation."""

    @property
    def name(self) -> str:
        """The carrier's name in events, such as `simulator`."""
        ...

    @property
    def idempotent(self) -> bool:
        """Whether submitting the same message_id again is safe: the carrier recognises it and answers as before."""
        ...

    @property
    def ready(self) -> bool:
        """Whether beginning an attempt makes sense now (connected). A hint; `submit` tells the truth."""
        ...

    async def submit(self, submission: Submission) -> Outcome:
        """Hand one message over. Never raises for what the carrier or the network does: that is the Outcome.

        Many submissions run at the same time; the implementation batches or windows them on its wire.
        """
        ...

    async def look_up(self, submission: Submission) -> Taken | Refused | Unknown | None:
        """What the carrier knows of an earlier submission of this message_id; None: it certainly has none.

        Unknown where the carrier cannot be asked (not now, or never).
        """
        ...

    async def run(self, take: TakeReceipts, take_inbound: TakeInbound) -> None:
        """Stay connected and hand over receipts, and messages that came in, in batches until cancelled.

        A batch is acknowledged to the carrier only after it was taken; where taking it raises, the carrier sends again.
        """
        ...


class Stream(Protocol):
    """Where events go out to subscribers, in position order."""

    async def last_position(self) -> int | None:
        """The position of the last event in the stream (creating the stream where it is missing).

        0 for a new stream; None where the stream is empty but was not always: then only the ledger's cursor knows.
        """
        ...

    async def publish(self, events: Sequence[Stored]) -> None:
        """Add events as one unit after those that `last_position` or the publish before this one left last.

        Raises StreamMoved where something else was added meanwhile, StreamUnavailable where the outcome is not known.
        """
        ...


class StreamMoved(LedgerError):
    """Somebody else published, or the stream was replaced: find the last position again."""

    message = "the stream does not end where it was left: {reason}"


class StreamAhead(LedgerError):
    """The stream has events that the ledger has not: publishing after them would leave out some of the ledger's."""

    message = (
        "the stream ends at position {position}, the ledger before: the stream is another ledger's, or this ledger "
        "was restored from an older copy; delete the stream, and it is made anew from the ledger"
    )


class StreamUnavailable(LedgerError):
    """The stream did not take the events, or its answer was lost."""

    message = "the stream cannot be reached ({reason})"


class Job(Protocol):
    """A queued message to be dispatched, held until it is finished or given back."""

    @property
    def message_id(self) -> UUID:
        """Which message."""
        ...

    @property
    def redelivered(self) -> bool:
        """Whether it was given out before, to this or another dispatcher."""
        ...

    @property
    def queued(self) -> Stored:
        """The message's Queued event."""
        ...

    async def done(self) -> None:
        """Nothing is left to do for the message."""
        ...

    async def again(self, after_s: float) -> None:
        """Give it out again after a while."""
        ...

    async def still_working(self) -> None:
        """Hold it longer."""
        ...


class JobQueue(Protocol):
    """The durable queue of messages to dispatch, fed by the stream and shared by all dispatchers."""

    async def fetch(self, limit: int, wait_s: float) -> Sequence[Job]:
        """Up to `limit` jobs; empty where none came within `wait_s`. Raises StreamUnavailable."""
        ...


class ParkedReceipts(Protocol):
    """Receipts for carrier ids that no event knows yet."""

    async def park(self, receipts: Sequence[CarrierReceipt]) -> None:
        """Keep them; one that is kept already stays one."""
        ...

    async def known(self, limit: int) -> Sequence[tuple[int, CarrierReceipt, UUID]]:
        """Of those kept, up to `limit` whose message has become known: (number, receipt, message)."""
        ...

    async def forget(self, numbers: Sequence[int]) -> None:
        """They were applied."""
        ...


class ParkedInbound(Protocol):
    """Inbound messages for which no organization is known yet."""

    async def park(self, message: CarrierInbound) -> None:
        """Keep it; one that is kept already stays one."""
        ...

    async def waiting(self, after: int, limit: int) -> Sequence[tuple[int, CarrierInbound]]:
        """Of those kept, up to `limit` with numbers greater than `after`, in their order."""
        ...

    async def forget(self, number: int) -> None:
        """It was recorded."""
        ...


class SenderOwner(msgspec.Struct, frozen=True):
    """Whose a sender is. `organization_id` None: the pool's."""

    organization_id: str | None


class SenderOwners(Protocol):
    """Knows whose the numbers are that people write to."""

    async def owner(self, sender: str) -> SenderOwner | None:
        """Whose `sender` is; None where no such sender is known."""
        ...

    async def only_organization(self) -> str | None:
        """The organization, where the installation has exactly one."""
        ...


class Conversations(Protocol):
    """Knows what was sent between two numbers."""

    async def last_sent(
        self, sender: str, recipient: str, organization_id: str | None
    ) -> tuple[UUID, str, datetime] | None:
        """The newest outbound message from `sender` to `recipient`, of one organization or of any; no blocked one.

        Its id, its organization, and when it was queued. Of any organization it is told for sure or not at all: raises
        ConversationsBehind. Of one, whose it is being known, it is the newest that is known.
        """
        ...
