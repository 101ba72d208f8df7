"""Every package is named or needed by one that is, and pinned, wherever the book is for."""

import re
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from versions import FULL, SHORT, TOOLS, lowest, pinned

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def listed(name):
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line) for line in lines if line.strip() and line.strip()[0] != "#"]


PINS = listed("requirements.txt")
OF_PACKAGE = sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])
DIRECT = [*map(Requirement, OF_PACKAGE), *listed("requirements.in")]
NOT_HERE = {"cosmic_ray"}  # `make mutants` installs them for itself


def platforms():
    for system, sys_platform, machine in (
        ("Linux", "linux", "x86_64"),
        ("Linux", "linux", "aarch64"),
        ("Darwin", "darwin", "arm64"),
    ):
        for python in ("3.11", "3.12", "3.13"):
            yield {
                "os_name": "posix",
                "platform_system": system,
                "sys_platform": sys_platform,
                "platform_machine": machine,
                "python_version": python,
                "python_full_version": f"{python}.0",
                "implementation_name": "cpython",
                "implementation_version": f"{python}.0",
                "platform_python_implementation": "CPython",
                "platform_release": "",
                "platform_version": "",
            }


def name_of(platform):
    return f"{platform['sys_platform']}-{platform['platform_machine']}-{platform['python_version']}"


def needed(platform):
    """All that the direct requirements need on a platform, each pinned within its bounds."""
    pinned = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in PINS
        if pin.marker is None or pin.marker.evaluate(platform)
    }
    todo, done = [], set()

    def want(need, by):
        name = canonicalize_name(need.name)
        assert name in pinned, f"{by} needs {name}, which requirements.txt does not pin"
        assert need.specifier.contains(pinned[name], prereleases=True), f"{by}: {need}"
        todo.extend((name, extra) for extra in ("", *need.extras))

    for need in DIRECT:
        want(need, "the project")
    while todo:
        name, extra = todo.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        for need in requirements_of(name):
            if need.marker is None or need.marker.evaluate({**platform, "extra": extra}):
                want(need, name)
    return {name for name, _ in done}


@pytest.mark.parametrize("platform", list(platforms()), ids=name_of)
def test_what_the_direct_requirements_need_is_pinned(platform):
    assert needed(platform)


def test_nothing_is_pinned_that_nothing_needs():
    somewhere = set().union(*map(needed, platforms()))
    assert somewhere == {canonicalize_name(pin.name) for pin in PINS}


def test_every_import_is_of_a_direct_requirement():
    folders = [ROOT / name for name in ("src", "tests", "scripts", "book")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    own = {"ibtools", "benchmarks", *(path.stem for path in files)}
    own |= {path.parent.name for path in files if path.name == "__init__.py"}
    found = {}
    for path in files:
        for name in imported(path.read_text(encoding="utf-8")):
            found.setdefault(name, path)
    others = set(found) - own - NOT_HERE - sys.stdlib_module_names
    assert {"numpy", "torch", "pytest", "sphinx", "yaml"} <= others
    direct = {canonicalize_name(need.name) for need in DIRECT}
    home = metadata.packages_distributions()
    unnamed = {
        f"{found[name].relative_to(ROOT)}: {name}"
        for name in others
        if direct.isdisjoint(canonicalize_name(one) for one in home.get(name, ()))
    }
    assert unnamed == set()


def imported(text):
    """What is imported on a line of its own, also in what is run as a string."""
    whole = re.findall(r"^ *import (\w+)[\w.]*(?: as \w+| *#.*)?$", text, re.M)
    return {*whole, *re.findall(r"^ *from (\w+)[\w.]* import ", text, re.M)}


@cache
def requirements_of(name):
    try:
        return [Requirement(text) for text in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        assert any(canonicalize_name(p.name) == name and p.marker for p in PINS), name
        return []  # belongs to another platform


def test_every_pin_is_exact():
    assert [str(pin) for pin in PINS if len(pin.specifier) != 1 or "==" not in str(pin)] == []


def test_the_tests_run_with_the_pinned_versions():
    wrong = {
        pin.name: installed
        for pin in PINS
        if (pin.marker is None or pin.marker.evaluate())
        and (installed := metadata.version(pin.name).partition("+")[0])
        != str(pin.specifier).removeprefix("==")
    }
    assert wrong == {}


def test_every_dependency_has_a_lowest_version_to_test_with():
    for need in OF_PACKAGE:
        (exact,) = Requirement(lowest(need)).specifier
        assert Requirement(need).specifier.contains(exact.version)
    for tool in TOOLS:
        assert pinned(tool).lower().startswith(tool.lower() + "==")
    for path in (*SHORT, *FULL):
        assert (ROOT / path).exists(), path
