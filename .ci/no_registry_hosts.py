"""Fails when a file of the repository says where packages come from.

Lock files give names, versions and hashes; the registry is the business of whoever installs (a mirror, a proxy, an offline
folder). It looks at the files that git knows or would add. It is not part of the product.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Written in pieces, because this file is looked at too.
HOSTS = re.compile(
    "|".join(
        [
            r"pypi\." + "org",
            "files.python" + "hosted",
            "registry.npm" + "js",
            "registry.yarn" + "pkg",
            r"deb\.deb" + "ian",
        ]
    )
)
INDEX_OPTIONS = re.compile(
    r"^\s*(--(extra-)?index-url|-i\s|--find-links|-f\s|--trusted-host)|://", re.MULTILINE
)
RESOLVED = re.compile(r'"resolved"\s*:\s*"[a-z+]+://')
NPM_LOCKS = {"package-lock.json", "npm-shrinkwrap.json"}


def repository_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git stands on PATH
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listing.split("\0") if name]


def findings(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{path.relative_to(ROOT)}:{number}"
        if HOSTS.search(line):
            yield f"{where}: names a package registry's host"
        elif path.suffix == ".lock" and INDEX_OPTIONS.search(line):
            yield f"{where}: a lock file may not say where packages come from"
        elif path.name in NPM_LOCKS and RESOLVED.search(line):
            yield f"{where}: lock without addresses (npm config: omit-lockfile-registry-resolved=true)"


def main() -> int:
    found: list[str] = []
    for path in repository_files():
        if path.is_symlink() or not path.is_file():
            continue
        try:
            found += findings(path, path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # a binary file
    print("\n".join(found) or "No file names a package registry.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
