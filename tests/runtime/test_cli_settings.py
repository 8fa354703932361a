"""`smsledger settings` tells everything about every setting."""

import json

from smsledger.runtime.settings import Settings

from .command_line import run


def test_every_setting_is_listed_with_meaning_unit_and_default():
    rows = {row["variable"]: row for row in json.loads(run("settings", "--json").stdout)}
    assert len(rows) == len(Settings.__struct_fields__)
    assert rows["SMSLEDGER_PORT"]["default"] == rows["SMSLEDGER_PORT"]["value"] == 8080
    assert rows["SMSLEDGER_APPEND_WAIT_S_MAX"]["unit"] == "seconds"
    assert all(row["meaning"] for row in rows.values())


def test_the_table_names_every_variable_without_cutting_it():
    output = run("settings").stdout
    assert all(f"SMSLEDGER_{name.upper()}" in output for name in Settings.__struct_fields__)


def test_the_current_value_is_shown_and_a_password_is_not():
    environment = {"SMSLEDGER_PORT": "9000", "SMSLEDGER_POSTGRES_URL": "postgresql://me:secret@db/ledger"}
    result = run("settings", "--json", environment=environment)
    rows = {row["variable"]: row for row in json.loads(result.stdout)}
    assert rows["SMSLEDGER_PORT"]["value"] == 9000
    assert rows["SMSLEDGER_PORT"]["from_environment"]
    assert rows["SMSLEDGER_POSTGRES_URL"]["value"] == "postgresql://me@db/ledger"
    assert "secret" not in result.output


def test_a_broken_setting_is_shown_as_it_stands_and_named_at_the_end():
    result = run("settings", environment={"SMSLEDGER_PORT": "abc"})
    assert result.exit_code == 1
    assert "abc" in result.stdout
    assert result.stderr.startswith("smsledger: SMSLEDGER_PORT: ")
    assert result.stderr.count("\n") == 1
