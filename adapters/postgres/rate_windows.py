"""The shared windows of the rate limits in PostgreSQL: one statement for all questions, over one connection.

What it promises is in `migrations/0006_rate_limits.sql`. It does not try again: who asks knows for how long.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from smsledger.application.ports import LedgerUnavailable
from smsledger.application.rate_limits import Grant, Question, Settlement

from .arrays import Int4Array, Int8Array, TextArray

log = structlog.get_logger(__name__)

Connect = Callable[[], Awaitable[AsyncConnection[Any]]]

# One row for each question. Unnested in order, which is the order in which the windows are locked.
_TAKE = b"""
SELECT taken.granted, taken.remaining, taken.booked, taken.free_in_ms
FROM unnest(%b, %b, %b, %b, %b, %b, %b, %b, %b) WITH ORDINALITY AS asked (
    organization, class, most, wanted, lease, settle_from, settle_to, settle_used, settle_unused, place
), LATERAL rate_take(
    organization, class, most, wanted, lease, settle_from, settle_to, settle_used, settle_unused
) AS taken ORDER BY asked.place
"""
# Slots count for a second and a half at most; locked rows are in use.
_FORGET = """
DELETE FROM rate_windows WHERE (organization_id, endpoint_class) IN (
    SELECT organization_id, endpoint_class FROM rate_windows
    WHERE bucket < date_part('epoch', clock_timestamp() - make_interval(secs => %s)) * 200 FOR UPDATE SKIP LOCKED
)
"""
# A lost answer costs a second's slots at most, a lost transaction nothing: no commit needs to wait for the disk.
_NO_FLUSH = "SELECT set_config('synchronous_commit', 'off', false)"
LIMIT_MAX = 2**31 - 1
_NONE = Settlement(0, 0, 0, 0)


class PostgresRateWindows:
    """The RateWindows port."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._conn: AsyncConnection[Any] | None = None

    async def take(self, questions: Sequence[Question]) -> Sequence[Grant]:
        """See the port."""
        # All processes lock in the same order, so that none waits for another that waits for it.
        order = sorted(range(len(questions)), key=lambda i: _name(questions[i]))
        parameters = _parameters([questions[i] for i in order])
        conn, self._conn = (
            self._conn,
            None,
        )  # whoever is cancelled here leaves no connection with half an answer
        try:
            if conn is None or conn.closed:
                conn = await self._connect()
                await conn.execute(_NO_FLUSH)
            cursor = await conn.execute(_TAKE, parameters, binary=True, prepare=True)
            rows = await cursor.fetchall()
        except BaseException as error:
            if conn is not None:
                await conn.close()
            if not isinstance(error, psycopg.Error | OSError):
                raise
            log.warning("rate_windows_unreachable", error=str(error).strip())
            raise LedgerUnavailable(reason=str(error).strip() or type(error).__name__) from error
        self._conn = conn
        grants: dict[int, Grant] = {
            i: Grant(granted, remaining, booked, free_in_ms / 1000)
            for i, (granted, remaining, booked, free_in_ms) in zip(order, rows, strict=True)
        }
        return [grants[i] for i in range(len(questions))]

    async def close(self) -> None:
        """Disconnect."""
        if self._conn is not None:
            conn, self._conn = self._conn, None
            await conn.close()


async def forget_windows(conn: AsyncConnection[Any], *, idle_s: float) -> None:
    """Delete the windows that nobody has asked for. Raises psycopg.Error."""
    await conn.execute(_FORGET, [idle_s])


def _name(question: Question) -> tuple[str, str]:
    return question.organization_id, question.endpoint_class


def _parameters(questions: Sequence[Question]) -> list[Any]:
    settlements = [question.settlement or _NONE for question in questions]
    return [
        TextArray.of([question.organization_id for question in questions]),
        TextArray.of([question.endpoint_class for question in questions]),
        Int4Array.of([min(question.limit, LIMIT_MAX) for question in questions]),
        Int4Array.of([min(question.wanted, LIMIT_MAX) for question in questions]),
        Int4Array.of([question.lease for question in questions]),
        Int8Array.of([settlement.booked for settlement in settlements]),
        Int8Array.of([settlement.until for settlement in settlements]),
        Int4Array.of([settlement.used for settlement in settlements]),
        Int4Array.of([settlement.unused for settlement in settlements]),
    ]
