"""Somebody who is not root, for tests that root runs: a home of his own, and a Python that he may start."""

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.running_service import clean_environment

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "nobody"


class OrdinaryUser(msgspec.Struct, frozen=True):
    """The account and how to start our Python programs as it."""

    uid: int
    gid: int
    home: Path
    python: str
    environment: dict[str, str]

    @property
    def command(self) -> list[str]:
        """The program `smsledger`."""
        return [self.python, "-m", "smsledger.runtime.cli"]

    @property
    def popen(self) -> dict[str, Any]:
        """Whose process it is, for subprocess."""
        return {
            "user": self.uid,
            "group": self.gid,
            "extra_groups": [],
            "env": self.environment,
            "cwd": self.home,
        }


@contextmanager
def make_ordinary_user() -> Iterator[OrdinaryUser]:
    """The account with an empty home. Skips the test where it can start no Python that fits our packages."""
    entry = pwd.getpwnam(ACCOUNT)
    home = Path(tempfile.mkdtemp(prefix="smsledger-home-"))
    os.chown(home, entry.pw_uid, entry.pw_gid)
    packages = os.pathsep.join(
        [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(ROOT / "src")]
    )
    environment = clean_environment() | {"HOME": str(home), "USER": ACCOUNT, "PYTHONPATH": packages}
    try:
        python = _python_for(entry.pw_uid, entry.pw_gid, environment)
        if python is None:
            pytest.skip(
                f"needs Python {sys.version_info[0]}.{sys.version_info[1]}, the installed packages and the checkout "
                f"where {ACCOUNT} can read them: outside of root's home"
            )
        yield OrdinaryUser(entry.pw_uid, entry.pw_gid, home, python, environment)
    finally:
        shutil.rmtree(home)


def _python_for(uid: int, gid: int, environment: dict[str, str]) -> str | None:
    """Our own Python where the account may start it, else the system's of the same version."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for python in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        try:
            tried = subprocess.run(
                [python, "-P", "-c", "import granian, psycopg, smsledger.runtime.cli"],
                user=uid,
                group=gid,
                extra_groups=[],
                env=environment,
                cwd="/",
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    return None
