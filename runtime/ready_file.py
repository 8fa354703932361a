"""The ready file: how a running `smsledger up` tells commands and scripts where it is and what its keys are.

It holds keys and passwords, so it is its owner's alone. It is written whole or not at all, and removed at a clean end.
"""

import os
from pathlib import Path

import msgspec

from smsledger.domain.errors import LedgerError

READY_FILE = "ready.json"


class ReadyFile(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the file."""

    url: str
    server_key: str | None
    sending_key: str | None
    admin_key: str | None
    """The keys of the organization `demo`; None where they were made by another installation."""
    postgres_url: str
    nats_url: str
    simulator_url: str
    data_dir: str
    supervisor_pid: int
    pids: dict[str, int] = {}
    """Of the processes that it started, by name."""


class FileNotWritable(LedgerError):
    """A file that others rely on cannot be written."""

    message = "{path} cannot be written ({reason}): choose another place for it"


class ReadyFileUnreadable(LedgerError):
    """The ready file in a data folder is damaged."""

    message = "{path} cannot be read ({reason}): look at it as the user who runs the service, or, where it is damaged, start `smsledger up` again"


def write_private(path: Path, content: bytes) -> None:
    """Write a file for its owner alone, whole or not at all. Raises FileNotWritable."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as error:
        raise FileNotWritable(path=path, reason=error.strerror) from None


def remove_private(path: Path) -> None:
    """Remove a file that `write_private` wrote. Raises FileNotWritable, also where it could not be written."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise FileNotWritable(path=path, reason=error.strerror) from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        reason = "the folder is not there" if not path.parent.exists() else "the folder is not writable"
        raise FileNotWritable(path=path, reason=reason)


def write_ready_file(path: Path, ready: ReadyFile) -> None:
    """Tell the world. Raises FileNotWritable."""
    write_private(path, msgspec.json.format(msgspec.json.encode(ready)) + b"\n")


def read_ready_file(data_dir: Path) -> ReadyFile | None:
    """What the `smsledger up` of a data folder wrote; None where there is no file. Raises ReadyFileUnreadable."""
    path = data_dir / READY_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=ReadyFile)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ReadyFileUnreadable(path=path, reason=error) from None
