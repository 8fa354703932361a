"""One whole service for all tests of the client, and for each test an organization of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from smsledger_client import Retries, Transactional
from tests.http.organizations import TestOrganization, make_organization
from tests.running_service import Service, running_service

Answers = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """PostgreSQL, NATS, simulator, workers and API, for as long as the tests run."""
    with running_service(tmp_path_factory.mktemp("service") / "data") as service:
        yield service


@pytest.fixture
def organization(service: Service) -> TestOrganization:
    """A fresh organization."""
    return make_organization(service.ready.postgres_url)


@pytest.fixture
def client(service: Service, organization: TestOrganization) -> Iterator[Transactional]:
    """A client with the fresh organization's SERVER key."""
    with Transactional(api_key=organization.server_key, base_url=service.ready.url) as client:
        yield client


@pytest.fixture
def answering() -> Iterator[Callable[..., Transactional]]:
    """Makes clients whose requests are answered by a function, at once and without a network."""
    opened: list[httpx.Client] = []

    def make(answers: Answers, **options: Any) -> Transactional:
        http = httpx.Client(transport=httpx.MockTransport(answers))
        opened.append(http)
        defaults: dict[str, Any] = {"api_key": "sk_test", "retries": Retries(first_wait=0)}
        return Transactional(**(defaults | options), http_client=http)

    yield make
    for http in opened:
        http.close()
