"""One connection of the ledger to the simulator: submissions out, answers, receipts and messages from phones in.

It lives as long as its TCP connection; reconnecting, and handing over what came, is `client.py`. Deadlines are
looked at on one timer, not set per message.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

import msgspec
import structlog

from smsledger.application.ports import Refused, Submission, Taken, TryLater, Unknown

from . import protocol as wire

log = structlog.get_logger(__name__)

CARRIER_DOWN = "CARRIER_DOWN"
CARRIER_BUSY = "CARRIER_BUSY"
NOT_SENDABLE = "NOT_SENDABLE"


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a session waits and how much it holds."""

    connect_s: float = 5.0
    """For the connection and for the answer to the bind."""
    answer_s: float = 10.0
    """From a submission to its answer; then its outcome is unknown."""
    in_flight_max: int = 2_000
    """Submissions on the wire without an answer (SMPP's window); more wait."""
    waiting_max: int = 100_000
    """Submissions that wait for the window; more are answered TryLater."""
    ping_s: float = 5.0
    """After this long without a line the peer is asked for one, and after as long again it counts as gone."""
    receipts_held_max: int = 20_000
    """Receipts and messages that came and are not acknowledged; a carrier that sends more is disconnected."""


class _Waiting(msgspec.Struct, gc=False):
    """A line that is not on the wire yet."""

    seq: int
    line: bytes


class Session(asyncio.Protocol):
    """The ledger's side of one connection."""

    def __init__(self, bind: wire.Bind, limits: SessionLimits, arrived: Callable[[], None]) -> None:
        self._bind = bind
        self._limits = limits
        self._arrived = arrived
        self._loop = asyncio.get_running_loop()
        self._reader = wire.FrameReader(wire.TO_LEDGER)
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._seq = 0
        # Futures and deadlines, by seq; the order is that of the deadlines. Those of `_waiting` are among them.
        self._asked: dict[int, tuple[asyncio.Future[Any], float]] = {}
        self._waiting: deque[_Waiting] = deque()
        self._paused = False
        self._heard_at = 0.0
        self._receipts: deque[wire.Receipt] = deque()
        self._inbound: deque[wire.Inbound] = deque()
        self._held: set[int] = set()
        self._check: asyncio.TimerHandle | None = None
        self.bound: asyncio.Future[str] = self._loop.create_future()
        """Empty when the carrier let us in, else the reason why not."""
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection has ended."""

    # --- What asyncio calls -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._heard_at = self._loop.time()
        self._write(wire.ENCODER.encode(self._bind))
        self._check_deadlines()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            frames = self._reader.feed(data)
        except wire.BadLine as error:
            log.warning("carrier.bad_line", carrier="simulator", problem=str(error))
            self.abort()
            return
        for frame in frames:
            if type(frame) is wire.Receipt:
                if self._hold(frame.receipt_id):
                    self._receipts.append(frame)
            elif type(frame) is wire.Submitted:
                self._answer(frame.seq, Taken(frame.provider_message_id, frame.at))
            else:
                self._handle_other(frame)
        if self._receipts or self._inbound:
            self._arrived()
        if self._waiting:
            self._write_waiting()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write_waiting()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._transport = None
        if self._check is not None:
            self._check.cancel()
        never_written = {waiting.seq for waiting in self._waiting}
        self._waiting.clear()
        down, unknown = _down(), Unknown("the connection to the carrier was lost before it answered")
        for seq, (future, _) in self._asked.items():
            if not future.done():
                future.set_result(down if seq in never_written else unknown)
        self._asked.clear()
        self._set_bound("the carrier closed the connection")
        if not self.lost.done():
            self.lost.set_result(None)

    # --- What the carrier calls ---------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        """Whether lines can be written."""
        return self._transport is not None and not self._transport.is_closing()

    def submit(self, submission: Submission) -> "asyncio.Future[Any]":
        """The answer to a submission, as an Outcome."""
        self._seq += 1
        frame = wire.Submit(
            self._seq,
            submission.message_id,
            submission.sender,
            submission.recipient,
            submission.body,
            submission.attempt,
        )
        return self._ask(self._seq, frame)

    def look_up(self, message_id: UUID) -> "asyncio.Future[Any]":
        """The answer to a look-up: Taken, Refused, Unknown, or None."""
        self._seq += 1
        return self._ask(self._seq, wire.LookUp(self._seq, message_id))

    def on_air(self, message_ids: Sequence[UUID]) -> "asyncio.Future[Any]":
        """The counts of the handset query."""
        self._seq += 1
        return self._ask(self._seq, wire.Handset(self._seq, list(message_ids)))

    def counts(self) -> "asyncio.Future[Any]":
        """The answer to the stats query."""
        self._seq += 1
        return self._ask(self._seq, wire.Stats(self._seq))

    def next_receipts(self, count_max: int) -> list[wire.Receipt]:
        """Up to `count_max` receipts that came and were not given out yet."""
        receipts = self._receipts
        return [receipts.popleft() for _ in range(min(count_max, len(receipts)))]

    def next_inbound(self, count_max: int) -> list[wire.Inbound]:
        """Up to `count_max` messages from phones that came and were not given out yet."""
        inbound = self._inbound
        return [inbound.popleft() for _ in range(min(count_max, len(inbound)))]

    def acknowledge(self, taken: Sequence[wire.Receipt | wire.Inbound]) -> None:
        """What came is stored; the carrier need not send it again."""
        receipt_ids = [one.receipt_id for one in taken]
        self._held.difference_update(receipt_ids)
        if self._transport is not None:
            self._write(wire.ENCODER.encode(wire.ReceiptAck(receipt_ids)))

    def give_back(self, not_taken: Sequence[wire.Receipt | wire.Inbound]) -> None:
        """What came could not be stored; the carrier will send it again."""
        self._held.difference_update([one.receipt_id for one in not_taken])

    def close(self) -> None:
        """End the connection after what was written."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    # --- Lines --------------------------------------------------------------------------------------------

    def _ask(self, seq: int, frame: wire.ToCarrier) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        try:
            line = wire.ENCODER.encode(frame)
        except (UnicodeEncodeError, OverflowError, msgspec.EncodeError) as error:
            future.set_result(Refused(NOT_SENDABLE, f"the message cannot be written to the carrier: {error}"))
            return future
        if not self.up:
            future.set_result(_down())
        elif len(line) > wire.LINE_BYTES_MAX:
            future.set_result(
                Refused(NOT_SENDABLE, f"the message takes more than {wire.LINE_BYTES_MAX} bytes")
            )
        elif not self._waiting and not self._paused and len(self._asked) < self._limits.in_flight_max:
            self._asked[seq] = (future, self._loop.time() + self._limits.answer_s)
            self._write(line)
        elif len(self._waiting) < self._limits.waiting_max:
            self._asked[seq] = (future, self._loop.time() + self._limits.answer_s)
            self._waiting.append(_Waiting(seq, line))
        else:
            future.set_result(_busy())
        return future

    def _answer(self, seq: int, outcome: object) -> None:
        asked = self._asked.pop(seq, None)
        if asked is not None and not asked[0].done():
            asked[0].set_result(outcome)

    def _hold(self, receipt_id: int) -> bool:
        """Whether this is not here already, sent again by an impatient carrier."""
        if receipt_id in self._held:
            return False
        self._held.add(receipt_id)
        if len(self._held) > self._limits.receipts_held_max:
            log.warning("carrier.too_many_receipts", carrier="simulator", held=len(self._held))
            self.abort()
        return True

    def _handle_other(self, frame: wire.ToLedger) -> None:
        match frame:
            case wire.RefusedForGood(seq, error_code, reason):
                self._answer(seq, Refused(error_code, reason))
            case wire.Throttled(seq, error_code, reason, retry_after_s):
                self._answer(seq, TryLater(error_code, reason, retry_after_s))
            case wire.NotFound(seq):
                self._answer(seq, None)
            case wire.OnAir(seq, counts):
                self._answer(seq, counts)
            case wire.Counts():
                self._answer(frame.seq, frame)
            case wire.Bound():
                self._set_bound("")
            case wire.BindRefused(reason):
                self._set_bound(reason)
            case wire.Inbound(receipt_id):
                if self._hold(receipt_id):
                    self._inbound.append(frame)
            case _:
                pass  # a pong; having heard it is enough

    def _set_bound(self, reason: str) -> None:
        if not self.bound.done():
            self.bound.set_result(reason)

    def _write(self, line: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(line)

    def _flush(self) -> None:
        if self._out and self._transport is not None and not self._transport.is_closing():
            self._out.append(b"")
            self._transport.write(b"\n".join(self._out))
            if self._transport.get_write_buffer_size() > wire.UNREAD_BYTES_MAX:
                log.warning("carrier.does_not_read", carrier="simulator")
                self._transport.abort()
        self._out.clear()

    def _write_waiting(self) -> None:
        room = self._limits.in_flight_max - (len(self._asked) - len(self._waiting))
        while self._waiting and room > 0 and not self._paused:
            self._write(self._waiting.popleft().line)
            room -= 1

    # --- Deadlines ----------------------------------------------------------------------------------------

    def _check_deadlines(self) -> None:
        if self._transport is None:
            return
        now = self._loop.time()
        self._expire(now)
        silent_s = now - self._heard_at
        if silent_s > 2 * self._limits.ping_s:
            log.warning("carrier.is_silent", carrier="simulator", silent_s=round(silent_s, 1))
            self.abort()
            return
        if silent_s > self._limits.ping_s:
            self._write(wire.ENCODER.encode(wire.Ping()))
        self._check = self._loop.call_later(
            min(self._limits.ping_s, self._limits.answer_s) / 4, self._check_deadlines
        )

    def _expire(self, now: float) -> None:
        late = []
        for seq, (_, deadline) in self._asked.items():
            if deadline > now:
                break
            late.append(seq)
        if not late:
            return
        never_written = {waiting.seq for waiting in self._waiting}.intersection(late)
        if never_written:
            self._waiting = deque(waiting for waiting in self._waiting if waiting.seq not in never_written)
        for seq in late:
            self._answer(
                seq, _busy() if seq in never_written else Unknown("the carrier did not answer in time")
            )


def _down() -> TryLater:
    return TryLater(CARRIER_DOWN, "the carrier is not connected")


def _busy() -> TryLater:
    return TryLater(CARRIER_BUSY, "too many messages wait for the carrier")
