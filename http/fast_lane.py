"""The lane of the hot requests: they are answered without the framework's routing, request and response objects.

Only the way in and out is short; handlers, decoding, errors and their table are the same as everywhere. What is not
exactly a hot request goes to the framework, which also documents these routes and serves them where the lane is not used.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from litestar import Litestar, Request
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.types import HTTPScope, Message, Receive, Scope, Send

from .answer_headers import answer_headers, with_answer_headers
from .errors import answer_error
from .services import Services

POSITION = b"ledger-position"
REPLAYED = b"idempotency-replayed"
_CONTENT_TYPE = (b"content-type", b"application/json")


class Answer(msgspec.Struct, frozen=True):
    """A good answer: JSON, and the position of what it tells or changed."""

    body: bytes
    position: int | None
    replayed: bool = False
    """It was given before, to a request with the same Idempotency-Key."""


PostHandler: TypeAlias = Callable[[Services, HTTPScope, bytes], Awaitable[Answer]]
GetHandler: TypeAlias = Callable[[Services, HTTPScope, str], Awaitable[Answer]]


class FastLane:
    """An ASGI application around the framework's."""

    def __init__(
        self,
        app: Litestar,
        *,
        posts: Mapping[str, PostHandler],
        gets: tuple[str, str, GetHandler],
        request_body_bytes_max: int,
    ) -> None:
        """`posts`: handlers by exact path; `gets`: a path, what an id after it begins with, and who handles that."""
        self._app = app
        self._posts = posts
        path, id_prefix, self._get = gets
        self._get_prefix, self._get_id_at = path + id_prefix, len(path)
        self._body_bytes_max = request_body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a hot request, or hand it on."""
        hot = self._hot(scope, receive) if scope["type"] == ScopeType.HTTP else None
        if hot is None:
            if scope["type"] == ScopeType.HTTP:
                send = with_answer_headers(scope, send)
            if scope["type"] == ScopeType.HTTP and scope["method"] == "HEAD":
                # As GET, without the body (RFC 9110, section 9.3.2).
                await self._app({**scope, "method": "GET"}, receive, _without_body(send))
            else:
                await self._app(scope, receive, send)
            return
        try:
            answer = await hot
        except Exception as error:  # noqa: BLE001 - the edge of a request: the table of errors answers it
            await send_error(self._app, scope, receive, send, error)
        else:
            await _send(scope, send, answer)

    def _hot(self, scope: HTTPScope, receive: Receive) -> Awaitable[Answer] | None:
        path = scope["path"]
        if scope["method"] == "POST":
            post = self._posts.get(path)
            return None if post is None else self._answer_post(post, scope, receive)
        if scope["method"] == "GET" and path.startswith(self._get_prefix):
            wanted = path[self._get_id_at :]
            return None if "/" in wanted else self._get(self._services, scope, wanted)
        return None

    async def _answer_post(self, handler: PostHandler, scope: HTTPScope, receive: Receive) -> Answer:
        body = await self._read(receive)
        return await handler(self._services, scope, body)

    @property
    def _services(self) -> Services:
        services: Services = self._app.state["services"]
        return services

    async def _read(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise HTTPException(status_code=400, detail="the request was broken off")
            part = message.get("body", b"")
            size += len(part)
            if size > self._body_bytes_max:
                raise RequestEntityTooLarge
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {"type": message["type"], "body": b"", "more_body": message.get("more_body", False)}
        await send(message)

    return send_head


async def send_error(app: Litestar, scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answer an error outside the framework as inside it."""
    scope["app"] = scope["litestar_app"] = app  # as the framework does for its own requests
    request: Request[Any, Any, Any] = Request(scope, receive, send)
    response = answer_error(request, error)
    send = with_answer_headers(scope, send)
    await response.to_asgi_response(app=None, request=request)(scope, receive, send)


async def _send(scope: Scope, send: Send, answer: Answer) -> None:
    headers = [_CONTENT_TYPE, (b"content-length", b"%d" % len(answer.body)), *answer_headers(scope)]
    if answer.position is not None:
        headers.append((POSITION, b"%d" % answer.position))
    if answer.replayed:
        headers.append((REPLAYED, b"true"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
