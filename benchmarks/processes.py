"""What the processes of the running service use: CPU time and resident memory, by role; and pausing a role.

A role is a process with everything that it started (the HTTP server's workers, PostgreSQL's backends).
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import psutil


class RoleProcesses:
    """The processes of a service, by the names in its ready file."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self.pids = dict(pids)

    def of(self, role: str) -> list[psutil.Process]:
        """A role's process and its descendants, as they are now."""
        try:
            parent = psutil.Process(self.pids[role])
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def python_pid(self, role: str) -> int:
        """The process that does a role's work: the HTTP server's worker, else the role's own."""
        return self.of(role)[-1].pid if role == "api" else self.pids[role]

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds that each role has used so far, those of ended children included where the parent reaped them."""
        return {role: sum(_each(self.of(role), _cpu_s)) for role in self.pids}

    def resident_mb(self) -> dict[str, float]:
        """Resident memory of each role; what PostgreSQL's processes share is counted in its first process only."""
        found: dict[str, float] = {}
        for role in self.pids:
            first, *others = [*_each(self.of(role)[:1], _rss), *_each(self.of(role)[1:], _private)] or [0.0]
            found[role] = (first + sum(others)) / 1e6
        return found

    def private_mb(self) -> dict[str, float]:
        """Memory of each role that is its own: without shared buffers, which fill by design."""
        return {role: sum(_each(self.of(role), _private)) / 1e6 for role in self.pids}

    @contextmanager
    def paused(self, roles: Sequence[str]) -> Iterator[None]:
        """Stop the processes of `roles` for a while, and let them go on."""
        processes = [process for role in roles for process in self.of(role)]
        try:
            for process in processes:
                process.suspend()
            yield
        finally:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()


def _each(processes: Sequence[psutil.Process], measure: Callable[[psutil.Process], float]) -> list[float]:
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            found.append(measure(process))
    return found


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _rss(process: psutil.Process) -> float:
    return float(process.memory_info().rss)


def _private(process: psutil.Process) -> float:
    memory = process.memory_info()
    return float(memory.rss - getattr(memory, "shared", 0))
