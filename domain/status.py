"""The statuses of a message and the one table that says which of two wins.

It does not look at events: `domain/message.py` maps events to statuses and asks here.
"""

from enum import StrEnum


class Status(StrEnum):
    """The statuses of the SMS API (seed "Message Statuses"), and RECEIVED for inbound messages."""

    __hash__ = (
        str.__hash__
    )  # Enum's own is a Python function, and statuses are keys wherever messages are folded

    QUEUED = "QUEUED"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    UNDELIVERED = "UNDELIVERED"
    DELIVERED = "DELIVERED"
    BLOCKED = "BLOCKED"
    RECEIVED = "RECEIVED"


class Direction(StrEnum):
    """Which way a message goes, seen from the organization."""

    OUTBOUND = "OUTBOUND"
    INBOUND = "INBOUND"


PRECEDENCE: dict[Status, int] = {
    Status.QUEUED: 0,
    Status.SENDING: 1,
    Status.SENT: 2,
    # Refused for good before a carrier took it on; a receipt that says more is better informed.
    Status.FAILED: 3,
    # A carrier took it on and gave up.
    Status.UNDELIVERED: 4,
    # Proof that the handset has it: no later or contradicting receipt takes it back.
    Status.DELIVERED: 5,
    # Never handed to a carrier, so no receipt can be about it.
    Status.BLOCKED: 6,
    Status.RECEIVED: 7,
}
"""What wins when receipts come late, twice, out of order or contradict each other: the higher number.

A status is the maximum over the events of a message, so it does not depend on their order or repetition.
"""

FINAL: frozenset[Status] = frozenset(
    {Status.FAILED, Status.UNDELIVERED, Status.DELIVERED, Status.BLOCKED, Status.RECEIVED}
)
"""Statuses after which nothing more is done for a message (a receipt of higher precedence may still correct them)."""


def prevailing(current: Status, candidate: Status) -> Status:
    """The status that stands when a message in `current` hears of `candidate`."""
    return candidate if PRECEDENCE[candidate] > PRECEDENCE[current] else current
