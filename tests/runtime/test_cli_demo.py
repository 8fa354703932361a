"""`smsledger demo` and `smsledger projections retry`: what an operator needs beside `up`."""

import json

import psycopg

from .command_line import run


def test_the_demo_makes_an_organization_once_and_prints_its_keys(database: str) -> None:
    environment = {"SMSLEDGER_POSTGRES_URL": database}
    made = run("demo", environment=environment)
    keys = json.loads(made.stdout)
    assert sorted(keys) == ["admin_key", "sending_key", "server_key"]
    with psycopg.connect(database) as conn:
        assert conn.execute("SELECT count(*) FROM api_keys").fetchone() == (3,)
        assert conn.execute("SELECT organization_id FROM organizations").fetchall() == [("demo",)]
    again = run("demo", environment=environment)
    assert again.exit_code == 1
    assert "has organizations already" in again.stderr


def test_parked_events_are_tried_again(database: str) -> None:
    result = run("projections", "retry", environment={"SMSLEDGER_POSTGRES_URL": database})
    assert result.exit_code == 0
    assert result.stdout == "applied 0 parked events, 0 are still parked\n"
