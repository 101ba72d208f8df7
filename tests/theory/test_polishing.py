"""KKT points without training: known optima, other solvers, and the reference to 12 digits."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from ibtools.data import digits, three_points
from ibtools.models import MLP, DeepLinear, DiagonalClassifier
from ibtools.theory.interpolation import AccuracyWarning
from ibtools.theory.max_margin import MaxMargin, max_margin
from ibtools.theory.polishing import kkt_point
from ibtools.trainers import margin_flow


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_deep_linear_nets_on_three_points(depth: int) -> None:
    X, y = three_points()
    start = margin_flow(DeepLinear(d=2, depth=depth, width=3, seed=0), X, y, until_log10_loss=-3)
    found = kkt_point(start.net, X, y)
    gamma = 7 / 13**0.5
    assert found.converged
    assert abs(found.complementarity) < 1e-11
    assert found.margin == pytest.approx(gamma * depth ** (-depth / 2), rel=1e-11, abs=0)
    assert list(found.support) == [0, 1]
    net = start.net
    with torch.no_grad():
        at = 0
        for p in net.parameters():
            p.copy_(torch.tensor(found.parameters[at : at + p.numel()]).view_as(p))
            at += p.numel()
    # At q_min = 1 the predictor of any depth is the normal solution.
    np.testing.assert_allclose(net.predictor, [3 / 7, 2 / 7], rtol=1e-9)
    if depth == 1:
        np.testing.assert_allclose(found.multipliers, max_margin(X, y).multipliers, rtol=1e-12)
        assert found.iterations <= 2


def test_the_conditions_hold_by_difference_quotients() -> None:
    X, y = digits(classes=(3, 8), per_class=10, seed=0)
    start = margin_flow(MLP([64, 4, 1], "squared_relu", seed=0), X, y, until_log10_loss=-30).net
    found = kkt_point(start, X, y)

    def margins(theta: np.ndarray) -> np.ndarray:
        W, a = theta[:256].reshape(4, 64), theta[256:]
        return y * (np.maximum(X @ W.T, 0) ** 2 @ a)

    theta, h = found.parameters, 1e-6
    q = margins(theta)
    assert q.min() == pytest.approx(1, abs=1e-12)
    assert np.all(found.multipliers >= 0)
    J = np.array([margins(theta + h * e) - margins(theta - h * e) for e in np.eye(260)]) / (2 * h)
    np.testing.assert_allclose(J @ found.multipliers, theta, atol=1e-8)
    assert np.abs(found.multipliers * (q - 1)).max() < 1e-11
    assert found.relative_stationarity < 1e-11


def test_several_classes_against_a_general_optimizer() -> None:
    random = np.random.default_rng(0)
    centres = 4 * np.array([[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]])
    y = np.repeat(np.arange(3), 5)
    X = centres[y] + random.normal(size=(15, 2))
    net = DeepLinear(d=2, depth=1, outputs=3, seed=0)
    net.layers[0].weight.data.copy_(torch.tensor(centres))
    found = kkt_point(net, X, y)
    wrong = np.array([[j for j in range(3) if j != label] for label in y])

    def slack(w: np.ndarray) -> np.ndarray:
        outputs = X @ w.reshape(3, 2).T
        return (np.take_along_axis(outputs, y[:, None], 1) - np.take_along_axis(outputs, wrong, 1)
                ).ravel() - 1  # fmt: skip

    other = minimize(
        lambda w: 0.5 * w @ w, centres.ravel(), jac=lambda w: w,
        constraints={"type": "ineq", "fun": slack}, method="SLSQP", options={"ftol": 1e-14},
    )  # fmt: skip
    np.testing.assert_allclose(found.parameters, other.x, atol=1e-6)
    assert found.margin == pytest.approx(1 / np.linalg.norm(other.x), rel=1e-8, abs=0)
    assert found.multipliers.shape == (15, 3)
    assert np.all(found.multipliers[np.arange(15), y] == 0)
    np.testing.assert_array_equal(found.support, np.flatnonzero(found.multipliers.any(axis=1)))
    signs = np.zeros((15, 3))
    signs[np.arange(15), y] = found.multipliers.sum(1)
    np.testing.assert_allclose((signs - found.multipliers).T @ X, other.x.reshape(3, 2), atol=1e-6)


@pytest.mark.slow
def test_reference_5_to_its_last_digit() -> None:
    X, y = digits(classes=(3, 8))
    net = MLP([64, 20, 1], "squared_relu", scale=0.3, seed=0)
    run = margin_flow(net, X, y, until_log10_loss=-100)
    found = kkt_point(run.net, X, y)
    assert found.margin == pytest.approx(0.184906963876, abs=6e-13)
    assert len(found.support) == 30


def test_other_starts_lead_to_other_points() -> None:
    # u² − v² keeps a coordinate at 0 that is 0: the margins are those of the ℓ₁ problem with the
    # coordinates that are left, here 1.5 with the first two and 1 with the first alone.
    X, y = [[2.0, 1.0, 0.2], [1.0, 2.0, 0.2]], [1, 1]
    off = [0.0, 0.0, 0.0]
    both = kkt_point(DiagonalClassifier([1.0, 0.9, 0.5], off), X, y)
    alone = kkt_point(DiagonalClassifier([1.0, 0.0, 0.0], off), X, y)
    for found, margin in ((both, 1.5), (alone, 1.0)):
        assert found.converged
        assert found.margin == pytest.approx(margin, rel=1e-11, abs=0)
    np.testing.assert_allclose(both.direction, [0.5**0.5, 0.5**0.5, 0, 0, 0, 0], atol=1e-11)


def test_only_the_smallest_margins_need_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = [[3.0, -1.0], [2.4, 2.0], [1.0, 2.0]], np.ones(3)
    net = DeepLinear(d=2, depth=1, seed=0)
    net.layers[0].weight.data.copy_(torch.tensor([[3.0, 2.2]]))
    rows = []

    def recorded(features: np.ndarray, labels: np.ndarray) -> MaxMargin:
        rows.append(len(features))
        return max_margin(features, labels)

    monkeypatch.setattr("ibtools.theory.polishing.max_margin", recorded)
    # For two gradients of two numbers: the support vectors are two of the three samples.
    for largest, most in ((4, 2), (5, 2), (6, 3)):
        monkeypatch.setattr("ibtools.theory.polishing._LARGEST", largest)
        found = kkt_point(net, X, y)
        assert found.margin == pytest.approx(7 / 13**0.5, rel=1e-12, abs=0)
        np.testing.assert_allclose(found.multipliers, np.array([4, 0, 9]) / 49, atol=1e-12)
        assert rows[0] == most
        assert len(rows) == found.iterations
        rows.clear()
    # One sample of the three does not do, and is all that is asked.
    monkeypatch.setattr("ibtools.theory.polishing._LARGEST", 1)
    with pytest.warns(AccuracyWarning):
        assert not kkt_point(net, X, y).converged
    assert rows[0] == 1


def test_many_samples_are_taken_part_by_part() -> None:
    # More than two parts of 1024 at a time, and of 256 where gradients are asked for.
    X = [1.0, 0.5] + 0.1 * np.random.default_rng(0).uniform(-1, 1, size=(2050, 2))
    net = DeepLinear(d=2, depth=1, seed=0)
    net.layers[0].weight.data.copy_(torch.tensor([[1.0, 0.4]]))
    found, best = kkt_point(net, X, np.ones(2050)), max_margin(X, np.ones(2050))
    assert found.margin == pytest.approx(best.margin, rel=1e-11, abs=0)
    np.testing.assert_allclose(found.multipliers, best.multipliers, atol=1e-10)


def test_too_few_iterations_are_told() -> None:
    X, y = digits(classes=(3, 8), per_class=10, seed=0)
    start = margin_flow(MLP([64, 4, 1], "squared_relu", seed=0), X, y, until_log10_loss=-1).net
    told = "the KKT residual is .* max_iterations=2 is reached"
    with pytest.warns(AccuracyWarning, match=told):
        found = kkt_point(start, X, y, max_iterations=2)
    assert not found.converged
    # A residual of ten times the tolerance is allowed, and no more.
    options = {"max_iterations": 2, "tolerance": found.relative_stationarity / 9.5}
    assert kkt_point(start, X, y, **options).converged
    options["tolerance"] = found.relative_stationarity / 10.5
    with pytest.warns(AccuracyWarning, match=told):
        assert not kkt_point(start, X, y, **options).converged
    assert found.iterations == 2
    assert found.margin > 0


def test_what_stops_an_iteration_before_its_limit_is_told() -> None:
    X, y = digits(classes=(3, 8), per_class=10, seed=0)
    start = margin_flow(MLP([64, 4, 1], "relu", seed=1), X, y, until_log10_loss=-3).net
    with pytest.warns(AccuracyWarning, match="no step of any length leads nearer.* on a kink"):
        found = kkt_point(start, X, y)
    assert found.iterations < 200
    assert not found.converged


@pytest.mark.usefixtures("as_a_user")
def test_unusable_arguments_are_refused() -> None:
    X, y = three_points()
    net = DeepLinear(d=2, depth=1, seed=0)
    net.layers[0].weight.data.copy_(torch.tensor([[3.0, 2.0]]))
    assert kkt_point(net, X, y).converged
    with pytest.raises(ValueError, match=r"positive margin.* margin of -5.55 at norm 1"):
        kkt_point(net, X, -y)
    net.layers[0].weight.data.copy_(torch.tensor([[1.0, 3.0]]))
    with pytest.raises(ValueError, match=r"positive margin.*got a smallest margin of 0 at norm 1"):
        kkt_point(net, X, y)
    net.layers[0].weight.data.copy_(torch.tensor([[3.0, 2.0]]))
    with pytest.raises(ValueError, match="tolerance must be greater than 0"):
        kkt_point(net, X, y, tolerance=0.0)
    with pytest.raises(ValueError, match="y must be ±1"):
        kkt_point(net, X, [0, 1, 1])
    with pytest.raises(ValueError, match="y must have one label for each of 3 samples"):
        kkt_point(net, X, [1, 1])
    with pytest.raises(ValueError, match="X must be finite"):
        kkt_point(net, [[np.nan, 1.0]], [1])
    net.layers[0].weight.data.zero_()
    with pytest.raises(ValueError, match="net must not be zero"):
        kkt_point(net, X, y)
