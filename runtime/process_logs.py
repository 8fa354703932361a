"""The log files of supervised processes: bounded, and followed for what a person at the console should see.

A process writes straight to its file, so it never waits for the supervisor. Lines are shown, never interpreted.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

LOG_BYTES_MAX = 20 * 1024 * 1024
READ_BYTES_MAX = 256 * 1024
"""Read at one look."""
REPEAT_S = 10.0
"""The same warning of the same process is shown once in this time, and counted."""
SHOWN_LEVELS = frozenset({"warning", "error", "critical"})

_NOT_SHOWN = frozenset(
    {"timestamp", "level", "event", "process", "exception", "logger", "_record", "_from_structlog"}
)


class ProcessLog:
    """One process's log file, and how far it was shown."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._offset = 0
        self._rest = b""
        self._shown_at: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor to append to, for a process that is being started. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        self._keep_small()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if self._offset == 0:
                self._offset = os.fstat(descriptor).st_size
            yield descriptor
        finally:
            os.close(descriptor)

    def show_new(self, say: Callable[[str], None]) -> None:
        """Say what was written since the last look and should be seen: warnings, errors, and what is no log line."""
        for line in self._new_lines():
            text = self._worth_showing(line)
            if text is not None:
                say(f"{self.name}: {text}")
        self._keep_small()

    def last_words(self) -> str:
        """The last line in the file."""
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                file.seek(max(0, size - 16_384))
                lines = [line.strip() for line in file.read().splitlines() if line.strip()]
        except OSError:
            return "it wrote nothing"
        if not lines:
            return "it wrote nothing"
        entry = _entry(lines[-1])
        return _told(entry) if entry is not None else lines[-1].decode(errors="replace")

    def _keep_small(self) -> None:
        """Move a file that is too large aside; the writer goes on in the emptied one."""
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size > LOG_BYTES_MAX:
                shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
                os.truncate(self.path, 0)
                self._offset, self._rest = 0, b""

    def _new_lines(self) -> list[bytes]:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return []
        if size <= self._offset:
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read(READ_BYTES_MAX)
        self._offset += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return lines

    def _worth_showing(self, line: bytes) -> str | None:
        if not line.strip() or line.startswith(b"[INFO]"):
            return None
        entry = _entry(line)
        if entry is None:
            return line.decode(errors="replace").rstrip()
        if entry.get("level") not in SHOWN_LEVELS:
            return None
        kind = str(entry.get("event"))
        now = time.monotonic()
        if now - self._shown_at.get(kind, -REPEAT_S) < REPEAT_S:
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return None
        self._shown_at[kind] = now
        untold = self._untold.pop(kind, 0)
        return _told(entry) + (f" (and {untold} more like it before)" if untold else "")


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def _told(entry: dict[str, Any]) -> str:
    values = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _NOT_SHOWN)
    # Errors of libraries may have several lines; on the console each has one.
    return " ".join(f"{entry.get('level', '')}: {entry.get('event', '')} {values}".split())
