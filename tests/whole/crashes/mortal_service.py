"""`smsledger up` as a test runs it: started, its processes found, killed and paused by name, started again.

It checks nothing about messages; that is `ledger_oracle.py`.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from smsledger.runtime.ready_file import ReadyFile, read_ready_file
from tests.running_service import clean_environment, lift_rate_limits

from .waiting import wait_until

START_S_MAX = 60.0
STOP_S_MAX = 60.0
RESTART_S_MAX = 45.0
COMMAND = (sys.executable, "-P", "-m", "smsledger.runtime.cli")


class MortalService:
    """One data folder and the `smsledger up` on it."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self._settings = dict(settings)
        self._log = data_dir.with_name(f"{data_dir.name}.log")
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._keys: ReadyFile | None = None
        self._port = 0

    # --- Up and down --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, on the same port as before, and wait until it serves requests."""
        ready_path = self.data_dir.with_name(f"{self.data_dir.name}-ready.json")
        ready_path.unlink(missing_ok=True)
        command = [*COMMAND, "up", "--data", f"{self.data_dir}", "--port", f"{self._port}"]
        with self._log.open("ab") as log:
            self._supervisor = subprocess.Popen(
                [*command, "--ready-file", f"{ready_path}"],
                stdout=log,
                stderr=log,
                env=self.environment(),
            )
        wait_until(
            lambda: ready_path.exists() or self._ended(), "the service is ready", deadline_s=START_S_MAX
        )
        assert not self._ended(), f"`smsledger up` ended: {self._log.read_text()[-2_000:]}"
        self._keys = self._keys or self.ready
        lift_rate_limits(self.ready.postgres_url)
        self._port = int(self.ready.url.rpartition(":")[2])

    def stop(self) -> int:
        """Stop it in order; its exit code."""
        assert self._supervisor is not None
        self._supervisor.send_signal(signal.SIGTERM)
        return self._supervisor.wait(STOP_S_MAX)

    def kill_everything(self) -> None:
        """`kill -9` of the supervisor: the kernel ends its processes with it."""
        assert self._supervisor is not None
        processes = psutil.Process(self._supervisor.pid).children(recursive=True)
        self._supervisor.kill()
        self._supervisor.wait()
        _, alive = psutil.wait_procs(processes, STOP_S_MAX)
        assert not alive, f"still running after the supervisor was killed: {alive}"

    def environment(self) -> dict[str, str]:
        """The environment of its processes, without settings of whoever runs the tests."""
        return clean_environment() | self._settings

    def _ended(self) -> bool:
        return self._supervisor is None or self._supervisor.poll() is not None

    # --- What it is ---------------------------------------------------------------------------------------

    @property
    def ready(self) -> ReadyFile:
        """Its ready file as it is now."""
        ready = read_ready_file(self.data_dir)
        assert ready is not None, "the service is not ready"
        return ready

    @property
    def server_key(self) -> str:
        """A key that may do everything."""
        assert self._keys is not None
        assert self._keys.server_key is not None
        return self._keys.server_key

    def pid(self, name: str) -> int:
        """Of the process `name` as it runs now."""
        return self.ready.pids[name]

    # --- What is done to it -------------------------------------------------------------------------------

    def hit(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the process `name`; nothing where it has ended and its successor is not there yet."""
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.kill(self.pid(name), number)

    def hit_api_worker(self, number: int) -> None:
        """Kill one of the API's worker processes; nothing where the API itself has just been killed."""
        with contextlib.suppress(psutil.NoSuchProcess, ZeroDivisionError, KeyError):
            workers = psutil.Process(self.pid("api")).children()
            workers[number % len(workers)].kill()

    def wait_restarted(self, name: str, pid: int) -> None:
        """Until the supervisor has started another process in place of `pid`."""
        wait_until(
            lambda: not self._ended() and self.pid(name) != pid and psutil.pid_exists(self.pid(name)),
            f"{name} is started again",
            deadline_s=RESTART_S_MAX,
        )

    def log_text(self) -> str:
        """What the supervisor and its processes said."""
        logs = [self._log, *sorted((self.data_dir / "logs").glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-4_000:]}" for log in logs)


@contextlib.contextmanager
def second_worker(service: MortalService, roles: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process for `roles` beside the service's own, on the same PostgreSQL, NATS and simulator."""
    ready = service.ready
    environment = service.environment() | {
        "SMSLEDGER_POSTGRES_URL": ready.postgres_url,
        "SMSLEDGER_NATS_URL": ready.nats_url,
        "SMSLEDGER_SIMULATOR_URL": ready.simulator_url,
    }
    with service.data_dir.with_name(f"second-{roles}.log").open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, "worker", "--roles", roles], stdout=log, stderr=log, env=environment
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
