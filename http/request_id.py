"""Names every request: `X-Request-Id` as the client gave it, or made here, stands on its answer and in what is logged of it.

It wraps the whole application, so that no answer goes without, and keeps nothing.
"""

from collections.abc import Iterable, MutableMapping
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from uuid_utils import uuid7

from .answer_headers import answer_headers

REQUEST_ID_CHARACTERS_MAX = 128
SCOPE_NAME = "smsledger.request_id"

_HEADER = b"x-request-id"


class RequestIds:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, with its id in the scope and on the answer."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id = _given(scope["headers"]) or uuid7().hex.encode()
        named: MutableMapping[str, Any] = scope  # type: ignore[assignment]  # ASGI lets servers and wrappers add names
        named[SCOPE_NAME] = request_id.decode()

        answer_headers(scope).append((_HEADER, request_id))
        await self._app(scope, receive, send)


def _given(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The client's id; one that a header or a log line could not hold as it is, is as good as none."""
    for name, value in headers:
        if name == _HEADER:
            good = 1 <= len(value) <= REQUEST_ID_CHARACTERS_MAX and all(
                0x21 <= byte <= 0x7E for byte in value
            )
            return value if good else None
    return None
