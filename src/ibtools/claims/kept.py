"""Outcomes of claims, kept for a build: each claim is run once, however many pages show it.

Where the environment variable ``IBTOOLS_CLAIMS`` names a folder, `Claim.outcome` looks there first
and leaves there what it ran. An outcome is found again only by the same package, to the letter,
with the same versions of what it computes with. Without the variable nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ibtools._files import made_folder, write_whole

VARIABLE = "IBTOOLS_CLAIMS"


def find(identifier: str) -> dict[str, Any] | None:
    """Return what was kept of a claim's outcome, if it was and can be read."""
    path = _path(identifier)
    if path is None:
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def keep(identifier: str, record: Mapping[str, Any]) -> None:
    """Keep a record of a claim's outcome, where a folder for it is named."""
    path = _path(identifier)
    if path is None:
        return
    made_folder(path.parent)
    write_whole(path, json.dumps(record), shared=True)


def _path(identifier: str) -> Path | None:
    folder = os.environ.get(VARIABLE)
    return Path(folder) / _digest() / f"{identifier}.json" if folder else None


@cache
def _digest() -> str:
    """Digest of all that a claim's outcome depends on: the package, Python, the libraries."""
    sha = hashlib.sha256(sys.version.encode())
    for name in ("numpy", "scipy", "torch", "scikit-learn"):
        try:
            sha.update(f"{name}=={metadata.version(name)}".encode())
        except metadata.PackageNotFoundError:
            continue
    package = Path(__file__).resolve().parent.parent
    for file in sorted(package.rglob("*.py")):
        sha.update(file.relative_to(package).as_posix().encode() + b"\0")
        sha.update(hashlib.sha256(file.read_bytes()).digest())
    return sha.hexdigest()[:16]
