"""The system under test: the real `smsledger up`, in a data folder of its own, at a free port."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec
import psycopg

from .processes import RoleProcesses
from .result import MeasurementFailed

READY_S_MAX = 120.0
RATE_LIMIT = 1_000_000
"""Requests a second: so many that none is refused, and all are counted."""
_LIMIT_RATES = """
UPDATE organizations SET rate_limits = jsonb_build_object(
    'send', %(limit)s::int, 'batch', %(limit)s::int, 'read', %(limit)s::int
)
"""
STOP_S = 2.0
"""An orderly end may take this long; what is left in the data folder is thrown away in any case."""
KILLED_S = 20.0


class Ready(msgspec.Struct, frozen=True):
    """What the measurements need of the ready file."""

    url: str
    server_key: str
    postgres_url: str
    nats_url: str
    pids: dict[str, int]

    @property
    def host(self) -> str:
        """Where requests go."""
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        """Where requests go."""
        return urlsplit(self.url).port or 80


class Service:
    """Runs while the context is entered."""

    ready: Ready
    processes: RoleProcesses

    def __enter__(self) -> Self:
        """Start, and wait until requests are served. Raises MeasurementFailed."""
        self._folder = Path(tempfile.mkdtemp(prefix="smsledger-bench-"))
        ready_path = self._folder / "bench-ready.json"
        command = [sys.executable, "-P", "-m", "smsledger.runtime.cli", "up"]
        options = ["--port", "0", "--data", str(self._folder / "data"), "--ready-file", str(ready_path)]
        self._log = (self._folder / "up.log").open("wb")
        self._process = subprocess.Popen(
            [*command, *options],
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if not name.startswith("SMSLEDGER_")},
            start_new_session=True,
        )
        try:
            self.ready = self._wait(ready_path)
        except BaseException:
            self._stop()
            raise
        self.processes = RoleProcesses(self.ready.pids)
        self.limit_rates(RATE_LIMIT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and remove the data."""
        self._stop()

    def limit_rates(self, per_second: int) -> None:
        """Give the organization this limit for every class of endpoint; 0: none. It holds within a second."""
        with psycopg.connect(self.ready.postgres_url) as conn:
            conn.execute(_LIMIT_RATES, {"limit": per_second})

    def log_tail(self) -> str:
        """The last lines that the service wrote to its console, save what it prints when it is ready (there is a key in it)."""
        lines = (self._folder / "up.log").read_text(errors="replace").splitlines()
        return "\n".join([line for line in lines if not line.startswith("  ")][-10:])

    def _wait(self, ready_path: Path) -> Ready:
        deadline = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline:
            if ready_path.exists():
                return msgspec.json.decode(ready_path.read_bytes(), type=Ready)
            if self._process.poll() is not None:
                raise MeasurementFailed(f"smsledger up ended:\n{self.log_tail()}")
            time.sleep(0.05)
        raise MeasurementFailed(f"smsledger up was not ready within {READY_S_MAX:g} s:\n{self.log_tail()}")

    def _stop(self) -> None:
        """In order, and by a second signal at once where it takes long: measured work may be left undone."""
        for wait_s in (STOP_S, KILLED_S):
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
                try:
                    self._process.wait(wait_s)
                except subprocess.TimeoutExpired:
                    continue
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)
