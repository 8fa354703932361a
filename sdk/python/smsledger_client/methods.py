"""Makes methods of calls: each call is described once, and its method exists in a sync and in an async form."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from .calls import Call, Page, Pages

P = ParamSpec("P")
T = TypeVar("T")


class Connection(Protocol):
    """Makes calls and waits for them."""

    def run(self, call: Call[T]) -> T:
        """The call's result. Raises SmsLedgerError."""
        ...


class AsyncConnection(Protocol):
    """Makes calls."""

    async def run(self, call: Call[T]) -> T:
        """The call's result. Raises SmsLedgerError."""
        ...


class Methods:
    """A part of the client that makes calls."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection


class AsyncMethods:
    """A part of the async client that makes calls."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection


def called(describe: Callable[P, Call[T]]) -> Callable[Concatenate[Methods, P], T]:
    """A method that makes the call."""

    def method(self: Methods, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._connection.run(describe(*args, **kwargs))

    return _described(method, describe)


def awaited(describe: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncMethods, P], Awaitable[T]]:
    """The same to be awaited."""

    async def method(self: AsyncMethods, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._connection.run(describe(*args, **kwargs))

    return _described(method, describe)


def iterated(describe: Callable[P, Pages[T]]) -> Callable[Concatenate[Methods, P], Iterator[T]]:
    """A method that gives the rows of all pages, fetching each page when it is needed."""

    def method(self: Methods, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return _rows(self._connection, describe(*args, **kwargs))

    return _described(method, describe)


def async_iterated(
    describe: Callable[P, Pages[T]],
) -> Callable[Concatenate[AsyncMethods, P], AsyncIterator[T]]:
    """The same for `async for`."""

    def method(self: AsyncMethods, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return _async_rows(self._connection, describe(*args, **kwargs))

    return _described(method, describe)


def _rows(connection: Connection, pages: Pages[T]) -> Iterator[T]:
    cursor: str | None = None
    while True:
        page: Page[T] = connection.run(pages.page(cursor))
        yield from page
        cursor = page.next_cursor
        if cursor is None:
            return


async def _async_rows(connection: AsyncConnection, pages: Pages[T]) -> AsyncIterator[T]:
    cursor: str | None = None
    while True:
        page: Page[T] = await connection.run(pages.page(cursor))
        for row in page:
            yield row
        cursor = page.next_cursor
        if cursor is None:
            return


M = TypeVar("M", bound=Callable[..., Any])


def _described(method: M, describe: Callable[..., Any]) -> M:
    """With the call's name, docstring and parameters, for `help()` and editors."""
    update_wrapper(method, describe)
    signature = inspect.signature(describe)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what `inspect` looks at first
        parameters=[own, *signature.parameters.values()], return_annotation=inspect.Signature.empty
    )
    return method
