"""One ledger's connection to the simulator: bytes in, frames out, and what is under way on it.

It decides nothing about messages; each frame goes to `server.py`. A peer that is silent, that does not read, or
that sends what cannot be read is disconnected.
"""

import asyncio
from typing import TYPE_CHECKING, cast

import msgspec
import structlog

from .protocol import (
    ENCODER,
    TO_CARRIER,
    UNREAD_BYTES_MAX,
    BadLine,
    FrameReader,
    ToLedger,
)

if TYPE_CHECKING:
    from .server import Simulator

log = structlog.get_logger(__name__)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may take up."""

    connections_max: int = 256
    unanswered_submissions_max: int = 10_000
    """Submissions whose answer is being delayed; more are throttled (SMPP's window)."""
    unacked_receipts_max: int = 2_000
    """Receipts under way; more wait until some are acknowledged."""
    ack_wait_s: float = 10.0
    """After this long without an acknowledgement a receipt is sent again."""
    silence_s: float = 30.0
    """After this long without a line the peer counts as gone."""
    unread_bytes_max: int = UNREAD_BYTES_MAX
    """What may wait for a peer that does not read, before it is disconnected."""
    pending_messages_max: int = 1_000_000
    """Messages with receipts to come, over all connections; more are throttled."""


class Connection(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(self, simulator: "Simulator", limits: Limits) -> None:
        self._simulator = simulator
        self._limits = limits
        self._reader = FrameReader(TO_CARRIER)
        self._out: list[ToLedger] = []
        self._transport: asyncio.Transport | None = None
        self._heard_at = 0.0
        self._loop = asyncio.get_running_loop()
        self.account: str | None = None
        """Set when bound."""
        self.name = ""
        self.takes_receipts = False
        self.up = False
        """Lines may be sent and are acted upon."""
        self.unanswered = 0
        self.unacked: dict[int, float] = {}
        """Receipts under way, and when each is to be sent again; the order is that of those times."""

    # --- What asyncio calls -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._heard_at = self._loop.time()
        self.up = self._simulator.admit(self)
        if not self.up:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            frames = self._reader.feed(data)
        except BadLine as error:
            log.warning("simulator.bad_line", connection=self.name, problem=str(error))
            self.abort()
            return
        handle = self._simulator.handle
        for frame in frames:
            if not self.up:
                break
            handle(self, frame)
        self._simulator.flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self.up = False
        self._transport = None
        self._simulator.remove(self)

    # --- What the simulator calls -------------------------------------------------------------------------

    def send(self, frame: ToLedger) -> None:
        """Have `frame` sent by the next flush of the simulator, after the journal."""
        if not self._out:
            self._simulator.flush_later(self)
        self._out.append(frame)

    def send_receipt(self, receipt_id: int, frame: ToLedger) -> None:
        """Send a receipt and expect its acknowledgement. The caller has looked at `room`."""
        self.unacked[receipt_id] = self._loop.time() + self._limits.ack_wait_s
        self.send(frame)

    @property
    def room(self) -> bool:
        """Whether one more receipt may be under way."""
        return self.up and len(self.unacked) < self._limits.unacked_receipts_max

    def overdue(self) -> list[int]:
        """The receipts to be sent again; they count as no longer under way."""
        now = self._loop.time()
        late = []
        for receipt_id, deadline in self.unacked.items():
            if deadline > now:
                break
            late.append(receipt_id)
        for receipt_id in late:
            del self.unacked[receipt_id]
        return late

    def flush(self) -> None:
        """Write what waits, in one piece."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(ENCODER.encode_lines(self._out))
            if self._transport.get_write_buffer_size() > self._limits.unread_bytes_max:
                log.warning("simulator.peer_does_not_read", connection=self.name)
                self.abort()
        self._out.clear()

    def drop_if_silent(self) -> None:
        """Disconnect a peer that has not been heard of for too long."""
        if self._loop.time() - self._heard_at > self._limits.silence_s:
            log.warning("simulator.peer_is_silent", connection=self.name)
            self.abort()

    def drop(self) -> None:
        """Act on nothing more; end the connection once what waits is written."""
        self.up = False
        # After the flush of this turn, so that answers to others on this connection still go out.
        self._loop.call_soon(self._loop.call_soon, self._close)

    def abort(self) -> None:
        """End the connection now."""
        self.up = False
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
