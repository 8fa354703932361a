"""Totals of lists and counts by day say what counting the messages one by one says, for any history and filter."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smsledger.domain.event import Event
from smsledger.domain.message import Message, fold
from smsledger.domain.status import Direction, Status
from smsledger.projections.counts import counts_by_day
from smsledger.projections.messages import MessageFilter, Page, list_messages
from smsledger.projections.projector import Projector
from smsledger.projections.rebuild import rebuild

from .store import (
    Connect,
    Ledger,
    catch_up,
    delivered,
    failed,
    new_id,
    queued,
    received,
    sending,
    sent,
    undelivered,
)

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = st.integers(min_value=-90, max_value=162).map(lambda thirds: thirds / 3)
MOMENTS = (
    st.none()
    | HOURS.map(lambda hours: MIDNIGHT + timedelta(hours=hours))
    | st.sampled_from(
        [
            MIDNIGHT,
            MIDNIGHT + timedelta(days=1),
            MIDNIGHT - timedelta(milliseconds=1),
            MIDNIGHT + timedelta(milliseconds=1),
            datetime.max.replace(tzinfo=UTC),
            datetime.min.replace(tzinfo=UTC),
        ]
    )
)
TAGS = st.sampled_from([None, "otp", "news"])
NUMBERS = st.sampled_from([None, "+14155551234", "+14155550000"])
FOLLOWING: list[Callable[[datetime], Event]] = [sending, sent, delivered, undelivered, failed]

FILTERS = st.builds(
    MessageFilter,
    status=st.none() | st.sampled_from(Status),
    direction=st.none() | st.sampled_from(Direction),
    tag=TAGS,
    from_date=MOMENTS,
    to_date=MOMENTS,
    from_number=st.none() | NUMBERS,
    to_number=st.none() | NUMBERS,
)
OUTBOUND = st.tuples(HOURS, TAGS, st.lists(st.sampled_from(FOLLOWING), max_size=5))
INBOUND = st.tuples(HOURS, NUMBERS.filter(bool))
organizations = count(1)


@given(
    outbound=st.lists(OUTBOUND, max_size=12),
    inbound=st.lists(INBOUND, max_size=5),
    filters=st.lists(FILTERS, min_size=20, max_size=40),
    batch_events_max=st.integers(min_value=1, max_value=20),
    shuffle=st.randoms(use_true_random=False),
)
@settings(
    max_examples=40,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture
    ],  # each example has an organization of its own
)
async def test_totals_are_what_counting_says(
    ledger: Ledger,
    connect: Connect,
    outbound: list[tuple[int, str | None, list[Callable[[datetime], Event]]]],
    inbound: list[tuple[int, str]],
    filters: list[MessageFilter],
    batch_events_max: int,
    shuffle: random.Random,
) -> None:
    organization_id = f"organization-{next(organizations)}"
    histories: dict[UUID, list[Event]] = {}
    for hours, tag, following in outbound:
        at = MIDNIGHT + timedelta(hours=hours)
        events = [event(at + timedelta(hours=1)) for event in following]
        histories[new_id()] = [queued(at, organization_id=organization_id, tag=tag), *events]
    for hours, sender in inbound:
        at = MIDNIGHT + timedelta(hours=hours)
        histories[new_id()] = [received(at, organization_id=organization_id, sender=sender)]
    await ledger.append_all(interleaved(histories, shuffle), organization_id)
    async with Projector(connect, batch_events_max=batch_events_max) as projector:
        await catch_up(projector)

    messages = [message for key, events in histories.items() if (message := fold(key, events))]
    for wanted in filters:
        expected = sorted(((m.created_at, m.message_id) for m in messages if fits(m, wanted)), reverse=True)
        page = await list_messages(ledger.conn, organization_id, wanted, Page(count=500))
        assert [(row.created_at, row.message_id) for row in page.messages] == expected
        assert page.total_count == len(expected)
    days = await counts_by_day(ledger.conn, organization_id, date(2026, 1, 1), date(2026, 12, 31))
    assert {(d.day, d.direction, d.status): d.messages for d in days} == Counter(
        (m.created_at.date(), m.direction, m.status) for m in messages
    )


def interleaved(histories: dict[UUID, list[Event]], shuffle: random.Random) -> list[tuple[UUID, Event]]:
    """The events of all messages in some order that keeps each message's own."""
    turns = [key for key, events in histories.items() for _ in events]
    shuffle.shuffle(turns)
    queues = {key: iter(events) for key, events in histories.items()}
    return [(key, next(queues[key])) for key in turns]


def fits(message: Message, wanted: MessageFilter) -> bool:
    """What a filter means, without SQL."""
    return (
        (wanted.status is None or message.status is wanted.status)
        and (wanted.direction is None or message.direction is wanted.direction)
        and (wanted.tag is None or message.tag == wanted.tag)
        and (wanted.from_date is None or message.created_at >= wanted.from_date)
        and (wanted.to_date is None or message.created_at < wanted.to_date)
        and (wanted.from_number is None or message.sender == wanted.from_number)
        and (wanted.to_number is None or message.recipient == wanted.to_number)
    )


@pytest.mark.parametrize("name", ["messages", "counts"])
async def test_counts_by_day_are_the_same_after_a_rebuild(
    ledger: Ledger, projector: Projector, connect: Connect, name: str
) -> None:
    for hours in range(0, 72, 5):
        at = MIDNIGHT + timedelta(hours=hours)
        await ledger.append(new_id(), queued(at, tag="otp"), sending(at), delivered(at))
    await ledger.append(new_id(), received(MIDNIGHT))
    await catch_up(projector)
    span = (date(2026, 3, 1), date(2026, 3, 3))
    before = await counts_by_day(ledger.conn, "acme", *span)
    assert sum(day.messages for day in before) == 11
    report = await rebuild(connect, name)
    assert report.rebuilt == ("messages", "counts")
    assert await counts_by_day(ledger.conn, "acme", *span) == before
    assert await counts_by_day(ledger.conn, "other", *span) == []
