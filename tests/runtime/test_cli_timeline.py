"""`smsledger timeline` against a real ledger."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from smsledger.domain.ids import render_message_id

from .command_line import run
from .ledger_events import BODY, RECIPIENT, delivered_life, failed_life, store

MESSAGE = uuid4()


@pytest.fixture
def environment(database: str) -> dict[str, str]:
    store(database, (MESSAGE, delivered_life()))
    return {"SMSLEDGER_POSTGRES_URL": database}


def test_it_shows_the_message_and_each_event_in_order_with_what_matters(environment: dict[str, str]):
    result = run("timeline", render_message_id(MESSAGE), environment=environment)
    assert result.exit_code == 0
    header, _, events = result.stdout.partition("\n\n")
    assert header.splitlines()[0] == f"{render_message_id(MESSAGE)}  DELIVERED"
    assert "otp-verification, version 1" in header
    lines = events.splitlines()
    names = ["QUEUED", "SENDING", "DEFERRED", "SENDING", "SENT", "DELIVERED"]
    assert [next(name for name in names if f" {name} " in line) for line in lines] == names
    assert "+1.015 s" in lines[4]
    assert "attempt 2, by simulator, SIM1" in lines[4]
    assert "attempt 1, RATE_LIMIT, too many messages, again at 2026-03-01 12:00:01.009Z" in lines[2]


def test_the_carriers_time_is_told_where_it_differs(environment: dict[str, str]):
    lines = run("timeline", render_message_id(MESSAGE), environment=environment).stdout.splitlines()
    assert "carrier's time 2026-03-01 11:59:55.000Z" in lines[-1]
    assert "carrier's time" not in lines[-2]


def test_numbers_body_and_metadata_are_hidden_unless_revealed(environment: dict[str, str]):
    for form in ((), ("--json",)):
        hidden = run("timeline", render_message_id(MESSAGE), *form, environment=environment).stdout
        shown = run("timeline", render_message_id(MESSAGE), *form, "--reveal", environment=environment).stdout
        for personal in (RECIPIENT, BODY, "user_123"):
            assert personal not in hidden
            assert personal in shown
        assert "+141******34" in hidden


def test_json_gives_one_cloud_event_a_line_and_names_what_it_hides(environment: dict[str, str]):
    result = run("timeline", render_message_id(MESSAGE), "--json", environment=environment)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["version"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert events[0]["type"] == "sms.queued"
    assert events[0]["hidden"] == ["recipient", "body", "template_model", "metadata"]
    assert "hidden" not in events[1]


def test_an_error_is_told_in_the_header(database: str):
    store(database, (MESSAGE, failed_life()))
    result = run("timeline", render_message_id(MESSAGE), environment={"SMSLEDGER_POSTGRES_URL": database})
    assert "30005: unknown destination" in result.stdout


def test_an_unknown_message_is_one_line(environment: dict[str, str]):
    unknown = render_message_id(uuid4())
    result = run("timeline", unknown, environment=environment)
    assert result.exit_code == 1
    assert result.stderr == f"smsledger: no message {unknown} in the ledger\n"


def test_what_is_no_message_id_is_one_line(environment: dict[str, str]):
    result = run("timeline", "sms_abc", environment=environment)
    assert result.exit_code == 1
    assert result.stderr.startswith("smsledger: not an id")


def test_without_a_running_ledger_it_says_what_to_do(tmp_path: Path):
    result = run("timeline", render_message_id(MESSAGE), "--data", tmp_path)
    assert result.exit_code == 2
    assert "start one with `smsledger up`" in result.stderr
    assert result.stderr.count("\n") == 1
