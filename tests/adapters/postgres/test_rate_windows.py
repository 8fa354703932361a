"""Rate limits over several processes: never more than the limit in any second, and nearly all of it under demand."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import msgspec

from .rate_demand import Decisions

SECONDS = 4.0
PROCESSES = 3
ASKERS = 8
LIMITS = {"acme/send": 100, "acme/batch": 10, "other/send": 500}
STALL_S = 0.02


def most_in_a_second(times: Sequence[float]) -> int:
    """The most of the sorted `times` in any second, wherever it begins."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def asked_s(times: Sequence[float]) -> float:
    """For how long there was demand: pauses of a busy machine are none."""
    return sum(later - earlier for earlier, later in pairwise(times) if later - earlier < STALL_S)


def test_the_measure_of_a_second_sees_one_too_many() -> None:
    assert most_in_a_second([0.0, 0.5, 0.9999]) == 3
    assert most_in_a_second([0.0, 0.5, 1.0]) == 2


def test_processes_together_admit_the_limit_and_no_more(database: str, tmp_path: Path) -> None:
    arguments = [database, msgspec.json.encode(LIMITS).decode(), str(SECONDS), str(ASKERS)]
    with ExitStack() as stack:
        files = [stack.enter_context((tmp_path / str(i)).open("w+b")) for i in range(PROCESSES)]
        command = [sys.executable, "-m", "tests.adapters.postgres.rate_demand", *arguments]
        processes = [subprocess.Popen(command, stdout=file) for file in files]
        assert [process.wait(60) for process in processes] == [0] * PROCESSES
        outputs = [(tmp_path / str(i)).read_bytes() for i in range(PROCESSES)]
    found = [msgspec.json.decode(output, type=dict[str, Decisions]) for output in outputs]
    for name, limit in LIMITS.items():
        admitted = sorted(at for one in found for at in one[name].admitted)
        denied = [at for one in found for at in one[name].denied]
        assert len(denied) > limit, "there was no demand to speak of"
        assert most_in_a_second(admitted) <= limit, name
        share = len(admitted) / (limit * asked_s(sorted(admitted + denied)))
        assert share >= 0.95, name
