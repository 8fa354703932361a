"""What the tests of whole services share: a service as README starts it, and somebody who is not root."""

import sys
from collections.abc import Iterator

import pytest

from tests.running_service import Service, running_service

from .ordinary_user import OrdinaryUser, make_ordinary_user


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """What `make run` starts: in a folder with a `.venv`, on a `.smsledger` that was not there before."""
    folder = tmp_path_factory.mktemp("first")
    (folder / ".venv").symlink_to(sys.prefix)
    command = [str(folder / ".venv" / "bin" / "smsledger")]
    with running_service(folder / ".smsledger", command=command, cwd=folder) as service:
        yield service


@pytest.fixture
def ordinary_user() -> Iterator[OrdinaryUser]:
    """Somebody who is not root."""
    with make_ordinary_user() as user:
        yield user
