"""One supervisor at a time on a data folder."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from smsledger.runtime.embedded.data_folder import lock_data_folder
from smsledger.runtime.embedded.errors import DataFolderInUse, DataFolderNotUsable

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from smsledger.runtime.embedded.data_folder import lock_data_folder
lock = lock_data_folder(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_supervisor_is_refused_and_told_the_pid_of_the_first(tmp_path: Path) -> None:
    with lock_data_folder(tmp_path / "data"), pytest.raises(DataFolderInUse) as refused:
        lock_data_folder(tmp_path / "data")
    assert f"in use by process {os.getpid()}:" in str(refused.value)


def test_the_lock_of_another_process_holds_until_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataFolderInUse, match=f"process {holder.pid}:"):
            lock_data_folder(tmp_path)
        holder.kill()
    lock_data_folder(tmp_path).release()


def test_a_released_folder_can_be_locked_again(tmp_path: Path) -> None:
    lock = lock_data_folder(tmp_path)
    lock.release()
    lock.release()
    lock_data_folder(tmp_path).release()


def test_a_new_data_folder_is_open_to_its_owner_alone(tmp_path: Path) -> None:
    with lock_data_folder(tmp_path / "a" / "data"):
        assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700


def test_a_folder_that_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(DataFolderNotUsable, match=r"cannot be used: .*--data") as refused:
        lock_data_folder(tmp_path / "data")
    assert "\n" not in str(refused.value)
