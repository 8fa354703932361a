"""A TCP proxy between a client and a real server that fails on command: cuts, swallows, delays, goes silent.

It listens on a free port of the loopback and connects to a TCP port or a unix socket. It understands no
protocol: a request is known by bytes that the test chose.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

CHUNK_BYTES = 65_536


class Fault(Enum):
    """What happens to the request that a test waits for."""

    DROP_REQUEST = "the server never sees it"
    DROP_ANSWER = "the server acts on it, and its answer is lost"


class _Pair:
    """One client's connection and its way on to the server."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.answer_dropped = False

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


class TcpProxy:
    """Passes everything on until told otherwise. `port` is where clients connect."""

    def __init__(self, upstream: str | tuple[str, int]) -> None:
        self._upstream = upstream
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._marker: bytes | None = None
        self._fault = Fault.DROP_REQUEST
        self._refuse_after = False
        self.port = 0
        self.refusing = False
        """New connections are closed at once, as by a server that is down."""
        self.delay_s = 0.0
        """Before each piece is passed on, either way."""
        self.struck = asyncio.Event()
        """The fault that `strike` ordered has happened, and the connection is cut."""

    def strike(self, marker: bytes, fault: Fault, *, then_refuse: bool = False) -> None:
        """Let the next request that contains `marker` meet `fault`, and cut its connection; once."""
        self._marker, self._fault, self._refuse_after = marker, fault, then_refuse
        self.struck.clear()

    def cut(self) -> None:
        """Reset every connection."""
        for pair in list(self._pairs):
            pair.cut()

    def blackhole(self) -> None:
        """Keep connections open, accept more, and pass nothing on."""
        self._flowing.clear()

    def flow(self) -> None:
        """End `blackhole` and refusals."""
        self.refusing = False
        self._flowing.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["TcpProxy"]:
        """Accept connections within this context."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self.refusing:
            to_client.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            from_server, to_server = await self._connect()
            pair = _Pair(to_client, to_server)
            self._pairs.add(pair)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass_requests(from_client, pair))
                    group.create_task(self._pass_answers(from_server, pair))
            finally:
                self._pairs.discard(pair)
                pair.cut()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._upstream, str):
            return await asyncio.open_unix_connection(self._upstream)
        return await asyncio.open_connection(*self._upstream)

    async def _pass_requests(self, source: asyncio.StreamReader, pair: _Pair) -> None:
        tail = b""
        while data := await self._read(source):
            seen = tail + data
            if self._marker is not None and self._marker in seen:
                self._marker = None
                if self._fault is Fault.DROP_REQUEST:
                    self._struck(pair)
                    return
                pair.answer_dropped = True
            tail = seen[-256:]
            pair.server.write(data)
            await pair.server.drain()
        pair.cut()

    async def _pass_answers(self, source: asyncio.StreamReader, pair: _Pair) -> None:
        while data := await self._read(source):
            if pair.answer_dropped:
                self._struck(pair)
                return
            pair.client.write(data)
            await pair.client.drain()
        pair.cut()

    async def _read(self, source: asyncio.StreamReader) -> bytes:
        try:
            data = await source.read(CHUNK_BYTES)
        except OSError:
            return b""
        if self.delay_s:
            await asyncio.sleep(self.delay_s)  # the fault itself, not a way to wait for something
        await self._flowing.wait()
        return data

    def _struck(self, pair: _Pair) -> None:
        self.refusing = self.refusing or self._refuse_after
        pair.cut()
        self.struck.set()
