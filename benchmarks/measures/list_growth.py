"""Whether lists stay as fast when the ledger grows: page and `totalCount` in a large ledger against a small one.

Both are seeded as databases of their own in the running PostgreSQL: events by COPY into the event store, the read
model by its real rebuild, then a VACUUM, as autovacuum would have done long since. Measured is the query itself,
without HTTP, which would hide growth behind a constant.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import uuid_utils.compat
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from benchmarks.messages import TAGS
from benchmarks.result import Measurement, MeasurementFailed
from smsledger.adapters.postgres.migrate import migrate
from smsledger.domain.event import to_milliseconds
from smsledger.domain.message import MESSAGE_EVENTS, Delivered, Failed, Queued, Received, Undelivered
from smsledger.domain.segments import Encoding
from smsledger.domain.status import Direction, Status
from smsledger.projections.messages import MessageFilter, MessagePage, list_messages
from smsledger.projections.rebuild import rebuild

ORGANIZATION = "demo"
DAYS = 100
ROWS_PER_COPY = 20_000
TARGET = 1.5
WARM_UPS = 5

_CREATE = SQL("CREATE DATABASE {}")
_DROP = SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
_COPY = """
COPY ledger_events (notification_id, originator_id, originator_version, topic, organization_id, recorded_at, state)
FROM STDIN (FORMAT BINARY)
"""
_TYPES = ["int8", "uuid", "int8", "text", "text", "timestamptz", "bytea"]

Say = Callable[[str], None]


def _filters(now: datetime) -> dict[str, MessageFilter]:
    """The kinds of lists; dates end within days, so that the rows of partial days have to be counted."""
    return {
        "unfiltered": MessageFilter(),
        "status": MessageFilter(status=Status.DELIVERED),
        "status_rare": MessageFilter(status=Status.UNDELIVERED),
        "tag": MessageFilter(tag=TAGS[0]),
        "direction": MessageFilter(direction=Direction.OUTBOUND),
        "dates": MessageFilter(
            from_date=now - timedelta(days=60, hours=7), to_date=now - timedelta(days=20, hours=3)
        ),
    }


async def list_growth(postgres_url: str, small: int, large: int, requests: int, say: Say) -> Measurement:
    """The worst of all kinds of lists: median milliseconds in the large ledger by those in the small one."""
    now = to_milliseconds(datetime.now(UTC))
    names = {small: "bench_list_small", large: "bench_list_large"}
    try:
        for messages, name in names.items():
            await _seed(postgres_url, name, messages, now, say)
        urls = {messages: make_conninfo(postgres_url, dbname=name) for messages, name in names.items()}
        async with (
            await AsyncConnection.connect(urls[small], autocommit=True) as small_conn,
            await AsyncConnection.connect(urls[large], autocommit=True) as large_conn,
        ):
            found = {
                name: await _compare(small_conn, large_conn, wanted, requests)
                for name, wanted in _filters(now).items()
            }
    finally:
        for name in names.values():
            _admin(postgres_url, _DROP.format(Identifier(name)))
    worst = max(found, key=lambda name: found[name][1] / found[name][0])
    floor_ms, value_ms = found[worst]
    return Measurement(
        name="list_growth",
        value=value_ms,
        floor=floor_ms,
        unit="ms",
        target=TARGET,
        at_most=True,
        details={
            "worst_kind": worst,
            "messages": [small, large],
            "kinds": {
                name: {"small_ms": round(a, 3), "large_ms": round(b, 3), "ratio": round(b / a, 3)}
                for name, (a, b) in found.items()
            },
        },
    )


async def _compare(
    small: AsyncConnection[Any], large: AsyncConnection[Any], wanted: MessageFilter, requests: int
) -> tuple[float, float]:
    """Median milliseconds of the first page in both ledgers, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(requests + WARM_UPS):
        for conn, taken in zip((small, large), times, strict=True):
            started = time.perf_counter()
            page = await list_messages(conn, ORGANIZATION, wanted)
            if turn >= WARM_UPS:
                taken.append((time.perf_counter() - started) * 1000)
            _check(page, wanted)
    return statistics.median(times[0]), statistics.median(times[1])


def _check(page: MessagePage, wanted: MessageFilter) -> None:
    if page.total_count < len(page.messages) or not page.messages:
        raise MeasurementFailed(
            f"a list gave {len(page.messages)} of {page.total_count} messages for {wanted}"
        )


async def _seed(postgres_url: str, name: str, messages: int, now: datetime, say: Say) -> None:
    say(f"seeding a ledger of {messages:,} messages")
    _admin(postgres_url, _DROP.format(Identifier(name)))
    _admin(postgres_url, _CREATE.format(Identifier(name)))
    url = make_conninfo(postgres_url, dbname=name)
    migrate(url)
    _store(url, messages, now)
    say(f"projecting {messages:,} messages")

    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(url, autocommit=True)

    await rebuild(connect, "messages")
    _admin(url, SQL("VACUUM ANALYZE"))


def _store(url: str, messages: int, now: datetime) -> None:
    rows = _rows(messages, now)
    with psycopg.connect(url) as conn:
        while True:
            with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                copied = 0
                for row in rows:
                    copy.write_row(row)
                    copied += 1
                    if copied == ROWS_PER_COPY:
                        break
            conn.commit()
            if copied < ROWS_PER_COPY:
                return


def _rows(messages: int, now: datetime) -> Iterator[tuple[Any, ...]]:
    """The events of messages over the last hundred days, two a message: its beginning and its end."""
    chance = random.Random(messages)
    position = 0
    for number in range(messages):
        at = to_milliseconds(now - timedelta(days=DAYS) * (1 - number / messages))
        message_id = uuid_utils.compat.uuid7()
        for version, event in enumerate(_life(chance, at, number), 1):
            position += 1
            topic, state = MESSAGE_EVENTS.topic(event), MESSAGE_EVENTS.encode(event)
            yield position, message_id, version, topic, ORGANIZATION, event.at, state


def _life(chance: random.Random, at: datetime, number: int) -> Iterator[Any]:
    kind = chance.random()
    if kind < 0.05:
        yield _received(at, number)
        return
    yield _queued(chance, at)
    later = at + timedelta(seconds=3)
    if kind < 0.85:
        yield Delivered(at=later, carrier="simulator")
    elif kind < 0.95:
        yield Failed(at=later, error_code="30007", reason="filtered by the network")
    else:
        yield Undelivered(
            at=later, carrier="simulator", error_code="30003", reason="the handset cannot be reached"
        )


def _queued(chance: random.Random, at: datetime) -> Queued:
    code = f"{chance.randrange(1_000_000):06}"
    return Queued(
        at=at,
        organization_id=ORGANIZATION,
        sender="+18885550100",
        sender_reason="pool number for US",
        recipient=f"+1415{chance.randrange(2_000_000, 9_999_999)}",
        country="US",
        body=f"Your verification code is {code}",
        encoding=Encoding.GSM_7,
        segments=1,
        template_id=1,
        template_version=1,
        template_alias="otp-verification",
        template_model={"code": code},
        tag=TAGS[chance.randrange(len(TAGS))],
        metadata={"userId": f"user_{chance.randrange(1_000_000)}"},
        key_id="key_bench",
    )


def _received(at: datetime, number: int) -> Received:
    return Received(
        at=at,
        organization_id=ORGANIZATION,
        carrier="simulator",
        provider_message_id=f"SM{number:032x}",
        sender="+14155551234",
        recipient="+18885550100",
        body="Yes, please",
        encoding=Encoding.GSM_7,
        segments=1,
        country="US",
    )


def _admin(url: str, statement: Any) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement)
