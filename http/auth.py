"""Who is asking: the API key of a request, and whether its kind may do what it asks."""

from collections.abc import Iterable, MutableMapping
from typing import Any

from litestar.types import Scope

from smsledger.application.directory import ApiKey, KeyKind

from .errors import Forbidden, Unauthorized
from .services import Services

SMS_KINDS = frozenset({KeyKind.SENDING, KeyKind.SERVER})
"""Seed "Authentication": both can access the SMS endpoints."""
SERVER_KINDS = frozenset({KeyKind.SERVER})
"""What decides about people and about where their data goes is not for a key that only sends."""
ADMIN_KINDS = frozenset({KeyKind.ADMIN})
"""The whole installation, whichever organization the key belongs to."""

_NEEDED = {SMS_KINDS: "a SENDING or SERVER", SERVER_KINDS: "a SERVER", ADMIN_KINDS: "an ADMIN"}
"""As errors name them; an ADMIN key may do everything."""

_SCOPE_NAME = "smsledger.key"
_BEARER = b"bearer "
_KEY_BYTES_MAX = 200


async def require_key(scope: Scope, services: Services, kinds: frozenset[KeyKind] = SMS_KINDS) -> ApiKey:
    """The key of a request. Raises Unauthorized and Forbidden."""
    key = await find_key(scope, services)
    if key is None:
        raise Unauthorized
    services.key_uses.note(key.key_id)
    if key.kind not in kinds and key.kind is not KeyKind.ADMIN:
        raise Forbidden(needed=_NEEDED[kinds], kind=key.kind)
    return key


async def find_key(scope: Scope, services: Services) -> ApiKey | None:
    """The key of a request, whatever it may do; None where there is no good one. Looked for once a request."""
    named: MutableMapping[str, Any] = scope  # type: ignore[assignment]  # ASGI lets servers and wrappers add names
    key: ApiKey | None = named.get(_SCOPE_NAME)
    if key is None:
        presented = _presented(scope["headers"])
        key = named[_SCOPE_NAME] = await services.directory.key(presented) if presented else None
    return key


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == _BEARER:
            return _text(value[7:].strip())
        if name == b"x-api-key":
            return _text(value.strip())
    return ""


def _text(value: bytes) -> str:
    """What cannot be a key (too long, not ASCII) is none."""
    return value.decode() if len(value) <= _KEY_BYTES_MAX and value.isascii() else ""
