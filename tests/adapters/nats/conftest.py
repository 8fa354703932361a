"""A connection to the session's NATS, a stream of the test's own, and a server of its own for tests that end it."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import nats.js.errors
import pytest
from nats.aio.client import Client

from smsledger.adapters.nats.connection import connect_nats
from smsledger.runtime.embedded.nats import EmbeddedNats, start_nats


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await connect_nats(nats_url, "test")
    yield client
    await client.close()


@pytest.fixture
async def stream_name(client: Client) -> AsyncIterator[str]:
    """A name no other test uses; the stream, if the test makes it, is deleted afterwards."""
    name = f"TEST_{secrets.token_hex(6)}"
    yield name
    with contextlib.suppress(nats.js.errors.NotFoundError):
        await client.jetstream().delete_stream(name)


class MortalNats:
    """A server that a test can kill and start again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: EmbeddedNats = start_nats(folder)
        self.url = self._server.url

    def kill(self) -> None:
        """As by SIGKILL; returns when it is gone."""
        self._server.process.kill()
        self._server.process.wait(10)

    def start(self) -> None:
        """Start it again."""
        self._server = start_nats(self._folder)
        assert self._server.url == self.url

    def stop(self) -> None:
        """In good order."""
        self._server.stop()


@pytest.fixture
def mortal_nats(tmp_path: Path) -> Iterator[MortalNats]:
    server = MortalNats(tmp_path)
    yield server
    server.stop()


async def until(condition: Callable[[], bool], wait_s: float = 15.0) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(wait_s):
        while not condition():  # noqa: ASYNC110  # nats-py sets no event that a test could wait for
            await asyncio.sleep(0.01)
