"""How ids are written for people: `sms_`, `sms_inb_`, `con_` or `wh_` and 26 characters of Crockford's base 32 over a UUID
(as in TypeID).

New messages have UUIDs of version 7, which sort by time; they are passed in. Made here are only ids that follow from
what they stand for (version 8).
"""

import hashlib
import re
from uuid import UUID

from .errors import LedgerError

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_VALUES = {c: i for i, c in enumerate(_ALPHABET)}
_SHIFTS = tuple(range(120, -1, -10))
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_VERSION_8 = 8 << 76
_VARIANT = 2 << 62
_NOT_FREE = ~((0xF << 76) | (3 << 62))

OUTBOUND_PREFIX = "sms_"
INBOUND_PREFIX = "sms_inb_"
CONSENT_PREFIX = "con_"
WEBHOOK_PREFIX = "wh_"


class InvalidMessageId(LedgerError):
    """A text is not a message id of this ledger."""

    message = (
        "not a message id: expected sms_ and 26 lower-case letters and digits, or a UUID as events have it"
    )


class InvalidId(InvalidMessageId):
    """A text is no id of this ledger."""

    message = "not an id: expected sms_, sms_inb_ or con_ and 26 lower-case letters and digits"


class InvalidWebhookId(LedgerError):
    """A text is not a webhook's id."""

    message = "not a webhook id: expected wh_ and 26 lower-case letters and digits"


def render_message_id(message_id: UUID, *, inbound: bool = False) -> str:
    """The id as the API shows it (seed: `sms_abc123`, inbound `sms_inb_abc123`)."""
    return (INBOUND_PREFIX if inbound else OUTBOUND_PREFIX) + _digits(message_id)


def render_consent_id(consent_id: UUID) -> str:
    """The id of a consent, as events show it."""
    return CONSENT_PREFIX + _digits(consent_id)


def render_aggregate_id(topic: str, aggregate_id: UUID) -> str:
    """The id of what an event with this topic happened to."""
    if topic.startswith("message."):
        # The one event of an inbound message.
        return render_message_id(aggregate_id, inbound=topic.startswith("message.received."))
    return render_consent_id(aggregate_id)


def derived_id(*parts: str) -> UUID:
    """The id of what `parts` name: always the same for the same parts (RFC 9562, section 5.8; SHA-256)."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return UUID(int=int.from_bytes(digest[:16]) & _NOT_FREE | _VERSION_8 | _VARIANT)


def is_inbound_id(text: str) -> bool:
    """Whether an id is written as an inbound message's."""
    return text.startswith(INBOUND_PREFIX)


def parse_message_id(text: str) -> UUID:
    """The UUID behind a message's id that the API showed, or that UUID itself, as the data of events has it.

    Raises InvalidMessageId.
    """
    if _UUID.fullmatch(text):
        return UUID(text)
    for prefix in (INBOUND_PREFIX, OUTBOUND_PREFIX):
        if text.startswith(prefix):
            return _parsed(text[len(prefix) :], InvalidMessageId)
    raise InvalidMessageId


def parse_id(text: str) -> UUID:
    """The UUID behind any id that the ledger showed. Raises InvalidId."""
    for prefix in (INBOUND_PREFIX, OUTBOUND_PREFIX, CONSENT_PREFIX):
        if text.startswith(prefix):
            return _parsed(text[len(prefix) :], InvalidId)
    raise InvalidId


def render_webhook_id(webhook_id: UUID) -> str:
    """The id of a webhook endpoint, as the API shows it."""
    return WEBHOOK_PREFIX + _digits(webhook_id)


def parse_webhook_id(text: str) -> UUID:
    """The UUID behind a webhook endpoint's id. Raises InvalidWebhookId."""
    if not text.startswith(WEBHOOK_PREFIX):
        raise InvalidWebhookId
    return _parsed(text[len(WEBHOOK_PREFIX) :], InvalidWebhookId)


def _digits(value: UUID) -> str:
    number = value.int
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])


def _parsed(digits: str, refusal: type[LedgerError]) -> UUID:
    if len(digits) != 26:
        raise refusal
    number = 0
    for char in digits:
        value = _VALUES.get(char)
        if value is None:
            raise refusal
        number = number << 5 | value
    if number >> 128:
        raise refusal
    return UUID(int=number)
