"""The ledger's clock, as the use cases see it: passed in, so that tests and imports can set it; and how times are shown."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from smsledger.domain.event import to_milliseconds

Clock: TypeAlias = Callable[[], datetime]
"""Now, in UTC and whole milliseconds."""


def system_clock() -> datetime:
    """The computer's clock."""
    return to_milliseconds(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """`2024-01-01T00:00:00.000Z`, as everywhere in the API."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # Without +00:00; several times as fast as strftime.
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
