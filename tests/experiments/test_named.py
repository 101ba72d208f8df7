"""Experiments with a name: found, refused, run, kept, and their first steps made again."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ibtools.data import Classification
from ibtools.experiments import (
    EXPERIMENTS,
    SETTINGS,
    budget,
    load_result,
    named,
    named_runs,
    tasks,
    training,
)
from ibtools.experiments.__main__ import main
from ibtools.experiments.budget import Budget, in_words, measured
from ibtools.experiments.catalogue import experiment
from ibtools.experiments.first_images import first_images
from ibtools.experiments.named_runs import first_steps
from ibtools.experiments.results import Result, folder_of_results, rounded, write_result
from ibtools.experiments.training import Choice
from ibtools.trainers import MarginRun, margin_flow
from ibtools.trainers.margins import implicit

KEPT = sorted(path.stem for path in folder_of_results().glob("*.json") if path.stem != "benchmarks")
RATES, LONGER, NEARLY, TWO = (
    "mnist-1000-mlp-rates",
    "mnist-300-squared-mlp-longer",
    "mnist-300-residual-longer",
    "mnist-20-two-layer",
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the data the few images that are kept, and the runs short."""
    X, y = first_images("mnist")
    setting = SETTINGS["mnist_mlp"]

    def load(*, split: str, dtype: object = None, root: object = None) -> Classification:
        return Classification(X.reshape(100, -1), y)

    few = {"batch_size": 20, "n": 100, "checkpoint_every": 10}
    for name in ("mnist_mlp", "mnist_squared_mlp", "mnist_residual"):
        monkeypatch.setitem(SETTINGS, name, replace(SETTINGS[name], load=load, **few))
    assert setting.n == 60_000
    tasks._loaded.cache_clear()

    def pair(**_: object) -> Classification:
        two = (y == 3) | (y == 8)
        return Classification(X[two], np.where(y[two] == 8, 1.0, -1.0))

    monkeypatch.setattr(named_runs, "_PAIRS", {"mnist": (pair, (3, 8))})
    monkeypatch.setattr(
        "ibtools.experiments.first_images._LOAD", {"mnist": lambda **_: Classification(X, y)}
    )
    short = {"epochs": 12, "samples": 100}
    for name, change in (
        (RATES, short),
        (LONGER, {**short, "epochs": 30, "log10_losses": [0.0], "attacked": 1}),
        (NEARLY, {**short, "log10_losses": [-3.0]}),
        (TWO, {"steps": 20}),
    ):
        one = EXPERIMENTS[name]
        changed = tuple({**task, **change} for task in one.tasks[:2])
        monkeypatch.setitem(EXPERIMENTS, name, replace(one, tasks=changed))


@pytest.mark.parametrize("name", [RATES, LONGER, NEARLY, TWO])
def test_run_keeps_what_report_prints(
    name: str,
    small: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name != TWO:  # one is measured, which is quick
        monkeypatch.setattr(named, "measured", lambda *_, **__: Budget(1.0, 0.1, 0.0))
    places = ["--results", str(tmp_path / "results")]
    command = ["run", name, *places, "--out", str(tmp_path / "out")]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "of computing" in told
    assert "GB of memory" in told
    path = tmp_path / "results" / f"{name}.json"
    kept = load_result(name, tmp_path / "results")
    assert len(kept.runs) == len(EXPERIMENTS[name].tasks)
    assert kept.about["command"] == f"python -m ibtools.experiments run {name}"
    assert str(tmp_path) not in path.read_text()
    assert kept.about["seconds"] > 0 < kept.about["memory"]
    assert kept.about["machine"]["cores"] >= 1
    assert main(["report", name, *places]) == 0
    assert capsys.readouterr().out.strip() in told
    # The same command finds its runs, and writes the same over it.
    assert main(command) == 0
    again = load_result(name, tmp_path / "results")
    assert again.runs == kept.runs
    assert again.first == kept.first
    if name == LONGER:
        assert kept.runs[0]["attacked_log10_loss"][0] <= 0
        assert 0 < kept.runs[0]["train_certified"][0] <= kept.runs[0]["train_distance"][0]
    if name == NEARLY:
        ends = {key: kept.column(key)[-1] for key in ("smoothed_margin", "modified_margin")}
        assert ends["modified_margin"] < 0 < ends["smoothed_margin"], "p_a is still the larger one"
        assert np.isnan(kept.column("layer_product_margin")).all(), "a skip ties the layers"
    # What is damaged is named with what mends it, and no trace of Python is shown.
    path.write_text(path.read_text()[:-100])
    assert main(["report", *places]) == 1
    assert f"run {name} makes it" in capsys.readouterr().err


# Dies as soon as the second run has its first checkpoint, after two of the first run.
KILLED = """
import os, signal, sys
import pytest
from ibtools.experiments import training
from ibtools.experiments.__main__ import main
from test_named import make_small, unmeasured

written = []
whole = training.write_whole

def deadly(path, text):
    whole(path, text)
    written.append(path.name)
    if written.count("state.json") == 3:
        os.kill(os.getpid(), signal.SIGKILL)

with pytest.MonkeyPatch.context() as patch:
    make_small(patch)
    unmeasured(patch)
    patch.setattr(training, "write_whole", deadly)
    main(sys.argv[1:])
"""


def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "measured", lambda *_, **__: Budget(1.0, 0.1, 0.0))
    monkeypatch.setattr(named, "_first", lambda *_: {})


def test_an_experiment_that_is_killed_goes_on_where_it_was(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmeasured(monkeypatch)

    def command(name: str) -> list[str]:
        return ["run", RATES, "--results", str(tmp_path / name), "--out", str(tmp_path / name)]

    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    child = subprocess.run(
        [sys.executable, "-c", KILLED, *command("killed")],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert not list((tmp_path / "killed").glob("*.json"))
    descend, limits = training.descend, []

    def seen(*arguments: object, **options: Any) -> object:
        resume = options["resume"]
        limits.append((0 if resume is None else int(resume.steps[-1]), options["max_epochs"]))
        return descend(*arguments, **options)

    monkeypatch.setattr(training, "descend", seen)
    assert main(command("killed")) == 0
    assert limits == [(50, 12)], "ten epochs of five batches each are not made again"
    assert main(command("whole")) == 0
    killed, whole = (load_result(RATES, tmp_path / name) for name in ("killed", "whole"))
    assert killed.runs == whole.runs


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "mnist"], "name must be one of 'mnist-1000-mlp-rates'"),
        (["run", TWO, "--minutes", "1"], "allow --minutes 120"),
        (["run", TWO], "say --yes if it is to begin, or --minutes 120"),
        (["run", TWO, "--yes", "--jobs", "3"], "close other programs"),
        (["run", TWO, "--yes", "--out", "{file}"], "{file} is not a folder"),
        (["run", TWO, "--yes", "--results", "{file}"], "--results {file}"),
        (["run", TWO, "--yes", "--device", "abacus"], "use cpu"),
        (["report", "--results", "{file}-nowhere"], "no result is kept there"),
        (["report", TWO, "--results", "{file}-nowhere"], f"run {TWO} makes it"),
    ],
)
def test_what_cannot_be_is_one_sentence_before_anything_begins(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(named, "measured", lambda *_, **__: Budget(6000.0, 5.0, 0.0))
    monkeypatch.setattr(named, "memory_available", lambda: 12.0)
    monkeypatch.setattr(named, "sweep", None)  # whoever begins fails
    file = tmp_path / "file"
    file.touch()
    places = [] if arguments[0] == "report" or "--out" in arguments else ["--out", str(tmp_path)]
    assert main([*(word.format(file=file) for word in arguments), *places]) == 1
    complaint = capsys.readouterr().err
    assert told.format(file=file) in complaint
    assert len(complaint.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_that_lacks_disk_is_not_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "measured", lambda *_, **__: Budget(1.0, 0.0, 1e9))
    monkeypatch.setattr(named, "sweep", None)
    assert main(["run", TWO, "--out", str(tmp_path / "new")]) == 1
    assert "name a folder on another disk" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_an_epoch_that_other_programs_held_up_costs_no_less(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch of 25 seconds on 500 images, the second one held up."""
    now, held_up = [0.0], iter([0, 100, 0, 0, 0, 0, 0])

    def descend(*_: object, max_epochs: int, **__: object) -> None:
        now[0] += 1 + 25 * max_epochs + next(held_up)

    setting = replace(SETTINGS["mnist_mlp"], batch_size=100)
    monkeypatch.setitem(SETTINGS, "mnist_mlp", setting)
    monkeypatch.setattr(training, "descend", descend)
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: now[0]))
    choice = named_runs.choice_of(EXPERIMENTS[RATES].tasks[0])
    assert training.seconds_per_epoch(choice, device="cpu", times=3) == 25 * 100 / 500


class Multiplications(TorchDispatchMode):
    """Counts those of products and convolutions; PyTorch's own counter puts hooks on modules."""

    total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            self.total += count(*args, **(kwargs or {}), out_val=result)
        return result


@pytest.mark.slow
@pytest.mark.parametrize("many", [False, True])
def test_a_flow_takes_about_what_was_said(
    many: bool, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held against each other in multiplications, which no other program takes away."""
    if many:  # a hundred images for sixty thousand
        monkeypatch.setattr(training, "MANY", 500)
        monkeypatch.setattr(implicit, "MANY", 500)
        monkeypatch.setattr(implicit, "_FEW", 100)
        for module in (implicit, budget):
            monkeypatch.setattr(module, "ROWS", 200)
    one = EXPERIMENTS[LONGER]
    task = {**one.tasks[0], "epochs": 100, "log10_losses": [-30.0 if many else -1000.0]}
    task["attacked"] = 0
    one = replace(one, tasks=(task,))
    with Multiplications() as counter:
        run = named_runs.nets_run(
            **task, out=str(tmp_path), root=None, device="cpu", progress=False
        )
        took = counter.total
        monkeypatch.setattr(budget, "time", SimpleNamespace(perf_counter=lambda: counter.total))
        monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: counter.total))
        monkeypatch.setattr(budget, "_STARTED", 1e15)
        kept = named._lengths(rounded(run)) if many else None
        said = measured(one, device="cpu", root=None, kept=kept).seconds
    assert 0.5 < said / took < 2, said / took


@pytest.mark.parametrize(
    ("each", "steps"), [(30.0, [1]), (6.0, [1, 2, 3, 4]), (0.1, [*range(1, 11)])]
)
def test_however_slow_steps_are_it_is_told_after_seconds(
    each: float, steps: list[int], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def flow(*arguments: object, max_steps: int, **options: object) -> MarginRun:
        made.append(max_steps)
        return margin_flow(*arguments, max_steps=max_steps, **options)

    times = (each * (k // 2 + k % 2) for k in count())  # a step is between two looks
    monkeypatch.setattr(budget, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    monkeypatch.setattr(budget, "seconds_per_epoch", lambda *_, **__: 0.0)
    monkeypatch.setattr(budget, "margin_flow", flow)
    one = EXPERIMENTS[LONGER]
    one = replace(one, tasks=tuple({**task, "attacked": 0} for task in one.tasks))
    said = measured(one, device="cpu", root=None, kept=(0, 30)).seconds
    assert made == steps
    assert said == pytest.approx(30 * each, rel=1e-9, abs=0)


def test_a_budget_counts_every_run_and_all_its_epochs(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "seconds_per_epoch", lambda *_, **__: 0.25)
    one = experiment(RATES)
    many = replace(one, tasks=tuple({**one.tasks[0], "seed": seed} for seed in range(4)))
    found = measured(many, device="cpu", root=None, kept=None)
    assert found.seconds == 4 * 12 * 0.25
    longer = replace(one, tasks=tuple({**task, "epochs": 24} for task in many.tasks))
    twice = measured(longer, device="cpu", root=None, kept=None)
    assert twice.seconds == 2 * found.seconds
    assert twice.disk == pytest.approx(2 * found.disk, abs=0)
    assert [in_words(t) for t in (1, 60, 90, 7200)] == [
        "1 second",
        "1 minute",
        "1.5 minutes",
        "2 hours",
    ]


def test_other_seeds_are_runs_of_their_own() -> None:
    many = experiment(TWO).with_seeds([5, 7])
    assert len(many.tasks) == 9 * 2
    assert {task["seed"] for task in many.tasks} == {5, 7}


def test_a_result_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    run = {"seed": 0, "curve": np.array([1 / 3, np.nan, -np.inf]), "ended": "early"}
    result = Result("x", {"date": "today"}, (run,), {"a": {"b": np.float64(2.0)}})
    path = write_result(result, tmp_path)
    found = load_result("x", tmp_path)
    np.testing.assert_array_equal(found.column("curve", seed=0), [0.333333, np.nan, np.nan])
    assert found.run(seed=0)["ended"] == "early"
    assert found.first == {"a": {"b": 2.0}}
    assert json.loads(path.read_text())["about"] == {"date": "today"}
    with pytest.raises(ValueError, match="single out one"):
        found.run(seed=1)
    with pytest.raises(ValueError, match="'curve', 'ended', 'seed'"):
        found.column("loss", seed=0)
    path.write_text('{"about": 3}')
    with pytest.raises(OSError, match="holds no result"):
        load_result("x", tmp_path)


def test_every_result_is_that_of_an_experiment_and_small() -> None:
    assert TWO in KEPT
    assert set(KEPT) <= set(EXPERIMENTS)
    for name in KEPT:
        kept = load_result(name)
        assert kept.runs
        assert kept.first
        assert {"command", "commit", "date", "machine", "versions"} <= set(kept.about)
        assert (folder_of_results() / f"{name}.json").stat().st_size < 100_000


LATER = ("samples", "epochs", "log10_losses", "attacked", "dtype")


def alike(names: list[str]) -> list[Any]:
    """Put together experiments whose first steps, on a few images, are the same: once is enough."""
    groups: dict[object, list[str]] = {}
    for name in names:
        one = EXPERIMENTS[name]
        starts = [
            sorted((k, v) for k, v in task.items() if one.kind == "two_layer" or k not in LATER)
            for task in one.tasks
        ]
        groups.setdefault(repr(starts), []).append(name)
    large = pytest.mark.slow
    return [
        pytest.param(group, id="+".join(group), marks=[large] if "-cnn-margin" in group[0] else [])
        for group in groups.values()
    ]


@pytest.mark.parametrize("names", alike(KEPT))
def test_the_first_steps_lead_where_they_led(names: list[str]) -> None:
    one = EXPERIMENTS[names[0]]
    by_label = {named.label_of(task): task for task in one.tasks}
    X, y = first_images(named.data_of(one.tasks[0]))
    kept = {name: load_result(name) for name in names}
    labels = {label for result in kept.values() for label in result.first}
    again = {label: first_steps(one.kind, by_label[label], X, y) for label in labels}
    for name, result in kept.items():
        assert result.first.keys() == labels
        for label, columns in result.first.items():
            assert again[label].keys() == columns.keys()
            for column, values in columns.items():
                np.testing.assert_allclose(
                    again[label][column],
                    np.array(values, dtype=float),
                    rtol=2e-5,
                    atol=1e-12,
                    err_msg=f"{name}, {label}, {column}: make it anew by {result.about['command']}",
                )


FLOWS = [one for one in KEPT if any(t.get("schedule") == "flow" for t in EXPERIMENTS[one].tasks)]


@pytest.mark.parametrize("names", alike(FLOWS))
def test_rounding_at_the_start_does_not_grow(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where minibatches with a long step amplify it, another processor leads elsewhere.
    name = names[0]  # the others' first steps are the same
    exact, one = Choice.new_net, EXPERIMENTS[name]

    def nearly(self: Choice, **options: Any) -> nn.Module:
        net = exact(self, **options)
        with torch.no_grad():
            for p in net.parameters():
                p.mul_(1 + 10 * torch.finfo(p.dtype).eps)
        return net

    monkeypatch.setattr(Choice, "new_net", nearly)
    X, y = first_images(named.data_of(one.tasks[0]))
    for label, columns in load_result(name).first.items():
        task = next(task for task in one.tasks if named.label_of(task) == label)
        found = first_steps(one.kind, task, X, y)
        loss = np.array(columns["log10_loss"], dtype=float)
        tolerance = 1e-5 if task["dtype"] == "float64" else 1e-2
        np.testing.assert_allclose(found["log10_loss"], loss, atol=tolerance, err_msg=label)
