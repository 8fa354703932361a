"""The exclusive lock on a data folder: one supervisor at a time. It says nothing about servers left behind;
`process.LifeLock` does.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from .errors import DataFolderInUse, DataFolderNotUsable


class DataFolderLock:
    """Held until `release`, or until the process ends in whatever way.

    A forked child that goes on without `exec` shares the lock and keeps it after its parent's death, which is
    right: it still works on the folder.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let the next one in. The file stays: removing it would let two processes lock two files of one
        name.
        """
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_data_folder(path: Path) -> DataFolderLock:
    """Make the folder if it is missing (readable by its owner alone) and hold it for this process.

    Raises DataFolderInUse, naming the process that holds it, and DataFolderNotUsable.
    """
    folder = path.expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _not_usable(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise DataFolderInUse(folder=folder, pid=holder or "(not known yet)") from None
    except OSError as error:
        os.close(descriptor)
        raise _not_usable(folder, error) from error
    return DataFolderLock(folder, descriptor)


def _not_usable(folder: Path, error: OSError) -> DataFolderNotUsable:
    return DataFolderNotUsable(
        folder=folder,
        reason=error.strerror or str(error),
        remedy="choose a folder on a local disk that you may write to, with --data",
    )
