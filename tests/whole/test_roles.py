"""The production shape: PostgreSQL and NATS started by hand, and each role a process of its own."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from smsledger.runtime.embedded.nats import start_nats
from smsledger.runtime.reachability import free_port
from tests.http.organizations import OTP, make_organization
from tests.running_service import SMSLEDGER, clean_environment, eventually, show_position, wait_for_status


@pytest.fixture
def nats_url(tmp_path: Path) -> Iterator[str]:
    server = start_nats(tmp_path)
    yield server.url
    server.stop()


@contextmanager
def role(environment: dict[str, str], log: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A role; it ends in good order on SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen([*SMSLEDGER, *arguments], env=environment, stdout=output, stderr=output)
    try:
        yield process
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def make_ready(conninfo: str) -> None:
    """What an installation's operators set up: a template and a sender of the pool."""
    import psycopg

    with psycopg.connect(conninfo) as conn:
        conn.execute(
            "INSERT INTO templates (template_id, alias, name) VALUES (1000, 'otp-verification', 'OTP')"
        )
        conn.execute(
            "INSERT INTO template_versions (template_id, version, body) VALUES (1000, 1, '{{ code }}')"
        )
        conn.execute("INSERT INTO senders (sender, country) VALUES ('+18005551234', 'US')")


@pytest.mark.timeout(240)
def test_the_roles_do_together_what_up_does(database: str, nats_url: str, tmp_path: Path) -> None:
    ports = {name: free_port("127.0.0.1", 0) for name in ("api", "simulator")}
    url = f"http://127.0.0.1:{ports['api']}"
    simulator = f"tcp://127.0.0.1:{ports['simulator']}"
    environment = clean_environment(
        postgres_url=database, nats_url=nats_url, simulator_url=simulator, data_dir=str(tmp_path / "data")
    )
    roles = "publisher,projector,dispatcher"
    commands = [["simulator"], ["api", "--port", str(ports["api"])], ["worker", "--roles", roles]]
    make_ready(database)
    organization = make_organization(database)
    with ExitStack() as stack:
        for number, command in enumerate(commands):
            stack.enter_context(role(environment, tmp_path / f"{number}.log", *command))
        eventually(lambda: is_ready(url))
        client = stack.enter_context(
            httpx.Client(base_url=url, headers={"X-API-Key": organization.server_key}, trust_env=False)
        )
        message_id = client.post("/v1/sms", json=OTP).json()["messageId"]
        wait_for_status(client, message_id, "DELIVERED")
        listed = client.get("/v1/sms/messages?status=DELIVERED", headers=show_position(client, message_id))
        assert [row["messageId"] for row in listed.json()["messages"]] == [message_id]

        def status() -> bool:
            done = subprocess.run([*SMSLEDGER, "status"], env=environment, capture_output=True, check=False)
            return done.returncode == 0

        eventually(status)


def test_migrate_makes_the_tables_and_then_has_nothing_to_do(postgres_url: str) -> None:
    import psycopg
    from psycopg.conninfo import make_conninfo

    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute("CREATE DATABASE by_hand")
        try:
            environment = clean_environment(postgres_url=make_conninfo(postgres_url, dbname="by_hand"))
            first, second = (
                subprocess.run(
                    [*SMSLEDGER, "migrate"], env=environment, capture_output=True, text=True, check=True
                ).stdout
                for _ in range(2)
            )
        finally:
            conn.execute("DROP DATABASE by_hand WITH (FORCE)")
    assert first.startswith("applied 0001_event_store\n")
    assert second == "nothing to do: the database is up to date\n"
