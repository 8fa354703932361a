"""`smsledger up` as a process of its own, for tests that need the whole service, and what to wait for in it.

No fixtures: who needs a service decides for how long. Nothing of the environment's own settings reaches it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import psycopg

from smsledger.runtime.ready_file import ReadyFile

T = TypeVar("T")

SMSLEDGER = [sys.executable, "-m", "smsledger.runtime.cli"]
LIFTED = '{"send": 1000000, "batch": 1000000, "read": 1000000}'
"""Rate limits that no test reaches, though every request is counted."""
START_S_MAX = 90.0
STOP_S_MAX = 60.0
EVENTUALLY_S_MAX = 30.0


class Service(msgspec.Struct):
    """A running service."""

    process: "subprocess.Popen[bytes]"
    ready: ReadyFile
    output: Path
    """What it printed, on stdout and stderr together."""

    def client(self, key: str | None) -> httpx.Client:
        """A client that presents `key`; to be closed."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.ready.url, headers=headers, timeout=20, trust_env=False)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_S_MAX)


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without its SMSLEDGER_ variables, and `settings` as such variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SMSLEDGER_")}
    return kept | {f"SMSLEDGER_{name.upper()}": value for name, value in settings.items()}


@contextmanager
def running_service(
    data_dir: Path,
    *options: str,
    command: Sequence[str] = SMSLEDGER,
    **popen: Any,
) -> Iterator[Service]:
    """A service on `data_dir` that serves requests; at the end it is stopped if it still runs.

    `popen` are more options of the process, such as its user.
    """
    more: dict[str, Any] = {"env": clean_environment()} | popen
    output = data_dir.parent / f"{data_dir.name}.output"
    with output.open("wb") as file:
        process = subprocess.Popen[bytes](
            [*command, "up", "--port", "0", "--data", str(data_dir), *options],
            stdout=file,
            stderr=subprocess.STDOUT,
            **more,
        )
    try:
        ready = _wait_until_ready(process, data_dir, output)
        lift_rate_limits(ready.postgres_url)
        yield Service(process, ready, output)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_S_MAX) == 0, output.read_text()
    finally:
        if process.poll() is None:
            process.kill()  # its children die with it
            process.wait()


def lift_rate_limits(postgres_url: str) -> None:
    """Let every organization that there is ask as often as it likes."""
    with psycopg.connect(postgres_url) as conn:
        conn.execute("UPDATE organizations SET rate_limits = %s", [LIFTED])


def _wait_until_ready(process: "subprocess.Popen[bytes]", data_dir: Path, output: Path) -> ReadyFile:
    def ready() -> ReadyFile | None:
        assert process.poll() is None, f"it ended with {process.returncode}: {output.read_text()}"
        path = data_dir / "ready.json"
        # Announced after the file was written; a line to paste is not cut off by that.
        if not path.exists() or "Ctrl-C stops it" not in output.read_text():
            return None
        return msgspec.json.decode(path.read_bytes(), type=ReadyFile)

    return eventually(ready, START_S_MAX)


def eventually(look: Callable[[], T | None], seconds_max: float = EVENTUALLY_S_MAX) -> T:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds_max
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing within {seconds_max} s: {look}"
        time.sleep(0.02)  # between two looks
    return found


def wait_for_status(client: httpx.Client, message_id: str, *statuses: str) -> dict[str, Any]:
    """The message, as soon as it has one of `statuses`."""

    def look() -> dict[str, Any] | None:
        answer = client.get(f"/v1/sms/{message_id}")
        assert answer.status_code == 200, answer.text
        message: dict[str, Any] = answer.json()
        return message if message["status"] in statuses else None

    return eventually(look)


def show_position(client: httpx.Client, message_id: str) -> dict[str, str]:
    """The header with which a list shows all that the message's own events say now."""
    return {"Ledger-Position": client.get(f"/v1/sms/{message_id}").headers["Ledger-Position"]}
