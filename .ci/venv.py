"""Makes the checkout's `.venv` from a lock file and installs the project into it (for tests the Python client too); does nothing when that is done already.

`python3 .ci/venv.py run` installs what `make run` needs, `dev` what tests and checks need. Needs the standard library only,
and takes a file lock, so that two `make` at the same time wait for each other. It has to parse on an old Python, to be able
to say that it is too old. It is not part of the product.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

MINIMUM = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
HOME_STAMP = VENV / ".made-for"
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
# Installed editable, without their requirements, which the lock holds.
PROJECTS = {"run": ["."], "dev": [".", "sdk/python"]}
# The development set holds the run-time set at the same versions, so installing it fulfils both.
FULFILS = {"run": ["run"], "dev": ["run", "dev"]}


def stamp(purpose: str) -> Path:
    return VENV / f".installed-{purpose}"


def digest(purpose: str) -> str:
    """A hash over everything that the installed set was made from."""
    content = hashlib.sha256()
    projects = [f"{project}/pyproject.toml" for project in PROJECTS[purpose]]
    for name in (LOCKS[purpose], *projects, ".ci/venv.py"):
        content.update((ROOT / name).read_bytes())
    return content.hexdigest()


def home() -> str:
    """Scripts in `.venv/bin` hold its absolute path, and compiled packages fit one Python only."""
    return f"{VENV} {sys.version_info[0]}.{sys.version_info[1]}"


def is_read(path: Path, expected: str) -> bool:
    return path.is_file() and path.read_text() == expected


def is_done(purpose: str) -> bool:
    return is_read(HOME_STAMP, home()) and is_read(stamp(purpose), digest(purpose)) and PYTHON.exists()


def base_interpreter() -> str:
    """The Python under an activated environment, which may be the very `.venv` that is made anew."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")


def make_venv() -> None:
    if is_read(HOME_STAMP, home()) and PYTHON.exists():
        return
    if VENV.exists():
        shutil.rmtree(VENV)
    if subprocess.run([base_interpreter(), "-m", "venv", str(VENV)], check=False).returncode != 0:
        sys.exit("could not make .venv (on Debian and Ubuntu: install the package python3-venv)")
    HOME_STAMP.write_text(home())


def pip_install(*arguments: str) -> None:
    # -I: neither PYTHONPATH nor a user's own packages may leak in. -qq: errors only.
    command = [
        str(PYTHON),
        "-I",
        "-m",
        "pip",
        "install",
        "-qq",
        "--disable-pip-version-check",
        "--no-deps",
        *arguments,
    ]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        sys.exit(f"could not install into .venv: pip install {' '.join(arguments)}")


def install(purpose: str) -> None:
    print(f"Installing {LOCKS[purpose]} into .venv (once, and again when it changes) ...", flush=True)
    for done in FULFILS[purpose]:
        stamp(done).unlink(missing_ok=True)
    pip_install("--require-hashes", "-r", LOCKS[purpose])
    for project in PROJECTS[purpose]:
        pip_install("--no-build-isolation", "-e", project)
    for done in FULFILS[purpose]:
        stamp(done).write_text(digest(done))


def refuse_an_old_python() -> None:
    if sys.version_info < MINIMUM:
        found = f"{sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}"
        sys.exit(f"smsledger needs Python 3.11 or newer; {found}. Name another: make PYTHON=python3.13 ...")


def main() -> None:
    refuse_an_old_python()
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(LOCKS)}")
    purpose = sys.argv[1]
    if is_done(purpose):
        return
    # Beside `.venv`, not in it: the folder may have to be made anew.
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_done(purpose):
            make_venv()
            install(purpose)


if __name__ == "__main__":
    main()
