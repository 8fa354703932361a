"""`smsledger status` and `projections` against a real ledger, and what counts as unhealthy."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import psycopg
import pytest

from smsledger.adapters.nats.status import QueueStatus, StreamStatus
from smsledger.adapters.postgres.status import Follower, LedgerStatus, LoopReport, read_status
from smsledger.runtime.health import ledger_problems, stream_problems
from smsledger.runtime.roles import LOOPS

from .command_line import run
from .ledger_events import delivered_life, failed_life, store

NOW = datetime.now(UTC)
REPORT = "INSERT INTO loops (role, instance, last_error, last_error_at, beat_at) VALUES (%s, 'host:1', %s, now(), now())"
PARK = "INSERT INTO parked_events (role, position, topic, error) VALUES ('projector:messages', 3, 'message.sent.v9', 'what?')"


@pytest.fixture
def filled(database: str) -> str:
    store(database, (uuid4(), delivered_life()), (uuid4(), failed_life()))
    return database


async def status_of(database: str) -> LedgerStatus:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as conn:
        return await read_status(conn)


async def test_an_empty_ledger_has_nothing_behind(database: str):
    status = await status_of(database)
    assert status.head == 0
    assert status.followers == [Follower("publisher", "cursor", 0, 0, 0.0)]


async def test_a_follower_is_behind_by_the_events_that_it_has_not_handled(filled: str):
    with psycopg.connect(filled) as conn:
        conn.execute("INSERT INTO cursors (name, position) VALUES ('publisher', 7)")
        conn.execute(
            "INSERT INTO projections (name, generation, live, shape, position) VALUES ('messages', 1, true, 1, 9)"
        )
        conn.execute(
            "INSERT INTO projections (name, generation, live, shape, position) VALUES ('messages', 2, false, 1, 0)"
        )
    status = await status_of(filled)
    followers = {(follower.kind, follower.name): follower for follower in status.followers}
    assert status.head == 9
    assert followers["cursor", "publisher"].lag_events == 2
    assert followers["cursor", "publisher"].lag_s > 1_000
    assert followers["projection", "messages"] == Follower("messages", "projection", 9, 0, 0.0)
    assert followers["rebuild", "messages"].lag_events == 9


async def test_loops_and_parked_events_are_told(filled: str):
    with psycopg.connect(filled) as conn:
        conn.execute(REPORT, ["publisher", "StreamUnavailable: gone"])
        conn.execute(PARK)
    status = await status_of(filled)
    assert [(loop.role, loop.last_error) for loop in status.loops] == [
        ("publisher", "StreamUnavailable: gone")
    ]
    assert status.parked_events == {"projector:messages": 1}
    assert status.parked_latest[0].error == "what?"
    assert msgspec.json.decode(msgspec.json.encode(status))["head"] == 9


def test_the_command_names_every_problem_and_fails(filled: str):
    environment = {"SMSLEDGER_POSTGRES_URL": filled, "SMSLEDGER_NATS_URL": "nats://me:secret@127.0.0.1:1"}
    result = run("status", environment=environment)
    assert result.exit_code == 1
    assert "ledger at position 9" in result.stdout
    assert (
        "publisher: no process runs it; start one with `smsledger worker --roles publisher`" in result.stdout
    )
    assert "stream: NATS cannot be reached at nats://me@127.0.0.1:1" in result.stdout
    assert "secret" not in result.output


def test_machines_get_the_same_as_json(filled: str):
    result = run("status", "--json", environment={"SMSLEDGER_POSTGRES_URL": filled})
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["healthy"] is False
    assert report["ledger"]["head"] == 9
    assert report["stream"] is None


def test_a_database_without_a_ledger_is_one_line(postgres_url: str):
    result = run("status", environment={"SMSLEDGER_POSTGRES_URL": postgres_url})
    assert result.exit_code == 1
    assert "run `smsledger migrate`" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_projection_is_rebuilt_by_name_and_listed(filled: str):
    environment = {"SMSLEDGER_POSTGRES_URL": filled}
    rebuilt = run("projections", "rebuild", "messages", environment=environment)
    assert rebuilt.exit_code == 0
    assert "9 events of 2 messages" in rebuilt.stdout
    (listed,) = json.loads(run("projections", "list", "--json", environment=environment).stdout)
    assert (listed["name"], listed["position"], listed["lag_events"]) == ("messages", 9, 0)


def test_an_unknown_projection_is_one_line(filled: str):
    result = run("projections", "rebuild", "mesages", environment={"SMSLEDGER_POSTGRES_URL": filled})
    assert result.exit_code == 1
    assert "there is no projection mesages: choose one of" in result.stderr


# --- What counts as unhealthy -----------------------------------------------------------------------------


def loop(
    name: str, *, silent_s: float = 0.5, leads: bool = True, error_age_s: float | None = None
) -> LoopReport:
    error = None if error_age_s is None else "OSError: gone"
    return LoopReport(
        name, "host:1", leads, 5, 0, error, None if error is None else NOW, NOW, silent_s, error_age_s
    )


def ledger(*loops: LoopReport, lag_s: float = 0.0, parked: int = 0) -> LedgerStatus:
    present = {one.role for one in loops}
    every = [*loops, *(loop(name) for name in LOOPS if name not in present)]
    follower = Follower("publisher", "cursor", 5, 5 if lag_s else 0, lag_s)
    return LedgerStatus(10, [follower], every, {"projector:messages": parked} if parked else {}, [], 0, None)


def test_a_ledger_whose_loops_all_speak_is_healthy():
    assert ledger_problems(ledger()) == []


def test_a_standby_beside_the_leader_is_healthy():
    assert ledger_problems(ledger(loop("publisher"), loop("publisher", leads=False))) == []


def test_the_silent_report_of_a_killed_process_does_not_count_beside_its_successor():
    assert ledger_problems(ledger(loop("publisher"), loop("publisher", silent_s=600.0))) == []


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (ledger(loop("publisher", silent_s=60.0)), "publisher: no word from host:1 for 60 s"),
        (ledger(loop("projector", leads=False)), "projector: no process leads it yet"),
        (
            ledger(loop("receipts", leads=False, error_age_s=1.0)),
            "receipts: failing on host:1: OSError: gone",
        ),
        (ledger(lag_s=45.0), "publisher: 5 events (45 s) behind the ledger"),
        (ledger(parked=1), "projector:messages: 1 event parked that could not be handled"),
    ],
)
def test_each_problem_is_named(status: LedgerStatus, problem: str):
    (found,) = ledger_problems(status)
    assert found.startswith(problem)


def test_a_missing_stream_and_a_queue_that_waits_are_problems():
    waiting = StreamStatus("LEDGER", 10, 10, QueueStatus(3, 7, 60.0, 0, 0))
    assert stream_problems(None, "LEDGER") == ["stream: NATS has no stream LEDGER (the publisher makes it)"]
    assert stream_problems(waiting, "LEDGER") == ["dispatcher: 7 messages waiting, the oldest for 60 s"]
    assert stream_problems(StreamStatus("LEDGER", 10, 10, None), "LEDGER") == []
