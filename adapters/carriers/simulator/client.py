"""The Carrier port, implemented for the simulator: stays connected, and hands receipts over in batches.

What an outcome or a receipt means for a message is the caller's; one connection's lines are `session.py`'s.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from smsledger.application.ports import (
    CarrierInbound,
    CarrierReceipt,
    Outcome,
    Refused,
    Submission,
    TakeInbound,
    Taken,
    TakeReceipts,
    TryLater,
    Unknown,
)
from smsledger.domain.errors import LedgerError

from . import protocol as wire
from .session import CARRIER_DOWN, Session, SessionLimits

log = structlog.get_logger(__name__)

NAME = "simulator"
FrameT = TypeVar("FrameT", wire.Receipt, wire.Inbound)

RECEIPTS_PER_TAKE_MAX = 1_000
INBOUND_PER_TAKE_MAX = 100
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.05, 2.0
"""The pause before connecting again doubles from the one to the other."""


class InvalidCarrierUrl(LedgerError):
    """The address of the simulator cannot be used."""

    message = "not an address of a carrier simulator: {url!r}; set SMSLEDGER_SIMULATOR_URL to tcp://host:port"


class SimulatorUnreachable(LedgerError):
    """A query for tests could not be answered."""

    message = "the carrier simulator did not answer ({reason})"


class SimulatorCarrier:
    """The simulator as a Carrier. `submit` and `look_up` work while `run` runs, on the same event loop."""

    name = NAME
    idempotent = True

    def __init__(
        self,
        url: str,
        *,
        account: str = "smsledger",
        connection_name: str = "ledger",
        limits: SessionLimits | None = None,
    ) -> None:
        """Talk to the simulator at `url`. Raises InvalidCarrierUrl.

        Receipts of an account go to any of its connections; message ids are known to all of them.
        """
        self._host, self._port = address(url)
        self._bind = wire.Bind(account, connection_name)
        self._limits = limits or SessionLimits()
        self._session: Session | None = None
        # One each, so that neither receipts nor messages from phones wait for the others.
        self._receipts_arrived = asyncio.Event()
        self._inbound_arrived = asyncio.Event()
        self._connected = asyncio.Event()
        self.takes_failed = 0
        """Batches that could not be handed over since the start."""
        self.connections_made = 0
        """Connections since the start."""

    @property
    def ready(self) -> bool:
        """Whether there is a connection; see the port."""
        return self._connected.is_set()

    async def submit(self, submission: Submission) -> Outcome:
        """Hand one message over; see the port. Not connected: TryLater. Lost or late answer: Unknown."""
        session = self._session
        if session is None:
            return TryLater(CARRIER_DOWN, "the carrier is not connected")
        outcome: Outcome = await session.submit(submission)
        return outcome

    async def look_up(self, submission: Submission) -> Taken | Refused | Unknown | None:
        """What the simulator knows of the message; Unknown while it cannot be asked."""
        session = self._session
        if session is None:
            return Unknown("the carrier is not connected")
        found: Taken | Refused | TryLater | Unknown | None = await session.look_up(submission.message_id)
        return Unknown(found.reason) if isinstance(found, TryLater) else found

    async def run(self, take: TakeReceipts, take_inbound: TakeInbound) -> None:
        """Stay connected and hand over what comes until cancelled; see the port."""

        async def receipts(found: Sequence[wire.Receipt]) -> None:
            await take([_carrier_receipt(receipt) for receipt in found])

        async def inbound(found: Sequence[wire.Inbound]) -> None:
            await take_inbound([_carrier_inbound(message) for message in found])

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay_connected())
            tasks.create_task(
                self._hand_over(
                    self._receipts_arrived,
                    lambda session: session.next_receipts(RECEIPTS_PER_TAKE_MAX),
                    receipts,
                )
            )
            tasks.create_task(
                self._hand_over(
                    self._inbound_arrived, lambda session: session.next_inbound(INBOUND_PER_TAKE_MAX), inbound
                )
            )

    async def connected(self) -> None:
        """Wait until messages can be submitted."""
        while self._session is None or not self._session.up:
            # One turn: the end of a connection is known to the session a little before it is known here.
            await asyncio.sleep(0)
            await self._connected.wait()

    async def sent_counts(self, message_ids: Sequence[UUID]) -> list[int]:
        """How often each message was put on the air, for tests. Raises SimulatorUnreachable."""
        counts: list[int] = []
        for start in range(0, len(message_ids), wire.QUERY_MESSAGES_MAX):
            session = self._session
            answer = session and await session.on_air(message_ids[start : start + wire.QUERY_MESSAGES_MAX])
            if not isinstance(answer, list):
                raise SimulatorUnreachable(reason=getattr(answer, "reason", "not connected"))
            counts += answer
        return counts

    async def counts(self) -> wire.Counts:
        """What the simulator did since it started, for tests. Raises SimulatorUnreachable."""
        session = self._session
        answer = session and await session.counts()
        if not isinstance(answer, wire.Counts):
            raise SimulatorUnreachable(reason=getattr(answer, "reason", "not connected"))
        return answer

    # --- Staying connected --------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        pause_s = RECONNECT_S_MIN
        while True:
            session = await self._connect()
            if session is not None:
                pause_s = RECONNECT_S_MIN
                await self._serve(session)
            # Spread, so that many dispatchers do not come back in the same moment.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311  # no secret
            pause_s = min(pause_s * 2, RECONNECT_S_MAX)

    async def _connect(self) -> Session | None:
        """A bound session, or None where the carrier does not let us in now."""
        loop = asyncio.get_running_loop()
        session: Session | None = None
        try:
            async with asyncio.timeout(self._limits.connect_s):
                _, session = await loop.create_connection(
                    lambda: Session(self._bind, self._limits, self._arrived), self._host, self._port
                )
                reason = await session.bound
        except OSError as error:  # TimeoutError is one
            reason = str(error) or type(error).__name__
        except asyncio.CancelledError:
            if session is not None:
                session.abort()
            raise
        if not reason:
            return session
        log.info("carrier.cannot_connect", carrier=NAME, reason=reason)
        if session is not None:
            session.abort()
        return None

    async def _serve(self, session: Session) -> None:
        self.connections_made += 1
        log.info("carrier.connected", carrier=NAME, host=self._host, port=self._port)
        self._session = session
        self._connected.set()
        # Some may have come in one piece with the answer to the bind.
        self._arrived()
        try:
            await asyncio.shield(session.lost)
        finally:
            self._session = None
            self._connected.clear()
            session.close()
        log.warning("carrier.disconnected", carrier=NAME)

    # --- What comes ---------------------------------------------------------------------------------------

    def _arrived(self) -> None:
        self._receipts_arrived.set()
        self._inbound_arrived.set()

    async def _hand_over(
        self,
        arrived: asyncio.Event,
        next_batch: Callable[[Session], list[FrameT]],
        take: Callable[[Sequence[FrameT]], Awaitable[None]],
    ) -> None:
        """What arrives while one batch is being taken makes the next."""
        while True:
            await arrived.wait()
            arrived.clear()
            session = self._session
            while session is not None and (batch := next_batch(session)):
                await self._hand_over_batch(session, batch, take)

    async def _hand_over_batch(
        self, session: Session, batch: Sequence[FrameT], take: Callable[[Sequence[FrameT]], Awaitable[None]]
    ) -> None:
        try:
            await take(batch)
        except Exception:
            self.takes_failed += 1
            log.exception("carrier.not_taken", carrier=NAME, received=len(batch))
            session.give_back(batch)
        else:
            session.acknowledge(batch)


def _carrier_receipt(receipt: wire.Receipt) -> CarrierReceipt:
    return CarrierReceipt(
        NAME, receipt.provider_message_id, receipt.status, receipt.error_code, receipt.reason, receipt.at
    )


def _carrier_inbound(message: wire.Inbound) -> CarrierInbound:
    return CarrierInbound(
        NAME, message.provider_message_id, message.sender, message.recipient, message.body, message.at
    )


def address(url: str) -> tuple[str, int]:
    """Host and port of a simulator's URL. Raises InvalidCarrierUrl."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidCarrierUrl(url=url) from None
    if parts.scheme != "tcp" or host is None or port is None or parts.path not in ("", "/"):
        raise InvalidCarrierUrl(url=url)
    return host, port
