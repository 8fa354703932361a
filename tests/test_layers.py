"""The checks that guard the rooms do go red: each is run once over a small tree with one planted fault in every room.

The tree has this repository's `pyproject.toml` and links, but of each room only what is planted, so that a run takes seconds.
That the real rooms are clean is `make check`.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["domain", "projections", "application", "adapters", "http", "runtime"]

# Every import that points upwards or sideways, from each room that has something above or beside it.
FORBIDDEN_ROOMS = {
    "domain": ["projections", "application", "adapters", "http", "runtime"],
    "projections": ["application", "adapters", "http", "runtime"],
    "application": ["adapters", "http", "runtime"],
    "adapters": ["http", "runtime"],
    "http": ["adapters", "runtime"],
}
FORBIDDEN_PACKAGES = {
    "domain": ["psycopg", "litestar", "nats", "phonenumbers", "liquid", "time"],
    "projections": ["litestar"],
    "application": ["nats"],
    "adapters": ["litestar"],
}
# `http` cannot be banned: the bare name is Python's own.
BANNED_NAMES = ["domain", "projections", "application", "adapters", "runtime"]


@dataclass(frozen=True)
class Tree:
    """A copy of the repository's shape in which every room has a type error and forbidden imports."""

    root: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )


# The editable install leads to the real rooms, and parts of a namespace package add up: here this tree is the only one.
LINT_IMPORTS = """
import sys
from importlinter.cli import lint_imports_command
sys.path[:] = ["src", *(path for path in sys.path if path != sys.argv[1])]
sys.argv[1:] = ["--no-cache"]
lint_imports_command()
"""


def plant(folder: Path, room: str) -> None:
    """One file per fault, so that no tool stops at another tool's fault."""
    (folder / "wrong_type.py").write_text('amount: int = "planted"\n')
    for name in FORBIDDEN_ROOMS.get(room, []):
        (folder / f"upward_{name}.py").write_text(f"import smsledger.{name}.landing\n")
    for name in FORBIDDEN_PACKAGES.get(room, []):
        (folder / f"outside_{name}.py").write_text(f"import {name}\n")
    for name in BANNED_NAMES:
        (folder / f"bare_{name}.py").write_text(f"import {name}.landing\n")
    (folder / "landing.py").write_text("ground = 1\n")
    (folder / "relative.py").write_text("from .landing import ground\n\n__all__ = ['ground']\n")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    root = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", root)
    shutil.copytree(ROOT / "src", root / "src", symlinks=True)
    for room in ROOMS:
        (root / room).mkdir()
        if (ROOT / room / "__init__.py").exists():
            (root / room / "__init__.py").write_text("")
        plant(root / room, room)
    return Tree(root)


def test_every_room_has_a_planted_fault() -> None:
    assert sorted(ROOMS) == sorted(link.name for link in (ROOT / "src" / "smsledger").iterdir())


def test_mypy_sees_a_type_error_in_every_room(tree: Tree) -> None:
    done = tree.run("-m", "mypy", "--no-incremental", "--no-site-packages", "--cache-dir", os.devnull)
    assert done.returncode == 1, done.stdout + done.stderr
    unseen = [
        room for room in ROOMS if f"{room}/wrong_type.py:1: error: Incompatible types" not in done.stdout
    ]
    assert not unseen, done.stdout


def test_pyright_sees_a_type_error_in_every_room(tree: Tree) -> None:
    done = tree.run("-m", "pyright", "--pythonpath", sys.executable, "--outputjson")
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    files = {
        Path(one["file"]).relative_to(tree.root).as_posix()
        for one in found
        if one["rule"] == "reportAssignmentType"
    }
    assert files == {f"{room}/wrong_type.py" for room in ROOMS}


def test_import_linter_sees_every_upward_and_sideways_import(tree: Tree) -> None:
    done = tree.run("-c", LINT_IMPORTS, str(ROOT / "src"))
    assert done.returncode == 1, done.stdout + done.stderr
    expected = [
        f"smsledger.{room}.upward_{name} -> smsledger.{name}.landing"
        for room, names in FORBIDDEN_ROOMS.items()
        for name in names
    ] + [
        f"smsledger.{room}.outside_{name} -> {name}"
        for room, names in FORBIDDEN_PACKAGES.items()
        for name in names
    ]
    assert not [line for line in expected if line not in done.stdout], done.stdout


def test_ruff_sees_a_room_imported_by_its_bare_name(tree: Tree) -> None:
    done = tree.run(
        "-m", "ruff", "check", "--no-cache", "--select", "TID251", "--output-format", "concise", "."
    )
    assert done.returncode == 1, done.stdout + done.stderr
    expected = {f"{room}/bare_{name}.py" for room in ROOMS for name in BANNED_NAMES}
    # And nothing else: a relative import within a room is welcome.
    assert {line.partition(":")[0] for line in done.stdout.splitlines() if "TID251" in line} == expected


def test_the_domains_contract_names_every_run_time_dependency_that_it_may_not_use() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = content["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one.get("source_modules") == ["smsledger.domain"]]
    wanted = {canonicalize_name(Requirement(line).name) for line in requires("smsledger") or []}
    allowed = {"msgspec", "eventsourcing"}
    modules = {
        module
        for module, names in packages_distributions().items()
        for name in names
        if canonicalize_name(name) in wanted - allowed and not module.startswith("_")
    }
    assert modules <= set(contract["forbidden_modules"])
