"""How the stream and the dispatchers' queue stand, by their own account. It changes nothing and judges nothing."""

from datetime import UTC, datetime

import msgspec
import nats.js.errors
from nats.aio.client import Client

from smsledger.application import cloud_events

from . import subjects
from .stream import MESSAGE_ID

ANSWER_S_MAX = 5.0


class QueueStatus(msgspec.Struct, frozen=True):
    """The queue that dispatchers take from."""

    position: int
    """Every queued message up to here is finished."""
    lag_events: int
    """Messages not finished: waiting, under way, or to be tried again later."""
    lag_s: float
    """Age of the oldest of them; 0 where there is none."""
    under_way: int
    """Given out and not finished."""
    redelivered: int


class StreamStatus(msgspec.Struct, frozen=True):
    """The stream; `queue` is None before the first dispatcher has come."""

    name: str
    events: int
    position: int
    """Of its last event; 0 where it has none."""
    queue: QueueStatus | None


async def read_stream_status(client: Client, stream: str, durable: str = "dispatcher") -> StreamStatus | None:
    """The status; None where there is no such stream. Raises NATS_ERRORS."""
    js = client.jetstream(timeout=ANSWER_S_MAX)
    try:
        state = (await js.stream_info(stream)).state
    except nats.js.errors.NotFoundError:
        return None
    position = await _position(client, stream, state.last_seq) if state.messages else 0
    return StreamStatus(stream, state.messages, position, await _queue(client, stream, durable, position))


async def _queue(client: Client, stream: str, durable: str, last_position: int) -> QueueStatus | None:
    js = client.jetstream(timeout=ANSWER_S_MAX)
    try:
        info = await js.consumer_info(stream, durable)
    except nats.js.errors.NotFoundError:
        return None
    under_way = info.num_ack_pending or 0
    lag_events = (info.num_pending or 0) + under_way
    floor = info.ack_floor.stream_seq if info.ack_floor else 0
    position, lag_s = last_position, 0.0
    if lag_events:
        position = await _position(client, stream, floor) if floor else 0
        lag_s = await _age_s(client, stream, floor + 1)
    return QueueStatus(position, lag_events, lag_s, under_way, info.num_redelivered or 0)


async def _position(client: Client, stream: str, sequence: int) -> int:
    """The ledger's position of a message in the stream; 0 where it has aged out."""
    try:
        message = await client.jetstream(timeout=ANSWER_S_MAX).get_msg(stream, seq=sequence)
    except nats.js.errors.NotFoundError:
        return 0
    return int((message.headers or {}).get(MESSAGE_ID, 0))


async def _age_s(client: Client, stream: str, sequence: int) -> float:
    """The age of the first queued message at or after a sequence."""
    try:
        message = await client.jetstream(timeout=ANSWER_S_MAX).get_msg(
            stream, seq=sequence, subject=subjects.QUEUED, next=True
        )
    except nats.js.errors.NotFoundError:
        return 0.0
    recorded_at = cloud_events.decode(message.data or b"").recorded_at
    return max((datetime.now(UTC) - recorded_at).total_seconds(), 0.0)
