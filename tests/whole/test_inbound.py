"""A person writes STOP, HELP and START to a running service, by way of the simulator and the command line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running_service import (
    SMSLEDGER,
    Service,
    clean_environment,
    eventually,
    running_service,
    show_position,
    wait_for_status,
)

PERSON, POOLED = "+14155551234", "+18005551234"
SEND: dict[str, Any] = {"to": PERSON, "templateAlias": "otp", "templateModel": {"code": "1"}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("inbound") / "data") as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client(service.ready.server_key) as client:
        yield client


def simulate(*options: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SMSLEDGER, "simulate", "inbound", *options],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=check,
        timeout=60,
    )


def comes_in(service: Service, client: httpx.Client, body: str, to: str) -> dict[str, Any]:
    """A message comes in from the person's phone; as the API shows it."""
    printed = simulate(
        "--from", PERSON, "--to", to, "--body", body, "--data", service.ready.data_dir
    ).stdout.strip()

    def look() -> dict[str, Any] | None:
        rows = client.get("/v1/sms/inbound").json()["messages"]
        return next((row for row in rows if row["providerMessageId"] == printed), None)

    return eventually(look)


def replies(client: httpx.Client) -> list[dict[str, Any]]:
    """Outbound messages without a template, which only the ledger itself sends."""
    found = client.get("/v1/sms/messages?direction=OUTBOUND").json()["messages"]
    details = [client.get(f"/v1/sms/{row['messageId']}").json() for row in found]
    return [message for message in details if "Reply" in message["body"]]


def test_stop_ends_messages_to_a_person_and_start_lets_them_begin_again(
    service: Service, client: httpx.Client
) -> None:
    first = client.post("/v1/sms", json=SEND).json()
    sender = wait_for_status(client, first["messageId"], "DELIVERED")["from"]

    stop = comes_in(service, client, "Stop", sender)
    assert (stop["from"], stop["to"], stop["body"]) == (PERSON, sender, "Stop")
    shown = client.get(f"/v1/sms/{stop['messageId']}").json()
    assert (shown["status"], shown["direction"]) == ("RECEIVED", "INBOUND")
    wrong = stop["messageId"].replace("sms_inb_", "sms_")
    assert client.get(f"/v1/sms/{wrong}").status_code == 404

    checked = client.get(f"/v1/sms/suppressions/{PERSON}").json()
    (suppression,) = checked["suppressions"]
    assert (suppression["reason"], suppression["scope"]) == ("OPT_OUT", "POOL")
    assert (suppression["keyword"], suppression["messageId"]) == ("STOP", stop["messageId"])

    (reply,) = eventually(lambda: replies(client))
    wait_for_status(client, reply["messageId"], "DELIVERED")
    assert (reply["from"], reply["to"]) == (sender, PERSON)

    blocked = client.post("/v1/sms", json=SEND).json()
    assert blocked["errorCode"] == 1006
    assert client.get(f"/v1/sms/{blocked['messageId']}").json()["status"] == "BLOCKED"

    start = comes_in(service, client, "START", sender)
    assert client.get(f"/v1/sms/suppressions/{PERSON}").json()["suppressed"] is False
    history = client.get(f"/v1/sms/suppressions/{PERSON}/history").json()["events"]
    assert [event["type"] for event in history] == ["sms.suppressed", "sms.restored"]
    assert [event["data"]["keyword"] for event in history] == ["STOP", "START"]

    again = client.post("/v1/sms", json=SEND).json()
    assert again["errorCode"] == 0
    wait_for_status(client, again["messageId"], "DELIVERED")
    headers = show_position(client, again["messageId"])
    rows = client.get("/v1/sms/messages?direction=INBOUND", headers=headers).json()["messages"]
    assert {start["messageId"], stop["messageId"]} <= {row["messageId"] for row in rows}

    events = client.get(f"/v1/sms/{stop['messageId']}/events").json()["events"]
    assert [event["data"]["in_reply_to"] for event in events] != [None]


def test_a_question_is_answered_and_nothing_else_happens(service: Service, client: httpx.Client) -> None:
    before = client.get(f"/v1/sms/suppressions/{PERSON}/history").json()
    comes_in(service, client, "HELP", POOLED)
    comes_in(service, client, "help", POOLED)
    comes_in(service, client, "Thanks for the update!", POOLED)
    asked = eventually(lambda: [one for one in replies(client) if one["body"].startswith("Reply STOP")])
    assert len(asked) <= 2  # one, or the hour has just changed
    assert client.get(f"/v1/sms/suppressions/{PERSON}/history").json() == before


def test_the_timeline_and_the_tail_show_a_consent(service: Service, client: httpx.Client) -> None:
    client.post("/v1/sms/suppressions", json={"phoneNumber": "+14155550199", "note": "secret"})
    (event,) = client.get("/v1/sms/suppressions/+14155550199/history").json()["events"]
    for command in (
        ["timeline", event["subject"]],
        ["tail", "--from", str(event["position"]), "--no-follow", "--type", "suppressed"],
    ):
        output = subprocess.run(
            [*SMSLEDGER, *command, "--data", service.ready.data_dir],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        assert "SUPPRESSED" in output
        assert "cannot be folded" not in output
        assert event["subject"] in output
        assert "scope ALL" in output
        assert "+14155550199" not in output
        assert "secret" not in output


def test_without_a_simulator_or_a_dispatcher_the_command_says_so(tmp_path: Path) -> None:
    message = ("--from", PERSON, "--to", POOLED, "--body", "STOP")
    nothing = simulate(*message, "--data", str(tmp_path), check=False)
    assert (nothing.returncode, "no running carrier simulator found" in nothing.stderr) == (2, True)
    refused = simulate(*message, "--url", "tcp://127.0.0.1:1", check=False)
    assert refused.returncode == 1
    assert "did not answer" in refused.stderr
    empty = simulate(*message[:5], "", "--url", "tcp://127.0.0.1:1", check=False)
    assert "body has 0 characters" in empty.stderr


def test_an_organization_has_its_own_words(service: Service, client: httpx.Client) -> None:
    words = {"optOut": ["ABMELDEN"], "optOutReply": "Sie sind abgemeldet."}
    with service.client(service.ready.admin_key) as admin:
        changed = admin.patch("/v1/admin/organizations/demo", json={"keywords": words})
        assert changed.status_code == 200, changed.text

    def suppressed() -> list[dict[str, Any]]:
        comes_in(service, client, "Abmelden", POOLED)  # again, until every process knows the words
        found: list[dict[str, Any]] = client.get(f"/v1/sms/suppressions/{PERSON}").json()["suppressions"]
        return found

    (suppression,) = eventually(suppressed)
    assert suppression["keyword"] == "ABMELDEN"
