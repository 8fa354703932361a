"""Arrays packed by hand arrive in PostgreSQL as the values they were."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsledger.adapters.postgres.arrays import (
    BoolArray,
    ByteaArray,
    Int4Array,
    Int8Array,
    PackedArray,
    TextArray,
    TimeArray,
    UuidArray,
)

# PostgreSQL's text holds every character but U+0000.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# A day from both ends, so that the value exists in every zone.
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30, 23, 59, 59, 999_999), timezones=ZONES)  # noqa: DTZ001


@pytest.fixture(scope="module")
def conn(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute("SET timezone TO 'UTC'")
        yield conn


def through_postgres(conn: psycopg.Connection[Any], array: PackedArray) -> list[Any]:
    """The elements, as PostgreSQL itself counts and lists them."""
    query = f"SELECT element FROM unnest(%b::{array.element_type}[]) WITH ORDINALITY a(element, n) ORDER BY n"
    return [row[0] for row in conn.execute(query.encode(), [array], binary=True)]


@given(values=st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_int4(conn: psycopg.Connection[Any], values: list[int]) -> None:
    assert through_postgres(conn, Int4Array.of(values)) == values


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_int8(conn: psycopg.Connection[Any], values: list[int]) -> None:
    assert through_postgres(conn, Int8Array.of(values)) == values


@given(values=st.lists(st.booleans()))
def test_bool(conn: psycopg.Connection[Any], values: list[bool]) -> None:
    assert through_postgres(conn, BoolArray.of(values)) == values


@given(values=st.lists(st.uuids()))
def test_uuid(conn: psycopg.Connection[Any], values: list[UUID]) -> None:
    assert through_postgres(conn, UuidArray.of(values)) == values


@given(values=st.lists(st.binary()))
def test_bytea(conn: psycopg.Connection[Any], values: list[bytes]) -> None:
    assert through_postgres(conn, ByteaArray.of(values)) == values


@given(values=st.lists(st.none() | TEXTS | st.sampled_from(["", "NULL", "{}", '"', "€🎉"])))
def test_text(conn: psycopg.Connection[Any], values: list[str | None]) -> None:
    assert through_postgres(conn, TextArray.of(values)) == values


@given(values=st.lists(st.none() | TIMES))
def test_timestamptz(conn: psycopg.Connection[Any], values: list[datetime | None]) -> None:
    assert through_postgres(conn, TimeArray.of(values)) == values


def test_a_time_that_looks_like_a_null_is_none(conn: psycopg.Connection[Any]) -> None:
    just_before_2000 = datetime(2000, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
    assert through_postgres(conn, TimeArray.of([just_before_2000, None])) == [just_before_2000, None]


@pytest.mark.parametrize("empty", [cls.of([]) for cls in (Int4Array, Int8Array, UuidArray, ByteaArray)])
def test_an_empty_array_is_empty_and_not_null(conn: psycopg.Connection[Any], empty: PackedArray) -> None:
    query = f"SELECT %b::{empty.element_type}[] = '{{}}'"
    assert conn.execute(query.encode(), [empty]).fetchone() == (True,)


def test_many_elements_of_great_size_arrive(conn: psycopg.Connection[Any]) -> None:
    values = [bytes([n % 256]) * 100_000 for n in range(50)]
    assert through_postgres(conn, ByteaArray.of(values)) == values


def test_parallel_arrays_keep_their_order(conn: psycopg.Connection[Any]) -> None:
    ids = [uuid4() for _ in range(1_000)]
    query = "SELECT n, id, t FROM unnest(%b, %b, %b) a(n, id, t)"
    texts = [str(one) if one.int % 3 else None for one in ids]
    rows = conn.execute(
        query, [Int8Array.of(range(1_000)), UuidArray.of(ids), TextArray.of(texts)]
    ).fetchall()
    assert rows == list(zip(range(1_000), ids, texts, strict=True))


def test_a_number_that_does_not_fit_is_refused() -> None:
    import struct

    with pytest.raises(struct.error):
        Int4Array.of([2**31])
