"""One whole service for all tests of the HTTP surface, and for each test an organization of its own."""

from collections.abc import Iterator

import httpx
import pytest

from tests.running_service import Service, running_service

from .organizations import TestOrganization, make_organization


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
def client(service: Service, organization: TestOrganization) -> Iterator[httpx.Client]:
    """A client with the fresh organization's SERVER key."""
    with service.client(organization.server_key) as client:
        yield client
