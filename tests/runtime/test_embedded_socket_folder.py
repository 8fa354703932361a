"""The private folder of PostgreSQL's socket."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsledger.runtime.embedded.process import Account
from smsledger.runtime.embedded.socket_folder import make_socket_folder


@pytest.fixture(autouse=True)
def temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Not pytest's own, whose name is longer than a socket's may be."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_it_keeps_its_name_over_starts_and_is_emptied(tmp_path: Path, temporary_folder: Path) -> None:
    first = make_socket_folder(tmp_path, None)
    assert first.parent == temporary_folder
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    (first / ".s.PGSQL.5432.lock").touch()
    assert make_socket_folder(tmp_path, None) == first
    assert list(first.iterdir()) == []
    first.rmdir()
    assert make_socket_folder(tmp_path, None) == first


def test_a_name_that_leads_elsewhere_by_now_is_given_up(tmp_path: Path, temporary_folder: Path) -> None:
    first = make_socket_folder(tmp_path, None)
    elsewhere = temporary_folder / "elsewhere"
    first.rename(elsewhere)
    first.symlink_to(elsewhere)
    second = make_socket_folder(tmp_path, None)
    assert second not in (first, elsewhere)
    assert make_socket_folder(tmp_path, None) == second


def test_a_note_of_a_folder_outside_the_temporary_one_is_not_followed(
    tmp_path: Path, temporary_folder: Path
) -> None:
    outside = tmp_path / "smsledger-outside"
    outside.mkdir(mode=0o700)
    (outside / "kept").touch()
    (tmp_path / "postgres.socket-folder").write_text(f"{outside}\n")
    assert make_socket_folder(tmp_path, None).parent == temporary_folder
    assert (outside / "kept").exists()


def test_a_temporary_folder_with_a_long_name_is_passed_over(
    tmp_path: Path, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = temporary_folder / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = make_socket_folder(tmp_path, None)
    assert folder.parent == Path("/tmp")
    folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone runs the server as somebody else")
def test_a_temporary_folder_that_the_servers_user_cannot_enter_is_passed_over(
    tmp_path: Path, temporary_folder: Path
) -> None:
    temporary_folder.chmod(0o700)
    folder = make_socket_folder(tmp_path, Account(65534, 65534, "nobody"))
    assert folder.parent == Path("/tmp")
    assert folder.stat().st_uid == 65534
    folder.rmdir()
