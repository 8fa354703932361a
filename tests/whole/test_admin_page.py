"""docs/admin.md: its commands and requests work as they stand, in the order of the page."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.http.organizations import make_organization
from tests.running_service import Service, running_service
from tests.runtime.command_line import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "admin.md"
KEY_ID = "key_5f2b8c1d9e3a7046"
"""The page's example of what is different everywhere."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service where the page's own ids are the next ones."""
    with running_service(tmp_path / "data") as service:
        with psycopg.connect(service.ready.postgres_url) as conn:
            conn.execute("ALTER TABLE templates ALTER template_id RESTART WITH 7")
        yield service


def lines(start: str) -> list[str]:
    """The page's shell lines that begin so; continued ones are joined."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)).replace("\\\n", " ")
    return [line for line in blocks.splitlines() if line.startswith(start)]


def test_the_commands_and_then_the_requests_work(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parcel.liquid").write_text("Parcel {{ parcel }}\n")
    commands = lines("smsledger admin") + lines("echo")
    assert len(commands) > 20
    for line in lines("echo"):
        subprocess.run(line, shell=True, check=True)
    for line in lines("smsledger admin"):
        if KEY_ID in line:
            _store_key(service)
        done = run(*shlex.split(line)[1:], environment={"SMSLEDGER_POSTGRES_URL": service.ready.postgres_url})
        assert done.exit_code == 0, f"{line}\n{done.stderr}"

    requests = lines("curl")
    assert len(requests) > 10
    admin_key = make_organization(service.ready.postgres_url).admin_key
    with service.client(admin_key) as client:
        for line in requests:
            _, _, method, url, *rest = shlex.split(line)
            body = rest[rest.index("-d") + 1] if "-d" in rest else None
            answer = client.request(method, httpx.URL(url).raw_path.decode(), content=body)
            # The commands before have made the same.
            assert answer.status_code in {200, 201, 204, 409}, f"{line}\n{answer.text}"


def _store_key(service: Service) -> None:
    with psycopg.connect(service.ready.postgres_url) as conn:
        conn.execute(
            "INSERT INTO api_keys (key_id, organization_id, kind, name, digest) "
            "VALUES (%s, 'acme', 'SENDING', 'page', 'digest') ON CONFLICT DO NOTHING",
            [KEY_ID],
        )
