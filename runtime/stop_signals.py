"""Ctrl-C, SIGTERM and SIGHUP for a process that waits synchronously: asked for once to stop, twice to stop at once.

A wait ends early by a signal; work that blocks (starting a server) can be interrupted where its author says so.
"""

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Not an Exception, so that nobody on the way takes it for an error of theirs."""


class StopSignals:
    """While entered, stop signals are counted here. For the main thread only."""

    def __init__(self) -> None:
        self.requests = 0
        self._interrupt_at: int | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._reader, self._writer = -1, -1
        self._wakeup_before = -1

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started by nohup
            self._before[number] = signal.signal(number, self._on_signal)
        # Without a handler the end of a child would not wake a wait.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, timeout_s: float) -> None:
        """Until a signal comes (a child's end is one), or for `timeout_s`."""
        select.select([self._reader], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4_096)

    @contextlib.contextmanager
    def interruptible(self, requests: int) -> Iterator[None]:
        """Within, Interrupted is raised as soon as that many stop signals have come."""
        outside, self._interrupt_at = self._interrupt_at, requests
        try:
            if self.requests >= requests:
                raise Interrupted
            yield
        finally:
            self._interrupt_at = outside

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.requests += 1
        if self._interrupt_at is not None and self.requests >= self._interrupt_at:
            self._interrupt_at = None
            raise Interrupted
