"""Whether what the service needs can be had, asked before anything is started: a free port, PostgreSQL, NATS.

Each refusal is one line that names the address, never a password, and what to do. Nothing here is kept open.
"""

import asyncio
import errno
import random
import re
import socket
from urllib.parse import urlsplit, urlunsplit

import nats.errors
import nats.js.errors
import psycopg
from nats.aio.client import Client
from psycopg.conninfo import conninfo_to_dict

from smsledger.adapters.nats.connection import NatsUnreachable
from smsledger.domain.errors import LedgerError

CONNECT_S_MAX = 5
POSTGRES_VERSION_MIN = 15

# Below the ports that the kernel gives to outgoing connections (from 32768): one of those could hold it while
# its owner is being restarted.
PICKED_PORTS = range(20_000, 30_000)
PICKS_MAX = 50

_SERVER_VERSION = "SELECT current_setting('server_version_num')::int / 10000"
_PASSWORD = re.compile(r"(password=)[^&\s]+", re.IGNORECASE)


class PortBusy(LedgerError):
    """Somebody else listens on the port that was asked for."""

    message = (
        "port {port} on {host} is in use by another program: stop it, or choose another port with --port "
        '(`make run ARGS="--port 9000"`)'
    )


class AddressNotUsable(LedgerError):
    """The host is not an address of this machine, or its ports may not be used."""

    message = "cannot listen on {host}:{port} ({reason}): choose another address with --host and --port"


class PostgresUnreachable(LedgerError):
    """No PostgreSQL answers at the address given, or it lets nobody in."""

    message = "PostgreSQL cannot be reached at {url} ({reason}): {remedy}"


class PostgresTooOld(LedgerError):
    """The server's version is not supported."""

    message = "PostgreSQL {found} at {url} is too old: the ledger needs {wanted} or newer"


class JetStreamMissing(LedgerError):
    """The NATS server runs without JetStream."""

    message = "NATS at {url} has no JetStream ({reason}): start it with `-js`"


def free_port(host: str, port: int) -> int:
    """`port` where nobody listens on it, or for 0 a free one. Raises PortBusy and AddressNotUsable."""
    if port:
        _try_port(host, port)
        return port
    for pick in random.sample(PICKED_PORTS, PICKS_MAX):
        try:
            _try_port(host, pick)
        except PortBusy:
            continue
        return pick
    raise PortBusy(host=host, port=f"{PICKED_PORTS.start}-{PICKED_PORTS.stop - 1}")


def _try_port(host: str, port: int) -> None:
    """Take the port for a moment, without SO_REUSEPORT, which would share it with whoever has it."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in addresses:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen(1)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno != errno.EADDRINUSE:
            raise AddressNotUsable(host=host, port=port, reason=error.strerror or error) from None
        raise PortBusy(host=host, port=port) from None


def without_password(url: str) -> str:
    """A URL or connection string as it may be shown."""
    if "://" not in url and "=" not in url:
        url = url.rpartition("@")[2]  # a token in front of a bare address
    try:
        parts = urlsplit(url)
        if parts.password is not None:
            place = parts.netloc.rpartition("@")[2]
            user = f"{parts.username}@" if parts.username else ""
            url = urlunsplit(parts._replace(netloc=user + place))
    except ValueError:
        pass  # not a URL; a connection string has its password under a name
    return _PASSWORD.sub(r"\1(hidden)", url)


def require_postgres(url: str, remedy: str = "start it, or correct SMSLEDGER_POSTGRES_URL") -> None:
    """Raise PostgresUnreachable or PostgresTooOld unless the server lets us in."""
    try:
        conninfo_to_dict(url)
        with psycopg.connect(url, connect_timeout=CONNECT_S_MAX) as conn:
            row = conn.execute(_SERVER_VERSION).fetchone()
    except psycopg.Error as error:
        raise postgres_unreachable(url, error, remedy) from None
    found = int(row[0]) if row else 0
    if found < POSTGRES_VERSION_MIN:
        raise PostgresTooOld(url=without_password(url), found=found, wanted=POSTGRES_VERSION_MIN)


def postgres_unreachable(url: str, error: psycopg.Error, remedy: str) -> PostgresUnreachable:
    """psycopg's several lines as one of ours."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    telling = next((line for line in lines if "failed: " in line), lines[0])
    reason = telling.rpartition("failed: ")[2].removeprefix("FATAL:  ")
    return PostgresUnreachable(url=without_password(url), reason=without_password(reason), remedy=remedy)


async def require_nats(url: str) -> None:
    """Raise NatsUnreachable or JetStreamMissing unless the server takes us and has JetStream."""
    client = await connect_once(url, "smsledger check")
    try:
        await client.jetstream(timeout=CONNECT_S_MAX).account_info()
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        raise JetStreamMissing(url=without_password(url), reason=str(error) or type(error).__name__) from None
    finally:
        await client.close()


async def connect_once(url: str, name: str) -> Client:
    """A client that does not reconnect, for a look at a server. Raises NatsUnreachable, without the password."""
    client = Client()

    async def on_error(error: Exception) -> None:
        if not client.is_connected:
            raise error  # else the client goes on trying

    try:
        async with asyncio.timeout(CONNECT_S_MAX):
            await client.connect(url, name=name, allow_reconnect=False, error_cb=on_error)
    except (OSError, TimeoutError, ValueError, nats.errors.Error) as error:
        raise NatsUnreachable(url=without_password(url), reason=str(error) or type(error).__name__) from None
    return client
