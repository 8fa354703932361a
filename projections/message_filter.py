"""Which messages a list shows, as SQL conditions, and how many they are, exactly and without counting them all.

Whole days and hours (UTC) are summed from `counts.py`'s tables; only the rows of the partial hours at both ends are
counted (of the partial days, where a tag is asked for: tags are counted by day).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from psycopg.adapt import PyFormat
from psycopg.sql import SQL, Composed, Literal, Placeholder

from smsledger.domain.status import Direction, Status

# Written out, so that the planner sees which partial index serves.
_IN_DIRECTION = {
    Direction.OUTBOUND: SQL("direction = 'OUTBOUND'"),
    Direction.INBOUND: SQL("direction = 'INBOUND'"),
}
_IN_ANY_DIRECTION = SQL("direction IN ('INBOUND', 'OUTBOUND')")  # for the index that begins with it
_EQUAL = {
    "organization_id": SQL("organization_id = %(organization_id)b"),
    "status": SQL("status = %(status)b"),
    "tag": SQL("tag = %(tag)b"),
    "from_number": SQL("sender = %(from_number)b"),
    "to_number": SQL("recipient = %(to_number)b"),
}
_FROM_DATE = SQL("created_at >= %(from_date)b")
_TO_DATE = SQL("created_at < %(to_date)b")
_TOTAL = SQL("SELECT ({parts})::bigint AS total_count")
_ROWS = SQL("(SELECT count(*) FROM messages_{generation} WHERE {conditions})")
_DAYS = SQL("(SELECT coalesce(sum(messages), 0) FROM message_counts_{generation} WHERE {conditions})")
_HOURS = SQL("(SELECT coalesce(sum(messages), 0) FROM message_hour_counts_{generation} WHERE {conditions})")
_TAG_DAYS = SQL("(SELECT coalesce(sum(messages), 0) FROM message_tag_counts_{generation} WHERE {conditions})")
_AT_LEAST = SQL("{column} >= {bound}")
_BELOW = SQL("{column} < {bound}")
_AND = SQL(" AND ")
_PLUS = SQL(" + ")

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Span(msgspec.Struct, frozen=True):
    """A time to count in: whole units, or the rows where unit is None; an open end where a bound is None."""

    unit: timedelta | None
    start: datetime | None
    end: datetime | None


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
    values = {**msgspec.structs.asdict(wanted), "organization_id": organization_id}
    for number, span in enumerate(_spans(wanted)):
        values |= {f"start_{number}": _bound(span, span.start), f"end_{number}": _bound(span, span.end)}
    return values


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
    parts = [
        (_rows if span.unit is None else _counts)(wanted, span, number, generation)
        for number, span in enumerate(_spans(wanted))
    ]
    return _TOTAL.format(parts=_PLUS.join(parts) if parts else SQL("0"))


def conjunction(conditions: Sequence[SQL | Composed]) -> Composed:
    """All of `conditions`."""
    return _AND.join(conditions)


def _directions(wanted: MessageFilter) -> list[list[SQL]]:
    if wanted.direction is not None:
        return [[_IN_DIRECTION[wanted.direction]]]
    if wanted.status is not None or wanted.tag is not None:
        return [[]]
    return [[condition] for condition in _IN_DIRECTION.values()]


def _to_count(wanted: MessageFilter) -> SQL:
    """Like `_directions`, in one condition: counting needs no order."""
    if wanted.direction is not None:
        return _IN_DIRECTION[wanted.direction]
    return SQL("true") if wanted.status is not None or wanted.tag is not None else _IN_ANY_DIRECTION


def _equal(wanted: MessageFilter) -> list[SQL]:
    return [_EQUAL["organization_id"]] + [
        condition for field, condition in _EQUAL.items() if getattr(wanted, field, None) is not None
    ]


def _counts(wanted: MessageFilter, span: _Span, number: int, generation: Literal) -> Composed:
    conditions: list[SQL | Composed] = [*_equal(wanted)]
    if wanted.direction is not None:
        conditions.append(_IN_DIRECTION[wanted.direction])
    table, column = (_DAYS if wanted.tag is None else _TAG_DAYS), SQL("day")
    if span.unit is _HOUR:
        table, column = _HOURS, SQL("hour")
    return table.format(
        generation=generation, conditions=conjunction([*conditions, *_within(span, number, column)])
    )


def _rows(wanted: MessageFilter, span: _Span, number: int, generation: Literal) -> Composed:
    within = _within(span, number, SQL("created_at"))
    conditions = conjunction([*_equal(wanted), _to_count(wanted), *within])
    return _ROWS.format(generation=generation, conditions=conditions)


def _within(span: _Span, number: int, column: SQL) -> list[Composed]:
    bounds = [(span.start, _AT_LEAST, f"start_{number}"), (span.end, _BELOW, f"end_{number}")]
    return [
        comparison.format(column=column, bound=Placeholder(name, format=PyFormat.BINARY))
        for moment, comparison, name in bounds
        if moment is not None
    ]


def _bound(span: _Span, moment: datetime | None) -> datetime | date | None:
    return moment.date() if moment is not None and span.unit is _DAY else moment


def _spans(wanted: MessageFilter) -> list[_Span]:
    """The dates of `wanted` in spans that one table each counts."""
    if wanted.from_number is not None or wanted.to_number is not None:
        units = []
    else:
        units = [_DAY] if wanted.tag is not None else [_DAY, _HOUR]
    start, end = (moment and moment.astimezone(UTC) for moment in (wanted.from_date, wanted.to_date))
    return _cover(start, end, units)


def _cover(start: datetime | None, end: datetime | None, units: Sequence[timedelta]) -> list[_Span]:
    """The time from `start` until `end` in whole units where there are any, the largest first."""
    if not units:
        return [_Span(None, start, end)]
    unit, *smaller = units
    try:
        first, last = _beginning(start, unit, after=True), _beginning(end, unit, after=False)
    except OverflowError:  # at the end of time
        return _cover(start, end, smaller)
    if first is not None and last is not None and first > last:
        return _cover(start, end, smaller)
    spans = []
    if first != start:
        spans += _cover(start, first, smaller)
    if first is None or first != last:
        spans.append(_Span(unit, first, last))
    if last != end:
        spans += _cover(last, end, smaller)
    return spans


def _beginning(moment: datetime | None, unit: timedelta, *, after: bool) -> datetime | None:
    """The beginning of the whole unit at `moment`: the next one, or the one that it is in."""
    if moment is None:
        return None
    past = (moment - _EPOCH) % unit
    return moment - past + (unit if after and past else timedelta())
