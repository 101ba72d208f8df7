"""Margins that are the least of several linear functions."""

import numpy as np
import pytest
import torch

from ibtools.data import xor
from ibtools.models import MLP
from ibtools.trainers import TrainingWarning, margin_flow
from ibtools.trainers.margins import implicit
from ibtools.trainers.margins.cuts import Cuts
from ibtools.trainers.margins.problem import Problem, Tangents
from ibtools.trainers.margins.reduced_step import ReducedSteps


def some() -> Cuts:
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], dtype=torch.float64)
    owners, values = torch.tensor([3, 1, 3]), torch.tensor([0.5, 2.0, 0.4], dtype=torch.float64)
    return Cuts(owners, values, Tangents([("full", rows, None)]))


@pytest.mark.parametrize("sharpness", [1.0, 8.0, 1e4])
def test_a_cut_margin_is_the_least_of_its_functions_but_for_log_k_over_p(sharpness: float) -> None:
    cuts = some()
    margins = torch.tensor([1.0, 1.9, 3.0, 0.45], dtype=torch.float64)
    moved = cuts.along(torch.tensor([0.1, -0.2], dtype=torch.float64))
    np.testing.assert_allclose(moved, [0.1, -0.4, -0.1], rtol=1e-15)
    least, shares, parts = cuts.least(margins, moved, sharpness)
    expected = np.array([1.0, min(1.9, 1.6), 3.0, min(0.45, 0.6, 0.3)])
    assert np.all(least.numpy() <= expected + 1e-15)
    assert np.all(least.numpy() >= expected - np.log([1, 2, 1, 3]) / sharpness - 1e-15)
    np.testing.assert_allclose(shares + torch.zeros(4).double().index_add(0, cuts.owners, parts), 1)
    assert shares[0] == shares[2] == 1


def test_shares_are_the_derivatives_of_the_least() -> None:
    cuts = some()
    margins = torch.tensor([1.0, 1.9, 3.0, 0.45], dtype=torch.float64, requires_grad=True)
    moved = torch.tensor([0.1, -0.4, -0.1], dtype=torch.float64, requires_grad=True)
    least, shares, parts = cuts.least(margins, moved, 8.0)
    by_margins, by_cuts = torch.autograd.grad(least.sum(), [margins, moved])
    torch.testing.assert_close(by_margins, shares.detach(), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(by_cuts, parts.detach(), rtol=1e-12, atol=1e-15)


def test_where_no_step_is_accepted_one_with_cuts_is(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = xor()
    with monkeypatch.context() as patch:
        patch.setattr(implicit, "_CUTS", 0)
        with pytest.warns(TrainingWarning, match="no step is accepted"):
            stuck = margin_flow(MLP([2, 8, 1], "relu", seed=1), X, y, until_log10_loss=-1000)
    problem = Problem(stuck.net, X, y, "exponential")
    state, start = problem.evaluate(), problem.flat.clone()
    gradient, rho = -problem.pulled(state.weights), float(start.norm())
    steps = ReducedSteps(problem, state, gradient=gradient, rows=4, longest=np.inf, tolerance=1e-3)
    h, margins = 0.01 * rho / float(gradient.norm()), []
    for _ in range(6):
        d = steps(h)
        assert d is not None
        there = problem.evaluate(start + d)
        margins.append(-there.log_loss / float(problem.flat.norm()) ** 2)
        problem.flat.copy_(start)
        if not steps.cut(d, there):
            break
    before = -state.log_loss / rho**2
    assert margins[0] < before, "one linearization promises what is not there"
    assert max(margins) > before
