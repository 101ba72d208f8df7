"""Virtual environments with other versions than the pinned ones: the oldest allowed, the newest.

``make test-oldest`` installs exactly the lower bounds of pyproject.toml, ``make test-newest``
whatever is newest today. Standard library only, because nothing may be installed yet.
"""

import re
import sys
import tomllib
from pathlib import Path

from environment import ROOT, Environment

# What the tests of the package import beside it; the pinned versions of these will do.
TOOLS = ("pytest", "pytest-xdist", "hypothesis", "beartype", "mpmath", "packaging", "PyYAML")
# Without PyTorch: installed in a minute, and enough to see that a lower bound is too low.
SHORT = (
    "tests/theory/test_max_margin.py",
    "tests/theory/test_separation.py",
    "tests/theory/test_optima.py",
    "tests/data/test_images.py",
    "tests/data/test_synthetic.py",
    "tests/data/test_tabular.py",
    "tests/sweeps",
    "tests/test_examples.py",
)
FULL = (
    *(f"tests/{part}" for part in ("data", "models", "trainers", "metrics", "theory", "sweeps")),
    "tests/test_examples.py",
)
COMMAND = ("-m", "pytest", "--quiet", "--no-header", "-m", "not slow", "-n", "2")
# As users have it: old packages complain of newer ones, and old solvers count the parameters of a
# function, which one with checks around it does not show.
OLDEST = ("-W", "default::DeprecationWarning", "--jaxtyping-packages=")


class Versions(Environment):
    """An environment for `which` versions, with PyTorch unless `short`."""

    def __init__(self, which: str, *, short: bool, python: str = "") -> None:
        self.which, self.short = which, short
        super().__init__(Path(f".venv-{which}{'-short' * short}"), python=python)

    def fill(self) -> None:
        self.variables |= self.pip_variables()
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        wanted = list(project["dependencies"])
        wanted += project["optional-dependencies"]["show"]
        torch = project["optional-dependencies"]["nets"]
        if self.which == "oldest":
            wanted, torch = [lowest(need) for need in wanted], [lowest(need) for need in torch]
        tools = list(TOOLS) if self.which == "newest" else [pinned(tool) for tool in TOOLS]
        if not self.short:
            if sys.platform == "linux":
                self.install_cpu_torch(torch[0])
            wanted += torch
        latest = ("--upgrade", "--upgrade-strategy", "eager") if self.which == "newest" else ()
        told = f"the {self.which} versions of what the package needs"
        self.pip("install", *latest, *wanted, *tools, "setuptools>=77", what=told)
        editable = ("--no-deps", "--no-build-isolation", "--editable", ".")
        self.pip("install", *editable, what="this project's package, ibtools, from src/")

    def tests(self) -> tuple[str, ...]:
        return (*(OLDEST if self.which == "oldest" else ()), *(SHORT if self.short else FULL))


def lowest(need: str) -> str:
    """Turn ``numpy>=2.0`` into ``numpy==2.0``, and refuse what has no lower bound alone."""
    found = re.fullmatch(r"([\w-]+)>=([\d.]+)", need)
    if not found:
        raise ValueError(f"pyproject.toml must give one lower bound for each package, got {need!r}")
    return f"{found[1]}=={found[2]}"


def pinned(tool: str) -> str:
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return re.search(rf"^{re.escape(tool)}==\S+", pins, re.M | re.I)[0]
