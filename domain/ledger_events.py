"""Every event type that a ledger stores, of all aggregates. For readers and writers of the event store as a whole.

What an event means stands with its aggregate.
"""

from .consent import CONSENT_EVENTS
from .event import Event, EventTypes
from .message import MESSAGE_EVENTS

LEDGER_EVENTS: EventTypes[Event] = EventTypes.merged(MESSAGE_EVENTS, CONSENT_EVENTS)
