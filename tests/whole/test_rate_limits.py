"""Rate limits over the processes of one API: together they admit an organization's limit, and not each by itself."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.http.organizations import OTP, make_organization
from tests.running_service import Service, clean_environment, running_service

LIMIT = 20
SECONDS = 3.0
CLIENTS = 6
STAMPED_WITHIN_S = 0.2
"""An admitted request's time is taken a moment after it was admitted, on a busy machine a longer one."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """With three processes that serve requests."""
    with running_service(tmp_path / "data", env=clean_environment(api_workers="3")) as service:
        yield service


def test_three_processes_admit_one_limit(service: Service) -> None:
    limits = json.dumps({"send": LIMIT})
    organization = make_organization(service.ready.postgres_url, rate_limits=limits)
    submitted: list[str] = []
    statuses: list[int] = []
    until = time.monotonic() + SECONDS

    def send() -> None:
        with service.client(organization.server_key) as client:
            while time.monotonic() < until:
                answer = client.post("/v1/sms", json=OTP)
                statuses.append(answer.status_code)
                if answer.status_code == 200:
                    submitted.append(answer.json()["submittedAt"])
                else:
                    assert int(answer.headers["Retry-After"]) >= 1

    clients = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert set(statuses) == {200, 429}
    times = sorted(datetime.fromisoformat(at).timestamp() for at in submitted)
    for at in times:
        assert sum(1 for other in times if at <= other < at + 1.0 - STAMPED_WITHIN_S) <= LIMIT
    assert len(times) >= LIMIT * (SECONDS - 1)
