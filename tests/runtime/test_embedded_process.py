"""The lock that a server holds for its life, and its log."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsledger.runtime.embedded import process
from smsledger.runtime.embedded.errors import PredecessorStillRuns, ServerDidNotStart
from smsledger.runtime.embedded.process import LifeLock, ServerLog, end_child, start_child

DEAF_TO_SIGTERM = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
)


@contextlib.contextmanager
def running(folder: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        contextlib.closing(LifeLock(folder / "server.lock", "the server")) as lock,
        contextlib.closing(ServerLog(folder / "server.log")) as log,
    ):
        lock.acquire()
        child = start_child(command, server="the server", lock=lock, log=log, death_signal=signal.SIGTERM)
        lock.record(child.pid)
    try:
        yield child
    finally:
        end_child(child)


def test_a_predecessor_gets_each_signal_in_turn_until_it_ends(tmp_path: Path) -> None:
    with running(tmp_path, sys.executable, "-c", DEAF_TO_SIGTERM) as child:
        assert process.wait_until(lambda: "deaf" in (tmp_path / "server.log").read_text(), 30)
        with contextlib.closing(LifeLock(tmp_path / "server.lock", "the server")) as next_lock:
            next_lock.acquire((signal.SIGTERM, 0.1), (signal.SIGKILL, 30.0))
        assert child.wait() == -signal.SIGKILL


def test_a_predecessor_that_does_not_end_is_named_and_left_alone(tmp_path: Path) -> None:
    with running(tmp_path, "sleep", "60") as child:
        with (
            contextlib.closing(LifeLock(tmp_path / "server.lock", "the server")) as next_lock,
            pytest.raises(PredecessorStillRuns, match=f"process {child.pid},"),
        ):
            next_lock.acquire((signal.SIGURG, 0.0))
        assert child.poll() is None


def test_a_child_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    with running(tmp_path, "sleep", "60") as child:
        assert os.getsid(child.pid) == child.pid


def test_a_program_that_cannot_be_run_is_told_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerDidNotStart, match=r"no-such-program.*server\.log") as refused,
        running(tmp_path, "/no-such-program"),
    ):
        pass
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("2026-11-22 12:16:48.517 UTC [7] FATAL:  no space\nHINT:  x\n", "no space"),
        ("FATAL:  no space\nFATAL:  the database system is starting up\n", "no space"),
        ("[5356] 2026/11/22 12:16:51 [FTL] bad port\nbye\n", "bad port"),
        ("initdb: error: cannot make it\ninitdb: removing contents\n", "cannot make it"),
        ("one\n\ntwo\n", "two"),
        ("", "it wrote nothing"),
    ],
)
def test_the_reason_is_the_last_telling_line_since_the_start(
    tmp_path: Path, written: str, reason: str
) -> None:
    path = tmp_path / "server.log"
    path.write_text("FATAL:  of an earlier start\n")
    with contextlib.closing(ServerLog(path)) as log:
        with path.open("a") as file:
            file.write(written)
        assert log.reason() == reason


def test_a_log_over_its_limit_is_moved_aside_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_BYTES_MAX", 10)
    path = tmp_path / "server.log"
    path.write_text("older than that\n")
    ServerLog(path).close()
    assert path.read_text() == ""
    assert (tmp_path / "server.log.1").read_text() == "older than that\n"
