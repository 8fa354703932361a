"""A worker whose NATS connection is ended for good says so in one line and ends, so that a new one takes its place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from smsledger.runtime.embedded.nats import start_nats
from tests.running_service import clean_environment

from .mortal_service import COMMAND
from .waiting import until

ENDS_S_MAX = 30.0
REFUSAL = b"-ERR 'User Authentication Expired'\r\n"


class Proxy:
    """A way to NATS that can put a line of its own into what the server says."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._clients: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        self._clients.append(writer)
        await asyncio.gather(_pump(reader, to_server), _pump(from_server, writer))

    def say(self, line: bytes) -> None:
        """To every client."""
        for client in self._clients:
            client.write(line)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
    target.close()


@asynccontextmanager
async def _proxy(port: int) -> AsyncIterator[tuple[Proxy, int]]:
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield proxy, server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_worker_that_nats_refuses_for_good_ends_and_says_so(database: str, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    nats = start_nats(tmp_path)
    try:
        async with _proxy(nats.port) as (proxy, port):
            environment = clean_environment(
                postgres_url=database, nats_url=nats.url.replace(f":{nats.port}", f":{port}")
            )
            with log.open("wb") as output:
                worker = await asyncio.create_subprocess_exec(
                    *COMMAND, "worker", "--roles", "publisher", env=environment, stdout=output, stderr=output
                )
            try:
                await until(lambda: b"stream_created" in log.read_bytes(), "it works", deadline_s=ENDS_S_MAX)
                proxy.say(REFUSAL)
                async with asyncio.timeout(ENDS_S_MAX):
                    assert await worker.wait() == 1
            finally:
                if worker.returncode is None:
                    worker.kill()
                    await worker.wait()
    finally:
        nats.stop()
    said = log.read_text()
    assert "NATS ended the connection for good" in said
    assert "Traceback" not in said, said
