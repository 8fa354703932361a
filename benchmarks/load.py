"""A closed-loop HTTP/1.1 load generator: so many connections, each with one request under way.

Raw bytes over asyncio protocols, about 20 µs a request, so that it takes little of the machine that it measures.
"""

import asyncio
import functools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

Request = Callable[[], bytes]


@dataclass
class LoadResult:
    """What a run of load saw. `latencies_s` are in the order of the answers."""

    seconds: float
    answers: int
    failures: int
    latencies_s: list[float] = field(repr=False, default_factory=list)
    last_failure: bytes = b""

    @property
    def per_second(self) -> float:
        """Good answers per second."""
        return (self.answers - self.failures) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """The latency that `share` of the answers stayed under, in milliseconds."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


class _Connection(asyncio.Protocol):
    def __init__(
        self, next_request: Request, result: LoadResult, until: float, ended: asyncio.Future[None]
    ) -> None:
        self._next_request = next_request
        self._result = result
        self._until = until
        self._ended = ended
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has a class of its own
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        start = head.find(b"content-length:")
        length = (
            int(head[start + 15 : (head.find(b"\r\n", start) + 1 or len(head) + 1) - 1]) if start >= 0 else 0
        )
        if len(self._buffer) < head_end + 4 + length:
            return
        result = self._result
        result.answers += 1
        result.latencies_s.append(time.perf_counter() - self._sent_at)
        if not head.startswith(b"http/1.1 20"):
            result.failures += 1
            result.last_failure = self._buffer
        self._buffer = b""
        if time.perf_counter() < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if time.perf_counter() < self._until:
            self._result.failures += 1
            self._result.last_failure = repr(exc).encode()
        if not self._ended.done():
            self._ended.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._next_request())


def _same(connection: _Connection) -> _Connection:
    return connection


async def run_load(
    host: str, port: int, next_request: Request, *, connections: int, seconds: float
) -> LoadResult:
    """Keep `connections` busy for `seconds`."""
    loop = asyncio.get_running_loop()
    result = LoadResult(seconds, 0, 0)
    started = time.perf_counter()
    ends = []
    for _ in range(connections):
        ended: asyncio.Future[None] = loop.create_future()
        ends.append(ended)
        connection = _Connection(next_request, result, started + seconds, ended)
        await loop.create_connection(functools.partial(_same, connection), host, port)
    await asyncio.gather(*ends)
    result.seconds = time.perf_counter() - started
    return result


def post(path: str, body: bytes, key: str) -> bytes:
    """The bytes of a POST request with a JSON body."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(path: str, key: str) -> bytes:
    """The bytes of a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def any_of(requests: Sequence[bytes]) -> Request:
    """Requests made beforehand, in an order that is the same in every run."""
    chance = random.Random(1)
    return lambda: requests[chance.randrange(len(requests))]
