"""`smsledger up` as a process: it comes up on its own servers, mends itself, and leaves nothing running behind."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from .command_line import run, start, wait_until

pytestmark = pytest.mark.timeout(240)

NAMES = {"postgres", "nats", "simulator", "publisher", "projector", "dispatcher", "api"}


class Service:
    """A running `smsledger up`."""

    def __init__(self, data_dir: Path) -> None:
        self.ready_path = data_dir.parent / "told.json"
        self.data_dir = data_dir
        arguments = ("up", "--data", data_dir, "--port", "0", "--ready-file", self.ready_path)
        self.process = start(*arguments, environment={}, stdout=subprocess.DEVNULL)
        wait_until(lambda: self.ready_path.exists() or self.process.poll() is not None)

    @property
    def ready(self) -> dict[str, Any]:
        ready: dict[str, Any] = json.loads(self.ready_path.read_bytes())
        return ready

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: signal.Signals) -> str:
        """Everything that it said on the console."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=90)
        return said.decode()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path / "data")
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGTERM)


def answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_it_comes_up_mends_itself_and_goes_down_in_order(service: Service):
    first = service.ready
    assert set(first["pids"]) == NAMES
    assert all(first[key] for key in ("server_key", "sending_key", "admin_key"))
    assert json.loads((service.data_dir / "ready.json").read_bytes()) == first
    wait_until(lambda: run("status", "--data", service.data_dir).exit_code == 0)

    for name in ("api", "postgres"):
        psutil.Process(first["pids"][name]).kill()
    wait_until(
        lambda: all(
            service.ready["pids"].get(name) not in (None, first["pids"][name]) for name in ("api", "postgres")
        )
    )
    wait_until(lambda: answers(first["url"]))
    assert {**service.ready, "pids": None} == {**first, "pids": None}

    processes = service.processes()
    said = service.stop(signal.SIGINT)
    assert service.process.returncode == 0
    assert f"api (process {first['pids']['api']}) was ended by SIGKILL" in said
    assert not any(process.is_running() for process in processes)
    assert not service.ready_path.exists()
    assert not (service.data_dir / "ready.json").exists()


def test_nothing_survives_its_own_kill_and_the_next_start_finds_the_same_keys(service: Service):
    first, processes = service.ready, service.processes()
    service.process.kill()
    service.process.communicate(timeout=30)
    wait_until(
        lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)
    )
    service.ready_path.unlink()

    again = Service(service.data_dir)
    try:
        assert again.ready["server_key"] == first["server_key"]
        assert again.ready["simulator_url"] == first["simulator_url"]
    finally:
        again.stop(signal.SIGTERM)
    assert again.process.returncode == 0
