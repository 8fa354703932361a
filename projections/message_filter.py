"""Which messages a list shows, as SQL conditions, and how many they are, exactly and without counting them all.

Whole days (UTC) are summed from `counts.py`'s tables; only the rows of the partial days at both ends are counted.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
from psycopg.sql import SQL, Composed, Literal

from smsledger.domain.status import Direction, Status

# Written out, so that the planner sees which partial index serves.
_IN_DIRECTION = {
    Direction.OUTBOUND: SQL("direction = 'OUTBOUND'"),
    Direction.INBOUND: SQL("direction = 'INBOUND'"),
}
_EQUAL = {
    "organization_id": SQL("organization_id = %(organization_id)b"),
    "status": SQL("status = %(status)b"),
    "tag": SQL("tag = %(tag)b"),
    "from_number": SQL("sender = %(from_number)b"),
    "to_number": SQL("recipient = %(to_number)b"),
}
_FROM_DATE = SQL("created_at >= %(from_date)b")
_TO_DATE = SQL("created_at < %(to_date)b")
# The partial days before the first and after the last whole day.
_BEFORE_DAYS = SQL("created_at >= %(from_date)b AND created_at < %(first_midnight)b")
_AFTER_DAYS = SQL("created_at >= %(last_midnight)b AND created_at < %(to_date)b")
_FROM_DAY = SQL("day >= %(first_day)b")
_TO_DAY = SQL("day < %(last_day)b")

_TOTAL = SQL("SELECT ({parts})::bigint AS total_count")
_ROWS = SQL("(SELECT count(*) FROM messages_{generation} WHERE {conditions})")
_DAYS = SQL("(SELECT coalesce(sum(messages), 0) FROM message_counts_{generation} WHERE {conditions})")
_TAG_DAYS = SQL("(SELECT coalesce(sum(messages), 0) FROM message_tag_counts_{generation} WHERE {conditions})")
_AND = SQL(" AND ")
_PLUS = SQL(" + ")


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages to list: those that all given fields fit. Dates are aware and compared with created_at."""

    status: Status | None = None
    direction: Direction | None = None
    tag: str | None = None
    from_date: datetime | None = None
    """From this moment on."""
    to_date: datetime | None = None
    """Before this moment."""
    from_number: str | None = None
    """Sender; fast for inbound messages only."""
    to_number: str | None = None
    """Recipient; fast for inbound messages only."""


def parameters(wanted: MessageFilter, organization_id: str) -> dict[str, Any]:
    """The values that `branches` and `total` name."""
    first, last = _whole_days(wanted)
    return {
        **msgspec.structs.asdict(wanted),
        "organization_id": organization_id,
        "first_day": first,
        "last_day": last,
        "first_midnight": _midnight(first),
        "last_midnight": _midnight(last),
    }


def branches(wanted: MessageFilter) -> list[list[SQL]]:
    """The conditions of a list, as parts that one index each gives in order; merged, they are the list."""
    conditions = _equal(wanted)
    if wanted.from_date is not None:
        conditions.append(_FROM_DATE)
    if wanted.to_date is not None:
        conditions.append(_TO_DATE)
    return [[*conditions, *branch] for branch in _directions(wanted)]


def total(wanted: MessageFilter, generation: Literal) -> Composed:
    """The query for the number of messages."""
    first, last = _whole_days(wanted)
    within_a_day = first is not None and last is not None and first > last
    if wanted.from_number is not None or wanted.to_number is not None or within_a_day:
        parts = [_rows(generation, branch) for branch in branches(wanted)]
    else:
        parts = [_days(wanted, first, last, generation)]
        if first is not None and wanted.from_date != _midnight(first):
            parts += _edge(wanted, _BEFORE_DAYS, generation)
        if last is not None and wanted.to_date != _midnight(last):
            parts += _edge(wanted, _AFTER_DAYS, generation)
    return _TOTAL.format(parts=_PLUS.join(parts))


def conjunction(conditions: Sequence[SQL]) -> Composed:
    """All of `conditions`."""
    return _AND.join(conditions)


def _directions(wanted: MessageFilter) -> list[list[SQL]]:
    if wanted.direction is not None:
        return [[_IN_DIRECTION[wanted.direction]]]
    if wanted.status is not None or wanted.tag is not None:
        return [[]]
    return [[condition] for condition in _IN_DIRECTION.values()]


def _equal(wanted: MessageFilter) -> list[SQL]:
    return [_EQUAL["organization_id"]] + [
        condition for field, condition in _EQUAL.items() if getattr(wanted, field, None) is not None
    ]


def _days(wanted: MessageFilter, first: date | None, last: date | None, generation: Literal) -> Composed:
    conditions = _equal(wanted)
    if wanted.direction is not None:
        conditions.append(_IN_DIRECTION[wanted.direction])
    if first is not None:
        conditions.append(_FROM_DAY)
    if last is not None:
        conditions.append(_TO_DAY)
    table = _DAYS if wanted.tag is None else _TAG_DAYS
    return table.format(generation=generation, conditions=conjunction(conditions))


def _edge(wanted: MessageFilter, span: SQL, generation: Literal) -> list[Composed]:
    return [_rows(generation, [*_equal(wanted), *branch, span]) for branch in _directions(wanted)]


def _rows(generation: Literal, conditions: Sequence[SQL]) -> Composed:
    return _ROWS.format(generation=generation, conditions=conjunction(conditions))


def _whole_days(wanted: MessageFilter) -> tuple[date | None, date | None]:
    """The first whole day on or after from_date, and the day of to_date, which is the first that is not whole."""
    first = last = None
    if wanted.from_date is not None:
        first = wanted.from_date.astimezone(UTC).date()
        if wanted.from_date != _midnight(first) and first < date.max:
            first += timedelta(days=1)
    if wanted.to_date is not None:
        last = wanted.to_date.astimezone(UTC).date()
    return first, last


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day is not None else None
