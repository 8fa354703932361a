"""A supervisor killed without a chance to stop anything leaves no process, and nothing in the next's way."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psycopg
import pytest

from smsledger.runtime.embedded.data_folder import lock_data_folder
from smsledger.runtime.embedded.nats import start_nats
from smsledger.runtime.embedded.postgres import start_postgres

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux, whose kernel tells a child of its parent's death"
)

SUPERVISOR = """
import sys
from pathlib import Path
import psycopg
from smsledger.runtime.embedded.data_folder import lock_data_folder
from smsledger.runtime.embedded.nats import start_nats
from smsledger.runtime.embedded.postgres import start_postgres

data_dir = Path(sys.argv[1])
lock = lock_data_folder(data_dir)
postgres, nats = start_postgres(data_dir), start_nats(data_dir)
with psycopg.connect(postgres.url) as session:
    session.execute("CREATE TABLE IF NOT EXISTS starts (n int)")
    session.execute("INSERT INTO starts VALUES (1)")
    session.commit()
    backends = session.execute("SELECT pid FROM pg_stat_activity").fetchall()
    print(postgres.process.pid, nats.process.pid, *[pid for (pid,) in backends], flush=True)
    sys.stdin.read()
"""


def wait_for_the_end_of(processes: Iterable[int], timeout_s: float = 60.0) -> None:
    """By descriptors of the processes, which stay right when a pid is used again. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    for descriptor in processes:
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            raise TimeoutError
        os.close(descriptor)


def killed_supervisor(data_dir: Path) -> list[int]:
    """Start servers under a supervisor, kill it, and give descriptors of all that it had started."""
    command = [sys.executable, "-c", SUPERVISOR, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        assert len(pids) > 5
        processes = [os.pidfd_open(pid) for pid in pids]
        supervisor.kill()
    return processes


def test_a_killed_supervisor_leaves_no_process_and_its_data_to_the_next_one(tmp_path: Path) -> None:
    wait_for_the_end_of(killed_supervisor(tmp_path))
    start_and_find_the_row(tmp_path)


def test_the_next_supervisor_can_start_at_once(tmp_path: Path) -> None:
    processes = killed_supervisor(tmp_path)
    start_and_find_the_row(tmp_path)
    wait_for_the_end_of(processes, timeout_s=0)


def start_and_find_the_row(data_dir: Path) -> None:
    with lock_data_folder(data_dir):
        postgres, nats = start_postgres(data_dir), start_nats(data_dir)
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT n FROM starts").fetchall() == [(1,)]
        postgres.stop()
        nats.stop()
