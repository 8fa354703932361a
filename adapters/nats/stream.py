"""The stream on JetStream: events go in as atomic batches, each fenced by the sequence the one before it left.

A batch is stored whole or not at all, in order, with one acknowledgement (NATS ADR-50, server 2.12 or newer).
The fence refuses a second publisher, and a batch whose answer was lost is not sent twice: the last message in
the stream tells where to go on.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import nats.errors
import nats.js.errors
import structlog
import uuid_utils
from nats.aio.client import Client
from nats.js.api import StorageType, StreamConfig, StreamInfo

from smsledger.application import cloud_events
from smsledger.application.ports import StreamMoved, StreamUnavailable
from smsledger.domain.event import Stored

from . import subjects

log = structlog.get_logger(__name__)

MESSAGE_ID = "Nats-Msg-Id"
_BATCH_ID = "Nats-Batch-Id"
_BATCH_SEQUENCE = "Nats-Batch-Sequence"
_BATCH_COMMIT = "Nats-Batch-Commit"
_EXPECTED_LAST = "Nats-Expected-Last-Sequence"

FOREIGN_MAX = 1_000
"""Messages that are not the ledger's, passed over at the end of the stream."""

NATS_ERRORS = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)
"""What nats-py raises when the server or the way to it fails."""


class StreamOptions(msgspec.Struct, frozen=True):
    """How the stream is made where it is missing."""

    name: str = "SMSLEDGER"
    replicas: int = 1
    max_age_s: int = 0
    dedupe_s: float = 1.0
    """The fence keeps doubles out, whenever they come; the window would only cost memory and refuse late repairs."""
    answer_s_max: float = 5.0


class _BatchAnswer(msgspec.Struct):
    seq: int = 0
    error: dict[str, Any] | None = None


class JetStreamStream:
    """The Stream port on NATS JetStream."""

    def __init__(self, client: Client, options: StreamOptions) -> None:
        self._client = client
        self._js = client.jetstream(timeout=options.answer_s_max)
        self._options = options
        self._last_sequence = 0

    async def last_position(self) -> int | None:
        """See the port."""
        try:
            state = (await ensure_stream(self._client, self._options)).state
            self._last_sequence = state.last_seq
            if state.messages == 0:
                return 0 if state.last_seq == 0 else None
            return await self._last_of_ours(state.first_seq, state.last_seq)
        except NATS_ERRORS as error:
            raise StreamUnavailable(reason=_reason(error)) from error

    async def _last_of_ours(self, first_seq: int, last_seq: int) -> int | None:
        """The position of the last event of the ledger, past what others may have put on its subjects."""
        for sequence in range(last_seq, max(first_seq, last_seq - FOREIGN_MAX) - 1, -1):
            try:
                message = await self._js.get_msg(self._options.name, seq=sequence)
                return cloud_events.decode(message.data or b"").position
            except (nats.js.errors.NotFoundError, cloud_events.ForeignEvent):
                log.warning("foreign_event_in_stream", stream=self._options.name, sequence=sequence)
        if last_seq - first_seq >= FOREIGN_MAX:
            raise StreamUnavailable(
                reason=f"none of its last {FOREIGN_MAX} messages is an event of the ledger"
            )
        return None

    async def publish(self, events: Sequence[Stored]) -> None:
        """See the port."""
        batch_id = uuid_utils.uuid4().hex
        *others, last = [
            (subjects.subject_of(event), cloud_events.encode(event), _headers(batch_id, place, event))
            for place, event in enumerate(events, 1)
        ]
        first_headers = others[0][2] if others else last[2]
        first_headers[_EXPECTED_LAST] = str(self._last_sequence)
        last[2][_BATCH_COMMIT] = "1"
        try:
            for subject, payload, headers in others:
                await self._client.publish(subject, payload, headers=headers)
            subject, payload, headers = last
            reply = await self._client.request(
                subject, payload, timeout=self._options.answer_s_max, headers=headers
            )
        except NATS_ERRORS as error:
            raise StreamUnavailable(reason=_reason(error)) from error
        answer = msgspec.json.decode(reply.data, type=_BatchAnswer) if reply.data else _BatchAnswer()
        if answer.error is not None:
            raise StreamMoved(reason=answer.error.get("description", "refused"))
        if answer.seq != self._last_sequence + len(events):
            raise StreamMoved(
                reason=f"sequence {answer.seq} after {self._last_sequence} and {len(events)} events"
            )
        self._last_sequence = answer.seq


async def ensure_stream(client: Client, options: StreamOptions) -> StreamInfo:
    """The stream, made where it is missing; several may do so at once. Raises what nats-py raises."""
    js = client.jetstream(timeout=options.answer_s_max)
    try:
        return await js.stream_info(options.name)
    except nats.js.errors.NotFoundError:
        log.info("stream_created", stream=options.name)
        return await js.add_stream(
            StreamConfig(
                name=options.name,
                subjects=[subjects.ALL],
                storage=StorageType.FILE,
                num_replicas=options.replicas,
                max_age=options.max_age_s,
                duplicate_window=options.dedupe_s,
                allow_atomic=True,
                allow_direct=True,
            )
        )


def _headers(batch_id: str, place: int, event: Stored) -> dict[str, str]:
    return {_BATCH_ID: batch_id, _BATCH_SEQUENCE: str(place), MESSAGE_ID: str(event.position)}


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
