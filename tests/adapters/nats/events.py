"""Stored events as the ledger hands them to the stream, and the stream as a subscriber finds it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from nats.aio.client import Client

from smsledger.adapters.nats.stream import MESSAGE_ID
from smsledger.application import cloud_events
from smsledger.domain.event import Stored
from smsledger.domain.message import MESSAGE_EVENTS
from tests.domain.histories import queued

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_QUEUED = MESSAGE_EVENTS.encode(queued())


def event(position: int, topic: str = "message.queued.v1", organization_id: str = "acme") -> Stored:
    """An event of a message of its own."""
    return Stored(position, UUID(int=position), 1, topic, organization_id, AT, _QUEUED)


def events(positions: Iterable[int], topic: str = "message.queued.v1") -> list[Stored]:
    """One event for each position."""
    return [event(position, topic) for position in positions]


async def contents(client: Client, stream: str) -> list[Stored]:
    """Everything in the stream, in its order."""
    js = client.jetstream()
    state = (await js.stream_info(stream)).state
    found = []
    for sequence in range(state.first_seq, state.last_seq + 1):
        message = await js.get_msg(stream, seq=sequence)
        stored = cloud_events.decode(message.data or b"")
        assert (message.headers or {})[MESSAGE_ID] == str(stored.position)
        found.append(stored)
    return found


async def positions_in(client: Client, stream: str) -> list[int]:
    """The positions in the stream, in its order."""
    return [stored.position for stored in await contents(client, stream)]
