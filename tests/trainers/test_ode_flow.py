"""The flow as a differential equation: closed forms, clocks, and the other trainer's path."""

import numpy as np
import pytest
import torch

from ibtools.data import three_points
from ibtools.models import MLP, DeepLinear
from ibtools.trainers import exact_flow, margin_flow

pytestmark = pytest.mark.usefixtures("as_a_user")


def _line(weights: list[float]) -> DeepLinear:
    net = DeepLinear(d=len(weights), depth=1, seed=0)
    with torch.no_grad():
        net.layers[0].weight.copy_(torch.tensor([weights], dtype=torch.float64))
    return net


def test_one_sample_has_a_closed_form() -> None:
    # w moves along z; 1/𝓛 grows by ‖z‖² a unit of time; the part across z stays.
    flow = exact_flow(_line([0.5, 0.2]), [[3.0, 0.0]], [1.0], until_log_loss=-8.0, tolerance=1e-10)
    t = np.exp(flow.log_time)
    assert t[0] == 0
    np.testing.assert_allclose(np.exp(-flow.log_loss), np.exp(1.5) + 9 * t, rtol=1e-7)
    np.testing.assert_allclose(flow.states[:, 1], 0.2, rtol=1e-12)
    np.testing.assert_allclose(flow.minimum_margin, 3 * flow.states[:, 0], rtol=1e-12)
    np.testing.assert_allclose(flow.norm, np.linalg.norm(flow.states, axis=1), rtol=1e-14)
    np.testing.assert_allclose(flow.gradient_alignment, flow.states[:, 0] / flow.norm, rtol=1e-12)
    # γ̃ = u/ρ with u = q: log γ̃ grows by the turning exactly.
    grown = np.log(flow.gradient_alignment[-1] / flow.gradient_alignment[0])
    assert flow.turning[-1] == pytest.approx(grown, rel=1e-6, abs=0)
    np.testing.assert_allclose(flow.layer_turning[:, 0], flow.turning, rtol=1e-12)
    assert flow.log_loss[-1] == pytest.approx(-8.0, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("loss", "log_loss"),
    [("logistic", lambda q: np.log(np.log1p(np.exp(-q)))), ("cubic", lambda q: -(q**3))],
)
def test_other_losses_in_one_dimension(loss: str, log_loss: object) -> None:
    flow = exact_flow(_line([0.8]), [[1.0]], [1.0], loss=loss, until_log_loss=-6.0, tolerance=1e-10)
    q = flow.minimum_margin
    np.testing.assert_allclose(flow.log_loss, log_loss(q), rtol=1e-10)
    # dt = dq/(−ℓ′(q)).
    grid = np.linspace(q[0], q[-1], 200_001)
    pull = 1 / (1 + np.exp(grid)) if loss == "logistic" else 3 * grid**2 * np.exp(-(grid**3))
    assert np.exp(flow.log_time[-1]) == pytest.approx(np.trapezoid(1 / pull, grid), rel=1e-7, abs=0)


def test_before_the_threshold_no_turning_is_counted() -> None:
    flow = exact_flow(_line([-1.0, 0.3]), [[3.0, 0.0]], [1.0], until_log_loss=-1.0)
    begun = flow.log_loss < -0.01
    assert np.all(flow.turning[flow.log_loss > 0.1] == 0)
    assert np.all(np.diff(flow.turning[begun]) > 0)


def test_the_path_is_that_of_margin_flow() -> None:
    X, y = three_points()
    net = DeepLinear(2, 2, width=2, scale=0.7, seed=1)
    exact = exact_flow(net, X, y, until_log_loss=-32.0, tolerance=1e-6, stiff=True)
    steps = margin_flow(net, X, y, until_log10_loss=-14, relative_step=0.03)
    for name in ("norm", "log_time", "minimum_margin"):
        there = np.interp(-30.0, steps.log_loss[::-1], getattr(steps, name)[::-1])
        here = np.interp(-30.0, exact.log_loss[::-1], getattr(exact, name)[::-1])
        assert there == pytest.approx(here, rel=1e-2, abs=0), name
    conserved = exact.layer_norms[:, 0] ** 2 - exact.layer_norms[:, 1] ** 2
    np.testing.assert_allclose(conserved, conserved[0], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"loss": "hinge"}, ValueError, "loss must be one of"),
        ({"tolerance": 1.0}, ValueError, "tolerance must lie between"),
        ({"until_log_loss": 50.0}, ValueError, "until_log_loss must be below"),
        ({"net": _line([1.0, 1.0]).float()}, TypeError, "double precision"),
        (
            {"net": MLP([2, 3, 2], "relu", seed=0), "loss": "cubic", "y": [0, 1]},
            ValueError,
            "one output|outputs",
        ),
    ],
)
def test_bad_input(change: dict, error: type[Exception], message: str) -> None:
    good = {
        "net": _line([1.0, 1.0]),
        "X": [[3.0, 0.0], [1.0, 2.0]],
        "y": [1.0, 1.0],
        "until_log_loss": -5.0,
    }
    good |= change
    with pytest.raises(error, match=message):
        exact_flow(good.pop("net"), good.pop("X"), good.pop("y"), **good)


def test_a_loss_that_is_not_reached_is_said() -> None:
    with pytest.raises(RuntimeError, match="did not reach"):
        exact_flow(_line([0.1]), [[1.0], [-1.0]], [1.0, 1.0], until_log_loss=-1.0)


def test_a_solver_that_does_not_arrive_gives_up() -> None:
    data = _line([0.5, 0.2]), [[3.0, 0.0]], [1.0]
    steps = len(exact_flow(*data, until_log_loss=-3.0).log_loss) - 1
    assert len(exact_flow(*data, until_log_loss=-3.0, max_steps=steps).log_loss) == steps + 1
    with pytest.raises(RuntimeError, match=f"in max_steps={steps - 1} steps; at a kink"):
        exact_flow(*data, until_log_loss=-3.0, max_steps=steps - 1)
