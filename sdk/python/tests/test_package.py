"""The distribution holds what its users need, says what it needs itself, and is no part of the service's."""

import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import tomllib

PROJECT = Path(__file__).resolve().parent.parent
ROOT = PROJECT.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the wheel has, by name."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_package_its_licence_and_nothing_else(wheel: dict[str, bytes]) -> None:
    package = {
        f"smsledger_client/{path.name}"
        for path in (PROJECT / "smsledger_client").iterdir()
        if path.suffix == ".py" or path.name == "py.typed"
    }
    assert {name for name in wheel if ".dist-info/" not in name} == package
    assert "smsledger_client/py.typed" in package
    (licence,) = (name for name in wheel if name.endswith("licenses/LICENSE"))
    assert wheel[licence] == (ROOT / "LICENSE").read_bytes()


def test_httpx_is_all_that_it_needs(wheel: dict[str, bytes]) -> None:
    (name,) = (name for name in wheel if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(wheel[name])
    assert metadata["Name"] == "smsledger-client"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata.get_all("Requires-Dist") == ["httpx<1,>=0.27"]
    assert "client.sms.send(" in metadata.get_payload()


def test_the_service_does_not_need_the_client() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    assert not [line for line in needed if line.startswith(("smsledger", "httpx"))]


def test_importing_it_needs_no_package_but_httpx() -> None:
    code = (
        "import sys; import httpx; before = set(sys.modules); import smsledger_client;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names);"
        "print(*sorted(new))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["smsledger_client"]
