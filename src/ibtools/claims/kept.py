"""Outcomes of claims, kept for a build: each claim is run once, however many pages show it.

Where the environment variable ``IBTOOLS_CLAIMS`` names a folder, `Claim.outcome` looks there first
and leaves there what it ran. An outcome is found again only by the same package, to the letter,
with the same versions of what it computes with. Without the variable nothing is kept.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ibtools.claims.claim import Claim, Outcome

VARIABLE = "IBTOOLS_CLAIMS"


def find(claim: Claim) -> Outcome | None:
    """Return the outcome of a claim that was kept, if it was and can be read."""
    from ibtools.claims.claim import Comparison, Outcome

    path = _path(claim)
    if path is None:
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Outcome(claim, Comparison(**record["comparison"]), record["seconds"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep(outcome: Outcome) -> None:
    """Keep the outcome of a claim that holds, where a folder for it is named."""
    path = _path(outcome.claim)
    if path is None or not outcome.holds:
        return
    record = {
        "comparison": dataclasses.asdict(outcome.comparison),
        "seconds": outcome.seconds,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(record), encoding="utf-8")
    os.replace(part, path)


def _path(claim: Claim) -> Path | None:
    folder = os.environ.get(VARIABLE)
    return Path(folder) / _digest() / f"{claim.id}.json" if folder else None


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
