"""The program `smsledger` as tests call it: in this process, or as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep

from click.testing import CliRunner, Result

from smsledger.runtime.cli import cli

WAIT_S_MAX = 60.0


def run(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Result:
    """The command's exit code and output; settings are those given here alone."""
    own = {name: None for name in os.environ if name.startswith("SMSLEDGER_")}
    return CliRunner().invoke(
        cli, [str(argument) for argument in arguments], env={**own, **(environment or {})}
    )


def start(
    *arguments: str | Path, environment: Mapping[str, str], stdout: int | Path = subprocess.PIPE
) -> "subprocess.Popen[bytes]":
    """The command in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SMSLEDGER_")}
    command = [sys.executable, "-m", "smsledger.runtime.cli", *map(str, arguments)]
    if isinstance(stdout, Path):
        with stdout.open("wb") as output:
            return subprocess.Popen(
                command, env={**clean, **environment}, stdout=output, stderr=subprocess.PIPE
            )
    return subprocess.Popen(command, env={**clean, **environment}, stdout=stdout, stderr=subprocess.PIPE)


def wait_until(condition: Callable[[], bool]) -> None:
    """Until the condition holds; fails after a minute."""
    deadline = monotonic() + WAIT_S_MAX
    while not condition():
        assert monotonic() < deadline, "it did not come true"
        sleep(0.02)
