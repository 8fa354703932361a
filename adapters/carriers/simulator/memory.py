"""What the simulator knows of the messages it was given: it lives in memory and is rebuilt from the journal.

It remembers every message that has receipts to come, and the most recent others: those of the last `REMEMBERED`,
and at least `REMEMBERED_MESSAGES`; they are forgotten a generation at a time. It sends nothing; that is `server.py`.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from .journal import (
    JOURNAL_VERSION,
    InboundMade,
    Journal,
    JournalUnreadable,
    MessageCarried,
    MessageRefused,
    MessageTaken,
    Opened,
    ReceiptsAcked,
    Record,
)
from .known import Fate, Known, Refusal
from .scripts import BY_NAME, STEPS_MAX, Script

if TYPE_CHECKING:
    from .connection import Connection

REMEMBERED_MESSAGES = 100_000
"""Messages known at least for idempotency and look-up, not counting those with receipts to come."""
REMEMBERED = timedelta(minutes=3)
"""How long they are known at least: well longer than a dispatcher holds an attempt (`dispatch_ack_wait_s`)."""


class Pending:
    """A message that has receipts to come."""

    __slots__ = ("account", "at", "connection", "message_id", "number", "script", "unacked")

    def __init__(
        self,
        message_id: UUID,
        number: int,
        script: Script,
        account: str,
        at: datetime,
        unacked: int,
        connection: "Connection | None",
    ) -> None:
        self.message_id = message_id
        self.number = number
        self.script = script
        self.account = account
        self.at = at
        self.unacked = unacked
        self.connection = connection
        """The one that submitted it; None after a restart."""

    def unacked_steps(self) -> list[int]:
        """The receipts of the script that are still to be acknowledged."""
        return [step for step in range(len(self.script.steps)) if self.unacked >> step & 1]


def receipt_id(number: int, step: int) -> int:
    """The id of receipt `step` of message `number`."""
    return number * STEPS_MAX + step


class Memory:
    """The messages of all accounts. Every change is in the journal's queue before the method returns."""

    def __init__(
        self, folder: Path, remembered_messages: int = REMEMBERED_MESSAGES, remembered: timedelta = REMEMBERED
    ) -> None:
        """Open the journal in `folder` and read it. Raises JournalLocked, JournalUnreadable, JournalFailed."""
        self.pending: dict[int, Pending] = {}
        """By number."""
        self.inbound: dict[int, InboundMade] = {}
        """Messages from phones that are not acknowledged, by number: messages both ways are numbered together."""
        self._generation_messages = remembered_messages
        self._generation_lasts = remembered
        self._recent = Known()
        self._older = Known()
        self._known_in_generation = 0
        self._generation_began: datetime | None = None
        # How often, where it is not once.
        self._on_air: dict[int, int] = {}
        self._epoch = ""
        self._next_number = 1
        self._folder = folder
        self._journal = Journal(folder)
        try:
            self._recall()
        except BaseException:
            self._journal.close()
            raise
        self.flush = self._journal.flush
        self.close = self._journal.close

    def find(self, message_id: UUID) -> Fate | None:
        """The number under which a message was taken, why it was refused, or None where it is not known."""
        key = message_id.int
        found = self._recent.get(key)
        return found if found is not None else self._older.get(key)

    def take(
        self, message_id: UUID, script: Script, account: str, at: datetime, connection: "Connection | None"
    ) -> Pending:
        """Put a message on the air. The caller has made sure with `find` that it was not before."""
        self._turn_generation_if_due(at)
        number = self._next_number
        self._journal.append(MessageTaken(message_id, number, script.name, account, at))
        return self._put_on_air(message_id, number, script, account, at, connection)

    def refuse(self, message_id: UUID, refusal: Refusal, at: datetime) -> None:
        """Remember a refusal for good."""
        self._turn_generation_if_due(at)
        self._journal.append(MessageRefused(message_id, refusal.error_code, refusal.reason))
        self._remember(message_id.int, refusal, at)

    def make_inbound(self, account: str, sender: str, recipient: str, body: str, at: datetime) -> InboundMade:
        """A message comes in from a phone."""
        self._turn_generation_if_due(at)
        made = InboundMade(self._next_number, account, sender, recipient, body, at)
        self._journal.append(made)
        self._hold_inbound(made)
        self._count_in_generation(at)
        return made

    def acknowledge(self, receipt_ids: Iterable[int]) -> list[int]:
        """Which of these receipts were still to be acknowledged; they are not any more."""
        new = [number for number in receipt_ids if self._settle(number)]
        if new:
            self._journal.append(ReceiptsAcked(new))
        return new

    def provider_message_id(self, number: int) -> str:
        """The id that the ledger is given: unique over all journals, and without a trace of the message's own id."""
        return f"SM{self._epoch}{number:010x}"

    def on_air(self, message_id: UUID) -> int:
        """How often a message was put on the air (0 too for one that was forgotten)."""
        key = message_id.int
        return self._on_air.get(key) or int(isinstance(self.find(message_id), int))

    def _put_on_air(
        self,
        message_id: UUID,
        number: int,
        script: Script,
        account: str,
        at: datetime,
        connection: "Connection | None" = None,
    ) -> Pending:
        key = message_id.int
        # Counted, not assumed: a message taken twice would show, here and after a restart.
        if isinstance(self.find(message_id), int):
            self._on_air[key] = self.on_air(message_id) + 1
        self._remember(key, number, at)
        self._next_number = number + 1
        pending = Pending(message_id, number, script, account, at, (1 << len(script.steps)) - 1, connection)
        if pending.unacked:
            self.pending[number] = pending
        return pending

    def _remember(self, key: int, fate: Fate, at: datetime | None) -> None:
        self._recent[key] = fate
        self._count_in_generation(at)

    def _count_in_generation(self, at: datetime | None) -> None:
        self._known_in_generation += 1
        if self._generation_began is None:
            self._generation_began = at

    def _hold_inbound(self, made: InboundMade) -> None:
        self.inbound[made.number] = made
        self._next_number = max(self._next_number, made.number + 1)

    def _settle(self, receipt: int) -> bool:
        number, step = divmod(receipt, STEPS_MAX)
        if step == 0 and self.inbound.pop(number, None) is not None:
            return True
        pending = self.pending.get(number)
        if pending is None or not pending.unacked >> step & 1:
            return False
        pending.unacked &= ~(1 << step)
        if not pending.unacked:
            del self.pending[number]
        return True

    # --- Generations: each has its segment of the journal -------------------------------------------------

    def _turn_generation_if_due(self, now: datetime) -> None:
        began = self._generation_began
        if (
            self._known_in_generation >= self._generation_messages
            and began is not None
            and now - began >= self._generation_lasts
        ):
            self._turn_generation()

    def _turn_generation(self) -> None:
        carried: list[Record] = [
            MessageCarried(
                pending.message_id,
                pending.number,
                pending.script.name,
                pending.account,
                pending.at,
                pending.unacked,
                self.on_air(pending.message_id),
            )
            for pending in self.pending.values()
        ]
        carried += self.inbound.values()
        self._journal.start_segment([Opened(self._epoch, self._next_number), *carried])
        self._begin_generation()
        for pending in self.pending.values():
            self._recent[pending.message_id.int] = pending.number
        self._forget_counts()

    def _begin_generation(self) -> None:
        self._older, self._recent = self._recent, Known()
        self._known_in_generation = 0
        self._generation_began = None

    def _forget_counts(self) -> None:
        for key in [key for key in self._on_air if key not in self._recent and key not in self._older]:
            del self._on_air[key]

    def _recall(self) -> None:
        for record in self._journal.replay():
            try:
                self._recall_one(record)
            except KeyError as error:
                raise JournalUnreadable(file=self._folder, problem=f"it names the script {error}") from None
        self._forget_counts()
        if not self._epoch:
            self._epoch = secrets.token_hex(6)
            self._journal.start_segment([Opened(self._epoch, self._next_number)])

    def _recall_one(self, record: Record) -> None:
        match record:
            case MessageTaken(message_id, number, script, account, at):
                self._put_on_air(message_id, number, BY_NAME[script], account, at)
            case ReceiptsAcked(receipt_ids):
                for receipt in receipt_ids:
                    self._settle(receipt)
            case MessageCarried(message_id, number, script, account, at, unacked, on_air):
                self.pending[number] = Pending(
                    message_id, number, BY_NAME[script], account, at, unacked, None
                )
                self._recent[message_id.int] = number
                if on_air != 1:
                    self._on_air[message_id.int] = on_air
            case InboundMade():
                self._hold_inbound(record)
            case MessageRefused(message_id, error_code, reason):
                self._remember(message_id.int, Refusal(error_code, reason), None)
            case Opened(epoch, next_number, version):
                if version > JOURNAL_VERSION:
                    raise JournalUnreadable(file=self._folder, problem=f"it is of version {version}")
                self._epoch = epoch
                self._next_number = max(self._next_number, next_number)
                self._begin_generation()
