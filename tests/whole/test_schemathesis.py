"""Schemathesis, an independent client, makes up requests from the OpenAPI document and compares the answers with it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running_service import Service, clean_environment, running_service

SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli", "run"]
EXAMPLES = "25"
MINUTES_MAX = 4
# Every check but these. That a request fits its schema does not make it good here: templates have to be there, keys be
# used once; a suppression that was taken back is over, while everything can still be asked about its number; and a
# malformed item of a batch is its own error, in an answer that is good otherwise.
CONFIGURATION = """
[checks]
enabled = true
positive_data_acceptance.enabled = false
use_after_free.enabled = false

[[operations]]
include-name = "POST /v1/sms/batch"
checks.negative_data_rejection.enabled = false
"""
SEED = os.environ.get("SMSLEDGER_TEST_SEED", "1")
"""The same requests in every run, unless others are asked for."""


@pytest.mark.timeout(MINUTES_MAX * 60 + 60)
def test_no_answer_is_a_fault_or_other_than_documented(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service:
        output = _run(service, tmp_path)
    tested = re.search(r"Tested: (\d+)", output)
    selected = re.search(r"Selected: (\d+)/(\d+)", output)
    assert tested and selected, output  # noqa: PT018  # one matter
    assert tested[1] == selected[1] == selected[2], output


def _run(service: Service, folder: Path) -> str:
    """What it says of the service. Fails with it where it found something."""
    url = service.ready.url
    options = [
        *("--url", url, "--header", f"Authorization: Bearer {service.ready.admin_key}"),
        *("--max-examples", EXAMPLES, "--generation-database", "none", "--no-color", "--seed", SEED),
        *("--request-timeout", "20", "--workers", "2"),
    ]
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    done = subprocess.run(
        [*SCHEMATHESIS, f"{url}/docs/openapi.json", *options],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=MINUTES_MAX * 60,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
