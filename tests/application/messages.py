"""Messages in the ledger, put there as the service does, and their events as anybody reads them."""

from uuid import UUID, uuid4

from smsledger.adapters.postgres.appender import GroupCommitAppender
from smsledger.adapters.postgres.event_reader import PostgresEventReader
from smsledger.application.ports import Append, Appended, CarrierReceipt
from smsledger.domain.event import Event
from smsledger.domain.ledger_events import LEDGER_EVENTS
from smsledger.domain.status import Status
from tests.domain.histories import CARRIER


async def store(appender: GroupCommitAppender, *events: Event, message_id: UUID | None = None) -> UUID:
    """A message with this history."""
    message_id = message_id or uuid4()
    (result,) = await appender.append([Append(message_id, "acme", 1, events)])
    assert isinstance(result, Appended)
    return message_id


async def events_of(reader: PostgresEventReader, message_id: UUID) -> list[Event]:
    """The message's events, after making sure that their versions are contiguous."""
    stored = await reader.history(message_id)
    assert [one.version for one in stored] == list(range(1, len(stored) + 1))
    return [LEDGER_EVENTS.decode(one.topic, one.state) for one in stored]


async def names_of(reader: PostgresEventReader, message_id: UUID) -> list[str]:
    """The names of its events in order."""
    return [type(event).__name__ for event in await events_of(reader, message_id)]


def report(provider_message_id: str, status: Status, error_code: str = "") -> CarrierReceipt:
    """A receipt as a carrier sends it."""
    return CarrierReceipt(CARRIER, provider_message_id, status, error_code, "because" if error_code else "")
