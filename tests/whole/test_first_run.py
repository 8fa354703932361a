"""What a new user does and sees: start on an empty folder, paste what is printed, stop, start again."""

import json
import os
import re
import signal
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.running_service import (
    SMSLEDGER,
    Service,
    clean_environment,
    eventually,
    running_service,
    wait_for_status,
)

from .ordinary_user import OrdinaryUser

OTP = {"to": "+14155551234", "templateAlias": "otp", "templateModel": {"code": "1"}}


@pytest.fixture(scope="module")
def first_answer(service: Service) -> dict[str, object]:
    """What the printed curl line answers."""
    (line,) = re.findall(r"^\s+(curl .*)$", service.output.read_text(), re.MULTILINE)
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=30)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def smsledger(service: Service, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command about the service's ledger, as it is typed in another terminal."""
    return subprocess.run(
        [*SMSLEDGER, *arguments, "--data", service.ready.data_dir],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_start_prints_what_to_open_and_paste(service: Service) -> None:
    output = service.output.read_text()
    for expected in (
        f"smsledger is ready at {service.ready.url}",
        f"{service.ready.url}/docs",
        str(service.ready.server_key),
        service.ready.data_dir,
        "timeline",
        "tail",
        "status",
        "Ctrl-C",
    ):
        assert expected in output
    assert "Traceback" not in output


def test_the_ready_file_is_its_owners_alone_and_names_every_key(service: Service) -> None:
    path = Path(service.ready.data_dir) / "ready.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {"url", "server_key", "sending_key", "admin_key", "postgres_url", "nats_url"} <= set(
        json.loads(path.read_bytes())
    )
    for key in (service.ready.server_key, service.ready.sending_key, service.ready.admin_key):
        with service.client(key) as client:
            assert client.get("/v1/sms/messages").status_code == 200


def test_the_pasted_line_answers_as_on_the_page(first_answer: dict[str, object]) -> None:
    assert list(first_answer) == ["to", "submittedAt", "messageId", "errorCode", "message"]
    assert (first_answer["to"], first_answer["errorCode"], first_answer["message"]) == (
        "+14155551234",
        0,
        "OK",
    )


def test_a_moment_later_it_is_delivered_and_listed(service: Service, first_answer: dict[str, object]) -> None:
    with service.client(service.ready.server_key) as client:
        message = wait_for_status(client, str(first_answer["messageId"]), "DELIVERED")
        assert [step["eventType"] for step in message["events"]] == ["QUEUED", "SENDING", "SENT", "DELIVERED"]

        def listed() -> bool:
            page = client.get("/v1/sms/messages?status=DELIVERED&tag=verification").json()
            return first_answer["messageId"] in [row["messageId"] for row in page["messages"]]

        eventually(listed)


def test_the_timeline_shows_its_four_events(service: Service, first_answer: dict[str, object]) -> None:
    message_id = str(first_answer["messageId"])
    with service.client(service.ready.server_key) as client:
        wait_for_status(client, message_id, "DELIVERED")
    shown = smsledger(service, "timeline", message_id)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"{message_id}  DELIVERED\n")
    places = [shown.stdout.index(name) for name in ("QUEUED", "SENDING", "SENT ", "DELIVERED  ")]
    assert places == sorted(places)
    assert "14155551234" not in shown.stdout
    assert "123456" not in shown.stdout
    revealed = smsledger(service, "timeline", message_id, "--reveal").stdout
    assert "+14155551234" in revealed
    assert "Your verification code is 123456" in revealed


def test_tail_prints_every_event_as_json(service: Service, first_answer: dict[str, object]) -> None:
    with service.client(service.ready.server_key) as client:
        wait_for_status(client, str(first_answer["messageId"]), "DELIVERED")
    shown = smsledger(service, "tail", "--json", "--from", "1", "--no-follow")
    assert shown.returncode == 0, shown.stderr
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    own = [event["type"] for event in events if event["subject"] == first_answer["messageId"]]
    assert own == ["sms.queued", "sms.sending", "sms.sent", "sms.delivered"]


def test_tail_follows_what_is_sent_while_it_runs(service: Service) -> None:
    command = [*SMSLEDGER, "tail", "--json", "--from", "1", "--data", service.ready.data_dir]
    with (
        subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, text=True) as tail,
        service.client(service.ready.server_key) as client,
    ):
        assert tail.stdout is not None
        sent = client.post(
            "/v1/sms",
            json=OTP,
        ).json()
        seen: list[str] = []
        while seen[-1:] != ["sms.delivered"]:
            event = json.loads(tail.stdout.readline())
            seen += [event["type"]] if event["subject"] == sent["messageId"] else []
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == 0


def test_status_says_that_all_is_well(service: Service) -> None:
    eventually(lambda: smsledger(service, "status").stdout.rstrip().endswith("all is well"))
    report = json.loads(smsledger(service, "status", "--json").stdout)
    assert (report["healthy"], report["problems"]) == (True, [])


def test_a_message_that_is_not_there_is_one_line(service: Service) -> None:
    for message_id in ("sms_01hk153x00e45bavdxkn2xkbtr", "nonsense"):
        shown = smsledger(service, "timeline", message_id)
        assert shown.returncode != 0
        assert len(shown.stderr.splitlines()) == 1
        assert shown.stdout == ""


def test_a_second_start_on_the_same_folder_is_refused_in_one_line(service: Service) -> None:
    refused = subprocess.run(
        [*SMSLEDGER, "up", "--port", "0", "--data", service.ready.data_dir],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode not in (0, -signal.SIGKILL)
    line = refused.stderr.strip().splitlines()[-1]
    assert line.startswith("smsledger: ")
    assert service.ready.data_dir in line
    with service.client(service.ready.server_key) as client:
        assert client.get("/readyz").status_code == 200


@pytest.mark.timeout(240)
def test_ctrl_c_ends_everything_and_the_next_start_finds_it_again(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """By an ordinary user; where root runs the tests, by one that root becomes."""
    data, command, popen = tmp_path / "data", SMSLEDGER, {}
    uid = os.geteuid()
    if uid == 0:
        user: OrdinaryUser = request.getfixturevalue("ordinary_user")
        data, command, popen, uid = user.home / "data", user.command, user.popen, user.uid
    with running_service(data, command=command, **popen) as service:
        processes = psutil.Process(service.process.pid).children(recursive=True)
        assert len(processes) >= len(service.ready.pids) == 7
        assert {process.uids().real for process in processes} == {uid}
        with service.client(service.ready.server_key) as client:
            sent = client.post("/v1/sms", json=OTP).json()
            message = wait_for_status(client, sent["messageId"], "DELIVERED")
        assert service.stop() == 0
        _, alive = psutil.wait_procs(processes, timeout=5)
        assert alive == []
        assert not (data / "ready.json").exists()
        assert "Traceback" not in service.output.read_text()
    with running_service(data, command=command, **popen) as again:
        assert again.ready.server_key == service.ready.server_key
        assert str(again.ready.server_key) in again.output.read_text()
        with again.client(again.ready.server_key) as client:
            assert client.get(f"/v1/sms/{sent['messageId']}").json() == message
            assert client.get("/v1/sms/messages").json()["totalCount"] == 1
        assert again.stop(signal.SIGTERM) == 0
