"""A plain HTTP/1.1 client for one connection and one request at a time; for closed loops that look at answers."""

import asyncio
from types import TracebackType
from typing import Self

from .result import MeasurementFailed


class HttpConnection:
    """Open while the context is entered."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def __aenter__(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=2**20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._writer.close()

    async def request(self, request: bytes) -> bytes:
        """The body of the answer. Raises MeasurementFailed unless its status is 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        body = await self._reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise MeasurementFailed(f"a request was answered {head[:40]!r} {body[:300]!r}")
        return body
