"""What `smsledger up` does: the whole service on one machine, its processes in order up, watched, and in order down.

It starts PostgreSQL and NATS where no URL is given, and one process for each role, the API and the simulator. It
handles no messages. How one process is watched is `children.py`'s.
"""

import asyncio
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg

from smsledger.adapters.postgres.migrate import migrate
from smsledger.domain.errors import LedgerError

from .children import RAPID_ENDS_MAX, Child, Command, Restarts, Running
from .embedded.data_folder import lock_data_folder
from .embedded.nats import start_nats
from .embedded.postgres import start_postgres
from .process_logs import ProcessLog
from .reachability import free_port, postgres_unreachable, require_nats, require_postgres
from .readiness import reachable_host, why_not_ready
from .ready_file import READY_FILE, ReadyFile, remove_private, write_ready_file
from .remembered import demo_keys, simulator_port
from .roles import ROLES
from .settings import Settings
from .stop_signals import Interrupted, StopSignals

LOOK_S = 0.2
READY_S_MAX = 120.0
ENDS_BEFORE_READY_MAX = 4
"""A process that ends this often before the service was ever ready will not get better by waiting."""

STOP_S = {"api": 15.0, "dispatcher": 12.0, "publisher": 8.0, "projector": 8.0, "simulator": 5.0}
STOP_SERVERS_S = {"nats": 10.0, "postgres": 30.0}
"""Deadlines of an orderly end, in the order of ending: first no new requests, last the databases."""
STOP_IN_VAIN_S = 1.0


class NotReady(LedgerError):
    """The service's processes run, and do not become ready."""

    message = "the service did not become ready within {seconds:g} s: {reason} (logs: {logs})"


class MovedAway(LedgerError):
    """A restarted server has another address than the processes that use it were given."""

    message = "{name} came back at another address: start `smsledger up` again"


class Supervisor:
    """One run of `smsledger up`."""

    def __init__(
        self,
        settings: Settings,
        *,
        ready_path: Path | None,
        announce: Callable[[ReadyFile], None],
        say: Callable[[str], None],
    ) -> None:
        self._data_dir = Path(settings.data_dir).expanduser().absolute()
        self._settings = settings
        self._ready_paths = [self._data_dir / READY_FILE, *([ready_path.absolute()] if ready_path else [])]
        self._announce = announce
        self._say = say
        self._children: list[Child] = []
        self._ready: ReadyFile | None = None
        self._signals = StopSignals()

    def run(self) -> int:
        """Everything from the first check to the last process's end; the exit code.

        Raises LedgerError where something is in the way; nothing is left running then.
        """
        with self._signals as signals, lock_data_folder(self._data_dir):
            try:
                self._forget_last_run()
                self._start(signals)
                while not signals.requests:
                    signals.wait(LOOK_S)
                    self._look_after_all()
                self._say("stopping")
            except Interrupted:
                self._say("stopping in the middle of a start")
            finally:
                in_order = self._stop_all(signals)
                self._forget_last_run()
        return 0 if in_order else 130

    # --- Up -----------------------------------------------------------------------------------------------

    def _start(self, signals: StopSignals) -> None:
        port = free_port(self._settings.host, self._settings.port)
        with signals.interruptible(1):
            postgres_url, nats_url = self._start_servers()
            _migrate(postgres_url)
            keys = demo_keys(self._data_dir, postgres_url, ours=not self._settings.postgres_url)
        settings = msgspec.structs.replace(
            self._settings,
            postgres_url=postgres_url,
            nats_url=nats_url,
            port=port,
            data_dir=str(self._data_dir),
            simulator_url=self._settings.simulator_url or f"tcp://127.0.0.1:{simulator_port(self._data_dir)}",
        )
        self._start_commands(settings)
        self._ready = ReadyFile(
            url=f"http://{reachable_host(settings.host)}:{port}",
            server_key=keys.server_key if keys else None,
            sending_key=keys.sending_key if keys else None,
            admin_key=keys.admin_key if keys else None,
            postgres_url=postgres_url,
            nats_url=nats_url,
            simulator_url=settings.simulator_url,
            data_dir=str(self._data_dir),
            supervisor_pid=os.getpid(),
        )
        if self._wait_until_ready(signals, reachable_host(settings.host).strip("[]"), port):
            self._write_ready_files()
            self._announce(self._ready)

    def _start_servers(self) -> tuple[str, str]:
        """PostgreSQL's and NATS's URLs; those given are checked first, before anything is started."""
        settings = self._settings
        if settings.postgres_url:
            require_postgres(settings.postgres_url)
        if settings.nats_url:
            asyncio.run(require_nats(settings.nats_url))
        self._say(f"starting on the data folder {self._data_dir}")
        return settings.postgres_url or self._start_postgres(), settings.nats_url or self._start_nats()

    def _start_postgres(self) -> str:
        urls: list[str] = []

        def launch() -> Running:
            with self._signals.interruptible(1):  # recovery may take minutes
                server = start_postgres(self._data_dir)
            return self._same_address("postgres", urls, server.url, server)

        self._add("postgres", launch, self._data_dir / "postgres.log", STOP_SERVERS_S["postgres"])
        return urls[0]

    def _start_nats(self) -> str:
        urls: list[str] = []
        port = 0

        def launch() -> Running:
            nonlocal port
            with self._signals.interruptible(1):
                server = start_nats(self._data_dir, port=port)
            port = server.port
            return self._same_address("nats", urls, server.url, server)

        self._add("nats", launch, self._data_dir / "nats.log", STOP_SERVERS_S["nats"])
        return urls[0]

    def _same_address(self, name: str, urls: list[str], url: str, server: Running) -> Running:
        urls.append(url)
        if url != urls[0]:
            server.stop(timeout_s=STOP_SERVERS_S[name])
            raise MovedAway(name=name)
        return server

    def _start_commands(self, settings: Settings) -> None:
        environment = _environment(settings)
        commands: dict[str, list[str]] = {role: ["worker", "--roles", role] for role in ROLES}
        if not self._settings.simulator_url:
            commands = {"simulator": ["simulator"], **commands}
        commands["api"] = ["api"]
        for name, arguments in commands.items():
            log = ProcessLog(self._data_dir / "logs" / f"{name}.log", name)
            command = [sys.executable, "-P", "-m", "smsledger.runtime.cli", *arguments]
            # The HTTP server ends its own workers on SIGTERM; the others have nobody to end.
            death_signal = signal.SIGTERM if name == "api" else signal.SIGKILL
            launch = _launcher(command, environment, log, death_signal)
            self._add(name, launch, log.path, STOP_S[name], log=log)

    def _add(
        self,
        name: str,
        launch: Callable[[], Running],
        path: Path,
        stop_s: float,
        *,
        log: ProcessLog | None = None,
    ) -> None:
        child = Child(name, launch, log or ProcessLog(path, name), stop_s=stop_s)
        child.restarts.ends_max = ENDS_BEFORE_READY_MAX
        self._children.append(child)
        child.start()

    def _wait_until_ready(self, signals: StopSignals, host: str, port: int) -> bool:
        """Whether the service became ready before it was asked to stop. Raises NotReady and ChildKeepsEnding."""
        deadline = time.monotonic() + READY_S_MAX
        while not signals.requests:
            reason = why_not_ready(host, port)
            if reason is None:
                # Processes may have to wait long for servers that are somebody else's.
                ours = not self._settings.postgres_url and not self._settings.nats_url
                ends_max = RAPID_ENDS_MAX if ours else None
                for child in self._children:
                    child.restarts = Restarts(ends_max)
                return True
            if time.monotonic() >= deadline:
                raise NotReady(seconds=READY_S_MAX, reason=reason, logs=self._data_dir / "logs")
            signals.wait(0.05)
            self._look_after_all()
        return False

    # --- Running ------------------------------------------------------------------------------------------

    def _look_after_all(self) -> None:
        changed = False
        for child in self._children:
            changed = child.look_after(self._say) or changed
            if child.name in STOP_S:
                child.log.show_new(self._say)
        if changed and self._ready is not None and self._ready.pids:
            self._write_ready_files()

    def _write_ready_files(self) -> None:
        pids = {child.name: child.pid for child in self._children if child.pid is not None}
        self._ready = msgspec.structs.replace(self._ready, pids=pids) if self._ready else None
        if self._ready is not None:
            for path in self._ready_paths:
                write_ready_file(path, self._ready)

    def _forget_last_run(self) -> None:
        for path in self._ready_paths:
            remove_private(path)

    # --- Down ---------------------------------------------------------------------------------------------

    def _stop_all(self, signals: StopSignals) -> bool:
        """End every process, in order; at once where a second signal asks for it. Whether it went in order."""
        place = {name: number for number, name in enumerate((*STOP_S, *STOP_SERVERS_S))}
        remaining = sorted(self._children, key=lambda child: place[child.name])
        # Without a server that was just being restarted, the others would wait for it in vain.
        in_vain = any(child.pid is None for child in remaining if child.name in STOP_SERVERS_S)
        try:
            with signals.interruptible(max(2, signals.requests + 1)):
                while remaining:
                    remaining[0].stop(
                        within_s=STOP_IN_VAIN_S if in_vain and remaining[0].name in STOP_S else math.inf
                    )
                    remaining.pop(0)
        except Interrupted:
            for child in remaining:
                child.kill()
            return False
        return True


def _launcher(
    command: list[str], environment: dict[str, str], log: ProcessLog, death_signal: signal.Signals
) -> Callable[[], Running]:
    return lambda: Command(command, environment, log, death_signal=death_signal)


def _migrate(postgres_url: str) -> None:
    try:
        migrate(postgres_url)
    except psycopg.OperationalError as error:
        remedy = "look at the server's log"
        raise postgres_unreachable(postgres_url, error, remedy) from None


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment, with every setting as it is used now."""
    return os.environ | {
        f"SMSLEDGER_{name.upper()}": str(value) for name, value in msgspec.structs.asdict(settings).items()
    }
