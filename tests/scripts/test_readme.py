"""What the README shows is true."""

import importlib
import inspect
import re
import shlex
import subprocess
import tomllib
from argparse import ArgumentParser
from pathlib import Path

import commands
import handouts
import joblib
import numpy as np
import pytest
import torch
import yaml
from labels import read_book

import ibtools
import slides
from ibtools.claims import CLAIMS
from ibtools.claims.__main__ import main as run_claims
from ibtools.course import checkers, exercises, homeworks
from ibtools.course.grading import command as grading
from ibtools.experiments.__main__ import main as run_experiments
from ibtools.sweeps import load_sweep, sweep
from ibtools.trainers import margin_flow

ROOT = Path(__file__).resolve().parents[2]


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


README = read("README.md")
IN_CODE = re.findall(r"`([^`\n]+)`", README)
PACKAGES = {path.parent.name for path in (ROOT / "src/ibtools").glob("*/__init__.py")}
BOOK = read_book(ROOT)
LECTURES = [page for pages in BOOK.lectures.values() for page in pages]
NUMBERS = dict(
    zip(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
        range(2, 11),
        strict=True,
    )
)
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    for path in (ROOT / ".github/workflows").glob("*.yml")
}


@pytest.mark.slow
def test_the_examples_run_and_the_two_sides_agree(tmp_path, monkeypatch):
    regression, classification, many = re.findall(r"```python\n(.*?)```", README, re.S)
    names: dict = {"__name__": "__main__"}
    exec(regression, names)
    assert names["run"].converged
    reached, predicted = names["run"].w[-1], names["w"]
    assert np.linalg.norm(reached - predicted) <= 1e-6 * np.linalg.norm(predicted)
    assert np.isfinite(names["q"](predicted))
    for call in re.findall(r"q(?:\.\w+)?\(w\)", regression.partition("the potential that")[2]):
        eval(call, names)
    for attribute in re.findall(r"run\.(\w+)", regression.partition("what happened")[2]):
        assert hasattr(names["run"], attribute)
    torch.manual_seed(0)
    exec(classification, names)
    assert names["run"].converged
    assert np.isfinite(names["run"].stationarity[-1])
    assert names["run"].order == 2
    late, later = names["run"].normalized_margin[[-5, -1]]
    assert 0 < late < later
    monkeypatch.chdir(tmp_path)
    with joblib.parallel_config("threading"):  # processes are tested with the sweeps
        exec(many, names)
    assert names["runs"].finished
    assert names["errors"].shape == (3, 3)
    assert np.all(np.diff(names["errors"], axis=0) > 0), "the smaller the start, the sparser"
    assert len(load_sweep("runs").tasks) == 9


@pytest.mark.slow
def test_what_the_first_page_shows_of_the_package_runs():
    regression, classification = re.findall(r"```python\n(.*?)```", read("book/intro.md"), re.S)
    names: dict = {}
    exec(regression, names)
    np.testing.assert_allclose(names["run"].w[-1], names["w"], rtol=0, atol=1e-6)
    exec(classification, names)
    run, best = names["run"], names["max_margin"](names["X"], names["y"]).margin
    assert run.log_loss[-1] <= -1000 * np.log(10)
    assert 0.999 * best < run.normalized_margin[-1] <= best


def test_every_command_and_file_it_names_exists():
    targets = re.findall(r"^([a-z-]+):", read("Makefile"), re.M)
    named = re.findall(r"make ([a-z-]+)", README)
    assert len(named) > 5
    assert set(named) <= set(targets)
    for file in re.findall(r"\]\(([A-Z][\w.-]+)\)", README):
        assert (ROOT / file).exists(), file


def test_make_alone_lists_all_commands_and_each_does_something():
    phony = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.M)[1].split()
    assert set(commands.COMMANDS) | {"help", "clean"} == set(phony)
    answer = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make ([a-z-]+) ", answer.stdout, re.M)) == set(phony)
    for name in commands.COMMANDS:
        assert callable(getattr(commands.Commands, name.replace("-", "_")))


@pytest.mark.parametrize("path", ["Makefile", "README.md", "CONTRIBUTING.md"])
def test_pages_of_examples_are_pages(path):
    named = re.findall(r"(?:NAME|PAGES)=([a-z][a-z/,-]*)", read(path))
    assert named or path == "README.md"
    for page in ",".join(named).split(","):
        assert not page or (ROOT / f"book/{page}.md").is_file(), page


def test_a_time_that_is_said_is_a_limit_in_ci():
    """How long a command takes is not tested; that it takes no longer than is said, is."""
    helps = dict(re.findall(r"^([a-z-]+):.*## (.*)$", read("Makefile"), re.M))
    timed = {name: text for name, text in helps.items() if re.search("second|minute|hour", text)}
    limits = {
        line: job["timeout-minutes"]
        for jobs in WORKFLOWS.values()
        for job in jobs.values()
        for step in job["steps"]
        for line in re.findall(r"^make ([a-z-]+)", step.get("run", ""))
    }
    assert {"book", "test"} == set(timed) <= set(limits)
    assert limits["test"] == 60
    said = [timed["test"], inspect.getsource(commands.Commands.test), read("CONTRIBUTING.md")]
    assert all(re.search(r"(?:up to|after) an hour", text) for text in said)
    assert limits["book"] == 30
    assert "some minutes" in timed["book"]
    assert "some minutes" in inspect.getsource(commands.Commands.book)


def test_it_asks_for_the_python_and_the_systems_that_are_tested():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    (lowest,) = re.findall(r"need Python (3\.\d+) or newer on Linux or macOS", README)
    texts = [read(f"book/{page}.md") for page in ("intro", "teaching")]
    assert {v for text in texts for v in re.findall(r"Python (3\.\d+) or later", text)} == {lowest}
    assert project["requires-python"] == f">={lowest}"
    matrix = WORKFLOWS["tests"]["test"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos"}
    assert matrix["python"][0] == lowest
    first, last = re.findall(r"\((3), (\d+)\)", read("scripts/find_python.sh"))[-2:]
    assert [".".join(first), ".".join(last)] == [matrix["python"][0], matrix["python"][-1]]


def test_what_is_installed_is_what_the_extras_bring():
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    (line,) = re.findall(r"pip install (.*)", README)
    named, address = re.fullmatch(r'"ibtools\[(.*)\] @ git\+(.*)"', line).groups()
    assert named.split(",") == list(extras)
    assert address == yaml.safe_load(read("_config.yml"))["repository"]["url"]
    assert address == yaml.safe_load(read("CITATION.cff"))["repository-code"]
    brought = {e: {re.match(r"\w+", r)[0] for r in needs} for e, needs in extras.items()}
    assert brought == {"nets": {"torch"}, "show": {"matplotlib", "ipywidgets"}}


def test_every_name_of_the_package_is_offered():
    modules = {name: importlib.import_module(f"ibtools.{name}") for name in PACKAGES}
    offered = {n: getattr(m, n) for m in modules.values() for n in getattr(m, "__all__", ())}
    dotted = [text.removeprefix("ibtools.") for text in IN_CODE if re.fullmatch(r"[\w.]+\w", text)]
    found = []
    for head, *rest in (text.split(".") for text in dotted):
        if head in modules and rest:
            found.append(rest[0])
            assert rest[0] in modules[head].__all__
        elif head in offered or re.match(r"[A-Z][a-z]", head):
            found.append(head)
            assert head in offered
            assert all(hasattr(offered[head], name) for name in rest)
    assert len(found) >= 13
    assert "cluster" in inspect.signature(sweep).parameters
    assert "order" in inspect.signature(margin_flow).parameters


def test_what_the_book_does_not_need_it_does_not_use():
    paragraph = README.partition("For what the book does not need")[2].partition("\n\n")[0]
    names = {name.rpartition(".")[2] for name in re.findall(r"`([\w.]+)`", paragraph)}
    used = {"gradient_flow", "save"}
    pages = [read(f"{page}.md") for page in BOOK.titles if "/reference/" not in page]
    assert used <= names
    assert len(names) > 10
    for name in names - used:
        assert not any(re.search(rf"\b{name}\b", page) for page in pages), name


def test_pages_it_sends_to_are_there():
    titles = {" ".join(found.split()) for found in re.findall(r"\*([A-Z][^*]+)\*", README)}
    parts = {part["caption"] for part in yaml.safe_load(read("_toc.yml"))["parts"]}
    assert {"Reference", "Bring your own network"} < titles <= {*BOOK.titles.values(), *parts}


def test_options_it_names_are_taken(capsys):
    for main, options in (
        (run_claims, ["default all", "--out FILE"]),
        (
            run_experiments,
            [
                "{digits,mnist,cifar10,",
                "run NAME",
                "--seeds",
                "-1 for as many",
                "Lyu and Li (2020)",
            ],
        ),
    ):
        with pytest.raises(SystemExit):
            main(["--help"])
        told = " ".join(capsys.readouterr().out.split())
        assert all(option in told for option in options)
    parser = ArgumentParser(exit_on_error=False)
    grading.add_arguments(parser)
    (line,) = re.findall(r"ibtools\.course grade (.*)", README)
    asked = parser.parse_args(shlex.split(line))
    assert asked.master.stem in homeworks()
    assert asked.master.parts[:3] == ("_build", "course", "student")
    for option in ("--lms canvas", "--lms moodle", "--otter FOLDER"):
        assert f"`{option}`" in README
        parser.parse_args([*shlex.split(line), *option.split()])


def test_places_are_where_it_says():
    built = {ROOT / found for found in re.findall(r"_build/(?:html|course|slides|pdf)\b", README)}
    assert built == {commands.SITE, slides.TARGET, handouts.TARGET, ROOT / "_build/course"}
    table = re.findall(r"^\| `([a-z/]+)/` \| (.*) \|$", README, re.M)
    assert len(table) == 7
    assert all((ROOT / folder).is_dir() for folder, _ in table)
    said = dict(table)["src/ibtools"].partition(": ")[2].split(", ")
    assert sorted(said) == sorted(PACKAGES)
    assert all((ROOT / "tests" / name).is_dir() for name in {*PACKAGES, "site"})
    assert Path(ibtools.__file__).parent == ROOT / "src/ibtools"


def test_every_lecture_is_a_notebook_and_runs_a_theorem():
    matched = {path.with_suffix("") for path in ROOT.glob("book/*/*.ipynb")}
    assert "`book/*/*.ipynb`" in README
    assert {ROOT / page for page in LECTURES} <= matched
    stated = {label.page for label in BOOK.labels.values() if label.kind == "theorem"}
    run = {BOOK.labels[claim.theorem].page for claim in CLAIMS if claim.theorem}
    assert stated & set(LECTURES) <= run


def test_licences_are_those_it_names():
    assert read("LICENSE").startswith("MIT License")
    assert "(CC BY 4.0)" in read("LICENSE-TEXT").partition("\n")[0]
    assert "[MIT](LICENSE)" in README
    assert "[CC BY 4.0](LICENSE-TEXT)" in README


def test_counts_are_those_of_the_book():
    intro, teaching = read("book/intro.md"), read("book/teaching.md")
    (papers, cited) = re.search(
        r"^(\w+) papers are behind it: (.*?)\n\n", intro, re.M | re.S
    ).groups()
    assert NUMBERS[papers.lower()] == len(re.findall(r"`[a-z0-9]+`", cited))
    primers = [page for page in BOOK.titles if page.startswith("book/before/")]
    (said,) = re.findall(r"^(\w+) lectures before all others", intro, re.M)
    assert NUMBERS[said.lower()] == len(primers)
    chapters, least, most, lectures, before = re.search(
        r"has (\w+) chapters of (\w+) to (\w+) lectures, (\d+) in all, and (\w+) primers", teaching
    ).groups()
    sizes = [len(pages) for pages in BOOK.lectures.values()]
    assert [NUMBERS[n] for n in (chapters, least, most)] == [len(sizes), min(sizes), max(sizes)]
    assert [int(lectures), NUMBERS[before]] == [sum(sizes), len(primers)]


def test_counts_of_a_version_to_come_are_those_of_today():
    coming = read("CHANGELOG.md").partition("\n## Unreleased\n")[2].partition("\n## ")[0]
    for checked, of in re.findall(r"`check` knows (\d+) of the (\d+) exercises", coming):
        assert (int(checked), int(of)) == (len(checkers()), len(exercises()))
