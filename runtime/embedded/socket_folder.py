"""The folder of PostgreSQL's socket: open to the server's user (and root) alone, since whoever reaches the
socket is trusted.

It stands in the temporary folder, because a socket's path may have no more than 107 bytes and the data
folder's may have more, and because `nobody` may not be able to enter the data folder. Its name is kept in the
data folder, so that URLs stay valid over restarts.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from .errors import DataFolderNotUsable
from .process import Account
from .unprivileged import give_to, is_reachable, make_private_folder

SOCKET_PATH_BYTES_MAX = 103  # 107 on Linux, 103 on macOS
SOCKET_NAME = ".s.PGSQL.5432.lock"  # the longest name in the folder
PREFIX = "smsledger-"


def make_socket_folder(data_folder: Path, account: Account | None) -> Path:
    """An empty private folder, of the same name as at the last start if it is to be had. Raises
    DataFolderNotUsable.
    """
    note = data_folder / "postgres.socket-folder"
    place = _place(data_folder, account)
    known = Path(note.read_text().strip()) if note.exists() else None
    if (
        known is not None
        and known.parent == place
        and known.name.startswith(PREFIX)
        and _remake(known, account)
    ):
        return known
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    give_to(folder, account)
    note.write_text(f"{folder}\n")
    return folder


def _place(data_folder: Path, account: Account | None) -> Path:
    for place in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - mkdtemp makes the name in it
        socket_bytes = len(os.fsencode(place / f"{PREFIX}12345678" / SOCKET_NAME))
        if (
            place.is_dir()
            and socket_bytes <= SOCKET_PATH_BYTES_MAX
            and (account is None or is_reachable(place, account))
        ):
            return place
    remedy = "set TMPDIR to a folder with a short name that everybody may enter"
    raise DataFolderNotUsable(
        folder=data_folder, reason="there is no place for PostgreSQL's socket", remedy=remedy
    )


def _remake(folder: Path, account: Account | None) -> bool:
    """Make the folder anew under its old name; False if somebody else has taken that name."""
    owner_uid = account.uid if account else os.geteuid()
    try:
        status = folder.lstat()
        if (
            not stat.S_ISDIR(status.st_mode)
            or status.st_uid != owner_uid
            or stat.S_IMODE(status.st_mode) != 0o700
        ):
            return False
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass  # nothing stands in the way
    try:
        make_private_folder(folder, account)
    except FileExistsError:
        return False
    return True
