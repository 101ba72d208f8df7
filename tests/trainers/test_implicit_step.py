"""One implicit step against its definition, by either way of solving it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ibtools.models.nets import MLP
from ibtools.trainers.margins.implicit_step import Nearby, few_margins_step, many_margins_step
from ibtools.trainers.margins.problem import Linearization, Problem

LOSSES = ["exponential", "logistic", "cross_entropy"]


def problem_of(loss: str, *, scale: float = 1.0, seed: int = 0) -> Problem:
    random = np.random.default_rng(seed)
    outputs = 3 if loss == "cross_entropy" else 1
    net = MLP([3, 4, outputs], "squared_relu", scale=scale, seed=seed)
    X = random.normal(size=(6, 3))
    y = np.array([0, 1, 2, 2, 1, 0]) if outputs > 1 else random.choice([-1.0, 1.0], size=6)
    return Problem(net, X, y, loss)


def everything(problem: Problem) -> torch.Tensor:
    return torch.arange(problem.evaluate().margins.numel())


def jacobian(problem: Problem) -> np.ndarray:
    columns = Linearization(problem).along
    identity = torch.eye(problem.flat.numel(), dtype=torch.float64)
    return np.stack([columns(e).reshape(-1).numpy() for e in identity], axis=1)


def solved_plainly(problem: Problem, h: float, *, relative: bool) -> np.ndarray:
    """Minimize log 𝓛(s + Jd) + ‖d‖²/2h, or with 𝓛 over its value at 0, by BFGS over all d."""
    state, J = problem.evaluate(), jacobian(problem)

    def objective(d: np.ndarray) -> tuple[float, np.ndarray]:
        margins = state.margins + torch.tensor(J @ d).view_as(state.margins)
        at = problem._state(margins)
        pull = at.weights.reshape(-1).numpy() @ J
        value = at.log_loss
        if relative:
            value = np.exp(at.log_loss - state.log_loss)
            pull = value * pull
        return value + d @ d / (2 * h), d / h - pull

    found = minimize(
        objective,
        np.zeros(J.shape[1]),
        jac=True,
        method="BFGS",
        options={"gtol": 1e-10, "maxiter": 2000},
    )
    return found.x


@pytest.mark.parametrize("h", [1e-3, 0.3, 5.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_few_margins_make_the_least_of_the_definition(loss: str, h: float) -> None:
    problem = problem_of(loss, scale=0.5)
    every, width = everything(problem), problem.evaluate().margins.shape[1]
    tangents = problem.tangents(every // width, every % width)
    nearby = Nearby(problem.evaluate().margins, every, loss)
    c = few_margins_step(nearby, tangents.gram().numpy(), h)
    d = tangents.combination(torch.tensor(c)).numpy()
    expected = solved_plainly(problem, h, relative=False)
    np.testing.assert_allclose(d, expected, rtol=0, atol=1e-6 * np.linalg.norm(expected))
    # c = hv at the step's end.
    v = nearby(nearby.s + tangents.gram() @ torch.tensor(c)).weights.numpy()
    np.testing.assert_allclose(c, h * v, rtol=0, atol=2e-6 * np.abs(c).max())


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("h", [1e-3, 0.3, 5.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_many_margins_make_the_least_of_the_definition(loss: str, h: float, relative: bool) -> None:
    problem = problem_of(loss, scale=0.5)
    nearby = Nearby(problem.evaluate().margins, everything(problem), loss, relative=relative)
    d = many_margins_step(nearby, Linearization(problem), h, tolerance=1e-9).numpy()
    expected = solved_plainly(problem, h, relative=relative)
    np.testing.assert_allclose(d, expected, rtol=0, atol=1e-6 * np.linalg.norm(expected))


@pytest.mark.parametrize("tolerance", [0.1, 1e-3, 1e-6])
def test_the_tolerance_is_that_of_the_gradient(tolerance: float) -> None:
    problem = problem_of("cross_entropy", scale=0.5)
    margins, J = problem.evaluate().margins, jacobian(problem)
    nearby = Nearby(margins, everything(problem), "cross_entropy", relative=True)
    d = many_margins_step(nearby, Linearization(problem), 2.0, tolerance=tolerance).numpy()
    first = np.linalg.norm(nearby(nearby.s).weights.numpy() @ J)
    left = d / 2.0 - nearby(nearby.s + torch.tensor(J @ d)).weights.numpy() @ J
    assert np.linalg.norm(left) <= tolerance * first


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.5, 2.0, 30.0]),
    chosen=st.sets(st.integers(0, 5), min_size=1),
    loss=st.sampled_from(LOSSES),
)
def test_some_margins_vary_and_the_others_stay(
    seed: int, scale: float, chosen: set[int], loss: str
) -> None:
    problem = problem_of(loss, scale=scale, seed=seed)
    margins = problem.evaluate().margins
    which = torch.tensor(sorted(chosen))
    nearby = Nearby(margins, which, loss)
    torch.testing.assert_close(nearby.s, margins.reshape(-1)[which], rtol=0, atol=0)
    source = torch.Generator().manual_seed(seed)
    s = nearby.s + torch.randn(len(which), generator=source, dtype=torch.float64)
    moved = margins.clone()
    moved.view(-1)[which] = s
    before, after = problem._state(margins), problem._state(moved)
    point, start = nearby(s), nearby(nearby.s)
    size = max(1.0, abs(before.log_loss), float(margins.abs().max()))
    assert point.value - start.value == pytest.approx(
        after.log_loss - before.log_loss, abs=1e-13 * size
    )
    torch.testing.assert_close(
        point.weights, after.weights.reshape(-1)[which], rtol=1e-9, atol=1e-12 * size
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_second_derivatives_of_the_relative_loss(loss: str) -> None:
    problem = problem_of(loss, scale=0.5)
    nearby = Nearby(problem.evaluate().margins, everything(problem), loss, relative=True)
    u = torch.randn(len(nearby.s), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    s = nearby.s + 0.3
    step = 1e-5
    expected = (nearby(s - step * u).weights - nearby(s + step * u).weights) / (2 * step)
    torch.testing.assert_close(nearby(s).curved(u), expected, rtol=1e-7, atol=1e-9)
    assert nearby(nearby.s).value == pytest.approx(1.0, rel=1e-14, abs=0)


def test_second_derivatives_of_the_log_of_the_exponential_loss() -> None:
    problem = problem_of("exponential", scale=0.5)
    nearby = Nearby(problem.evaluate().margins, everything(problem), "exponential")
    u = torch.randn(len(nearby.s), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    step = 1e-5
    expected = (nearby(nearby.s - step * u).weights - nearby(nearby.s + step * u).weights) / (
        2 * step
    )
    torch.testing.assert_close(nearby(nearby.s).curved(u), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("loss", ["logistic", "cross_entropy"])
def test_what_stands_for_second_derivatives_of_the_log_is_above_them(loss: str) -> None:
    problem = problem_of(loss, scale=0.5)
    nearby = Nearby(problem.evaluate().margins, everything(problem), loss)
    step, m = 1e-5, len(nearby.s)
    identity = torch.eye(m, dtype=torch.float64)
    true = torch.stack([
        (nearby(nearby.s - step * e).weights - nearby(nearby.s + step * e).weights) / (2 * step)
        for e in identity
    ])  # fmt: skip
    used = torch.stack([nearby(nearby.s).curved(e) for e in identity])
    assert float(torch.linalg.eigvalsh(used - (true + true.T) / 2).min()) > -1e-9
    assert float(torch.linalg.eigvalsh((used + used.T) / 2).min()) > -1e-15


def test_margins_far_away_lose_no_digit() -> None:
    margins = torch.tensor([[1e9], [1e9 + 1.0], [1e9 + 2.0]], dtype=torch.float64)
    nearby = Nearby(margins, torch.arange(3), "logistic")
    weights = nearby(nearby.s).weights
    np.testing.assert_allclose(
        weights, np.exp([0.0, -1, -2]) / np.exp([0.0, -1, -2]).sum(), rtol=1e-14
    )
    change = nearby(nearby.s + 1.0).value - nearby(nearby.s).value
    assert change == pytest.approx(-1.0, abs=1e-14)
