"""Child processes that neither outlive the supervisor nor meet a predecessor on the same data. What they do
is none of its business.

Two mechanisms, since neither is enough alone. The kernel signals a child when its parent dies (Linux), so
that a killed supervisor leaves nothing running. And a server, with every process it forks, holds a lock on a
file beside its data: whoever starts the next one waits for that lock, and ends the predecessor if need be, so
that two never write to the same data.
"""

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from .errors import PredecessorStillRuns, ServerDidNotStart

LOG_BYTES_MAX = 50 * 1024 * 1024
LOG_TAIL_BYTES_MAX = 16 * 1024
POLL_INTERVAL_S = 0.02
INHERITED_VARIABLES = ("PATH", "LD_LIBRARY_PATH")  # PGDATA, PGOPTIONS and the like must not reach a server
PR_SET_PDEATHSIG = 1  # linux/prctl.h

_TROUBLE = re.compile(r"(?:\b(?:FATAL|PANIC|ERROR|error):|\[(?:FTL|ERR)\]|^nats-server:)\s*(.+)")
_NOT_YET = "the database system is"  # what PostgreSQL answers, and logs as FATAL, while it starts

Step: TypeAlias = tuple[signal.Signals, float]
"""A signal to send, and the seconds to wait for its effect."""


@dataclass(frozen=True)
class Account:
    """The user that a server runs as, where that is not the supervisor's own."""

    uid: int
    gid: int
    name: str


class LifeLock:
    """Held by a server and every process it forks; the kernel releases it with the last of them."""

    def __init__(self, path: Path, server: str) -> None:
        self._path = path
        self._server = server
        # Read-only, because the server inherits it: a supervisor who may be root sends signals to the pid in
        # this file.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def acquire(self, *steps: Step) -> None:
        """Wait for a predecessor to end: send it each signal in turn, and wait that many seconds after each.

        Raises PredecessorStillRuns.
        """
        if not self._lock():
            pid = self._recorded_pid()
            if not any(self._signal_and_wait(pid, step) for step in steps):
                raise PredecessorStillRuns(
                    server=self._server, folder=self._path.parent, pid=pid or "(unknown)"
                )
        self._path.write_text("")

    def record(self, pid: int) -> None:
        """Note whom to signal: the child that has inherited the lock."""
        self._path.write_text(f"{pid}\n")

    def close(self) -> None:
        """Let go of it; a child that inherited it still holds it."""
        os.close(self.descriptor)

    def _signal_and_wait(self, pid: int | None, step: Step) -> bool:
        signal_number, wait_s = step
        if pid is not None:
            # Gone already while its children still finish: they hold the lock, and end by themselves.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
        return wait_until(self._lock, wait_s)

    def _lock(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _recorded_pid(self) -> int | None:
        text = self._path.read_text().strip()
        return int(text) if text.isdecimal() else None


class ServerLog:
    """A server's log file: appended to, moved aside at a start when it is over `LOG_BYTES_MAX`, one older
    file kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_name(f"{path.name}.1"))
        self.descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        self._starts_at = os.fstat(self.descriptor).st_size

    def reason(self) -> str:
        """The last line since this start that tells of trouble, without time and pid; else the last line."""
        size = os.fstat(self.descriptor).st_size
        offset = max(self._starts_at, size - LOG_TAIL_BYTES_MAX)
        tail = os.pread(self.descriptor, LOG_TAIL_BYTES_MAX, offset).decode(errors="replace")
        lines = [line.strip() for line in tail.splitlines() if line.strip()]
        troubles = [match[1] for line in lines if (match := _TROUBLE.search(line)) and _NOT_YET not in line]
        return (troubles or lines or ["it wrote nothing"])[-1]

    def close(self) -> None:
        """Let go of it; the server goes on writing."""
        os.close(self.descriptor)


def start_child(
    command: Sequence[str],
    *,
    server: str,
    lock: LifeLock,
    log: ServerLog,
    death_signal: signal.Signals,
    account: Account | None = None,
    descriptors: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """Start a server in a session of its own (Ctrl-C reaches only the supervisor), holding `lock`, writing to
    `log`.

    On Linux it is sent `death_signal` when the *thread* that called this ends, however that happens: call it
    from a thread that lives as long as the server, best the main thread. Raises ServerDidNotStart.
    """
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log.descriptor,
            stderr=log.descriptor,
            cwd="/",
            env={name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
            | {"LC_ALL": "C"},
            pass_fds=(lock.descriptor, *descriptors),
            start_new_session=True,
            preexec_fn=_dying_with(os.getpid(), death_signal),  # noqa: PLW1509 - takes no lock, see there
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerDidNotStart(server=server, reason=f"{command[0]}: {error}", log=log.path) from error


def _dying_with(parent_pid: int, death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child runs after it has changed its user, which would clear the setting.

    Between `fork` and `exec` a lock held by another thread stays held: this imports nothing and takes none.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def die_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent_pid:  # it died before the setting took hold
            os._exit(1)

    return die_with_parent


def end_child(process: "subprocess.Popen[bytes]", *steps: Step) -> None:
    """Send each signal in turn until the process has ended, at the latest by SIGKILL; nothing, if it has
    ended already.
    """
    for signal_number, wait_s in steps:
        if process.poll() is not None:
            return
        process.send_signal(signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
    if process.poll() is None:
        process.kill()
        process.wait()


@contextlib.contextmanager
def ended_on_failure(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """A start that fails, or is interrupted, leaves no process behind."""
    try:
        yield
    except BaseException:
        end_child(process, (signal.SIGTERM, 5.0))
        raise


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether the condition came true within that time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True
