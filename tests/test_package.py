"""The package holds what the repository holds: every room in the wheel, every requirement in the lock files.

What the code does is tested in the rooms' own folders; here is only how it is packed.
"""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ROOMS = sorted(link.name for link in (ROOT / "src" / "smsledger").iterdir())
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)
LOCK_FILES = [
    "requirements-build.lock",
    "requirements-server.lock",
    "requirements.lock",
    "requirements-dev.lock",
]


def tracked_files(room: str) -> list[str]:
    """The room's files as git sees them, those included that are not added yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", room]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listing.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def project() -> dict[str, list[str]]:
    """The requirements that each lock file has to hold."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = content["dependency-groups"]
    build = groups["build"]
    server = content["project"]["dependencies"]
    run = [*server, *content["project"]["optional-dependencies"]["embedded"], *build]
    dev = [*run, *(line for line in groups["dev"] if isinstance(line, str))]
    return dict(zip(LOCK_FILES, [build, server, run, dev], strict=True))


def pins(lock_file: str) -> dict[str, str]:
    text = (ROOT / lock_file).read_text(encoding="utf-8")
    return {canonicalize_name(found["name"]): found["version"] for found in PIN.finditer(text)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_of_a_room_is_in_the_wheel(room: str, wheel_names: set[str]) -> None:
    if not (ROOT / room).is_dir():
        pytest.skip(f"the folder {room}/ would un-skip this")
    expected = {f"smsledger/{name}" for name in tracked_files(room)}
    assert expected, f"{room}/ is empty"
    assert expected <= wheel_names


def test_the_wheel_holds_nothing_but_the_rooms(wheel_names: set[str]) -> None:
    known = tuple(f"smsledger/{room}/" for room in ROOMS)
    strangers = {name for name in wheel_names if not name.startswith(known) and ".dist-info/" not in name}
    assert not strangers
    assert not {name for name in wheel_names if "__pycache__" in name}


def test_the_wheel_carries_the_licence_and_the_command(wheel_names: set[str]) -> None:
    endings = {name.partition(".dist-info/")[2] for name in wheel_names}
    assert {"licenses/LICENSE", "entry_points.txt"} <= endings


def test_every_room_is_a_relative_link_and_named_in_the_wheel_target() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = content["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel["only-include"]) == ROOMS
    assert wheel["sources"] == {room: f"smsledger/{room}" for room in ROOMS}
    for room in ROOMS:
        assert (ROOT / "src" / "smsledger" / room).readlink() == Path("..", "..", room)


def test_the_bare_name_http_is_still_the_standard_librarys_own() -> None:
    command = [sys.executable, "-c", "import http; print(http.HTTPStatus.OK)"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "200"


@pytest.mark.parametrize("lock_file", LOCK_FILES)
def test_a_lock_file_pins_each_requirement_within_its_range(lock_file: str) -> None:
    locked = pins(lock_file)
    for requirement in map(Requirement, project()[lock_file]):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock_file}: run make lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: run make lock"


@pytest.mark.parametrize("lock_file", LOCK_FILES)
def test_a_lock_file_agrees_with_the_development_lock(lock_file: str) -> None:
    development = pins("requirements-dev.lock")
    assert pins(lock_file).items() <= development.items(), "run make lock"


@pytest.mark.parametrize("lock_file", LOCK_FILES)
def test_every_pin_has_hashes_and_no_address(lock_file: str) -> None:
    text = (ROOT / lock_file).read_text(encoding="utf-8")
    assert "://" not in text
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(blocks) == len(pins(lock_file))
    assert all("--hash=sha256:" in block for block in blocks)
