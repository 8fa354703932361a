"""`smsledger tail` against a real ledger, live and from the past."""

import json
import signal
import subprocess
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from smsledger.domain.ids import render_message_id

from .command_line import run, start, wait_until
from .ledger_events import RECIPIENT, delivered_life, failed_life, store

OURS, THEIRS = uuid4(), uuid4()


@pytest.fixture
def environment(database: str) -> dict[str, str]:
    store(database, (OURS, delivered_life()))
    store(database, (THEIRS, failed_life("acme")), organization_id="acme")
    return {"SMSLEDGER_POSTGRES_URL": database}


def positions(output: str) -> list[int]:
    return [json.loads(line)["position"] for line in output.splitlines()]


def test_from_the_first_position_it_shows_all_events_in_order(environment: dict[str, str]):
    result = run("tail", "--from", "1", "--no-follow", "--json", environment=environment)
    assert positions(result.stdout) == list(range(1, 10))


def test_it_begins_with_the_position_that_is_named(environment: dict[str, str]):
    result = run("tail", "--from", "7", "--no-follow", "--json", environment=environment)
    assert positions(result.stdout) == [7, 8, 9]


def test_it_filters_by_organization_and_by_type(environment: dict[str, str]):
    everything = ("tail", "--from", "1", "--no-follow", "--json")
    assert positions(run(*everything, "--organization", "acme", environment=environment).stdout) == [7, 8, 9]
    several = (*everything, "--type", "DELIVERED", "--type", "sms.failed")
    assert positions(run(*several, environment=environment).stdout) == [6, 9]
    unknown = run(*everything, "--type", "bounced", environment=environment)
    assert unknown.exit_code == 2
    assert "bounced" in unknown.stderr


def test_a_line_for_people_has_no_personal_data_and_no_colour_in_a_pipe(environment: dict[str, str]):
    output = run("tail", "--from", "1", "--no-follow", environment=environment).stdout
    assert len(output.splitlines()) == 9
    assert render_message_id(OURS) in output
    assert RECIPIENT not in output
    assert "\x1b" not in output


def test_it_shows_new_events_as_they_come_and_ends_on_ctrl_c(
    database: str, environment: dict[str, str], tmp_path: Path
):
    output = tmp_path / "output"
    tail = start("tail", "--from", "9", "--json", environment=environment, stdout=output)
    wait_until(lambda: positions(output.read_text()) == [9])
    store(database, (uuid4(), failed_life()))
    wait_until(lambda: positions(output.read_text()) == [9, 10, 11, 12])
    tail.send_signal(signal.SIGINT)
    _, complaints = tail.communicate(timeout=30)
    assert (tail.returncode, complaints) == (0, b"")


def test_it_goes_on_at_its_position_after_its_connection_was_lost(
    database: str, environment: dict[str, str], tmp_path: Path
):
    output = tmp_path / "output"
    tail = start("tail", "--from", "1", "--json", environment=environment, stdout=output)
    wait_until(lambda: len(positions(output.read_text())) == 9)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'smsledger tail'"
    with psycopg.connect(database) as conn:
        assert conn.execute(kill).fetchall() == [(True,)]
    store(database, (uuid4(), failed_life()))
    wait_until(lambda: len(positions(output.read_text())) == 12)
    tail.send_signal(signal.SIGTERM)
    _, complaints = tail.communicate(timeout=30)
    assert positions(output.read_text()) == list(range(1, 13))
    assert complaints.decode().splitlines()[0] == "smsledger: PostgreSQL is gone; waiting for it"
    assert tail.returncode == 0


def test_it_ends_quietly_when_nobody_reads_its_output_any_more(environment: dict[str, str]):
    tail = start("tail", "--from", "1", environment=environment)
    assert tail.stdout is not None
    tail.stdout.readline()
    tail.stdout.close()
    assert tail.wait(30) == 0
    assert tail.stderr is not None
    assert tail.stderr.read() == b""
    tail.stderr.close()


def test_a_ledger_that_cannot_be_reached_is_one_line_without_the_password():
    environment = {"SMSLEDGER_POSTGRES_URL": "postgresql://me:secret@127.0.0.1:1/ledger"}
    result = run("tail", environment=environment)
    assert result.exit_code == 1
    assert result.stderr == (
        "smsledger: PostgreSQL cannot be reached at postgresql://me@127.0.0.1:1/ledger (Connection refused): "
        "start it, or correct SMSLEDGER_POSTGRES_URL\n"
    )


def test_a_pipe_of_two_commands_ends_when_the_second_has_seen_enough(environment: dict[str, str]):
    tail = start("tail", "--from", "1", environment=environment)
    head = subprocess.run(["head", "-n", "1"], stdin=tail.stdout, capture_output=True, check=True)
    assert tail.stdout is not None
    tail.stdout.close()
    assert head.stdout.count(b"\n") == 1
    assert tail.wait(30) == 0
    assert tail.stderr is not None
    tail.stderr.close()
