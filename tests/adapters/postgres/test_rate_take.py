"""`rate_take()` against a naive model of a sliding second, on a clock that the tests move."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsledger.adapters.postgres.migrate import migrations

BUCKET_MS = 5
LEASE = 20
LIMIT = 7

_CLOCK = """
CREATE SCHEMA clock;
CREATE TABLE clock.moment (at timestamptz NOT NULL);
INSERT INTO clock.moment VALUES ('2026-01-01');
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM clock.moment';
SET search_path = clock, pg_catalog; -- in this order, so that the function's clock is this one
"""
_TAKE = "SELECT granted, remaining, booked, free_in_ms FROM clock.rate_take('acme', 'send', %s, %s, %s, %s, %s, %s, %s)"


class Windows:
    """The function with a clock that stands still until it is moved."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self.now_ms = 0

    def move(self, ms: int) -> None:
        self.now_ms += ms
        self.conn.execute("UPDATE clock.moment SET at = at + make_interval(secs => %s)", [ms / 1000])

    def take(
        self, wanted: int, *, limit: int = LIMIT, settled: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> tuple[int, int, int, float]:
        row = self.conn.execute(_TAKE, [limit, wanted, LEASE, *settled]).fetchone()
        assert row is not None
        return row[0], row[1], row[2], row[3]

    def forget(self) -> None:
        self.conn.execute("DELETE FROM clock.rate_windows")


@pytest.fixture
def windows(empty_database: str) -> Iterator[Windows]:
    """The migration's own text, in a schema that has another clock."""
    (migration,) = [one for one in migrations() if one.name == "rate_limits"]
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute(_CLOCK)
        conn.execute(migration.sql.encode())
        conn.execute("SET synchronous_commit = off")
        yield Windows(conn)


STEPS = st.lists(
    st.tuples(
        st.integers(1, 10),  # wanted
        st.integers(0, 99),  # milliseconds until the granted are used, within the lease
        st.integers(0, 10),  # of the granted, how many are used at most
        st.booleans(),  # whether that is said with the next question
        st.integers(0, 700),  # milliseconds until then
    ),
    min_size=5,
    max_size=25,
)


def test_no_second_has_more_uses_than_the_limit_and_nothing_is_refused_without_need(windows: Windows) -> None:
    @settings(max_examples=60)
    @given(STEPS)
    def check(steps: list[tuple[int, int, int, bool, int]]) -> None:
        windows.forget()
        uses: list[int] = []
        held: list[float] = []  # until when a slot may count, for a model that knows what was said
        settled = (0, 0, 0, 0)
        for wanted, after_ms, used_most, says_so, pause_ms in steps:
            now_ms = windows.now_ms
            granted, remaining, booked, free_in_ms = windows.take(wanted, settled=settled)
            busy = sum(1 for until in held if until > now_ms)
            assert granted >= min(wanted, LIMIT - busy), "slots were free, and were refused"
            assert 0 <= remaining <= LIMIT - granted
            assert 0 < free_in_ms <= 1_000 + (LEASE + 1) * BUCKET_MS if granted < wanted else free_in_ms == 0
            used = min(granted, used_most)
            uses += [now_ms + after_ms] * used
            for at in uses:
                assert sum(1 for other in uses if at <= other < at + 1_000) <= LIMIT
            early = LEASE - -(-after_ms // BUCKET_MS) if says_so else 0
            settled = (booked, booked - early, used, granted - used) if granted and says_so else (0, 0, 0, 0)
            longest = now_ms + 1_000 + (LEASE + 1) * BUCKET_MS
            shortest = now_ms + 1_000 + after_ms + 2 * BUCKET_MS
            held += [shortest if says_so else longest] * (used if says_so else granted)
            windows.move(max(pause_ms, after_ms))

    check()


def test_the_whole_limit_may_be_used_at_once_and_is_whole_again_after_a_second_and_the_lease(
    windows: Windows,
) -> None:
    assert windows.take(100)[:2] == (7, 0)
    windows.move(1_000 + LEASE * BUCKET_MS - 1)
    granted, _, _, free_in_ms = windows.take(1)
    assert granted == 0
    windows.move(int(free_in_ms) + 1)
    assert windows.take(100)[:2] == (7, 0)


def test_what_is_said_to_be_unused_is_free_at_once_and_what_was_used_early_a_second_later(
    windows: Windows,
) -> None:
    granted, _, booked, _ = windows.take(7)
    windows.move(10)
    assert windows.take(7, settled=(booked, booked - LEASE + 2, 4, granted - 4))[:2] == (3, 0)
    windows.move(1_000 + 2 * BUCKET_MS)
    assert windows.take(7)[0] == 4


@pytest.mark.parametrize("buckets_off", [-1_000, -1, 1, 1_000])
def test_settling_what_is_over_or_was_never_booked_changes_nothing(
    windows: Windows, buckets_off: int
) -> None:
    nonsense = windows.take(7)[2] + buckets_off
    assert windows.take(7, settled=(nonsense, nonsense, 0, 7))[0] == 0


def test_a_clock_that_is_set_back_frees_nothing_early_and_holds_nothing_for_ever(windows: Windows) -> None:
    windows.take(7)
    windows.move(-3_600_000)
    assert windows.take(1)[0] == 0
    windows.move(1_200)
    assert windows.take(1)[0] == 1


def test_a_lowered_limit_counts_what_was_taken_before(windows: Windows) -> None:
    assert windows.take(5)[0] == 5
    assert windows.take(5, limit=3)[:2] == (0, 0)
    assert windows.take(5, limit=6)[:2] == (1, 0)


def test_after_a_crash_nothing_is_granted_until_all_that_was_is_over(windows: Windows) -> None:
    windows.take(7)
    windows.conn.execute("TRUNCATE clock.rate_windows, clock.rate_beginning")  # as recovery does with both
    assert windows.take(1)[0] == -1
    windows.move(1_400)
    granted, _, _, free_in_ms = windows.take(1)
    assert granted == -1
    assert free_in_ms == pytest.approx(100)
    windows.move(101)
    assert windows.take(1)[0] == 1
