"""Simulators for tests: one on the test's own event loop, and one in a process that can be killed."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import msgspec

from smsledger.adapters.carriers.simulator import protocol as wire
from smsledger.adapters.carriers.simulator.client import SimulatorCarrier
from smsledger.adapters.carriers.simulator.connection import Limits
from smsledger.adapters.carriers.simulator.inject import inject_inbound
from smsledger.adapters.carriers.simulator.scripts import Behaviour
from smsledger.adapters.carriers.simulator.server import serve

from .conformance import Fate

AT_ONCE = Behaviour(answer_ms=0, receipt_ms=0, slow_answer_ms=100, retry_after_ms=10)
PATIENCE = Limits(ack_wait_s=0.1)
ORDINARY = "+4915112345678"

RECIPIENTS = {
    Fate.DELIVERED: "+15005550001",
    Fate.UNDELIVERED: "+15005550002",
    Fate.REFUSED: "+15005550004",
    Fate.RECEIPT_FIRST: "+15005550006",
    Fate.DOUBLED: "+15005550007",
    Fate.THROTTLED_AT_FIRST: "+15005550012",
    Fate.ANSWER_LOST: "+15005550013",
}


class LocalSimulator:
    """A simulator on this event loop, and a carrier that talks to it."""

    recipients = RECIPIENTS

    def __init__(self, folder: Path, behaviour: Behaviour = AT_ONCE, limits: Limits = PATIENCE) -> None:
        self._folder, self._behaviour, self._limits = folder, behaviour, limits
        self.port = 0

    async def start(self) -> None:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()
        self._serving = asyncio.create_task(
            serve(
                "127.0.0.1",
                self.port,
                self._folder,
                self._behaviour,
                ready=ready.set_result,
                stop=self._stop,
                limits=self._limits,
            )
        )
        await asyncio.wait((ready, self._serving), return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            await self._serving
        self.port = ready.result()

    async def stop(self) -> None:
        self._stop.set()
        await self._serving

    def new_carrier(self, **options: Any) -> SimulatorCarrier:
        return SimulatorCarrier(f"tcp://127.0.0.1:{self.port}", **options)


class SimulatorHarness(LocalSimulator):
    """The simulator as the conformance suite wants it."""

    async def start(self) -> None:
        await super().start()
        if not hasattr(self, "carrier"):
            self.carrier = self.new_carrier()

    async def connected(self) -> None:
        await self.carrier.connected()

    async def go_down(self) -> None:
        await self.stop()

    async def come_back(self) -> None:
        await self.start()

    async def sent_counts(self, message_ids: Sequence[UUID]) -> list[int]:
        return await self.carrier.sent_counts(message_ids)

    async def bring_in(self, sender: str, recipient: str, body: str) -> str:
        return await inject_inbound(
            f"tcp://127.0.0.1:{self.port}", sender=sender, recipient=recipient, body=body
        )


class Peer:
    """A bare connection to a simulator, for what the carrier would never do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "Peer":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def bind(cls, port: int, account: str = "smsledger", *, receipts: bool = True) -> "Peer":
        peer = await cls.connect(port)
        peer.send(wire.Bind(account, "peer", receipts=receipts))
        assert await peer.read() == wire.Bound()
        return peer

    def send(self, *frames: wire.ToCarrier) -> None:
        self.writer.write(wire.ENCODER.encode_lines(frames))

    async def read(self) -> Any:
        """The next line; None at the end of the connection."""
        async with asyncio.timeout(20):
            try:
                line = await self.reader.readline()
            except ConnectionError:
                return None
        return msgspec.json.decode(line, type=wire.ToLedger) if line else None

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):  # the simulator may have been faster
            await self.writer.wait_closed()


_PROGRAM = """
import sys
from pathlib import Path
from smsledger.adapters.carriers.simulator.scripts import Behaviour
from smsledger.adapters.carriers.simulator.server import run_simulator
import structlog
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
behaviour = Behaviour(answer_ms=1, receipt_ms=2)
run_simulator("127.0.0.1", int(sys.argv[2]), Path(sys.argv[1]), behaviour, ready=lambda port: print(port, flush=True))
"""


class SimulatorProcess:
    """A simulator in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0

    async def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: ASYNC220  # does not wait for the process
            [sys.executable, "-c", _PROGRAM, str(self._folder), str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(await asyncio.to_thread(self._process.stdout.readline))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals) -> int:
        """End it with a signal; its exit code."""
        os.kill(self._process.pid, number)
        code = await asyncio.to_thread(self._process.wait)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code
