"""The simulator process: what each line causes, and the order journal before answer.

All output of one event-loop turn leaves together: first the journal's records, then each connection's lines.
Fates are decided in `scripts.py`, remembered in `memory.py`; this is the part that acts them out.
"""

import asyncio
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvloop

from smsledger.domain.errors import LedgerError

from . import protocol as wire
from .connection import Connection, Limits
from .journal import JournalFailed
from .known import Refusal
from .memory import Memory, Pending
from .receipts import ReceiptDesk
from .scripts import (
    REFUSED_CODE,
    REFUSED_REASON,
    STEPS_MAX,
    THROTTLED_ATTEMPTS,
    THROTTLED_CODE,
    THROTTLED_REASON,
    Answer,
    Behaviour,
    answer_delay_s,
    script_for,
)
from .timers import Timers

log = structlog.get_logger(__name__)

HELD_ANSWER_S_MAX = 1.0
"""How long an answer waits for the acknowledgement of the receipt that goes before it."""

STOP_S_MAX = 2.0
"""How long a stop waits for peers to read what was written to them."""

ATTEMPTS_REMEMBERED_MAX = 10_000

_REFUSAL = Refusal(REFUSED_CODE, REFUSED_REASON)


class SimulatorCannotListen(LedgerError):
    """The address is taken or not one of this machine."""

    message = "the carrier simulator cannot listen on {host}:{port} ({reason}): stop what does, or choose another port"


class Simulator:
    """All connections and messages of one simulator process. Lives on one event loop."""

    def __init__(self, memory: Memory, behaviour: Behaviour, limits: Limits) -> None:
        self._memory = memory
        self._behaviour = behaviour
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._timers = Timers(self._loop)
        self._connections: set[Connection] = set()
        self._receipts = ReceiptDesk(memory, behaviour, self._timers)
        self._dirty: list[Connection] = []
        self._flush_is_due = False
        # Answers that wait for the acknowledgement of a receipt, by message number.
        self._held: dict[int, tuple[Connection, wire.Submitted]] = {}
        # Attempts at messages whose script counts them; forgotten over a restart.
        self._attempts: dict[int, int] = {}
        self._taken = self._repeated = self._refused = self._throttled = 0
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Fails when the journal cannot be written."""
        for pending in memory.pending.values():
            self._receipts.schedule(pending)
        for made in memory.inbound.values():
            self._receipts.deliver(made)
        self._timers.after(self._check_s, self._check_connections, None)

    # --- Connections --------------------------------------------------------------------------------------

    def admit(self, connection: Connection) -> bool:
        """Whether one more connection is let in."""
        if len(self._connections) >= self._limits.connections_max:
            log.warning("simulator.too_many_connections", connections=len(self._connections))
            return False
        self._connections.add(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """A connection has ended: its receipts go elsewhere, or wait."""
        self._connections.discard(connection)
        self._receipts.remove_receiver(connection)
        self.flush_soon()

    def close(self) -> None:
        """Write what waits and end every connection."""
        self._timers.close()
        if not self.failed.done():
            self._flush()
        for connection in list(self._connections):
            connection.drop()

    def abort(self) -> None:
        """End every connection now, whatever waits on it."""
        for connection in list(self._connections):
            connection.abort()

    # --- Output, once per turn ----------------------------------------------------------------------------

    def flush_later(self, connection: Connection) -> None:
        """`connection` has lines to write at the next flush."""
        self._dirty.append(connection)
        self.flush_soon()

    def flush_soon(self) -> None:
        """Flush at the end of this turn of the loop."""
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        if self.failed.done():
            return
        try:
            self._memory.flush()
        except JournalFailed as error:
            self._fail(error)
            return
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()

    def _fail(self, error: JournalFailed) -> None:
        """Nothing that is not stored may be answered: end everything without another line."""
        self.failed.set_exception(error)
        self.abort()

    # --- Lines that come in -------------------------------------------------------------------------------

    def handle(self, connection: Connection, frame: wire.ToCarrier) -> None:
        """Do what a line asks for."""
        if self.failed.done():
            return
        try:
            self._dispatch(connection, frame)
        except JournalFailed as error:
            self._fail(error)

    def _dispatch(self, connection: Connection, frame: wire.ToCarrier) -> None:
        if connection.account is None:
            self._bind(connection, frame)
        elif type(frame) is wire.Submit:
            self._submit(connection, frame)
        elif type(frame) is wire.ReceiptAck:
            self._acknowledge(connection, frame)
        elif type(frame) is wire.Ping:
            connection.send(wire.Pong())
        else:
            self._query(connection, frame)

    def _bind(self, connection: Connection, frame: wire.ToCarrier) -> None:
        if not isinstance(frame, wire.Bind):
            self._refuse_bind(connection, "the first line has to be a bind")
        elif frame.version != wire.PROTOCOL_VERSION:
            self._refuse_bind(connection, f"this simulator speaks version {wire.PROTOCOL_VERSION} only")
        else:
            connection.account, connection.name = frame.account, frame.name
            connection.send(wire.Bound())
            if frame.receipts:
                self._receipts.add_receiver(frame.account, connection)

    def _refuse_bind(self, connection: Connection, reason: str) -> None:
        connection.send(wire.BindRefused(reason))
        connection.drop()

    def _query(self, connection: Connection, frame: wire.ToCarrier) -> None:
        match frame:
            case wire.LookUp(seq, message_id):
                found = self._memory.find(message_id)
                if found is None:
                    connection.send(wire.NotFound(seq))
                else:
                    self._answer_from_memory(connection, seq, found)
            case wire.Handset(seq, message_ids):
                connection.send(
                    wire.OnAir(seq, [self._memory.on_air(message_id) for message_id in message_ids])
                )
            case wire.Stats(seq):
                connection.send(self._counts(seq))
            case wire.Inject():
                self._inject(connection, frame)
            case _:
                connection.send(wire.BindRefused("the connection is bound already"))
                connection.drop()

    def _inject(self, connection: Connection, frame: wire.Inject) -> None:
        account = connection.account or ""
        if not self._receipts.has_receiver(account):
            connection.send(
                wire.NotInjected(frame.seq, f"nobody is connected as {account} (is the dispatcher running?)")
            )
            return
        made = self._memory.make_inbound(
            account, frame.sender, frame.recipient, frame.body, datetime.now(UTC)
        )
        connection.send(wire.Injected(frame.seq, self._memory.provider_message_id(made.number)))
        self._receipts.deliver(made)

    # --- Submissions --------------------------------------------------------------------------------------

    def _submit(self, connection: Connection, frame: wire.Submit) -> None:
        found = self._memory.find(frame.message_id)
        if found is not None:
            self._repeated += 1
            self._answer_from_memory(connection, frame.seq, found)
            return
        script = script_for(frame.recipient, frame.message_id, frame.attempt, self._behaviour)
        if script.answer is Answer.REFUSE:
            self._refused += 1
            self._memory.refuse(frame.message_id, _REFUSAL, datetime.now(UTC))
            self._answer_later(
                connection, self._answer_s, wire.RefusedForGood(frame.seq, REFUSED_CODE, REFUSED_REASON)
            )
        elif script.answer is Answer.DROP_ONCE and self._attempt(frame) == 1:
            connection.drop()
        elif self._is_throttled(script.answer, connection, frame):
            self._throttle(connection, frame.seq)
        else:
            self._taken += 1
            at = datetime.now(UTC)
            account = connection.account or ""
            pending = self._memory.take(frame.message_id, script, account, at, connection)
            self._answer_taken(connection, frame.seq, pending)
            self._receipts.schedule(pending)

    def _answer_taken(self, connection: Connection, seq: int, pending: Pending) -> None:
        answer = wire.Submitted(seq, self._memory.provider_message_id(pending.number), pending.at)
        kind = pending.script.answer
        if kind is Answer.TAKE_IN_SILENCE:
            connection.drop()
        elif kind is Answer.TAKE_AFTER_RECEIPT:
            self._held[pending.number] = (connection, answer)
            self._timers.after(HELD_ANSWER_S_MAX, self._release_answer, pending.number)
        else:
            self._answer_later(connection, answer_delay_s(pending.script, self._behaviour), answer)

    def _answer_later(self, connection: Connection, delay_s: float, answer: wire.ToLedger) -> None:
        if delay_s > 0:
            connection.unanswered += 1
            self._timers.after(delay_s, self._answer_now, (connection, answer))
        else:
            connection.send(answer)

    def _answer_now(self, due: tuple[Connection, wire.ToLedger]) -> None:
        connection, answer = due
        connection.unanswered -= 1
        if connection.up:
            connection.send(answer)

    def _release_answer(self, number: int) -> None:
        held = self._held.pop(number, None)
        if held is not None and held[0].up:
            held[0].send(held[1])

    def _answer_from_memory(self, connection: Connection, seq: int, found: int | Refusal) -> None:
        if isinstance(found, Refusal):
            connection.send(wire.RefusedForGood(seq, found.error_code, found.reason))
        else:
            connection.send(wire.Submitted(seq, self._memory.provider_message_id(found)))

    def _is_throttled(self, answer: Answer, connection: Connection, frame: wire.Submit) -> bool:
        if answer is Answer.THROTTLE:
            return True
        if answer is Answer.THROTTLE_TWICE and self._attempt(frame) <= THROTTLED_ATTEMPTS:
            return True
        return (
            connection.unanswered >= self._limits.unanswered_submissions_max
            or len(self._memory.pending) >= self._limits.pending_messages_max
        )

    def _throttle(self, connection: Connection, seq: int) -> None:
        self._throttled += 1
        wish_s = self._behaviour.retry_after_ms / 1_000
        connection.send(wire.Throttled(seq, THROTTLED_CODE, THROTTLED_REASON, wish_s))

    def _attempt(self, frame: wire.Submit) -> int:
        """The number of this attempt: what the ledger says, or what was seen if that is more."""
        key = frame.message_id.int
        attempt = max(frame.attempt, self._attempts.get(key, 0) + 1)
        if len(self._attempts) >= ATTEMPTS_REMEMBERED_MAX:
            self._attempts.clear()
        self._attempts[key] = attempt
        return attempt

    @property
    def _answer_s(self) -> float:
        return self._behaviour.answer_ms / 1_000

    # --- Receipts, and what is looked at now and then ------------------------------------------------------

    def _acknowledge(self, connection: Connection, frame: wire.ReceiptAck) -> None:
        new = self._receipts.acknowledge(connection, frame.receipt_ids)
        if self._held:
            for number in new:
                self._release_answer(number // STEPS_MAX)

    def _check_connections(self, _: None) -> None:
        for connection in list(self._connections):
            self._receipts.send_again(connection.overdue())
            connection.drop_if_silent()
        self._timers.after(self._check_s, self._check_connections, None)

    @property
    def _check_s(self) -> float:
        return min(self._limits.ack_wait_s, self._limits.silence_s) / 4

    def _counts(self, seq: int) -> wire.Counts:
        return wire.Counts(
            seq=seq,
            taken=self._taken,
            repeated=self._repeated,
            refused=self._refused,
            throttled=self._throttled,
            receipts_sent=self._receipts.sent,
            receipts_acked=self._receipts.acknowledged,
            connections=len(self._connections),
            pending_messages=len(self._memory.pending),
            pending_inbound=len(self._memory.inbound),
            backlog_receipts=self._receipts.backlog,
        )


async def serve(
    host: str,
    port: int,
    data_dir: Path,
    behaviour: Behaviour,
    *,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
    limits: Limits | None = None,
) -> None:
    """Run the simulator until `stop` is set; `ready` is told the port (port 0 picks a free one).

    Raises SimulatorCannotListen, JournalLocked, JournalUnreadable and JournalFailed.
    """
    limits = limits or Limits()
    memory = Memory(data_dir)
    try:
        simulator = Simulator(memory, behaviour, limits)
        await _listen_until(simulator, host, port, limits, ready, stop or asyncio.Event())
    finally:
        memory.close()


async def _listen_until(
    simulator: Simulator,
    host: str,
    port: int,
    limits: Limits,
    ready: Callable[[int], None] | None,
    stop: asyncio.Event,
) -> None:
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(lambda: Connection(simulator, limits), host, port)
    except OSError as error:
        raise SimulatorCannotListen(host=host, port=port, reason=error.strerror) from None
    bound_port: int = server.sockets[0].getsockname()[1]
    log.info("simulator.listening", host=host, port=bound_port)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        if ready is not None:
            ready(bound_port)
        await asyncio.wait((stopped, simulator.failed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        server.close()
        simulator.close()
        await asyncio.wait((asyncio.ensure_future(server.wait_closed()),), timeout=STOP_S_MAX)
        simulator.abort()
    if simulator.failed.done():
        simulator.failed.result()


def run_simulator(
    host: str, port: int, data_dir: Path, behaviour: Behaviour, *, ready: Callable[[int], None] | None = None
) -> None:
    """The simulator as a process of its own: runs until SIGTERM or SIGINT. Raises what `serve` raises."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(host, port, data_dir, behaviour, ready=ready, stop=stop)

    uvloop.run(main())
