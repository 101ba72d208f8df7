"""Every package is pinned, on every platform the book is for."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from versions import FULL, SHORT, TOOLS, lowest, pinned

ROOT = Path(__file__).resolve().parents[2]
LINES = (ROOT / "requirements.txt").read_text().splitlines()
PINS = [Requirement(line) for line in LINES if line and not line.startswith("#")]


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


@pytest.mark.parametrize("platform", list(platforms()), ids=name_of)
def test_pins_are_closed_under_dependency(platform):
    """Whatever a pinned package asks for on this platform is pinned too, within its bounds."""
    pinned = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in PINS
        if pin.marker is None or pin.marker.evaluate(platform)
    }
    todo = [(name, "") for name in pinned]
    todo += [(canonicalize_name(r.name), "") for r in map(Requirement, own_requirements())]
    done = set()
    while todo:
        name, extra = todo.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        for text in requirements_of(name):
            need = Requirement(text)
            if need.marker and not need.marker.evaluate({**platform, "extra": extra}):
                continue
            wanted = canonicalize_name(need.name)
            assert wanted in pinned, f"{name} needs {wanted}, which requirements.txt does not pin"
            assert need.specifier.contains(pinned[wanted], prereleases=True), f"{name}: {text}"
            todo += [(wanted, extra) for extra in ("", *need.extras)]


def own_requirements():
    return metadata.requires("ibtools") or []


def requirements_of(name):
    try:
        return metadata.requires(name) or []
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


def test_the_package_itself_is_satisfied_by_the_pins():
    pinned = {canonicalize_name(p.name): str(p.specifier).removeprefix("==") for p in PINS}
    for text in own_requirements():
        need = Requirement(text)
        assert need.specifier.contains(pinned[canonicalize_name(need.name)]), text


def test_every_dependency_has_a_lowest_version_to_test_with():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = sum(project["optional-dependencies"].values(), project["dependencies"])
    for need in needs:
        (exact,) = Requirement(lowest(need)).specifier
        assert Requirement(need).specifier.contains(exact.version)
    for tool in TOOLS:
        assert pinned(tool).lower().startswith(tool.lower() + "==")
    for path in (*SHORT, *FULL):
        assert (ROOT / path).exists(), path
