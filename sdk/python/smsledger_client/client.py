"""The clients, sync and async: where requests are sent and waited for. What is sent and what it means stands elsewhere."""

from __future__ import annotations

import asyncio
import platform
import time
from importlib.metadata import version
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from . import calls
from .attempts import Attempts, Done, Retries, Wait
from .methods import AsyncMethods, Methods, async_iterated, awaited, called, iterated

T = TypeVar("T")

BASE_URL = "http://127.0.0.1:8080/v1"
"""Of a service started by `smsledger up` on this machine."""
TIMEOUT_S = 15.0
CONNECT_S = 5.0


class Suppressions(Methods):
    """Whom nothing is sent to."""

    list = called(calls.list_suppressions)
    iter = iterated(calls.all_suppressions)
    check = called(calls.check_suppression)
    add = called(calls.add_suppression)
    remove = called(calls.remove_suppression)
    history = called(calls.suppression_history)


class Webhooks(Methods):
    """Where the organization is told what becomes of its messages."""

    list = called(calls.list_webhooks)
    create = called(calls.create_webhook)
    get = called(calls.get_webhook)
    update = called(calls.update_webhook)
    delete = called(calls.delete_webhook)


class Sms(Methods):
    """Messages."""

    send = called(calls.send)
    send_batch = called(calls.send_batch)
    preview = called(calls.preview)
    get = called(calls.get)
    events = called(calls.events)
    list = called(calls.list_messages)
    iter = iterated(calls.all_messages)
    list_inbound = called(calls.list_inbound)
    iter_inbound = iterated(calls.all_inbound)

    def __init__(self, connection: HttpConnection) -> None:
        super().__init__(connection)
        self.suppressions = Suppressions(connection)
        self.webhooks = Webhooks(connection)


class AsyncSuppressions(AsyncMethods):
    """Whom nothing is sent to."""

    list = awaited(calls.list_suppressions)
    iter = async_iterated(calls.all_suppressions)
    check = awaited(calls.check_suppression)
    add = awaited(calls.add_suppression)
    remove = awaited(calls.remove_suppression)
    history = awaited(calls.suppression_history)


class AsyncWebhooks(AsyncMethods):
    """Where the organization is told what becomes of its messages."""

    list = awaited(calls.list_webhooks)
    create = awaited(calls.create_webhook)
    get = awaited(calls.get_webhook)
    update = awaited(calls.update_webhook)
    delete = awaited(calls.delete_webhook)


class AsyncSms(AsyncMethods):
    """Messages."""

    send = awaited(calls.send)
    send_batch = awaited(calls.send_batch)
    preview = awaited(calls.preview)
    get = awaited(calls.get)
    events = awaited(calls.events)
    list = awaited(calls.list_messages)
    iter = async_iterated(calls.all_messages)
    list_inbound = awaited(calls.list_inbound)
    iter_inbound = async_iterated(calls.all_inbound)

    def __init__(self, connection: AsyncHttpConnection) -> None:
        super().__init__(connection)
        self.suppressions = AsyncSuppressions(connection)
        self.webhooks = AsyncWebhooks(connection)


class Transactional:
    """A client of one organization. Safe to share between threads; use it as a context manager, or close it."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = BASE_URL,
        timeout: float | httpx.Timeout = TIMEOUT_S,
        retries: int | Retries = 3,
        http_client: httpx.Client | None = None,
    ) -> None:
        """`timeout`: seconds that an attempt may be silent (15); `retries`: attempts after the first.

        `http_client` is for proxies, certificates and the like; closing it is then yours. A `base_url` without a path
        gets `/v1`. Raises ValueError where key or URL cannot be used.
        """
        options = _Options(api_key, base_url, timeout, retries)
        http = httpx.Client() if http_client is None else http_client
        self._owned = http if http_client is None else None
        self.sms = Sms(HttpConnection(http, options))

    def close(self) -> None:
        """Close its connections."""
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Transactional:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()


class AsyncTransactional:
    """The same for asyncio."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = BASE_URL,
        timeout: float | httpx.Timeout = TIMEOUT_S,
        retries: int | Retries = 3,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        """See Transactional."""
        options = _Options(api_key, base_url, timeout, retries)
        http = httpx.AsyncClient() if http_client is None else http_client
        self._owned = http if http_client is None else None
        self.sms = AsyncSms(AsyncHttpConnection(http, options))

    async def aclose(self) -> None:
        """Close its connections."""
        if self._owned is not None:
            await self._owned.aclose()

    async def __aenter__(self) -> AsyncTransactional:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()


Client = Transactional
AsyncClient = AsyncTransactional


class HttpConnection:
    """Sends the attempts of calls over an httpx client."""

    def __init__(self, http: httpx.Client, options: _Options) -> None:
        self._http = http
        self._options = options

    def run(self, call: calls.Call[T]) -> T:
        """The call's result. Raises SmsLedgerError."""
        attempts = Attempts(call, self._options.retries)
        while True:
            try:
                answer: httpx.Response | httpx.RequestError = self._http.request(
                    **self._options.request(call, attempts)
                )
            except httpx.RequestError as failure:
                answer = failure
            match attempts.outcome(answer):
                case Done(value):
                    return value
                case Wait(seconds):
                    time.sleep(seconds)


class AsyncHttpConnection:
    """The same over an async httpx client."""

    def __init__(self, http: httpx.AsyncClient, options: _Options) -> None:
        self._http = http
        self._options = options

    async def run(self, call: calls.Call[T]) -> T:
        """The call's result. Raises SmsLedgerError."""
        attempts = Attempts(call, self._options.retries)
        while True:
            try:
                answer: httpx.Response | httpx.RequestError = await self._http.request(
                    **self._options.request(call, attempts)
                )
            except httpx.RequestError as failure:
                answer = failure
            match attempts.outcome(answer):
                case Done(value):
                    return value
                case Wait(seconds):
                    await asyncio.sleep(seconds)


class _Options:
    """What every request of a client has; the key is nowhere shown."""

    def __init__(
        self, api_key: str, base_url: str, timeout: float | httpx.Timeout, retries: int | Retries
    ) -> None:
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise ValueError("api_key: expected a key as the service gave it")
        self.retries = retries if isinstance(retries, Retries) else Retries(most=retries)
        self._base_url = _with_version(base_url)
        self._timeout = (
            timeout
            if isinstance(timeout, httpx.Timeout)
            else httpx.Timeout(timeout, connect=min(timeout, CONNECT_S))
        )
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Accept": "application/json",
            "User-Agent": f"smsledger-client/{version('smsledger-client')} python/{platform.python_version()}",
        }

    def request(self, call: calls.Call[Any], attempts: Attempts[Any]) -> dict[str, Any]:
        """The arguments of an httpx client's `request`."""
        return {
            "method": call.method,
            "url": self._base_url + call.path,
            "params": dict(call.query) or None,
            "headers": self._headers | attempts.headers,
            "content": attempts.content,
            "timeout": self._timeout,
            "follow_redirects": False,
        }


def _with_version(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"base_url: expected a URL such as {BASE_URL}")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"
