"""Receipts, and messages from phones, on their way: when each is due, to which connection it goes, and which have to be sent again.

At-least-once: a receipt is scheduled, waiting in the backlog, or under way on one connection until it is
acknowledged. What a receipt says is its message's script; what is still open is in `memory.py`.
"""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from . import protocol as wire
from .connection import Connection
from .journal import InboundMade
from .memory import Memory, Pending, receipt_id
from .scripts import STEPS_MAX, Behaviour, receipt_delay_s
from .timers import Timers


class ReceiptDesk:
    """Sends the receipts of all messages over the connections that take them."""

    def __init__(self, memory: Memory, behaviour: Behaviour, timers: Timers) -> None:
        self._memory = memory
        self._behaviour = behaviour
        self._timers = timers
        # Both by account. A receipt is in the backlog while no connection has room for it.
        self._receivers: dict[str, list[Connection]] = {}
        self._backlog: dict[str, deque[int]] = {}
        self.sent = 0
        """Since the start, resent ones included."""
        self.acknowledged = 0

    def has_receiver(self, account: str) -> bool:
        """Whether anybody of the account is connected to be given anything."""
        return bool(self._receivers.get(account))

    @property
    def backlog(self) -> int:
        """What is due and waits for a connection with room."""
        return sum(map(len, self._backlog.values()))

    def add_receiver(self, account: str, connection: Connection) -> None:
        """From now on `connection` is given receipts, beginning with those that wait."""
        connection.takes_receipts = True
        self._receivers.setdefault(account, []).append(connection)
        self._send_backlog(account)

    def remove_receiver(self, connection: Connection) -> None:
        """A connection has ended: what was under way on it goes elsewhere, or waits."""
        if connection.takes_receipts and connection.account is not None:
            self._receivers[connection.account].remove(connection)
        unacked = list(connection.unacked)
        connection.unacked.clear()
        self.send_again(unacked)

    def schedule(self, pending: Pending) -> None:
        """Have every open receipt sent when it is due; after a restart that may be at once."""
        elapsed_s = (
            0.0 if pending.connection is not None else (datetime.now(UTC) - pending.at).total_seconds()
        )
        for step in pending.unacked_steps():
            delay_s = receipt_delay_s(pending.script, step, self._behaviour) - elapsed_s
            if delay_s > 0:
                self._timers.after(delay_s, self._send, receipt_id(pending.number, step))
            else:
                self._send(receipt_id(pending.number, step))

    def deliver(self, made: InboundMade) -> None:
        """Have a message from a phone sent."""
        self._send(receipt_id(made.number, 0))

    def acknowledge(self, connection: Connection, receipt_ids: Sequence[int]) -> list[int]:
        """These need not be sent again; returns those that were open."""
        for number in receipt_ids:
            connection.unacked.pop(number, None)
        new = self._memory.acknowledge(receipt_ids)
        self.acknowledged += len(new)
        self._send_backlog(connection.account or "")
        return new

    def send_again(self, receipt_ids: Sequence[int]) -> None:
        """Send those that are still open, to whichever connection has room."""
        for number in receipt_ids:
            self._send(number)

    def _send(self, number: int) -> None:
        pending = self._memory.pending.get(number // STEPS_MAX)
        if pending is None:
            self._send_inbound(number)
            return
        if not pending.unacked >> number % STEPS_MAX & 1:
            return
        connection = self._receiver(pending)
        if connection is None:
            self._backlog.setdefault(pending.account, deque()).append(number)
            return
        self.sent += 1
        connection.send_receipt(number, self._receipt(pending, number))

    def _send_inbound(self, number: int) -> None:
        made = self._memory.inbound.get(number // STEPS_MAX)
        if made is None or number % STEPS_MAX:
            return
        connection = next((one for one in self._receivers.get(made.account, ()) if one.room), None)
        if connection is None:
            self._backlog.setdefault(made.account, deque()).append(number)
            return
        provider_message_id = self._memory.provider_message_id(made.number)
        connection.send_receipt(
            number,
            wire.Inbound(number, provider_message_id, made.sender, made.recipient, made.body, made.at),
        )

    def _receipt(self, pending: Pending, number: int) -> wire.Receipt:
        step = number % STEPS_MAX
        said = pending.script.steps[step]
        return wire.Receipt(
            number,
            self._memory.provider_message_id(pending.number),
            said.status,
            # Not the time of sending: a receipt that is sent again says the same.
            pending.at + timedelta(seconds=receipt_delay_s(pending.script, step, self._behaviour)),
            said.error_code,
            said.reason,
        )

    def _receiver(self, pending: Pending) -> Connection | None:
        own = pending.connection
        if own is not None and own.takes_receipts and own.room:
            return own
        return next((other for other in self._receivers.get(pending.account, ()) if other.room), None)

    def _send_backlog(self, account: str) -> None:
        backlog = self._backlog.get(account)
        receivers = self._receivers.get(account, ())
        while backlog and any(connection.room for connection in receivers):
            self._send(backlog.popleft())
