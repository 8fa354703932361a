"""One supervised process: started, watched, started again with growing pauses, and stopped within a deadline.

What the processes are, and in which order they come and go, is `supervisor.py`'s. A process that ends takes the
processes it started with it, so that nothing of it meets its successor.
"""

import contextlib
import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from smsledger.domain.errors import LedgerError

from .process_logs import ProcessLog

RESTART_PAUSE_S_FIRST = 0.2
RESTART_PAUSE_S_MAX = 5.0
STEADY_S = 30.0
"""A process that ran this long was well: its next end counts as the first."""
RAPID_ENDS_MAX = 10
"""Ends in a row, none after a steady run, before everything is given up."""
KILLED_S_MAX = 10.0

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ChildKeepsEnding(LedgerError):
    """A process ended again and again."""

    message = "{name} ended {ends} times in a row, the last time {how}: {last_words} (its log: {log})"


class Running(Protocol):
    """A started process that knows how to be stopped in good order."""

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process itself, a direct child."""
        ...

    def stop(self, *, timeout_s: float) -> None:
        """Stop it in order; after `timeout_s` by force. Nothing where it has ended."""
        ...


class Command:
    """A process that stops on SIGTERM: every child but the embedded servers."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: ProcessLog,
        *,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        with log.opened() as output:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,  # the terminal's Ctrl-C is the supervisor's alone
                preexec_fn=_dying_with(os.getpid(), death_signal),  # noqa: PLW1509  # the supervisor has one thread
            )

    def stop(self, *, timeout_s: float) -> None:
        """See Running."""
        self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill_group(self.process)


class Restarts:
    """How long to pause before a process is started again, and when to give up. Knows no clock. `ends_max` None: never."""

    def __init__(self, ends_max: int | None = RAPID_ENDS_MAX) -> None:
        self.ends_max = ends_max
        self.ends = 0

    def pause_s(self, ran_s: float) -> float | None:
        """The pause after a run of `ran_s`; None where it is not worth another try."""
        self.ends = 1 if ran_s >= STEADY_S else self.ends + 1
        if self.ends_max is not None and self.ends >= self.ends_max:
            return None
        return float(min(RESTART_PAUSE_S_FIRST * 2 ** min(self.ends - 1, 10), RESTART_PAUSE_S_MAX))


class Child:
    """A process under supervision. `launch` starts it and may raise LedgerError, which counts as an end."""

    def __init__(self, name: str, launch: Callable[[], Running], log: ProcessLog, *, stop_s: float) -> None:
        self.name = name
        self.log = log
        self.restarts = Restarts()
        self._launch = launch
        self._stop_s = stop_s
        self._running: Running | None = None
        self._started_at = 0.0
        self._due_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._running.process.pid if self._running else None

    def start(self) -> None:
        """The first start; its errors are the caller's."""
        self._started_at = time.monotonic()
        self._due_at = None
        self._running = self._launch()

    def look_after(self, say: Callable[[str], None]) -> bool:
        """Notice an end, and start again when that is due; whether the process is a new one now.

        Raises ChildKeepsEnding.
        """
        now = time.monotonic()
        if self._running is not None:
            if _is_running(self._running.process):
                return False
            pid, how = self._running.process.pid, _sweep_up(self._running.process)
            self._running = None
            self._plan_restart(now, f"{self.name} (process {pid}) {how}", how, say)
            return False
        if self._due_at is None or now < self._due_at:
            return False
        try:
            self.start()
        except LedgerError as error:
            self._plan_restart(now, f"{self.name} did not start: {error}", "before it was up", say)
            return False
        return True

    def stop(self, *, within_s: float = math.inf) -> None:
        """Stop it in good order, within its deadline or a shorter one, and whatever it has left behind."""
        self._due_at = None
        if self._running is not None:
            if self._running.process.poll() is None:
                self._running.stop(timeout_s=min(self._stop_s, within_s))
            kill_group(self._running.process)
            self._running = None

    def kill(self) -> None:
        """End it at once."""
        self._due_at = None
        if self._running is not None:
            kill_group(self._running.process)
            self._running = None

    def _plan_restart(self, now: float, what: str, how: str, say: Callable[[str], None]) -> None:
        pause_s = self.restarts.pause_s(now - self._started_at)
        if pause_s is None:
            raise ChildKeepsEnding(
                name=self.name,
                ends=self.restarts.ends,
                how=how,
                last_words=self.log.last_words(),
                log=self.log.path,
            )
        say(f"{what}; starting it again in {pause_s:g} s")
        self._due_at = now + pause_s


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process that leads its group, and all of its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(KILLED_S_MAX)


def die_with_parent(death_signal: signal.Signals = signal.SIGKILL) -> None:
    """From now on the kernel sends this process `death_signal` when its parent ends (Linux; elsewhere nothing).

    For processes that others start for us, such as the HTTP server's workers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(death_signal))


def _dying_with(parent_pid: int, death_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def die_with_supervisor() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent_pid:  # it died before the setting took hold
            os._exit(1)

    return die_with_supervisor


def _is_running(process: "subprocess.Popen[bytes]") -> bool:
    """Looks without reaping: until then nobody else can be given the process's number."""
    if process.returncode is not None:
        return False
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _sweep_up(process: "subprocess.Popen[bytes]") -> str:
    """Kill what an ended process left of its group, and say how it ended."""
    kill_group(process)
    code = process.returncode
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"
