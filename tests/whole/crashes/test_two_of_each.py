"""Two publishers, two projectors, two dispatchers at once, killed and paused: nothing lost, doubled or reordered."""

import os
import random
import signal
import subprocess

import psycopg
import pytest

from .client_load import Requests, load
from .ledger_oracle import everything_holds
from .mortal_service import MortalService, second_worker
from .waiting import until

ROLES = ("publisher", "projector", "dispatcher")
LEADS = {"publisher": "publisher", "projector": "projector", "dispatcher": "receipts"}
"""A loop with one leader in the process of each role."""

_LEADER = "SELECT instance FROM loops WHERE role = %s AND is_leader AND beat_at > now() - interval '3 s'"


def _leader(service: MortalService, role: str) -> int | None:
    """Process number of the leader, by the loops' own reports."""
    with psycopg.connect(service.ready.postgres_url, autocommit=True) as conn:
        row = conn.execute(_LEADER, [LEADS[role]]).fetchone()
    return int(row[0].rpartition(":")[2]) if row else None


def _is_seen(service: MortalService, process: "subprocess.Popen[bytes]", role: str) -> bool:
    with psycopg.connect(service.ready.postgres_url, autocommit=True) as conn:
        row = conn.execute(
            "SELECT FROM loops WHERE role = %s AND instance LIKE %s", [role, f"%:{process.pid}"]
        ).fetchone()
    return row is not None


@pytest.mark.timeout(180)
async def test_with_two_of_each_role_the_killed_ones_are_not_missed(
    service: MortalService, requests: Requests, chance: random.Random
) -> None:
    with (
        second_worker(service, "publisher") as publisher,
        second_worker(service, "projector") as projector,
        second_worker(service, "dispatcher") as dispatcher,
    ):
        seconds = dict(zip(ROLES, (publisher, projector, dispatcher), strict=True))
        for role, process in seconds.items():
            await until(
                lambda role=role, process=process: _is_seen(service, process, role),
                f"the second {role} has started",
                deadline_s=30,
            )
        async with load(service.ready.url, service.server_key, requests) as running:
            await running.more_answers(50)
            for role in chance.sample(ROLES, len(ROLES)):
                service.hit(role)
                await running.more_answers(chance.randrange(10, 60))
            for role in chance.sample(ROLES, len(ROLES)):
                seconds[role].kill()
                await running.more_answers(chance.randrange(10, 60))
    await everything_holds(service, requests)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("role", ROLES)
async def test_a_leader_that_is_paused_past_its_lease_and_resumed_does_no_harm(
    role: str, service: MortalService, requests: Requests, chance: random.Random
) -> None:
    await until(lambda: _leader(service, role), f"a {role} leads", deadline_s=30)
    with second_worker(service, role) as second:
        await until(lambda: _is_seen(service, second, role), f"the second {role} has started", deadline_s=30)
        async with load(service.ready.url, service.server_key, requests) as running:
            await running.more_answers(chance.randrange(20, 80))
            paused = _leader(service, role)
            assert paused is not None
            os.kill(paused, signal.SIGSTOP)
            try:
                await until(
                    lambda: _leader(service, role) not in (None, paused),
                    f"another {role} has taken over",
                    deadline_s=60,
                )
                await running.more_answers(chance.randrange(50, 100))
            finally:
                os.kill(paused, signal.SIGCONT)
            await running.more_answers(50)
    await everything_holds(service, requests)
