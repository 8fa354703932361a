"""One service for the whole suite, and clients that know a base URL and a key, as the page's readers do."""

from collections.abc import Iterator

import httpx
import pytest

from tests.http.organizations import TestOrganization, make_organization
from tests.running_service import Service, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Everything that `smsledger up` starts."""
    with running_service(tmp_path_factory.mktemp("conformance") / "data") as service:
        yield service


@pytest.fixture(scope="session")
def base_url(service: Service) -> str:
    """What stands on the page as `https://api.usetransactional.com/v1`."""
    return f"{service.ready.url}/v1"


@pytest.fixture(scope="module")
def organization(service: Service) -> TestOrganization:
    """An organization whose templates are approved, one for each file."""
    return make_organization(service.ready.postgres_url)


@pytest.fixture(scope="module")
def client(base_url: str, organization: TestOrganization) -> Iterator[httpx.Client]:
    """The page's `Authorization: Bearer YOUR_API_KEY`, with a SENDING key."""
    headers = {"Authorization": f"Bearer {organization.sending_key}"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture
def nobody(base_url: str) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=base_url, timeout=20, trust_env=False) as client:
        yield client
