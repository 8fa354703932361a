"""Starts and stops the bare HTTP floor's server (`http_server.py`) for a measurement."""

import socket
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from benchmarks.processes import RoleProcesses
from benchmarks.result import MeasurementFailed

READY_S_MAX = 30.0
STOP_S = 5.0


class HttpFloor:
    """The floor's server, while the context is entered."""

    host = "127.0.0.1"
    port: int
    processes: RoleProcesses

    def __enter__(self) -> Self:
        """Start it at a free port. Raises MeasurementFailed."""
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.port = probe.getsockname()[1]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.floors.http_server", str(self.port)]
        )
        self.processes = RoleProcesses({"floor": self._process.pid})
        deadline = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection((self.host, self.port), 1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        self._stop()
        raise MeasurementFailed("the bare HTTP floor's server did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stop()

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
