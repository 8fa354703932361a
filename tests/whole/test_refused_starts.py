"""What cannot work is refused before anything is started: one line, an exit code, and nothing left running."""

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.running_service import SMSLEDGER, clean_environment

NOBODY_THERE = "postgresql://user:secret@127.0.0.1:1/ledger"


def run(
    arguments: list[str], settings: dict[str, str], *, command: Sequence[str] = SMSLEDGER, **popen: Any
) -> "subprocess.CompletedProcess[str]":
    options: dict[str, Any] = {"env": clean_environment(**settings)} | popen
    return subprocess.run(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )


def refusal(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line, under the one that says what is being started."""
    assert done.returncode not in (0, None)
    assert done.returncode > 0, "it was killed"
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("starting smsledger")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("smsledger: ")
    return lines[0]


def processes_of(data: Path) -> list[psutil.Process]:
    """Whoever has the folder in its command line or environment; the tests themselves do not."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except (psutil.Error, OSError):
            continue
        if process.pid != os.getpid() and any(str(data) in word for word in words):
            found.append(process)
    return found


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A folder of which no process is left at the end."""
    yield tmp_path / "data"
    assert processes_of(tmp_path / "data") == []


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_busy_port(data: Path, busy_port: int) -> None:
    line = refusal(run(["up", "--data", str(data), "--port", str(busy_port)], {}))
    assert str(busy_port) in line
    assert "--port" in line


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"api_workers": "0"}, "SMSLEDGER_API_WORKERS"),
        ({"port": "eighty"}, "SMSLEDGER_PORT"),
        ({"log_level": "loud"}, "SMSLEDGER_LOG_LEVEL"),
        ({"prot": "80"}, "SMSLEDGER_PORT"),
        ({"postgres_url": NOBODY_THERE}, "127.0.0.1:1"),
        ({"postgres_url": "nonsense"}, "SMSLEDGER_POSTGRES_URL"),
        ({"nats_url": "nats://user:secret@127.0.0.1:1"}, "127.0.0.1:1"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_setting_that_cannot_be_used(data: Path, settings: dict[str, str], says: str) -> None:
    line = refusal(run(["up", "--data", str(data)], {"port": "0"} | settings))
    assert says in line
    assert "secret" not in line


def test_a_data_folder_that_cannot_be_written(request: pytest.FixtureRequest) -> None:
    if os.geteuid() == 0:  # root may write everywhere
        user = request.getfixturevalue("ordinary_user")
        done = run(["up", "--port", "0", "--data", "/nowhere"], {}, command=user.command, **user.popen)
    else:
        done = run(["up", "--port", "0", "--data", "/nowhere"], {})
    assert "/nowhere" in refusal(done)


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refusal(run(["up", "--port", "0", "--data", str(tmp_path / "file")], {}))


def test_an_option_that_is_none_and_a_command_that_is_none() -> None:
    for arguments in (["up", "--prot", "1"], ["upp"], ["up", "--port", "x"], ["worker", "--roles", "cook"]):
        done = run(arguments, {})
        assert done.returncode > 0
        assert "Traceback" not in done.stderr
        assert done.stderr


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["api"], {}, "SMSLEDGER_POSTGRES_URL"),
        (["worker"], {}, "SMSLEDGER_POSTGRES_URL"),
        (["worker"], {"postgres_url": NOBODY_THERE}, "SMSLEDGER_NATS_URL"),
        (["api"], {"postgres_url": NOBODY_THERE}, "127.0.0.1:1"),
        (["migrate"], {"postgres_url": NOBODY_THERE}, "127.0.0.1:1"),
        (["status"], {"postgres_url": NOBODY_THERE, "nats_url": "nats://127.0.0.1:1"}, "127.0.0.1:1"),
        (["worker", "--roles", "cook"], {"postgres_url": NOBODY_THERE}, "cook"),
        (["worker", "--roles", ""], {"postgres_url": NOBODY_THERE}, "role"),
        (["simulator", "--listen", "udp://x"], {}, "udp://x"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_role_without_what_it_needs(
    data: Path, arguments: list[str], settings: dict[str, str], says: str
) -> None:
    line = refusal(run(arguments, settings | {"data_dir": str(data)}))
    assert says in line
    assert "secret" not in line


def test_a_role_on_a_database_without_tables_says_to_migrate(postgres_url: str, data: Path) -> None:
    line = refusal(run(["api"], {"postgres_url": postgres_url, "data_dir": str(data)}))
    assert "smsledger migrate" in line


@pytest.mark.parametrize("command", ["timeline", "tail", "status", "migrate", "projections"])
def test_a_command_without_a_ledger_says_how_to_start_one(data: Path, command: str) -> None:
    more = {"timeline": ["sms_01hk153x00e45bavdxkn2xkbtr"], "projections": ["rebuild", "messages"]}
    line = refusal(run([command, *more.get(command, []), "--data", str(data)], {}))
    assert "smsledger up" in line
