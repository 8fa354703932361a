"""What goes wrong ends as one line that says what, and what to do, with an exit code; never as a traceback."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from smsledger.runtime.embedded.data_folder import lock_data_folder

from .command_line import run


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port that somebody listens on, ready to share it with whoever asks."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def assert_one_line(result: Result, *parts: str, exit_code: int = 1) -> None:
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert result.stderr.startswith("smsledger: ")
    assert result.stderr.count("\n") == 1
    assert all(part in result.stderr for part in parts), result.stderr


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_busy_port_is_found_before_anything_is_started(tmp_path: Path, busy_port: int):
    result = run("up", "--data", tmp_path, "--port", str(busy_port))
    assert_one_line(result, f"port {busy_port} on 127.0.0.1 is in use", "choose another port with --port")
    assert left_in(tmp_path) == ["lock"]


def test_the_api_alone_does_not_share_a_busy_port(database: str, busy_port: int):
    result = run("api", "--port", str(busy_port), environment={"SMSLEDGER_POSTGRES_URL": database})
    assert_one_line(result, f"port {busy_port} on 127.0.0.1 is in use")


def test_a_data_folder_in_use_names_the_process_that_holds_it(tmp_path: Path):
    with lock_data_folder(tmp_path):
        assert_one_line(run("up", "--data", tmp_path, "--port", "0"), str(tmp_path), "in use by process")


def test_a_broken_setting_names_the_variable(tmp_path: Path):
    result = run("up", "--data", tmp_path, environment={"SMSLEDGER_PORT": "abc"})
    assert_one_line(result, "SMSLEDGER_PORT", "abc", "`smsledger settings`")
    assert left_in(tmp_path) == []


def test_an_unknown_setting_is_told_with_the_nearest_one(tmp_path: Path):
    result = run("up", "--data", tmp_path, environment={"SMSLEDGER_PORTS": "80"})
    assert_one_line(result, "SMSLEDGER_PORTS", "SMSLEDGER_PORT?")


def test_an_unreachable_postgresql_is_named_without_its_password(tmp_path: Path):
    environment = {"SMSLEDGER_POSTGRES_URL": "postgresql://me:secret@127.0.0.1:1/ledger"}
    result = run("up", "--data", tmp_path, "--port", "0", environment=environment)
    assert_one_line(
        result, "postgresql://me@127.0.0.1:1/ledger", "Connection refused", "SMSLEDGER_POSTGRES_URL"
    )
    assert "secret" not in result.output
    assert left_in(tmp_path) == ["lock"]


def test_an_unreachable_nats_is_named_without_its_password(tmp_path: Path):
    environment = {"SMSLEDGER_NATS_URL": "nats://me:secret@127.0.0.1:1"}
    result = run("up", "--data", tmp_path, "--port", "0", environment=environment)
    assert_one_line(result, "nats://me@127.0.0.1:1", "Connect call failed", "SMSLEDGER_NATS_URL")
    assert "secret" not in result.output
    assert left_in(tmp_path) == ["lock"]


def test_a_ready_file_that_cannot_be_written_is_found_before_anything_is_started(tmp_path: Path):
    ready_file = tmp_path / "missing" / "ready.json"
    result = run("up", "--data", tmp_path, "--port", "0", "--ready-file", ready_file)
    assert_one_line(result, str(ready_file), "the folder is not there")
    assert left_in(tmp_path) == ["lock"]


def test_an_address_of_another_machine_cannot_be_listened_on(tmp_path: Path):
    result = run("up", "--data", tmp_path, "--host", "203.0.113.1", "--port", "8080")
    assert_one_line(result, "cannot listen on 203.0.113.1:8080", "--host")


def test_a_url_that_is_none_is_one_line():
    assert_one_line(
        run("tail", environment={"SMSLEDGER_POSTGRES_URL": "no url"}), "PostgreSQL cannot be reached"
    )


def test_a_role_that_is_none_is_told_with_those_there_are():
    assert_one_line(run("worker", "--roles", "publisher,cook"), "'cook' is not a role", "projector")


@pytest.mark.parametrize("command", ["api", "worker", "migrate", "tail", "status"])
def test_without_a_ledger_each_command_says_what_to_do(command: str, tmp_path: Path):
    result = run(command, environment={"SMSLEDGER_DATA_DIR": str(tmp_path)})
    assert_one_line(result, "no running ledger found", "SMSLEDGER_POSTGRES_URL", exit_code=2)


def test_a_database_of_an_older_release_is_not_served(postgres_url: str):
    result = run("api", environment={"SMSLEDGER_POSTGRES_URL": postgres_url})
    assert_one_line(result, "run `smsledger migrate`")


def test_migrate_brings_a_database_up_to_date_and_says_so(database: str):
    result = run("migrate", environment={"SMSLEDGER_POSTGRES_URL": database})
    assert (result.exit_code, result.stdout) == (0, "nothing to do: the database is up to date\n")


def test_every_command_explains_itself():
    for command in (
        "up",
        "api",
        "worker",
        "simulator",
        "migrate",
        "settings",
        "timeline",
        "tail",
        "status",
        "projections",
        "admin",
    ):
        assert "Usage:" in run(command, "-h").stdout
    assert run("--version").stdout.startswith("smsledger ")
