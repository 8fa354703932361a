"""The TypeScript client as a Node project: where it is, and how it is compiled once for all tests."""

import fcntl
from pathlib import Path

from tests.clients.node import NodeProject, node_project

SDK = Path(__file__).resolve().parents[3] / "sdk" / "typescript"
COMPILE_S_MAX = 120.0


def compiled_sdk() -> NodeProject:
    """The client with its packages installed, and it and its tests compiled. Raises NodeFailed on a type error.

    Safe in any number of processes at once: the compiler skips what is current.
    """
    project = node_project(SDK)
    with (SDK / "build.mjs").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        project.run("build.mjs", arguments=["--tests"], seconds_max=COMPILE_S_MAX)
    return project
