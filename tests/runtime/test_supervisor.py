"""How one process is watched, started again and stopped; the whole service is tested in `tests/whole/`."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from smsledger.domain.errors import LedgerError
from smsledger.runtime.children import Child, ChildKeepsEnding, Command, Restarts
from smsledger.runtime.process_logs import LOG_BYTES_MAX, ProcessLog
from smsledger.runtime.reachability import free_port, without_password
from smsledger.runtime.ready_file import ReadyFile, read_ready_file, write_ready_file
from smsledger.runtime.remembered import demo_keys, simulator_port
from smsledger.runtime.stop_signals import Interrupted, StopSignals

from .command_line import wait_until

SLEEPER = "import signal, time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]); {SLEEPER}"


class Watched:
    """A child process that runs a piece of Python, and what was said about it."""

    def __init__(self, folder: Path, program: str) -> None:
        self.log = ProcessLog(folder / "logs" / "child.log", "child")
        self.said: list[str] = []
        command = [sys.executable, "-c", program]
        self.child = Child("child", lambda: Command(command, os.environ, self.log), self.log, stop_s=0.5)

    def start(self) -> int:
        self.child.start()
        wait_until(lambda: self.log.path.read_text().startswith("up"))
        return self.pid

    def look(self) -> bool:
        return self.child.look_after(self.said.append)

    @property
    def pid(self) -> int:
        assert self.child.pid is not None
        return self.child.pid


@pytest.fixture
def watched(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Watched]:
    made = Watched(tmp_path, getattr(request, "param", SLEEPER))
    yield made
    made.child.kill()


# --- One process ------------------------------------------------------------------------------------------


def test_a_killed_process_is_started_again_and_told_in_one_line(watched: Watched):
    first = watched.start()
    os.kill(first, signal.SIGKILL)
    wait_until(watched.look)
    assert watched.pid != first
    assert watched.said == [f"child (process {first}) was ended by SIGKILL; starting it again in 0.2 s"]


@pytest.mark.parametrize("watched", [PARENT], indirect=True)
def test_what_a_killed_process_had_started_is_gone_before_its_successor_comes(watched: Watched):
    parent = psutil.Process(watched.start())
    wait_until(lambda: bool(parent.children()))
    (orphan,) = parent.children()
    parent.kill()
    wait_until(watched.look)
    wait_until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("watched", ["print('bad luck'); raise SystemExit(3)"], indirect=True)
def test_a_process_that_keeps_ending_is_given_up_with_its_last_words(watched: Watched):
    watched.child.restarts.ends_max = 3
    watched.child.start()
    with pytest.raises(
        ChildKeepsEnding, match="child ended 3 times in a row, the last time ended with exit code 3: bad luck"
    ):
        wait_until(lambda: watched.look() and False)
    assert len(watched.said) == 2


def test_a_stop_is_orderly(watched: Watched):
    process = psutil.Process(watched.start())
    watched.child.stop()
    assert not process.is_running()


@pytest.mark.parametrize("watched", [STUBBORN], indirect=True)
def test_a_process_that_does_not_stop_in_time_is_killed(watched: Watched):
    process = psutil.Process(watched.start())
    watched.child.stop()
    assert not process.is_running()


def test_a_stopped_process_is_not_started_again(watched: Watched):
    watched.start()
    watched.child.stop()
    assert not watched.look()
    assert watched.child.pid is None


def test_a_process_has_a_session_of_its_own_so_that_ctrl_c_is_not_for_it(watched: Watched):
    assert os.getsid(watched.start()) == watched.pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_a_process_does_not_survive_its_killed_supervisor(tmp_path: Path):
    program = (
        "import sys, time, os; from pathlib import Path; from smsledger.runtime.children import Command; "
        "from smsledger.runtime.process_logs import ProcessLog; "
        f"log = ProcessLog(Path({str(tmp_path)!r}) / 'logs' / 'child.log', 'child'); "
        f"print(Command([sys.executable, '-c', {STUBBORN!r}], os.environ, log).process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        child = psutil.Process(int(supervisor.stdout.readline()))
        supervisor.kill()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


# --- When to start again ----------------------------------------------------------------------------------


def test_pauses_double_up_to_a_limit_and_then_it_is_given_up():
    restarts = Restarts(ends_max=8)
    assert [restarts.pause_s(0.1) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, None]


def test_a_steady_run_makes_the_next_end_the_first():
    restarts = Restarts()
    for _ in range(5):
        restarts.pause_s(0.1)
    assert restarts.pause_s(30.0) == 0.2


def test_without_a_limit_it_is_tried_for_ever():
    restarts = Restarts(ends_max=None)
    assert {restarts.pause_s(0.0) for _ in range(2_000)} == {0.2, 0.4, 0.8, 1.6, 3.2, 5.0}


# --- Signals ----------------------------------------------------------------------------------------------


def test_a_signal_ends_a_wait_and_is_counted():
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        signals.wait(60.0)
        assert signals.requests == 1


def test_work_is_interrupted_where_it_may_be_and_nowhere_else():
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.requests == 1
        with pytest.raises(Interrupted):
            wait_for_the_second(signals)


def wait_for_the_second(signals: StopSignals) -> None:
    with signals.interruptible(2):
        os.kill(os.getpid(), signal.SIGHUP)
        signals.wait(60.0)


def test_handlers_are_as_before_afterwards():
    before = [
        signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    ]
    with StopSignals():
        pass
    after = [
        signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    ]
    assert after == before


# --- What the console shows -------------------------------------------------------------------------------


def shown(log: ProcessLog, *lines: str) -> list[str]:
    with log.opened() as descriptor:
        os.write(descriptor, "".join(f"{line}\n" for line in lines).encode())
    said: list[str] = []
    log.show_new(said.append)
    return said


def test_warnings_and_tracebacks_are_shown_and_the_rest_is_left_to_the_file(tmp_path: Path):
    log = ProcessLog(tmp_path / "logs" / "api.log", "api")
    said = shown(
        log,
        '{"level": "info", "event": "started"}',
        '{"level": "warning", "event": "loop_failed", "error": "a\\n b", "timestamp": "x"}',
        "Traceback (most recent call last):",
    )
    assert said == ["api: warning: loop_failed error=a b", "api: Traceback (most recent call last):"]


def test_a_warning_that_comes_over_and_over_is_shown_once(tmp_path: Path):
    log = ProcessLog(tmp_path / "logs" / "api.log", "api")
    assert len(shown(log, *['{"level": "warning", "event": "gone"}'] * 50)) == 1


def test_a_log_that_grew_too_large_is_moved_aside_and_goes_on(tmp_path: Path):
    log = ProcessLog(tmp_path / "logs" / "api.log", "api")
    shown(log, "first")
    os.truncate(log.path, LOG_BYTES_MAX + 1)
    assert shown(log, "second") == ["api: second"]
    assert log.path.stat().st_size == len("second\n")
    assert log.path.with_name("api.log.1").stat().st_size == LOG_BYTES_MAX + 1


# --- Ready file, ports, passwords -------------------------------------------------------------------------


def test_the_ready_file_is_its_owners_alone_and_read_back(tmp_path: Path):
    ready = ReadyFile(
        url="http://127.0.0.1:1",
        server_key="a",
        sending_key=None,
        admin_key=None,
        postgres_url="p",
        nats_url="n",
        simulator_url="s",
        data_dir=str(tmp_path),
        supervisor_pid=1,
        pids={"api": 2},
    )
    write_ready_file(tmp_path / "ready.json", ready)
    assert stat.S_IMODE((tmp_path / "ready.json").stat().st_mode) == 0o600
    assert read_ready_file(tmp_path) == ready
    assert os.listdir(tmp_path) == ["ready.json"]


def test_a_damaged_ready_file_is_refused(tmp_path: Path):
    (tmp_path / "ready.json").write_text("{")
    with pytest.raises(LedgerError, match="where it is damaged"):
        read_ready_file(tmp_path)


def test_the_demo_keys_are_the_same_at_every_start(database: str, tmp_path: Path):
    first = demo_keys(tmp_path, database, ours=True)
    assert first is not None
    assert demo_keys(tmp_path, database, ours=True) == first
    assert stat.S_IMODE((tmp_path / "demo-keys.json").stat().st_mode) == 0o600


def test_lost_demo_keys_of_our_own_database_are_replaced_by_new_ones_that_are_kept(
    database: str, tmp_path: Path
):
    lost = demo_keys(tmp_path, database, ours=True)
    (tmp_path / "demo-keys.json").unlink()
    found = demo_keys(tmp_path, database, ours=True)
    assert found is not None
    assert found != lost
    assert demo_keys(tmp_path, database, ours=True) == found


def test_no_keys_are_made_on_somebody_elses_database(database: str, tmp_path: Path):
    demo_keys(tmp_path, database, ours=True)
    (tmp_path / "demo-keys.json").unlink()
    assert demo_keys(tmp_path, database, ours=False) is None


def test_the_simulators_port_stays_the_same_over_restarts(tmp_path: Path):
    assert simulator_port(tmp_path) == simulator_port(tmp_path)


def test_port_0_finds_a_free_one():
    assert free_port("127.0.0.1", 0) > 0


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db:5432/x?sslmode=require", "postgresql://me@db:5432/x?sslmode=require"),
        ("nats://me:se@cret@127.0.0.1:4222", "nats://me@127.0.0.1:4222"),
        ("host=db user=me password=secret", "host=db user=me password=(hidden)"),
        (
            "postgresql:///x?host=/tmp&password=secret&port=1",
            "postgresql:///x?host=/tmp&password=(hidden)&port=1",
        ),
        ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str):
    assert without_password(url) == shown
