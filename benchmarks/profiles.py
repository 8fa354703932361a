"""Profiles of the service's processes while they are loaded, by py-spy: collapsed stacks, and a table of the costs.

The stacks can be made a flame graph, or opened with speedscope. Sampling needs the right to trace (root, or the same
user where the system allows it); it costs the measured process a little.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from .processes import RoleProcesses

SAMPLES_PER_S = 100
END_S = 15.0
SHOWN = 40


class profiled_roles:  # noqa: N801  # used as a context: `with profiled_roles(…)`
    """Runs one py-spy per role while the context is entered."""

    def __init__(
        self, folder: Path | None, name: str, processes: RoleProcesses, roles: tuple[str, ...], seconds: float
    ) -> None:
        self._folder = folder
        self._name = name
        self._processes = processes
        self._roles = roles
        self._seconds = max(1, round(seconds))
        self._running: dict[Path, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Begin to sample."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            for role in self._roles:
                self._start(self._folder / f"profile-{self._name}-{role}.txt", role)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the samples, and write the tables."""
        for path, process in self._running.items():
            process.wait(self._seconds + END_S)
            if process.returncode == 0:
                path.with_suffix(".top.txt").write_text(cost_table(path.read_text()))

    def _start(self, path: Path, role: str) -> None:
        pid = self._processes.python_pid(role)
        program = Path(sys.executable).parent / "py-spy"
        options = [
            "--nonblocking",
            "--rate",
            str(SAMPLES_PER_S),
            "--duration",
            str(self._seconds),
            "--format",
            "raw",
        ]
        command = [str(program), "record", "--pid", str(pid), *options, "--output", str(path)]
        self._running[path] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def cost_table(collapsed: str) -> str:
    """The functions with the largest shares of samples: by themselves, and with what they call."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    samples = 0
    for line in collapsed.splitlines():
        stack, _, count = line.rpartition(" ")
        functions = [_without_line(frame) for frame in stack.split(";")]
        samples += int(count)
        own[functions[-1]] += int(count)
        for function in set(functions):
            total[function] += int(count)
    lines = [f"{samples} samples", "", "  own  total  function"]
    lines += _rows(own.most_common(SHOWN), own, total, samples)
    lines += ["", "  own  total  function (by total)"]
    lines += _rows(total.most_common(SHOWN), own, total, samples)
    return "\n".join(lines) + "\n"


def _rows(found: list[tuple[str, int]], own: Counter[str], total: Counter[str], samples: int) -> list[str]:
    return [
        f"{own[function] / samples:5.1%} {total[function] / samples:6.1%}  {function}"
        for function, _ in found
    ]


def _without_line(frame: str) -> str:
    """`function (file.py:12)` without the line."""
    head, colon, rest = frame.rpartition(":")
    return f"{head})" if colon and rest.rstrip(")").isdigit() else frame
