"""What `smsledger up` remembers in its data folder from one start to the next: the demo keys, the simulator's port."""

from pathlib import Path

import msgspec
import psycopg

from smsledger.domain.errors import LedgerError

from .demo import ORGANIZATION, DemoKeys, ensure_demo, make_key
from .reachability import free_port
from .ready_file import write_private

DEMO_KEYS_FILE = "demo-keys.json"


def demo_keys(data_dir: Path, postgres_url: str, *, ours: bool) -> DemoKeys | None:
    """The demo organization's keys: those of an earlier start, or new ones.

    None on a database that is not `ours` and has its organizations already: their keys are their owners' business.
    """
    path = data_dir / DEMO_KEYS_FILE
    made = ensure_demo(postgres_url)
    if made is None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=DemoKeys)
        except (OSError, msgspec.DecodeError):
            # Removed, or a first start was killed before it could write them down: only digests are stored.
            made = _more_keys(postgres_url) if ours else None
    if made is not None:
        write_private(path, msgspec.json.encode(made))
    return made


def _more_keys(postgres_url: str) -> DemoKeys:
    with psycopg.connect(postgres_url) as conn, conn.cursor() as cursor:
        return DemoKeys(
            *(make_key(cursor, ORGANIZATION, kind, "demo") for kind in ("SERVER", "SENDING", "ADMIN"))
        )


def simulator_port(data_dir: Path) -> int:
    """The port of the last run where it is free, so that whoever knows it finds the simulator again."""
    note = data_dir / "simulator" / "port"
    try:
        note.parent.mkdir(mode=0o700, exist_ok=True)
        port = free_port("127.0.0.1", int(note.read_text()))
    except (OSError, ValueError, LedgerError):
        port = free_port("127.0.0.1", 0)
    write_private(note, f"{port}\n".encode())
    return port
