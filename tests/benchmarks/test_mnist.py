"""Whoever races to a margin on MNIST has the same net, start and images, and margin."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import mnist
from benchmarks.competitors import mnist as competitors
from benchmarks.competitors.mnist import (
    BATCH,
    Digits,
    Flow,
    Schedule,
    TorchSchedule,
    methods,
)
from benchmarks.mnist import lines, race, rows_of
from ibtools.experiments.first_images import first_images
from ibtools.metrics import normalized_margin


@pytest.fixture(scope="module")
def problem() -> Digits:
    """Return 40 images of MNIST, which are kept for tests: no file is needed, nor a network."""
    X, y = first_images("mnist")
    few = Digits(samples=40)
    rows = torch.tensor(np.asarray(X[:40], dtype=np.float64).reshape(40, -1))
    few.__dict__["data"] = (rows, torch.tensor(y[:40]))
    return few


def test_the_start_is_where_margins_begin_to_mean_something(problem: Digits) -> None:
    X, y = problem.data
    outputs = (X @ problem.start[0].T).relu() ** 2 @ problem.start[1].T
    assert torch.nn.functional.cross_entropy(outputs, y, reduction="sum") < np.log(2)
    right = outputs[torch.arange(40), y]
    others = outputs.clone()
    others[torch.arange(40), y] = -np.inf
    q = float((right - others.max(1).values).min())
    norm = float(np.sqrt(sum(float((w**2).sum()) for w in problem.start)))
    expected = float(normalized_margin(q, norm, 3))
    assert expected > 0
    assert problem.margin(problem.start) == pytest.approx(expected, rel=1e-12, abs=0)


def test_all_are_off_from_the_same_start_and_leave_it_alone(
    problem: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(competitors, "_epochs_in_a_piece", lambda _: 10)
    start = [w.clone() for w in problem.start]
    for method in methods():
        weights = [w.detach() for w in next(method.prepare(problem))]
        assert all(w.shape == b.shape for w, b in zip(weights, start, strict=True))
        moved = max(float((w.double() - b).norm()) for w, b in zip(weights, start, strict=True))
        assert moved > 0, method.name
        assert np.isfinite(problem.margin(weights)), method.name
    assert all((w == b).all() for w, b in zip(problem.start, start, strict=True))


def test_flow_raises_the_margin_that_is_looked_at(problem: Digits) -> None:
    run = Flow().prepare(problem)
    margins = [problem.margin(problem.start), *(problem.margin(next(run)) for _ in range(3))]
    assert np.all(np.diff(margins) > 0)


def test_the_schedule_in_plain_torch_is_the_one_of_descend(
    problem: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problem.samples < BATCH  # one batch: its order is the same for both
    monkeypatch.setattr(competitors, "_epochs_in_a_piece", lambda _: 30)
    ours, theirs = Schedule().prepare(problem), TorchSchedule().prepare(problem)
    next(theirs)
    here, there = problem.margin(next(ours)), problem.margin(next(theirs))
    assert here > 1.5 * problem.margin(problem.start)
    assert here == pytest.approx(there, rel=1e-3, abs=0)


@dataclass(frozen=True)
class Climber:
    """Adds `slope` to its margin whenever it is asked, up to `most`."""

    name: str
    slope: float
    most: float = np.inf
    setting: str = ""

    def prepare(self, problem: Any) -> Iterator[float]:
        margin = 0.0
        while margin < self.most:
            margin += self.slope
            yield margin


class Hill(Digits):
    """Weights are their own margin."""

    def margin(self, weights: Any) -> float:
        return float(weights)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[mnist.GoalRow]:
    seconds = iter(range(10_000))
    monkeypatch.setattr(mnist, "cpu", lambda: next(seconds))
    contenders = [
        Climber("first", 2.0),
        Climber("tired", 10.0, most=30.0),
        Climber("slow", 0.5, setting="rate 1"),
        Climber("slow", 1.0, setting="rate 2"),
    ]
    # A second passes at each look: everyone is asked 100 times, or until it ends.
    problem = Hill()
    return rows_of(problem, race(problem, contenders, budget=100.0), budget=100.0)


def test_a_row_says_when_a_margin_was_reached_or_that_it_was_not(rows: list[mnist.GoalRow]) -> None:
    goals = {row.problem.partition(", to ")[2]: row.goal for row in rows}
    assert goals == {
        "the best of anyone in the first 4 s": 30.0,
        "the best of tired": 30.0,
        "the best of slow": 100.0,
    }
    last = rows[-3:]
    assert [row.name for row in last] == ["first", "tired", "slow"]
    assert [row.finished for row in last] == [True, False, True]
    assert [row.seconds for row in last] == [50.0, 3.0, 100.0]
    assert [row.ratio for row in last] == [1.0, 3 / 50, 2.0]
    assert last[1].margin == 30.0
    assert last[2].note == "rate 2, best of 2 rates"
    json.dumps([asdict(row) for row in rows])


def test_the_table_shows_who_is_ahead_and_who_did_not_get_there(rows: list[mnist.GoalRow]) -> None:
    table = lines(rows)
    assert table[0].endswith("in the first 4 s: 30")
    assert "0.200" in next(line for line in table if "tired" in line and "NOT" not in line)
    assert "NOT REACHED" in next(line for line in table if ">3" in line.replace(" ", ""))


def test_without_the_images_the_section_says_so(
    tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(**_: object) -> None:
        raise mnist.DataError("the files are not there\nget them")

    monkeypatch.setattr("ibtools.data.mnist", nothing)
    assert mnist.main(["--root", str(tmp_path), "--budget", "1"]) == 0
    assert "not run: the files are not there\n" in capsys.readouterr().out


def test_one_may_choose_whom_to_run_against(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter(range(10_000))
    monkeypatch.setattr(mnist, "cpu", lambda: next(seconds))
    monkeypatch.setattr(mnist, "Digits", lambda *_: Hill())
    everyone = [Climber("first", 2.0), Climber("slow", 0.5), Climber("other", 1.0)]
    monkeypatch.setattr(mnist, "methods", lambda: everyone)
    assert mnist.main(["--budget", "9", "--against", "slow"]) == 0
    told = capsys.readouterr().out
    assert "to the best of slow" in told
    assert "best of other" not in told
    with pytest.raises(SystemExit):
        mnist.main(["--against", "nobody"])
    assert "'slow', 'other'" in capsys.readouterr().err
