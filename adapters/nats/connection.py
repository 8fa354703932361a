"""One way to connect to NATS: reconnecting for ever, every disconnection logged, no buffering while disconnected."""

import asyncio
import re

import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.errors import NoServersError

from smsledger.domain.errors import LedgerError

log = structlog.get_logger(__name__)


class NatsUnreachable(LedgerError):
    """No NATS server answers at the address given."""

    message = "NATS cannot be reached at {url} ({reason}): start it, or correct SMSLEDGER_NATS_URL"


class NatsClosed(LedgerError):
    """The server refused the connection for good."""

    message = (
        "NATS ended the connection for good: look at the lines before this one, and start the process again"
    )


async def connect_nats(url: str, name: str, *, connect_s_max: float = 5.0) -> Client:
    """A connected client that reconnects by itself. Raises NatsUnreachable where the first connection fails."""

    async def on_error(error: Exception) -> None:
        log.warning("nats_error", error=str(error) or type(error).__name__, connection=name)

    async def on_disconnected() -> None:
        log.warning("nats_disconnected", connection=name)

    async def on_reconnected() -> None:
        log.info("nats_reconnected", connection=name)

    try:
        return await asyncio.wait_for(
            nats.connect(
                url,
                name=name,
                connect_timeout=int(connect_s_max),
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,
                # What cannot be sent now fails now: the loops decide what to send again, and from where.
                pending_size=-1,
                ping_interval=5,
                max_outstanding_pings=2,
                error_cb=on_error,
                disconnected_cb=on_disconnected,
                reconnected_cb=on_reconnected,
            ),
            connect_s_max,
        )
    except (OSError, TimeoutError, NoServersError, nats.errors.Error) as error:
        raise NatsUnreachable(url=_without_password(url), reason=str(error) or type(error).__name__) from None


def _without_password(url: str) -> str:
    """For people and logs; several servers stand with commas between them."""
    return ",".join(re.sub(r"//[^/@]*@", "//***@", one) for one in url.split(","))
