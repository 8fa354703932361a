"""What every event has in common: how it is marked, stored and found again.

It knows nothing about what events mean; aggregates define theirs and register them in an `EventTypes`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from .errors import LedgerError

PERSONAL = msgspec.Meta(extra={"personal": True})
"""Marks a field of an event as personal data: it can be sealed with the message's key and erased with it."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened. `at` is the ledger's clock when it was decided (UTC, whole milliseconds)."""

    at: datetime


E = TypeVar("E", bound=Event)


class Recorded(msgspec.Struct, Generic[E], frozen=True):
    """An event with its place in the ledger.

    `position` is global, rising in commit order without gaps, from 1; `version` counts the aggregate's own
    events without gaps, from 1; `recorded_at` is the event's `at`.
    """

    position: int
    aggregate_id: UUID
    version: int
    topic: str
    organization_id: str
    recorded_at: datetime
    event: E


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An event as it lies in the ledger, its bytes untouched: for readers that pass it on without looking inside."""

    position: int
    aggregate_id: UUID
    version: int
    topic: str
    organization_id: str
    recorded_at: datetime
    state: bytes


class UnknownEventType(LedgerError):
    """An event was written by a newer release, or its type was removed against the promise."""

    message = "event type {topic} is not known to this release: upgrade before reading it"


class EventTypes(Generic[E]):
    """The stored event types of one aggregate: topic to class and back, bytes in and out.

    A topic is `<aggregate>.<event name>.v<version>` and is stored format for ever.
    """

    def __init__(self, types: dict[str, type[E]]) -> None:
        self.types = types
        self._topics: dict[type[Event], str] = {cls: topic for topic, cls in types.items()}
        self._decoders = {topic: msgspec.json.Decoder(cls) for topic, cls in types.items()}
        self._encoder = msgspec.json.Encoder()

    @classmethod
    def merged(cls, *others: "EventTypes[E]") -> "EventTypes[E]":
        """The event types of several aggregates together; their topics differ."""
        return cls({topic: event for other in others for topic, event in other.types.items()})

    def topic(self, event: E) -> str:
        """The topic that events of this class are stored under."""
        return self._topics[type(event)]

    def encode(self, event: E) -> bytes:
        """The bytes to store; they are never re-encoded afterwards."""
        return self._encoder.encode(event)

    def decode(self, topic: str, state: bytes) -> E:
        """The event in stored bytes. Raises UnknownEventType, or msgspec.ValidationError for foreign bytes."""
        decoder = self._decoders.get(topic)
        if decoder is None:
            raise UnknownEventType(topic=topic)
        return decoder.decode(state)


def event_name(topic: str) -> str:
    """`message.queued.v1` to `queued`: the part that subjects, webhooks and people use."""
    return topic.split(".", 2)[1]


def aggregate_name(topic: str) -> str:
    """`message.queued.v1` to `message`: what the event happened to."""
    return topic.split(".", 1)[0]


def personal_fields(cls: type[Event]) -> Iterable[str]:
    """The names of the fields that are marked personal, in declaration order."""
    for field in msgspec.inspect.type_info(cls).fields:  # type: ignore[attr-defined]  # a Struct's info has fields
        info: Any = field.type
        if isinstance(info, msgspec.inspect.Metadata) and (info.extra or {}).get("personal"):
            yield field.name


def to_milliseconds(moment: datetime) -> datetime:
    """`moment` in UTC, cut to whole milliseconds: the precision that the API shows and events keep."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
