"""Every command that texts, workflows and docstrings of the project name exists."""

import argparse
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import colab_like
import pytest
import yaml

from ibtools.course.grading import command, table

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    *ROOT.glob("*.md"),
    *ROOT.glob("book/**/*.md"),
    *ROOT.glob("course/**/*.md"),
    *ROOT.glob(".github/**/*.md"),
    *ROOT.glob(".github/workflows/*.yml"),
]
CODE = [
    path for folder in ("src", "scripts", "book/_ext") for path in ROOT.glob(f"{folder}/**/*.py")
]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
SETTINGS = set(re.findall(r"^([A-Z]+) *\?=", MAKEFILE, re.MULTILINE))
IN_CODE = re.compile(
    r"```\w*\n(.*?)```|`([^`]+)`|^ {4,}(\S.*)$|\brun: (.*)$", re.DOTALL | re.MULTILINE
)
WORD = re.compile(r"[a-z-]+|[A-Z]+=\S+")
TEACHING = (ROOT / "book/teaching.md").read_text(encoding="utf-8")


def lines_of_code(text: str) -> Iterator[str]:
    """What stands between backticks, in fences or indented, line by line."""
    for found in IN_CODE.finditer(text):
        whole = next(group for group in found.groups() if group is not None)
        yield from whole.replace("\\\n", " ").splitlines()


def faults(text: str) -> list[str]:
    """The commands in a text that do not exist."""
    wrong = []
    for line in lines_of_code(text):
        line = re.sub(r"^(- )?run: |\s#\s.*", "", line.strip()).strip()
        words = line.split()
        if words[:1] == ["make"] and all(WORD.fullmatch(word) for word in words):
            named = [word.partition("=") for word in words[1:]]
            wrong += [n for n, equals, _ in named if n not in (SETTINGS if equals else TARGETS)]
        modules = re.findall(r"python3? (?:-\w )*-m ([\w.]+)", line)
        wrong += [module for module in modules if not runs(module)]
        scripts = re.findall(r"(?:python3? (?:-I )?|^)(scripts/\w+\.py)", line)
        wrong += [script for script in scripts if not (ROOT / script).is_file()]
    return wrong


def runs(module: str) -> bool:
    """Whether ``python -m module`` does something, or is a tool of its own that CI installs."""
    if module in ("build", "pip", "venv", "jupyterlab"):
        return True
    found = importlib.util.find_spec(module)
    if found is None or found.submodule_search_locations is None:
        return found is not None
    return importlib.util.find_spec(f"{module}.__main__") is not None


@pytest.mark.parametrize("paths", [TEXTS, CODE], ids=["texts", "code"])
def test_every_command_that_is_named_exists(paths: list[Path]) -> None:
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in paths
        if (found := faults(path.read_text(encoding="utf-8")))
    }
    assert wrong == {}


def test_a_command_that_does_not_exist_is_found() -> None:
    for text in (
        "Type `make coarse`.",
        "    make course TAGS=x",
        "```\npython -m ibtools.curse grade\n```",
        "`python scripts/nothing.py`",
        "      - run: make curse",
    ):
        assert faults(text), text
    assert (
        faults("`make course TAG=2027-spring` and `make test PART=short`, and we make sense") == []
    )


def grading_commands() -> list[str]:
    return [
        found[1]
        for line in lines_of_code(TEACHING)
        if (found := re.search(r"python -m ibtools\.course grade\s+(.*)", line))
    ]


def test_the_options_of_grading_are_those_it_knows() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    commands = grading_commands()
    assert len(commands) >= 4
    for line in commands:
        parser.parse_args(shlex.split(line))
    for option in re.findall(r"`(--[\w-]+)`", TEACHING):
        assert option in parser.format_help(), option


def test_the_weekly_workflow_runs_the_notebooks_and_no_moving_action() -> None:
    weekly = yaml.safe_load((ROOT / ".github/workflows/colab-like.yml").read_text("utf-8"))
    assert weekly[True]["schedule"][0]["cron"].split()[2:] == ["*", "*", "1"]  # "on" is YAML's true
    (job,) = weekly["jobs"].values()
    (line,) = [step["run"] for step in job["steps"] if "run" in step]
    python, script, *options = shlex.split(line)
    assert (python, script) == ("python", "scripts/colab_like.py")
    assert colab_like.parser().parse_args(options).torch.startswith("torch==")
    for path in ROOT.glob(".github/workflows/*.yml"):
        for action in re.findall(r"uses: (\S+)", path.read_text("utf-8")):
            assert re.fullmatch(r"actions/[\w-]+@v\d+", action), action


def test_teaching_has_the_commands_of_the_container_and_the_columns_of_the_table() -> None:
    shown = [" ".join(line.split()) for line in lines_of_code(TEACHING)]
    for line in (command.IMAGE, command.CONTAINER):
        assert " ".join(line.split()) in shown
    rows = TEACHING.partition("| column | what it says |")[2].partition("\n\n")[0]
    named = [
        name
        for row in rows.splitlines()[2:]
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    assert named == [*table.FIRST, *table.LAST]
