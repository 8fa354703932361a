"""What calls return: frozen dataclasses with the API's fields in Python's spelling. Times are aware datetimes.

Fields that this release does not know are kept in `extra`, under the API's names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """What all of them have."""

    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Fields that this release does not know, as the service answered them."""
    position: int | None = field(default=None, repr=False, compare=False)
    """Position in the ledger of what was stored or read: a list that is given it shows at least that."""


@dataclass(frozen=True, kw_only=True)
class SendResult(Result):
    """What became of one send. In a batch one per message, in the order sent."""

    to: str
    submitted_at: datetime
    message_id: str | None
    """None where the message was refused."""
    error_code: int
    """0: accepted; 1001 number invalid, 1002 template not found, 1003 template not approved, 1004 no number to send
    from, 1005 SMS not enabled, 1006 recipient opted out."""
    message: str

    @property
    def ok(self) -> bool:
        """Whether it was accepted."""
        return self.error_code == 0


@dataclass(frozen=True, kw_only=True)
class StoredResult(SendResult):
    """What became of a message sent alone: it is stored, else there is an exception."""

    message_id: str


@dataclass(frozen=True, kw_only=True)
class MessageEvent(Result):
    """One step of a message's life."""

    event_type: str
    timestamp: datetime


@dataclass(frozen=True, kw_only=True)
class MessageSummary(Result):
    """A message in a list."""

    message_id: str
    from_: str
    """`from`, which is a word of Python's own."""
    to: str
    status: str
    direction: str
    segments: int
    country: str
    tag: str | None = None
    queued_at: datetime | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Message(MessageSummary):
    """A message with everything known of it."""

    body: str
    provider_message_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    error_code: str | None = None
    error_message: str | None = None
    events: tuple[MessageEvent, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MessagePage(Result):
    """A page of messages, newest first; iterating over it gives them."""

    total_count: int
    """Of all that fit, not of those on the page."""
    messages: tuple[MessageSummary, ...]
    next_cursor: str | None = None
    """Leads to the next page; None on the last."""

    def __iter__(self) -> Iterator[MessageSummary]:
        """The messages of this page."""
        return iter(self.messages)


@dataclass(frozen=True, kw_only=True)
class MessageHistory(Result):
    """A message's events as CloudEvents 1.0, in version order."""

    message_id: str
    events: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class InboundMessage(Result):
    """A message that came in."""

    message_id: str
    from_: str
    to: str
    body: str
    received_at: datetime
    provider_message_id: str | None = None
    in_reply_to: str | None = None
    """The message sent that it probably answers."""


@dataclass(frozen=True, kw_only=True)
class InboundPage(Result):
    """A page of messages that came in, newest first; iterating over it gives them."""

    total_count: int
    messages: tuple[InboundMessage, ...]
    next_cursor: str | None = None

    def __iter__(self) -> Iterator[InboundMessage]:
        """The messages of this page."""
        return iter(self.messages)


@dataclass(frozen=True, kw_only=True)
class ForcingCharacter(Result):
    """A character that GSM-7 does not have, so that the whole message needs UCS-2."""

    character: str
    code_point: str
    index: int


@dataclass(frozen=True, kw_only=True)
class Preview(Result):
    """What a send would do; nothing was stored."""

    to: str
    from_: str
    from_reason: str
    country: str
    body: str
    encoding: str
    """GSM_7 or UCS_2."""
    segments: int
    forcing_characters: tuple[ForcingCharacter, ...] = ()
    template_id: int
    template_version: int
    blocked: bool
    blocked_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Suppression(Result):
    """Nothing is sent to this number."""

    phone_number: str
    reason: str
    """MANUAL, OPT_OUT or CARRIER."""
    scope: str
    """ALL, POOL, or the one sender number it is about."""
    created_at: datetime
    suppressed: bool = True
    keyword: str | None = None
    message_id: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class SuppressionStatus(Result):
    """Whether something is sent to a number."""

    phone_number: str
    suppressed: bool
    reason: str | None = None
    suppressions: tuple[Suppression, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SuppressionPage(Result):
    """A page of suppressions, newest first; iterating over it gives them."""

    total_count: int
    suppressions: tuple[Suppression, ...]
    next_cursor: str | None = None

    def __iter__(self) -> Iterator[Suppression]:
        """The suppressions of this page."""
        return iter(self.suppressions)


@dataclass(frozen=True, kw_only=True)
class SuppressionHistory(Result):
    """Who or what opted a number out or in, as CloudEvents 1.0, in version order."""

    phone_number: str
    events: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Webhook(Result):
    """Where the organization is told what becomes of its messages."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    active: bool
    created_at: datetime
    updated_at: datetime
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class CreatedWebhook(Webhook):
    """A new webhook with its secret, which is shown this once."""

    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class WebhookList(Result):
    """All webhooks of the organization, newest first; iterating over it gives them."""

    total_count: int
    webhooks: tuple[Webhook, ...]

    def __iter__(self) -> Iterator[Webhook]:
        """The webhooks."""
        return iter(self.webhooks)
