"""A key that is revoked, by the API or on the command line, is refused by every API process, and one that is new works in all."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from smsledger.runtime.reachability import free_port
from tests.http.organizations import TestOrganization, make_organization
from tests.running_service import SMSLEDGER, Service, clean_environment, eventually, running_service

from .test_roles import is_ready, role


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own, whose API is one of two."""
    with running_service(tmp_path_factory.mktemp("keys") / "data") as service:
        yield service


@pytest.fixture
def environment(service: Service) -> dict[str, str]:
    """Settings that lead to the service's database."""
    return clean_environment(postgres_url=service.ready.postgres_url)


@pytest.fixture
def urls(service: Service, environment: dict[str, str], tmp_path: Path) -> Iterator[list[str]]:
    """Two API processes on one database."""
    port = free_port("127.0.0.1", 0)
    second = f"http://127.0.0.1:{port}"
    with role(environment, tmp_path / "api.log", "api", "--port", str(port)):
        eventually(lambda: is_ready(second))
        yield [service.ready.url, second]


def statuses(urls: list[str], key: str) -> list[int]:
    headers = {"X-API-Key": key}
    return [
        httpx.get(f"{url}/v1/sms/messages?count=1", headers=headers, trust_env=False).status_code
        for url in urls
    ]


def test_keys_work_and_end_in_every_process(
    service: Service, urls: list[str], environment: dict[str, str]
) -> None:
    organization: TestOrganization = make_organization(service.ready.postgres_url)
    with service.client(organization.admin_key) as admin:
        body = {"organizationId": organization.organization_id, "kind": "SERVER", "name": "two"}
        keys = [admin.post("/v1/admin/keys", json=body).json() for _ in range(2)]
        for key in keys:
            # Known at once: what nobody asked about is in no memory.
            assert statuses(urls, key["key"]) == [200, 200]
        assert admin.delete(f"/v1/admin/keys/{keys[0]['keyId']}").status_code == 204
    # Directories look twice a second; how long it took is not asserted on a busy machine.
    eventually(lambda: statuses(urls, keys[0]["key"]) == [401, 401], 5)
    assert statuses(urls, keys[1]["key"]) == [200, 200]

    command = [*SMSLEDGER, "admin", "keys", "revoke", keys[1]["keyId"]]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    eventually(lambda: statuses(urls, keys[1]["key"]) == [401, 401], 5)

    listing = [*SMSLEDGER, "admin", "keys", "list", "--json", "--organization", organization.organization_id]
    listed = json.loads(subprocess.run(listing, env=environment, check=True, capture_output=True).stdout)
    revoked = {one["keyId"]: one["revokedAt"] for one in listed}
    assert all(revoked[key["keyId"]] for key in keys)


def test_uses_are_written_down_when_a_process_stops(
    service: Service, environment: dict[str, str], tmp_path: Path
) -> None:
    organization = make_organization(service.ready.postgres_url)
    port = free_port("127.0.0.1", 0)
    url = f"http://127.0.0.1:{port}"
    with role(environment, tmp_path / "api.log", "api", "--port", str(port)):
        eventually(lambda: is_ready(url))
        assert statuses([url], organization.sending_key) == [200]
    command = [*SMSLEDGER, "admin", "keys", "list", "--json", "--organization", organization.organization_id]
    listed = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    assert [one["kind"] for one in listed if one["lastUsedAt"]] == ["SENDING"]
