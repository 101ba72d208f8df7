"""`make doctor`: what a report of an error should say of the machine it happened on.

Standard library only and without setting anything up: it is asked when that may not work.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = ("numpy", "scipy", "torch", "jupyter-book", "playwright")


def lines(python: Path, *, root: Path = ROOT) -> Iterator[str]:
    """What is to be told, a line each."""
    yield f"commit      {answer(['git', 'describe', '--always', '--dirty'], root) or 'no git'}"
    yield f"system      {platform.platform()}, {platform.machine()}"
    room = shutil.disk_usage(root).free / 2**30
    yield f"machine     {os.cpu_count()} cores, {memory()}, {room:.0f} GiB free on this disk"
    yield f"Python      {platform.python_version()} at {sys.executable}"
    if not python.exists():
        yield f"environment none at {python}; 'make setup' makes it"
        return
    yield f"environment {python.parent.parent}, Python {answer([str(python), '--version'], root)}"
    found = installed(answer([str(python), "-m", "pip", "freeze", "--all"], root))
    if not found:
        yield f"packages    pip does not run in it; delete {python.parent.parent}, 'make setup'"
        return
    yield "packages    " + ", ".join(f"{name} {found.get(name, 'missing')}" for name in SHOWN)
    other = differing(found, (root / "requirements.txt").read_text(encoding="utf-8"))
    told = ", ".join(other) if other else "as pinned"
    yield f"pins        {told}" + ("; 'make setup' mends it" if other else "")
    browser = answer([str(python), "scripts/browser.py"], root, whole=True)
    yield f"browser     {browser or 'found'}"


def installed(frozen: str) -> dict[str, str]:
    """The version of each package that pip lists, by its name in its plainest form."""
    pairs = re.findall(r"^([\w.-]+)==(\S+)$", frozen, re.M)
    return {plain(name): version.partition("+")[0] for name, version in pairs}


def differing(found: dict[str, str], pins: str) -> list[str]:
    """What is not as it is pinned; what is pinned for other systems alone does not count."""
    wanted = re.findall(r"^([\w.-]+)==([^\s;]+)$", pins, re.M)
    return [
        f"{name} {found.get(plain(name), 'missing')}, not {version}"
        for name, version in wanted
        if found.get(plain(name)) != version
    ]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def memory() -> str:
    """How much there is, where the system says so."""
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return "memory not told"
    return f"{pages / 2**30:.0f} GiB"


def answer(command: Sequence[str], root: Path, *, whole: bool = False) -> str:
    """What a command prints, of a failure the last line; nothing if it is not there."""
    try:
        ran = subprocess.run(
            command, cwd=root, capture_output=True, text=True, errors="replace", timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = ran.stdout.strip().removeprefix("Python ")
    if ran.returncode:
        return (ran.stderr.strip().splitlines() or [""])[-1] if whole else ""
    return "" if whole else said


if __name__ == "__main__":
    print("\n".join(lines(Path(sys.argv[1]))))
