"""One running service for the tests of this folder; its data grows from test to test, and so does what is checked."""

import os
import random
from collections.abc import Iterator

import pytest

from .client_load import Requests
from .mortal_service import MortalService

SETTINGS = {
    "SMSLEDGER_API_WORKERS": "2",
    # Short, so that what a killed dispatcher held is soon somebody else's.
    "SMSLEDGER_DISPATCH_ACK_WAIT_S": "3",
    "SMSLEDGER_LEADER_LEASE_S": "3",
    "SMSLEDGER_APPEND_WAIT_S_MAX": "3",
    "SMSLEDGER_RECEIPT_WAIT_S": "20",
    # Pauses double from 0.2 s: a message that is throttled for ever has failed after 13 s.
    "SMSLEDGER_DISPATCH_ATTEMPTS_MAX": "7",
    "SMSLEDGER_LOG_LEVEL": "info",
}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalService]:
    """The whole service."""
    running = MortalService(tmp_path_factory.mktemp("whole") / "data", SETTINGS)
    running.start()
    yield running
    assert running.stop() == 0, running.log_text()


@pytest.fixture(scope="session")
def requests() -> Requests:
    """Everything that was ever asked of that service."""
    return Requests()


@pytest.fixture
def chance() -> random.Random:
    """Seeded; SMSLEDGER_TEST_SEED repeats a run that failed."""
    seed = int(os.environ.get("SMSLEDGER_TEST_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"SMSLEDGER_TEST_SEED={seed}")  # noqa: T201  # shown with a failure
    return random.Random(seed)
