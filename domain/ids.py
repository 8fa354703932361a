"""How ids are written for people: `sms_` and 26 characters of Crockford's base 32 over a UUID (as in TypeID).

It makes no ids; UUIDs (version 7, so that they sort by time) are passed in.
"""

from uuid import UUID

from .errors import LedgerError

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_VALUES = {c: i for i, c in enumerate(_ALPHABET)}
_SHIFTS = tuple(range(120, -1, -10))

OUTBOUND_PREFIX = "sms_"
INBOUND_PREFIX = "sms_inb_"


class InvalidMessageId(LedgerError):
    """A text is not a message id of this ledger."""

    message = "not a message id: expected sms_ and 26 lower-case letters and digits"


def render_message_id(message_id: UUID, *, inbound: bool = False) -> str:
    """The id as the API shows it (seed: `sms_abc123`, inbound `sms_inb_abc123`)."""
    number = message_id.int
    text = "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])
    return (INBOUND_PREFIX if inbound else OUTBOUND_PREFIX) + text


def parse_message_id(text: str) -> UUID:
    """The UUID behind an id that the API showed. Raises InvalidMessageId."""
    for prefix in (INBOUND_PREFIX, OUTBOUND_PREFIX):
        if text.startswith(prefix):
            digits = text[len(prefix) :]
            break
    else:
        raise InvalidMessageId
    if len(digits) != 26:
        raise InvalidMessageId
    number = 0
    for char in digits:
        value = _VALUES.get(char)
        if value is None:
            raise InvalidMessageId
        number = number << 5 | value
    if number >> 128:
        raise InvalidMessageId
    return UUID(int=number)
