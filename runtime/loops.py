"""Supervised loops: leadership, wake-ups, back-off, counting and reporting around a role's `step`.

The one place where any error of a loop is caught: logged, counted, reported, and tried again. No role's logic.
"""

import asyncio
import os
import random
import socket
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from smsledger.adapters.postgres.leadership import Seat
from smsledger.adapters.postgres.loop_reports import PostgresLoopReports

log = structlog.get_logger(__name__)

STORE_ERRORS = (psycopg.Error, PoolTimeout, OSError)
"""What a report or a farewell may fail with; the loop's own connection finds out by itself."""

BACKOFF_S_FIRST = 0.1
BACKOFF_S_MAX = 5.0
REPORT_S = 1.0
LEADER_RETRY_S = 0.5
"""How often a follower tries to become the leader; with the time a lost connection takes, the fail-over time."""


class Role(Protocol):
    """What runs in a loop."""

    role: str

    async def step(self) -> int:
        """Do a bounded piece of work; how much was done, 0 where there was none."""
        ...


class LoopState:
    """What a loop reports of itself."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.instance = f"{socket.gethostname()}:{os.getpid()}"
        self.is_leader = False
        self.handled = 0
        self.errors = 0
        self.last_error: str | None = None
        self.last_error_at: datetime | None = None

    def failed(self, error: BaseException) -> None:
        """Count an error. Of PostgreSQL's only the first line: detail and context may repeat personal data."""
        reason = isinstance(error, psycopg.Error) and error.diag.message_primary
        self.errors += 1
        self.last_error = f"{type(error).__name__}: {reason or error}".strip()[:500]
        self.last_error_at = datetime.now(UTC)

    def values(self) -> dict[str, Any]:
        """The state as parameters of the report."""
        return dict(vars(self))


class SupervisedLoop:
    """Runs one role until cancelled.

    `poll_s`: how long an idle loop waits for a notification; `rest_s`: the pause after a step that did something, for
    roles that work better in larger batches.
    """

    def __init__(
        self,
        role: Role,
        seat: Seat,
        reports: PostgresLoopReports,
        *,
        poll_s: float,
        wait_for_events: bool = True,
        rest_s: float = 0.0,
    ) -> None:
        self._role = role
        self._seat = seat
        self._reports = reports
        self._poll_s = poll_s
        self._wait_for_events = wait_for_events
        self._rest_s = rest_s
        self.state = LoopState(role.role)

    async def run(self) -> None:
        """Step by step for ever; an error never ends it."""
        reporting = asyncio.create_task(self._report_for_ever(), name=f"report-{self._role.role}")
        backoff_s = BACKOFF_S_FIRST
        try:
            while True:
                handled_before = self.state.handled
                try:
                    await self._lead()
                except Exception as error:  # noqa: BLE001 - the edge of a loop: logged, counted, tried again
                    if self.state.handled > handled_before:
                        backoff_s = BACKOFF_S_FIRST
                    self.state.failed(error)
                    self.state.is_leader = False
                    log.warning(
                        "loop_failed", role=self._role.role, error=self.state.last_error, retry_s=backoff_s
                    )
                    await self._leave()
                    await asyncio.sleep(backoff_s * random.uniform(0.8, 1.2))  # noqa: S311  # jitter, not a secret
                    backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)
        finally:
            reporting.cancel()
            await self._leave()
            await self._say_goodbye()

    async def _lead(self) -> None:
        """Work as long as the seat holds; returns only by an error."""
        while not await self._seat.take():
            self.state.is_leader = False
            await asyncio.sleep(LEADER_RETRY_S)
        self.state.is_leader = True
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        while True:
            handled = await self._role.step()
            self.state.handled += handled
            if loop.time() - checked_at >= 1.0:
                await self._seat.check()
                checked_at = loop.time()
            if handled == 0 and self._wait_for_events:
                await self._seat.wait(self._poll_s)
            elif handled and self._rest_s:
                await asyncio.sleep(self._rest_s)

    async def _report_for_ever(self) -> None:
        while True:
            try:
                await self._reports.report(self.state.values())
            except STORE_ERRORS as error:
                log.debug("report_failed", role=self._role.role, error=str(error))
            await asyncio.sleep(REPORT_S)

    async def _leave(self) -> None:
        try:
            await self._seat.leave()
        except STORE_ERRORS as error:
            log.debug("seat_left_badly", role=self._role.role, error=str(error))

    async def _say_goodbye(self) -> None:
        try:
            await self._reports.gone(self.state.role, self.state.instance)
        except STORE_ERRORS as error:
            log.debug("report_failed", role=self._role.role, error=str(error))
