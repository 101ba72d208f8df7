"""Whoever races to a margin is after the same one, on the same networks."""

import json

import numpy as np
import pytest
import torch

from benchmarks.clock import Allowance
from benchmarks.competitors.margins import (
    LinearProblem,
    MarginCompetitor,
    MarginProblem,
    NetProblem,
    Outcome,
    Run,
    TorchSchedule,
    _look,
    contenders,
)
from benchmarks.margins import compare, lines
from ibtools.metrics import normalized_margin
from ibtools.theory.max_margin import max_margin
from ibtools.trainers import descend

EASY = [LinearProblem(0.2), NetProblem(-0.5)]


def test_the_best_margin_is_the_solvers() -> None:
    problem = LinearProblem(1e-2)
    assert problem.best == pytest.approx(max_margin(*problem.data).margin, abs=1e-12)
    assert problem.done(0.99 * problem.best, 0.0)
    assert not problem.done(0.9899 * problem.best, -1e9)


@pytest.mark.parametrize(
    ("problem", "competitor"),
    [
        pytest.param(p, c, id=f"{'linear' if p.order == 1 else 'net'}-{c.name}")
        for p in EASY
        for c in contenders(p)
        if "SGD" not in c.name or p.order > 1
    ],
)
def test_everyone_gets_there(problem: MarginProblem, competitor: MarginCompetitor) -> None:
    outcome = competitor.prepare(problem)(Allowance(60))
    assert outcome.finished, outcome.note
    if isinstance(problem, LinearProblem):
        assert 0.8 * problem.best <= outcome.margin <= problem.best * (1 + 1e-12)
    else:
        assert outcome.log10_loss <= -0.5
        assert 0 < outcome.margin < 0.19


@pytest.mark.parametrize("problem", EASY)
def test_the_networks_written_by_hand_are_ours(problem: MarginProblem) -> None:
    X, y = problem.data
    net = problem.net
    weights = [p.detach() for p in net.parameters()]
    log_loss, margin = _look(torch.tensor(X), torch.tensor(y), weights, problem.order)
    q = y * net(torch.tensor(X)).detach().numpy()
    norm = np.sqrt(sum(float(p.square().sum()) for p in weights))
    assert log_loss == pytest.approx(np.log(np.exp(-q).sum()), rel=1e-12, abs=0)
    assert margin == pytest.approx(
        float(normalized_margin(q.min(), norm, net.order)), rel=1e-12, abs=0
    )


def test_the_schedule_in_plain_torch_is_the_one_of_descend() -> None:
    class Epochs(Allowance):
        """Allows 30 epochs."""

        def __init__(self) -> None:
            self.asked = 0

        @property
        def spent(self) -> bool:
            self.asked += 1
            return self.asked > 30

    problem = NetProblem()
    theirs = TorchSchedule().prepare(problem)(Epochs())
    with pytest.warns(UserWarning, match="max_epochs=30"):
        ours = descend(problem.net, *problem.data, schedule="loss_based", max_epochs=30)
    assert theirs.log10_loss == pytest.approx(-ours.log10_inverse_loss[-1], rel=1e-9, abs=0)
    assert theirs.margin == pytest.approx(ours.normalized_margin[-1], rel=1e-9, abs=0)
    assert f"{ours.steps[-1]} accepted" in theirs.note


@pytest.mark.parametrize("problem", [LinearProblem(1e-9), NetProblem(-1e5)])
def test_without_time_it_says_that_it_did_not_get_there(problem: MarginProblem) -> None:
    for competitor in contenders(problem):
        if "torch" in competitor.name:
            outcome = competitor.prepare(problem)(Allowance(-1.0))
            assert not outcome.finished, competitor.name


class Missing:
    name = "missing"

    def prepare(self, problem: MarginProblem) -> Run:
        raise ImportError("No module named 'nothing'", name="nothing")


class Slow:
    name = "slow"

    def prepare(self, problem: MarginProblem) -> Run:
        return lambda _: Outcome(0.1, -1.5, finished=False, note="tired")


def test_the_table_says_what_did_not_run_and_what_did_not_finish() -> None:
    problem = EASY[0]
    first = contenders(problem)[0]
    rows = compare(problem, [first, Missing(), Slow()], cap=1.0, repetitions=2)
    assert rows[0].ratio == 1.0
    assert rows[0].repetitions == rows[2].repetitions == 2
    table = lines(problem, rows)
    assert "nothing is not installed" in table[-2]
    assert "NOT REACHED, tired" in table[-1]
    assert ">" in table[-1]
    assert "5.2e-01" in table[-1]  # the gap of a margin of .1
    json.dumps([vars(row) for row in rows])


def test_a_step_far_too_long_is_seen_and_not_an_error() -> None:
    X, y = torch.ones(2, 2), torch.tensor([1.0, -1.0])
    far = [torch.full((3, 2), 1e150, dtype=torch.float64), torch.ones(1, 3, dtype=torch.float64)]
    log_loss, margin = _look(X.double(), y.double(), far, 3)
    assert log_loss > 1e100
    assert margin < 0
