"""Group commit: the appends of concurrent requests, collected into one transaction at a time.

One per process. While one group is being committed the next one gathers, so a lone append waits for nothing
and many share one fsync. It decides nothing about events; conflicts and positions come from `ledger_append()`.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection

from smsledger.application.ports import (
    Append,
    Appended,
    KeyUsed,
    LedgerBusy,
    LedgerUnavailable,
    Once,
    RecipientsSuppressed,
    VersionConflict,
)
from smsledger.domain.errors import LedgerError
from smsledger.domain.event import Event, EventTypes

from .arrays import Int8Array, UuidArray
from .conditions import append_statements, condition_parameters
from .recorder import Row, append_parameters

log = structlog.get_logger(__name__)

EXPIRY_S = 0.1
"""How often it is looked whose time is over."""

Connect = Callable[[], Awaitable[AsyncConnection[Any]]]
Result = Appended | VersionConflict
Outcome = list[Result] | LedgerError
"""Of a submission: a result for each append, or the condition that failed."""

# What is stored under the versions of refused appends, to tell our own earlier commit from another's.
_STORED = """
SELECT originator_id, originator_version, notification_id, state FROM ledger_events
JOIN unnest(%b, %b) AS wanted (id, version) ON originator_id = wanted.id AND originator_version = wanted.version
"""


class AppendLimits(msgspec.Struct, frozen=True):
    """The limits of one appender."""

    group_events_max: int = 2_000
    """Events in one transaction (a single larger append still goes, alone)."""
    waiting_events_max: int = 50_000
    """Events held in memory; beyond it appends are refused with LedgerBusy."""
    wait_s_max: float = 10.0
    """How long an append may wait for its commit, over reconnections, before LedgerUnavailable."""
    commit_s_max: float = 30.0
    """After this long without an answer the connection counts as lost."""
    reconnect_s: float = 0.1
    """Pause between attempts to reconnect."""


class _Submission:
    """What one caller wants stored, and where its answer goes."""

    __slots__ = ("answer", "appends", "deadline", "once", "rows")

    def __init__(
        self,
        appends: Sequence[Append],
        once: Once | None,
        rows: list[Row],
        answer: "asyncio.Future[list[Result]]",
        deadline: float,
    ) -> None:
        self.appends = appends
        self.once = once
        self.rows = rows
        self.answer = answer
        self.deadline = deadline


class GroupCommitAppender:
    """The Appender port: one connection, one transaction in flight, everything that waits goes into the next."""

    def __init__(
        self,
        connect: Connect,
        event_types: EventTypes[Any],
        reference_of: Callable[[Event], str | None],
        *,
        schema: str = "public",
        limits: AppendLimits | None = None,
    ) -> None:
        self._connect = connect
        self._event_types = event_types
        self._reference_of = reference_of
        self._statements = append_statements(schema)
        self._limits = limits or AppendLimits()
        self._waiting: list[_Submission] = []
        self._waiting_events = 0
        self._conn: AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._in_flight: list[_Submission] = []
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False

    async def append(self, appends: Sequence[Append], once: Once | None = None) -> Sequence[Result]:
        """See the port."""
        rows = self._rows(appends)
        if not rows:
            return []
        if self._closed:
            raise LedgerUnavailable(reason="this process is shutting down")
        if self._waiting_events + len(rows) > self._limits.waiting_events_max:
            raise LedgerBusy(waiting=self._waiting_events)
        loop = asyncio.get_running_loop()
        submission = _Submission(
            appends, once, rows, loop.create_future(), loop.time() + self._limits.wait_s_max
        )
        self._waiting.append(submission)
        self._waiting_events += len(rows)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._drain(), name="group-commit")
        if self._expiry is None:
            self._expiry = loop.call_later(EXPIRY_S, self._expire)
        return await submission.answer

    async def close(self) -> None:
        """Commit what waits, then disconnect. Later appends are refused."""
        self._closed = True
        if self._task is not None:
            await self._task
        if self._expiry is not None:
            self._expiry.cancel()
        await self._disconnect()

    def _rows(self, appends: Sequence[Append]) -> list[Row]:
        encode, topic, reference_of = self._event_types.encode, self._event_types.topic, self._reference_of
        return [
            Row(
                number,
                append.aggregate_id,
                append.version + i,
                topic(event),
                append.organization_id,
                event.at,
                reference_of(event),
                encode(event),
            )
            for number, append in enumerate(appends)
            for i, event in enumerate(append.events)
        ]

    async def _drain(self) -> None:
        while self._waiting:
            group = self._next_group()
            if not group:
                break
            self._in_flight = group
            try:
                await self._commit(group, uncertain=False)
            except Exception as error:
                # Whatever went wrong, nobody may wait for ever: each caller hears of it and decides.
                log.exception("append_failed", submissions=len(group))
                _fail(group, error)
        self._in_flight = []

    def _expire(self) -> None:
        """Tell callers whose time is over; one timer for all, as one per append would cost more than the append.

        What is under way goes on, and what still waits for its turn is dropped then.
        """
        now = asyncio.get_running_loop().time()
        open_ones = [one for one in (*self._in_flight, *self._waiting) if not one.answer.done()]
        late = [one for one in open_ones if one.deadline <= now]
        _fail(late, LedgerUnavailable(reason=f"no answer within {self._limits.wait_s_max:g} s"))
        self._expiry = None
        if len(late) < len(open_ones):
            self._expiry = asyncio.get_running_loop().call_later(EXPIRY_S, self._expire)

    def _next_group(self) -> list[_Submission]:
        if any(submission.answer.done() for submission in self._waiting):  # callers that went away unserved
            self._waiting = [submission for submission in self._waiting if not submission.answer.done()]
            self._waiting_events = sum(len(submission.rows) for submission in self._waiting)
        events = taken = 0
        changed: set[bytes] = set()
        for submission in self._waiting:
            if taken and events + len(submission.rows) > self._limits.group_events_max:
                break
            # Guards are checked before the group is stored: who is suppressed in it is guarded in the next.
            if changed and not changed.isdisjoint(_guarded(submission)):
                break
            changed.update(one.aggregate_id.bytes for one in submission.appends if one.consents)
            events += len(submission.rows)
            taken += 1
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._waiting_events -= events
        return group

    async def _commit(self, group: list[_Submission], *, uncertain: bool) -> None:
        """Store a group and answer its callers; over lost connections until their deadlines.

        `uncertain` says that an earlier try may have been committed: then a refusal is checked by reading.
        """
        while group := [submission for submission in group if not submission.answer.done()]:
            try:
                async with asyncio.timeout(self._limits.commit_s_max):
                    outcomes = await self._store(group, uncertain=uncertain)
            except (psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex) as error:
                # Operational errors to the driver, but it is what was sent that PostgreSQL cannot store.
                await self._commit_apart(group, error, uncertain=uncertain)
                return
            except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError, OSError) as error:
                log.warning("event_store_unreachable", error=str(error).strip(), submissions=len(group))
                uncertain = uncertain or self._conn is not None  # without a connection nothing was sent
                await self._disconnect()
                group = _unexpired(group, error)
                await asyncio.sleep(self._limits.reconnect_s)
            except psycopg.Error as error:
                await self._commit_apart(group, error, uncertain=uncertain)
                return
            else:
                _answer(group, outcomes)
                return

    async def _commit_apart(self, group: list[_Submission], error: psycopg.Error, *, uncertain: bool) -> None:
        """The group was rolled back because of data in it: each submission by itself, so the fault stays with its own."""
        if len(group) == 1:
            _fail(group, error)
            return
        for submission in group:
            await self._commit([submission], uncertain=uncertain)

    async def _store(self, group: list[_Submission], *, uncertain: bool) -> list[Outcome]:
        rows = _numbered(group)
        parameters = _parameters(rows, group)
        if self._conn is None or self._conn.closed:
            self._conn = None
            self._conn = await self._connect()
        cursor = await self._conn.execute(
            self._statements[len(parameters)], parameters, binary=True, prepare=True
        )
        found = await cursor.fetchone()
        if found is None:  # the function always returns one row
            raise psycopg.InternalError("ledger_append returned nothing")
        base, refused, suppressed, used = found
        failed = (
            _failed(group, frozenset(suppressed or ()), frozenset(used or ())) if suppressed or used else {}
        )
        unstored = set(refused or ()).union(*(numbers for numbers, _ in failed.values()))
        mine = await self._own_commits(rows, unstored) if unstored and uncertain else {}
        return _outcomes(group, base, unstored, failed, mine)

    async def _own_commits(self, rows: Sequence[Row], refused: set[int]) -> dict[int, int]:
        """Of the refused appends, those whose very bytes are stored: number of the append to its last position."""
        assert self._conn is not None
        tried = [row for row in rows if row.append_number in refused]
        parameters = [
            UuidArray.of([row.aggregate_id for row in tried]),
            Int8Array.of([row.version for row in tried]),
        ]
        cursor = await self._conn.execute(_STORED, parameters, binary=True)
        stored = {(row[0], row[1]): (row[2], row[3]) for row in await cursor.fetchall()}
        mine: dict[int, int] = {}
        others: set[int] = set()
        for row in tried:
            position, state = stored.get((row.aggregate_id, row.version), (0, b""))
            if state == row.state:
                mine[row.append_number] = position
            else:
                others.add(row.append_number)
        return {number: position for number, position in mine.items() if number not in others}

    async def _disconnect(self) -> None:
        if self._conn is not None:
            conn, self._conn = self._conn, None
            try:
                await conn.close()
            except psycopg.Error as error:
                log.debug("disconnect_failed", error=str(error))


def _guarded(submission: _Submission) -> Iterator[bytes]:
    return (append.guard.consent_key for append in submission.appends if append.guard is not None)


def _parameters(rows: Sequence[Row], group: Sequence[_Submission]) -> list[Any]:
    """The statement's parameters. Raises psycopg.DataError for values that PostgreSQL cannot be sent."""
    try:
        conditions = condition_parameters((submission.appends, submission.once) for submission in group)
        return append_parameters(rows) + conditions
    except (ValueError, TypeError, struct.error) as error:  # a lone surrogate, a time without a zone, 2**63
        raise psycopg.DataError(f"an event cannot be stored: {error}") from error


def _numbered(group: Sequence[_Submission]) -> list[Row]:
    """The group's rows with append numbers that are unique in it."""
    if len(group) == 1:
        return group[0].rows
    rows: list[Row] = []
    offset = 0
    for submission in group:
        rows += [
            msgspec.structs.replace(row, append_number=row.append_number + offset) for row in submission.rows
        ]
        offset += len(submission.appends)
    return rows


def _failed(
    group: Sequence[_Submission], suppressed: frozenset[int], used: frozenset[int]
) -> dict[int, tuple[range, LedgerError]]:
    """Submissions of which a condition failed: the numbers of their appends, and what to tell the caller."""
    failed: dict[int, tuple[range, LedgerError]] = {}
    start = 0
    for place, submission in enumerate(group):
        numbers = range(start, start + len(submission.appends))
        start = numbers.stop
        held = frozenset(number - numbers.start for number in numbers if number in suppressed)
        if held:
            failed[place] = (numbers, RecipientsSuppressed(held))
        elif place in used:
            failed[place] = (numbers, KeyUsed())
    return failed


def _outcomes(
    group: Sequence[_Submission],
    base: int,
    unstored: set[int],
    failed: dict[int, tuple[range, LedgerError]],
    mine: dict[int, int],
) -> list[Outcome]:
    """`mine`: appends that are not stored because an earlier try of theirs was, with their positions."""
    outcomes: list[Outcome] = []
    position = base
    number = 0
    for place, submission in enumerate(group):
        results: list[Result] = []
        for append in submission.appends:
            if number not in unstored:
                position += len(append.events)
                results.append(Appended(position))
            elif number in mine:
                results.append(Appended(mine[number]))
            else:
                results.append(VersionConflict(version=append.version, aggregate_id=append.aggregate_id))
            number += 1
        if place in failed and not all(isinstance(result, Appended) for result in results):
            outcomes.append(failed[place][1])
        else:
            outcomes.append(results)
    return outcomes


def _answer(group: Sequence[_Submission], outcomes: Sequence[Outcome]) -> None:
    for submission, outcome in zip(group, outcomes, strict=True):
        if submission.answer.done():  # the caller may have gone away
            continue
        if isinstance(outcome, LedgerError):
            submission.answer.set_exception(outcome)
        else:
            submission.answer.set_result(outcome)


def _fail(group: Sequence[_Submission], error: Exception) -> None:
    for submission in group:
        if not submission.answer.done():
            submission.answer.set_exception(error)


def _unexpired(group: Sequence[_Submission], error: Exception) -> list[_Submission]:
    now = asyncio.get_running_loop().time()
    _fail(
        [s for s in group if s.deadline <= now],
        LedgerUnavailable(reason=str(error).strip() or type(error).__name__),
    )
    return [s for s in group if s.deadline > now]
