"""The ledger's clock, as the use cases see it: passed in, so that tests and imports can set it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from smsledger.domain.event import to_milliseconds

Clock: TypeAlias = Callable[[], datetime]
"""Now, in UTC and whole milliseconds."""


def system_clock() -> datetime:
    """The computer's clock."""
    return to_milliseconds(datetime.now(UTC))
