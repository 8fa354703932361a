"""What happens to a message, decided by its recipient number alone (or, for a set share of others, by its id).

Pure: no clock, no chance, no connection; the same message always meets the same fate. Carrying a script out is
`server.py`. The numbers are Twilio's range for magic test numbers, valid and in the US by `phonenumbers`.
"""

from collections.abc import Mapping
from enum import Enum
from hashlib import blake2b
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from smsledger.domain.status import Status

Milliseconds = Annotated[int, Meta(ge=0, le=86_400_000)]
Percent = Annotated[float, Meta(ge=0, le=100)]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a simulator process: latencies, and the fate of numbers without a script."""

    answer_ms: Milliseconds = 5
    """From a submission to its answer."""
    receipt_ms: Milliseconds = 50
    """From the answer to the first receipt, and from each receipt to the next."""
    slow_answer_ms: Milliseconds = 3_000
    """The answer to the slow number."""
    undelivered_percent: Percent = 0.0
    """Share of ordinary messages that end UNDELIVERED, chosen by message id."""
    refused_percent: Percent = 0.0
    """Share of ordinary submissions that are throttled, chosen by message id and attempt."""
    retry_after_ms: Milliseconds = 200
    """The wish that comes with a throttled answer."""


class Answer(Enum):
    """What a submission is answered with."""

    TAKE = "take"
    TAKE_SLOWLY = "take slowly"
    TAKE_AFTER_RECEIPT = (
        "take, answered once the first receipt was acknowledged (after a second at the latest)"
    )
    TAKE_IN_SILENCE = "take, then drop the connection instead of answering"
    REFUSE = "refuse for good"
    THROTTLE_TWICE = "throttle the first two attempts, then take"
    THROTTLE = "throttle every attempt"
    DROP_ONCE = "drop the connection at the first attempt without taking, then take"


class Step(msgspec.Struct, frozen=True):
    """One receipt. The first is due `receipt_ms` after the answer, each further one as long after the one before."""

    status: Status
    error_code: str = ""
    reason: str = ""


STEPS_MAX = 8
"""Receipts of one script; `memory.py` numbers them within a message."""


class Script(msgspec.Struct, frozen=True):
    """The fate of a message. `name` is stored in the journal: a script is changed by adding another."""

    name: str
    answer: Answer
    steps: tuple[Step, ...] = ()


REFUSED_CODE, REFUSED_REASON = "21610", "the recipient cannot be sent to"
THROTTLED_CODE, THROTTLED_REASON = "RATE_LIMITED", "too many messages; try again later"

_SENT = Step(Status.SENT)
_DELIVERED = Step(Status.DELIVERED)
_UNDELIVERED = Step(Status.UNDELIVERED, "30003", "the handset cannot be reached")
_FAILED = Step(Status.FAILED, "30007", "filtered by the network")

DELIVERED = Script("delivered", Answer.TAKE, (_DELIVERED,))
UNDELIVERED = Script("undelivered", Answer.TAKE, (_UNDELIVERED,))
THROTTLED = Script("throttled", Answer.THROTTLE)

SCRIPTS: Mapping[str, Script] = {
    "+15005550001": DELIVERED,
    "+15005550002": UNDELIVERED,
    "+15005550003": Script("failed", Answer.TAKE, (_FAILED,)),
    "+15005550004": Script("refused", Answer.REFUSE),
    "+15005550005": Script("no_receipt", Answer.TAKE),
    "+15005550006": Script("receipt_first", Answer.TAKE_AFTER_RECEIPT, (_DELIVERED,)),
    "+15005550007": Script("doubled", Answer.TAKE, (_DELIVERED, _DELIVERED)),
    "+15005550008": Script("out_of_order", Answer.TAKE, (_DELIVERED, _SENT)),
    "+15005550009": Script("delivered_then_undelivered", Answer.TAKE, (_DELIVERED, _UNDELIVERED)),
    "+15005550010": Script("undelivered_then_delivered", Answer.TAKE, (_UNDELIVERED, _DELIVERED)),
    "+15005550011": Script("slow", Answer.TAKE_SLOWLY, (_DELIVERED,)),
    "+15005550012": Script("throttled_twice", Answer.THROTTLE_TWICE, (_DELIVERED,)),
    "+15005550013": Script("answer_lost", Answer.TAKE_IN_SILENCE, (_DELIVERED,)),
    "+15005550014": Script("dropped_once", Answer.DROP_ONCE, (_DELIVERED,)),
    "+15005550015": Script("sent_then_delivered", Answer.TAKE, (_SENT, _DELIVERED)),
    "+15005550016": THROTTLED,
}
"""The recipient numbers with a script (E.164); any other number is delivered."""

BY_NAME: Mapping[str, Script] = {script.name: script for script in SCRIPTS.values()}

THROTTLED_ATTEMPTS = 2


def script_for(recipient: str, message_id: UUID, attempt: int, behaviour: Behaviour) -> Script:
    """The script of a message at this attempt."""
    script = SCRIPTS.get(recipient)
    if script is not None:
        return script
    if behaviour.refused_percent and _share(b"refused", message_id, attempt) < behaviour.refused_percent:
        return THROTTLED
    if (
        behaviour.undelivered_percent
        and _share(b"undelivered", message_id, 0) < behaviour.undelivered_percent
    ):
        return UNDELIVERED
    return DELIVERED


def answer_delay_s(script: Script, behaviour: Behaviour) -> float:
    """From the submission to the answer."""
    slow = script.answer is Answer.TAKE_SLOWLY
    return (behaviour.slow_answer_ms if slow else behaviour.answer_ms) / 1_000


def receipt_delay_s(script: Script, step: int, behaviour: Behaviour) -> float:
    """From the submission to the receipt number `step` (0 is the first)."""
    if script.answer is Answer.TAKE_AFTER_RECEIPT:
        return step * behaviour.receipt_ms / 1_000
    return answer_delay_s(script, behaviour) + (step + 1) * behaviour.receipt_ms / 1_000


def _share(purpose: bytes, message_id: UUID, attempt: int) -> float:
    """A number in [0, 100) that looks like chance and is always the same for the same arguments."""
    digest = blake2b(message_id.bytes + attempt.to_bytes(4, "big"), digest_size=4, person=purpose).digest()
    return int.from_bytes(digest, "big") * 100 / 2**32
