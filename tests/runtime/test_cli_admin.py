"""`smsledger admin`: an installation set up from nothing, in tables and in JSON; refusals are one line."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from smsledger.runtime.cli import cli

from .command_line import run


@pytest.fixture
def ledger(database: str) -> dict[str, str]:
    """The settings that name a fresh ledger."""
    return {"SMSLEDGER_POSTGRES_URL": database}


def admin(ledger: dict[str, str], *arguments: str) -> Result:
    return run("admin", *arguments, environment=ledger)


def shown(ledger: dict[str, str], *arguments: str) -> Any:
    result = admin(ledger, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(ledger: dict[str, str], *arguments: str) -> str:
    result = admin(ledger, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("smsledger: ").rstrip("\n")


def test_an_installation_is_set_up_from_nothing(ledger: dict[str, str]) -> None:
    made = shown(ledger, "organizations", "create", "acme", "--name", "Acme", "--send-rate", "200")
    assert made["rateLimits"] == {"send": 200, "batch": 10, "read": 100}
    assert made == shown(ledger, "organizations", "get", "acme")

    key = shown(ledger, "keys", "create", "acme", "--kind", "ADMIN", "--name", "operations")
    assert key["key"].startswith("sk_admin_")
    (listed,) = shown(ledger, "keys", "list", "--organization", "acme")
    assert listed == {name: value for name, value in key.items() if name != "key"}

    template = shown(ledger, "templates", "create", "otp", "--name", "OTP", "--body", "Code {{ code }}")
    assert (template["organizationId"], template["variables"]) == (None, ["code"])
    template_id = str(template["templateId"])
    version = shown(ledger, "templates", "add-version", template_id, "--body", "Your code: {{ code }}")
    assert (version["version"], version["sent"]) == (2, True)
    assert shown(ledger, "templates", "change", template_id, "--version", "1")["body"] == "Code {{ code }}"
    assert [one["sent"] for one in shown(ledger, "templates", "versions", template_id)] == [False, True]
    approval = shown(ledger, "templates", "approve", template_id, "acme", "--alias", "login")
    assert approval["customAlias"] == "login"
    assert shown(ledger, "templates", "approvals", template_id) == [approval]

    sender = shown(ledger, "senders", "add", "+18005551234", "--country", "US")
    assert shown(ledger, "senders", "list", "--pool") == [sender]
    assert shown(ledger, "senders", "list", "--no-pool") == []

    assert admin(ledger, "senders", "remove", "+18005551234").stdout == "removed +18005551234\n"
    assert admin(ledger, "templates", "withdraw", template_id, "acme").exit_code == 0
    assert admin(ledger, "keys", "revoke", key["keyId"]).stdout == f"revoked {key['keyId']}\n"
    assert shown(ledger, "keys", "list")[0]["revokedAt"] is not None
    assert shown(ledger, "templates", "approvals", template_id) == []


def test_tables_are_for_people(ledger: dict[str, str]) -> None:
    made = admin(ledger, "organizations", "create", "acme", "--name", "Acme", "--no-sms")
    assert ["smsEnabled", "no"] in [line.split() for line in made.stdout.splitlines()]
    admin(ledger, "senders", "add", "Acme", "--country", "DE", "--organization", "acme")
    lines = admin(ledger, "senders", "list").stdout.splitlines()
    assert lines[0].split() == ["country", "sender", "organizationId", "createdAt"]
    assert lines[1].split()[:3] == ["DE", "Acme", "acme"]


def test_what_changes_is_what_is_given(ledger: dict[str, str], tmp_path: Path) -> None:
    admin(ledger, "organizations", "create", "acme", "--name", "Acme", "--batch-rate", "5")
    keywords = tmp_path / "keywords.json"
    keywords.write_text('{"optOut": ["STOP", "BASTA"], "helpReply": null}')
    changed = shown(ledger, "organizations", "change", "acme", "--no-sms", "--keywords", str(keywords))
    assert (changed["name"], changed["smsEnabled"], changed["rateLimits"]["batch"]) == ("Acme", False, 5)
    assert changed["keywords"]["optOut"] == ["STOP", "BASTA"]
    assert changed["keywords"]["optIn"] == ["START", "UNSTOP", "YES"]
    back = shown(ledger, "organizations", "change", "acme", "--default-rates", "--default-keywords")
    assert back["rateLimits"]["batch"] == 10
    assert back["keywords"]["helpReply"] is not None
    with psycopg.connect(ledger["SMSLEDGER_POSTGRES_URL"]) as conn:
        stored = conn.execute("SELECT rate_limits, keywords, sms_enabled FROM organizations").fetchone()
    assert stored == (None, None, False)


def test_a_template_is_read_from_a_file_or_from_the_standard_input(
    ledger: dict[str, str], tmp_path: Path
) -> None:
    text = tmp_path / "body.liquid"
    text.write_text("Grüße, {{ name }}\n")
    made = shown(ledger, "templates", "create", "hello", "--name", "Hello", "--file", str(text))
    assert made["body"] == "Grüße, {{ name }}"
    add = ["admin", "templates", "add-version", str(made["templateId"]), "--file", "-", "--json"]
    result = CliRunner().invoke(cli, add, input="Hi {{ name }}\n", env=ledger)
    assert json.loads(result.stdout)["body"] == "Hi {{ name }}"


def test_lists_in_tables_are_words(ledger: dict[str, str]) -> None:
    made = admin(
        ledger, "templates", "create", "otp", "--name", "OTP", "--body", "{{ site }} code {{ code }}"
    )
    assert "site, code" in made.stdout
    assert "STOP, STOPALL" in admin(ledger, "organizations", "create", "acme", "--name", "Acme").stdout


def test_lists_have_all_rows(ledger: dict[str, str]) -> None:
    with psycopg.connect(ledger["SMSLEDGER_POSTGRES_URL"]) as conn:
        conn.execute(
            "INSERT INTO organizations (organization_id, name) "
            "SELECT 'org-' || lpad(n::text, 4, '0'), 'Org' FROM generate_series(1, 1101) n"
        )
    found = shown(ledger, "organizations", "list")
    assert [one["organizationId"] for one in found] == [f"org-{number:04}" for number in range(1, 1102)]


def test_refusals_are_one_line_that_names_the_remedy(ledger: dict[str, str], tmp_path: Path) -> None:
    admin(ledger, "organizations", "create", "acme", "--name", "Acme")
    create = ("templates", "create", "otp", "--name", "OTP")
    for arguments, text in (
        (("organizations", "create", "acme", "--name", "Acme"), "there is an organization `acme` already"),
        (("organizations", "create", "Acme", "--name", "Acme"), "expected 1 to 63 lower-case letters"),
        (("organizations", "get", "nobody"), "there is no organization `nobody`"),
        (("organizations", "change", "acme", "--send-rate", "-1"), "rateLimits.send: expected 1 to"),
        (
            ("organizations", "change", "acme", "--keywords", str(tmp_path / "none")),
            "none cannot be read (No such file",
        ),
        (("keys", "create", "nobody", "--kind", "SERVER", "--name", "x"), "no organization `nobody`"),
        (("keys", "create", "acme", "--kind", "SERVER", "--name", "x", "--expires-at", "x"), "expiresAt: "),
        (("keys", "revoke", "key_1"), "give the key's id (key_…), which the list of keys"),
        (create, "either with --body or with --file"),
        ((*create, "--file", str(tmp_path / "none")), "none cannot be read (No such file"),
        ((*create, "--body", "{{ x"), "body: expected '}}'"),
        (("senders", "add", "123", "--country", "US"), "sender: expected"),
        (("senders", "remove", "123"), "there is no sender `123`"),
        (("senders", "remove", "123", "--country", "DE"), "there is no sender `123` for DE"),
    ):
        assert text in refused(ledger, *arguments), arguments


def test_a_key_that_is_given_for_its_id_is_not_printed(ledger: dict[str, str]) -> None:
    assert "sk_server_secret" not in refused(ledger, "keys", "revoke", "sk_server_secret")


def test_a_rate_of_0_is_no_limit(ledger: dict[str, str]) -> None:
    admin(ledger, "organizations", "create", "acme", "--name", "Acme", "--send-rate", "0")
    (made,) = shown(ledger, "organizations", "list")
    assert made["rateLimits"] == {"send": 0, "batch": 10, "read": 100}


@pytest.mark.parametrize("group", ["organizations", "keys", "templates", "senders"])
def test_every_group_explains_itself(group: str) -> None:
    assert "Usage:" in run("admin", group, "-h").stdout
