"""Rate limits on the way in, and their headers on the way out: an ASGI application around all lanes of the SMS API.

Which window a request counts for, and nothing else; whether it may go on is `application/rate_limits.py`. A request
without a good key is let through to be refused.
"""

import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Receive, Scope, Send
from litestar.utils.path import normalize_path

from smsledger.application.directory import ApiKey, Organization, OrganizationMissing
from smsledger.application.rate_limits import Admission, EndpointClass, RateLimited

from .answer_headers import Header, answer_headers
from .auth import find_key
from .errors import error_body
from .fast_lane import send_error
from .services import Services

LANES, BATCH = "/v1/sms", "/v1/sms/batch"
"""What is limited begins with the first."""
LIMIT, REMAINING, RESET, RETRY_AFTER = (
    b"x-ratelimit-limit",
    b"x-ratelimit-remaining",
    b"x-ratelimit-reset",
    b"retry-after",
)
WHOLE_AGAIN_S = 1.1
"""So long after a request at most, its slot is free again; see the lease in `application/rate_limits.py`."""

App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_encode = msgspec.json.Encoder().encode


class LimitedLanes:
    """Around `lanes`, for the application whose services and errors they share."""

    def __init__(self, lanes: App, app: Litestar, *, request_body_bytes_max: int) -> None:
        self._lanes = lanes
        self._app = app
        self._body_bytes_max = request_body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on if its organization's limit allows."""
        if scope["type"] != ScopeType.HTTP or not (path := served_path(scope["path"])).startswith(LANES):
            await self._lanes(scope, receive, send)
            return
        services: Services = self._app.state["services"]
        try:
            key = await find_key(scope, services)
            organization = None if key is None else await _organization(key, services)
            endpoint_class = endpoint_class_of(scope["method"], path)
            limit = 0 if organization is None else getattr(organization.rate_limits, endpoint_class)
            if organization is None or limit == 0:
                await self._lanes(scope, receive, send)
                return
            admission = await services.rates.admit(organization.organization_id, endpoint_class, limit)
        except Exception as error:  # noqa: BLE001 - the edge of a request: the table of errors answers it
            await send_error(self._app, scope, receive, send, error)
            return
        answer_headers(scope).extend(_headers(admission))
        if not admission.admitted:
            await self._drain(receive)
            await _refuse(scope, send, endpoint_class, admission)
            return

        try:
            await self._lanes(scope, receive, send)
        finally:
            admission.end()

    async def _drain(self, receive: Receive) -> None:
        """Read the body away: a connection is kept only after it."""
        size = 0
        while size <= self._body_bytes_max:
            message: Any = await receive()
            size += len(message.get("body", b""))
            if not message.get("more_body", False):
                return


def served_path(path: str) -> str:
    """What the framework takes `path` for: slashes that are doubled or at the end do not count."""
    return normalize_path(path) if "//" in path or path[-1:] == "/" else path


def endpoint_class_of(method: str, path: str) -> EndpointClass:
    """Reads, batches, and everything else: sending, previews, changes. `path` as it is served."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return "read"
    return "batch" if path == BATCH else "send"


async def _organization(key: ApiKey, services: Services) -> Organization | None:
    try:
        return await services.directory.organization(key.organization_id)
    except OrganizationMissing:
        return None


def _headers(admission: Admission) -> tuple[Header, Header, Header]:
    reset = int(time.time() + WHOLE_AGAIN_S) + 1
    return _limit(admission.limit), (REMAINING, b"%d" % admission.remaining), _reset(reset)


@lru_cache(1_000)
def _limit(limit: int) -> Header:
    return LIMIT, b"%d" % limit


@lru_cache(4)
def _reset(at: int) -> Header:
    return RESET, b"%d" % at


async def _refuse(scope: HTTPScope, send: Send, endpoint_class: EndpointClass, admission: Admission) -> None:
    error = RateLimited(limit=admission.limit, endpoint_class=endpoint_class)
    body = _encode(error_body(error))
    head = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (RETRY_AFTER, b"%d" % admission.retry_after_s),
        *answer_headers(scope),
    ]
    shown = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.start", "status": 429, "headers": head})
    await send({"type": "http.response.body", "body": shown, "more_body": False})
