"""Rate limits over several processes: never more than the limit in any second, and nearly all of it under demand."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import AsyncConnection

from smsledger.adapters.postgres.rate_windows import PostgresRateWindows, forget_windows
from smsledger.application.ports import LedgerUnavailable
from smsledger.application.rate_limits import RateLimiter
from tests.faults.tcp_proxy import TcpProxy

from .rate_demand import Decisions

SECONDS = 4.0
PROCESSES = 3
ASKERS = 8
LIMITS = {"acme/send": 100, "acme/batch": 10, "other/send": 500}
STALL_S = 0.02


def most_in_a_second(times: Sequence[float]) -> int:
    """The most of the sorted `times` in any second, wherever it begins."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def asked_s(times: Sequence[float]) -> float:
    """For how long there was demand: pauses of a busy machine are none."""
    return sum(later - earlier for earlier, later in pairwise(times) if later - earlier < STALL_S)


def test_the_measure_of_a_second_sees_one_too_many() -> None:
    assert most_in_a_second([0.0, 0.5, 0.9999]) == 3
    assert most_in_a_second([0.0, 0.5, 1.0]) == 2


def test_processes_together_admit_the_limit_and_no_more(database: str, tmp_path: Path) -> None:
    arguments = [database, msgspec.json.encode(LIMITS).decode(), str(SECONDS), str(ASKERS)]
    with ExitStack() as stack:
        files = [stack.enter_context((tmp_path / str(i)).open("w+b")) for i in range(PROCESSES)]
        command = [sys.executable, "-m", "tests.adapters.postgres.rate_demand", *arguments]
        processes = [subprocess.Popen(command, stdout=file) for file in files]
        assert [process.wait(60) for process in processes] == [0] * PROCESSES
        outputs = [(tmp_path / str(i)).read_bytes() for i in range(PROCESSES)]
    found = [msgspec.json.decode(output, type=dict[str, Decisions]) for output in outputs]
    for name, limit in LIMITS.items():
        admitted = sorted(at for one in found for at in one[name].admitted)
        denied = [at for one in found for at in one[name].denied]
        assert len(denied) > limit, "there was no demand to speak of"
        assert most_in_a_second(admitted) <= limit, name
        share = len(admitted) / (limit * asked_s(sorted(admitted + denied)))
        assert share >= 0.95, name


async def test_a_postgresql_that_says_nothing_is_a_refusal_and_then_all_is_as_before(
    proxied: str, proxy: TcpProxy
) -> None:
    async def connect() -> AsyncConnection[Any]:
        return await AsyncConnection.connect(proxied, autocommit=True)

    windows = PostgresRateWindows(connect)
    limiter = RateLimiter(windows, wait_s_max=0.5)
    async with asyncio.timeout(60):
        assert (await limiter.admit("acme", "send", 100)).admitted
        proxy.blackhole()
        with pytest.raises(LedgerUnavailable):
            await limiter.admit("acme", "send", 100)
        proxy.flow()
        while True:
            try:
                admission = await limiter.admit("acme", "send", 100)
            except LedgerUnavailable:
                continue
            break
        assert admission.admitted
        proxy.cut()
        assert (await limiter.admit("acme", "batch", 10)).admitted
    await limiter.close()
    await windows.close()


async def test_windows_that_nobody_asks_for_are_forgotten(
    database: str, look: psycopg.Connection[Any]
) -> None:
    async with await AsyncConnection.connect(database, autocommit=True) as conn:

        async def connect() -> AsyncConnection[Any]:
            return conn

        limiter = RateLimiter(PostgresRateWindows(connect))
        for name in ("acme", "other"):
            assert (await limiter.admit(name, "send", 100)).admitted
        look.execute("UPDATE rate_windows SET bucket = bucket - 200 * 3600 WHERE organization_id = 'acme'")
        await forget_windows(conn, idle_s=60)
        assert look.execute("SELECT organization_id FROM rate_windows").fetchall() == [("other",)]
        assert (await limiter.admit("acme", "send", 100)).admitted
        await limiter.close()
