"""Takes in carriers' receipts: finds the message, lets the domain decide, parks what is too early.

At-least-once: whoever calls `take` acknowledges to the carrier only afterwards; a repeated receipt changes nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog

from smsledger.domain.event import Event
from smsledger.domain.message import Message, Receipt, ReceiptRefused, evolve, is_final, record_receipt

from .clock import Clock
from .ledger import MessageLedger, MessageMissing
from .ports import CarrierReceipt, EventReader, ParkedReceipts

log = structlog.get_logger(__name__)

REMEMBERED_MAX = 20_000
"""Messages kept in memory between the carrier's answer and its receipt (about 2 kB each)."""
PARKED_BATCH = 500


class ReceiptIntake:
    """The way of a receipt into the ledger, the same for every carrier."""

    role = "receipts"

    def __init__(
        self, ledger: MessageLedger, reader: EventReader, parked: ParkedReceipts, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._parked = parked
        self._clock = clock
        self._remembered: OrderedDict[str, Message] = OrderedDict()

    def remember(self, message: Message) -> None:
        """The carrier just took `message` on: its receipts need no reading. Only a cache; conflicts correct it."""
        self._remembered[f"{message.carrier}:{message.provider_message_id}"] = message
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)

    async def take(self, receipts: Sequence[CarrierReceipt]) -> None:
        """Record what the receipts say, or park them. Raises only where they must be sent again."""
        receipts = [receipt for receipt in receipts if _storable(receipt)]
        states = [self._remembered.get(receipt.reference) for receipt in receipts]
        missing = [
            receipt.reference for receipt, state in zip(receipts, states, strict=True) if state is None
        ]
        known = await self._reader.by_carrier_references(missing) if missing else {}
        failed = await self._take_known(
            [
                (receipt, state.message_id if state else known[receipt.reference])
                for receipt, state in zip(receipts, states, strict=True)
                if state or receipt.reference in known
            ]
        )
        early = [
            receipt for receipt in receipts if receipt.reference in missing and receipt.reference not in known
        ]
        if early:
            await self._parked.park(early)
        _raise_first(failed)

    async def step(self) -> int:
        """Apply parked receipts whose message has become known; how many."""
        found = await self._parked.known(PARKED_BATCH)
        if found:
            failed = await self._take_known([(receipt, message_id) for _, receipt, message_id in found])
            await self._parked.forget([number for number, _, message_id in found if message_id not in failed])
            _raise_first(failed)
        return len(found)

    async def _take_known(self, receipts: Sequence[tuple[CarrierReceipt, UUID]]) -> dict[UUID, Exception]:
        """Apply receipts, message by message; what kept some messages from taking theirs keeps no other back."""
        by_message: dict[UUID, list[CarrierReceipt]] = {}
        for receipt, message_id in receipts:
            by_message.setdefault(message_id, []).append(receipt)
        states = {m: self._remembered.get(given[0].reference) for m, given in by_message.items()}
        unread = [message_id for message_id, state in states.items() if state is None]
        states |= await self._ledger.load_readable(unread) if unread else {}
        outcomes = await asyncio.gather(
            *[self._apply(state, by_message[m]) for m, state in states.items() if state],
            return_exceptions=True,
        )
        known = [message_id for message_id, state in states.items() if state]
        failed = {m: error for m, error in zip(known, outcomes, strict=True) if isinstance(error, Exception)}
        return failed | {m: MessageMissing(message_id=m) for m, state in states.items() if state is None}

    async def _apply(self, message: Message, receipts: Sequence[CarrierReceipt]) -> None:
        reference = receipts[0].reference
        at = self._clock()

        def decide(current: Message) -> Sequence[Event]:
            events: list[Event] = []
            for receipt in receipts:
                for event in _events(current, receipt, at):
                    events.append(event)
                    current = evolve(current, current.message_id, event)
            return events

        message = await self._ledger.change(message, decide)
        if is_final(message):
            self._remembered.pop(reference, None)
        elif reference in self._remembered:
            self._remembered[reference] = message


def _events(message: Message, receipt: CarrierReceipt, at: datetime) -> Sequence[Event]:
    """What one receipt says; a refused one must not take those beside it along."""
    try:
        return record_receipt(message, _receipt(receipt), at=at)
    except ReceiptRefused as refusal:
        log.warning("receipt_refused", carrier=receipt.carrier, reason=str(refusal))
        return []


def _storable(receipt: CarrierReceipt) -> bool:
    """PostgreSQL's text holds no U+0000: no message can have such an id, and sending it again would not help."""
    if "\x00" in receipt.reference:
        log.warning("receipt_refused", carrier=receipt.carrier, reason="its id contains U+0000")
        return False
    return True


def _raise_first(failed: Mapping[UUID, Exception]) -> None:
    for error in failed.values():
        raise error


def _receipt(receipt: CarrierReceipt) -> Receipt:
    return Receipt(
        status=receipt.status,
        carrier=receipt.carrier,
        error_code=receipt.error_code,
        reason=receipt.reason,
        provider_at=receipt.provider_at,
    )
