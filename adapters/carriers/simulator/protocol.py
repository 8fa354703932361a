"""The lines between a ledger and the carrier simulator: newline-delimited JSON over TCP, with SMPP's semantics.

A side may answer in any order and never waits for the other before it writes. This module knows the shape of
each line and how a chunk of bytes becomes lines; what a line causes is in `server.py` and `client.py`.
"""

from datetime import datetime
from typing import Annotated, Generic, TypeAlias, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from smsledger.domain.errors import LedgerError
from smsledger.domain.status import Status

PROTOCOL_VERSION = 1

LINE_BYTES_MAX = 65_536
"""A line that has not ended by then ends the connection."""

UNREAD_BYTES_MAX = 8_388_608
"""What may wait for a peer that does not read, before it is disconnected."""

QUERY_MESSAGES_MAX = 1_000
"""Messages in one `handset` query."""

RECEIPTS_PER_ACK_MAX = 1_000

NUMBER_CHARACTERS_MAX = 64

BODY_CHARACTERS_MAX = 1_600
"""Of a message from a phone: ten parts."""

Name = Annotated[str, Meta(min_length=1, max_length=NUMBER_CHARACTERS_MAX)]


class _Frame(msgspec.Struct, frozen=True, gc=False, tag_field="type", omit_defaults=True):
    """One line; `type` names which."""


# --- Ledger to carrier ------------------------------------------------------------------------------------


class Bind(_Frame, frozen=True, tag="bind"):
    """The first line: who speaks. Receipts of an account's messages go to that account's connections."""

    account: Name
    name: Name
    """Names the connection in the simulator's log."""
    version: int = PROTOCOL_VERSION
    receipts: bool = True
    """False: this connection is given no receipts (SMPP's transmitter)."""


class Submit(_Frame, frozen=True, tag="submit"):
    """One message; answered by `submitted`, `refused` or `throttled` with the same `seq`."""

    seq: int
    message_id: UUID
    """The idempotency key: a message that was taken already is answered as before and not sent again."""
    sender: str
    recipient: str
    body: str
    attempt: Annotated[int, Meta(ge=0, le=1_000_000)] = 1


class LookUp(_Frame, frozen=True, tag="look_up"):
    """What is known of a message; answered by `submitted`, `refused` or `not_found`."""

    seq: int
    message_id: UUID


class ReceiptAck(_Frame, frozen=True, tag="receipt_ack"):
    """These receipts and inbound messages are stored safely and need not be sent again."""

    receipt_ids: Annotated[list[int], Meta(max_length=RECEIPTS_PER_ACK_MAX)]


class Ping(_Frame, frozen=True, tag="ping"):
    """Answered by `pong`, so that a peer that hangs is noticed."""


class Handset(_Frame, frozen=True, tag="handset"):
    """How often each of these messages was put on the air; answered by `on_air`. For tests."""

    seq: int
    message_ids: Annotated[list[UUID], Meta(max_length=QUERY_MESSAGES_MAX)]


class Stats(_Frame, frozen=True, tag="stats"):
    """What the process did since it started; answered by `counts`."""

    seq: int


class Inject(_Frame, frozen=True, tag="inject"):
    """Have a message come in from a phone; answered by `injected` or `not_injected`. For people and tests."""

    seq: int
    sender: Name
    """The person's number."""
    recipient: Name
    """The number that the person writes to."""
    body: Annotated[str, Meta(max_length=BODY_CHARACTERS_MAX)]


# --- Carrier to ledger ------------------------------------------------------------------------------------


class Bound(_Frame, frozen=True, tag="bound"):
    """The connection may be used."""


class BindRefused(_Frame, frozen=True, tag="bind_refused"):
    """The connection is closed after this line."""

    reason: str


class Submitted(_Frame, frozen=True, tag="submitted"):
    """The message was taken on; `at` is left out where it is an answer from memory."""

    seq: int
    provider_message_id: str
    at: datetime | None = None


class RefusedForGood(_Frame, frozen=True, tag="refused"):
    """The message will never be taken."""

    seq: int
    error_code: str
    reason: str


class Throttled(_Frame, frozen=True, tag="throttled"):
    """The message was not taken this time."""

    seq: int
    error_code: str
    reason: str
    retry_after_s: float


class NotFound(_Frame, frozen=True, tag="not_found"):
    """The simulator has not taken this message (or long forgotten it, see `memory.py`)."""

    seq: int


class Receipt(_Frame, frozen=True, tag="receipt"):
    """What became of a message, under the carrier's id only; sent again until it is acknowledged."""

    receipt_id: int
    provider_message_id: str
    status: Status
    at: datetime
    error_code: str = ""
    reason: str = ""


class Inbound(_Frame, frozen=True, tag="inbound"):
    """A message from a phone; sent again until it is acknowledged, like a receipt (SMPP's deliver_sm carries both)."""

    receipt_id: int
    provider_message_id: str
    sender: str
    recipient: str
    body: str
    at: datetime


class Injected(_Frame, frozen=True, tag="injected"):
    """The message is kept until a connection of the account has acknowledged it."""

    seq: int
    provider_message_id: str


class NotInjected(_Frame, frozen=True, tag="not_injected"):
    """The message was not made."""

    seq: int
    reason: str


class Pong(_Frame, frozen=True, tag="pong"):
    """The answer to `ping`."""


class OnAir(_Frame, frozen=True, tag="on_air"):
    """For each message of a `handset` query, in its order, how often it was put on the air."""

    seq: int
    counts: list[int]


class Counts(_Frame, frozen=True, tag="counts", kw_only=True):
    """What happened since the process started; `pending_messages` and `backlog_receipts` are of now."""

    seq: int
    taken: int = 0
    repeated: int = 0
    """Submissions of messages that were taken or refused before."""
    refused: int = 0
    throttled: int = 0
    receipts_sent: int = 0
    """Resent ones included."""
    receipts_acked: int = 0
    connections: int = 0
    pending_messages: int = 0
    """Messages that still have receipts to come."""
    pending_inbound: int = 0
    """Messages from phones that are not acknowledged."""
    backlog_receipts: int = 0
    """Receipts and messages from phones that are due and wait for a connection or its window."""


ToCarrier: TypeAlias = Bind | Submit | LookUp | ReceiptAck | Ping | Handset | Stats | Inject
ToLedger: TypeAlias = (
    Bound
    | BindRefused
    | Submitted
    | RefusedForGood
    | Throttled
    | NotFound
    | Receipt
    | Inbound
    | Injected
    | NotInjected
    | Pong
    | OnAir
    | Counts
)

TO_CARRIER: msgspec.json.Decoder[ToCarrier] = msgspec.json.Decoder(ToCarrier)
TO_LEDGER: msgspec.json.Decoder[ToLedger] = msgspec.json.Decoder(ToLedger)
ENCODER = msgspec.json.Encoder()

FrameT = TypeVar("FrameT")


class BadLine(LedgerError):
    """A peer does not speak this protocol; the connection is closed."""

    message = "the peer sent a line that cannot be read: {problem}"


class FrameReader(Generic[FrameT]):
    """Turns the chunks of one connection into frames: all complete lines of a chunk at once."""

    def __init__(self, decoder: msgspec.json.Decoder[FrameT]) -> None:
        self._decoder = decoder
        self._rest = b""

    def feed(self, chunk: bytes) -> list[FrameT]:
        """The frames that are complete with `chunk`. Raises BadLine."""
        data = self._rest + chunk if self._rest else chunk
        end = data.rfind(b"\n") + 1
        if len(data) - end > LINE_BYTES_MAX:
            raise BadLine(problem=f"longer than {LINE_BYTES_MAX} bytes")
        self._rest = data[end:]
        try:
            return self._decoder.decode_lines(data[:end])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadLine(problem=str(error)) from None

    @property
    def incomplete_bytes(self) -> int:
        """The length of what came after the last complete line."""
        return len(self._rest)
