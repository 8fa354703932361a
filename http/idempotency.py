"""The Idempotency-Key header of requests that send: what may stand in it, and what makes two requests the same.

Running a request once is `application/idempotency.py`'s. Source: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
from collections.abc import Iterable

import msgspec

from .errors import InvalidRequest

KEY_CHARACTERS_MAX = 255

_HEADER = b"idempotency-key"
_canonical = msgspec.json.Encoder(order="sorted").encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def idempotency_key(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key of a request; None where it has none. Raises InvalidRequest."""
    given = [value for name, value in headers if name == _HEADER]
    if not given:
        return None
    (value, *others) = given
    if others:  # which of them is meant, a repeat could be read otherwise than the first
        raise InvalidRequest(problem="Idempotency-Key: given more than once")
    if not 1 <= len(value) <= KEY_CHARACTERS_MAX or not all(0x21 <= byte <= 0x7E for byte in value):
        raise InvalidRequest(
            problem=f"Idempotency-Key: expected 1 to {KEY_CHARACTERS_MAX} visible ASCII characters"
        )
    return value.decode()


def fingerprint(path: str, body: bytes) -> bytes:
    """Equal for requests that ask for the same: spaces and the order of fields do not matter."""
    try:
        content = _canonical(msgspec.json.decode(body))
    except _UNREADABLE:  # refused in a moment, or in part: then only the same bytes are the same
        content = body
    return hashlib.sha256(path.encode() + b"\0" + content).digest()
