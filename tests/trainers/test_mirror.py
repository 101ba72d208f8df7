"""Mirror descent with steps: the iteration by hand, its end, and bad input."""

import numpy as np
import pytest

from ibtools.models import DiagonalNet, LinearNeuron
from ibtools.trainers import TrainingWarning, gradient_flow, mirror_descent

X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
Y = np.array([1.0, -0.5])
NET = DiagonalNet([0.5, 0.2, 0.3], [0.4, -0.1, 0.6], [0.1, 0.3, 0.2], [0.3, 0.5, -0.4])


def test_three_steps_by_hand() -> None:
    # Sums of the weights are multiplied by exp(±ηp), differences by exp(∓ηp).
    run = mirror_descent(NET, X, Y, step_size=0.1, steps=3)
    u, v, x, z = NET.u_plus, NET.v_plus, NET.u_minus, NET.v_minus
    for k in range(4):
        w = u * v - x * z
        np.testing.assert_allclose(run.w[k], w, rtol=1e-13)
        net = run.net_at(k)
        np.testing.assert_allclose(net.parameters, np.concatenate([u, v, x, z]), atol=1e-14)
        grow = np.exp(0.1 * X.T @ (Y - X @ w))
        u, v = (u + v) / 2 * grow + (u - v) / 2 / grow, (u + v) / 2 * grow - (u - v) / 2 / grow
        x, z = (x + z) / 2 / grow + (x - z) / 2 * grow, (x + z) / 2 / grow - (x - z) / 2 * grow
    np.testing.assert_allclose(run.times, [0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(run.loss, 0.5 * np.sum((run.w @ X.T - Y) ** 2, axis=1))


def test_ends_where_flow_does_whatever_the_step() -> None:
    limit = gradient_flow(NET, X, Y).w[-1]
    for step in (0.01, 0.1, 0.2):
        run = mirror_descent(NET, X, Y, step_size=step, steps=round(60 / step), record_every=50)
        assert run.converged
        np.testing.assert_allclose(run.w[-1], limit, atol=1e-9)
        assert run.times[-1] == pytest.approx(60, rel=1e-12, abs=0)


def test_a_step_that_is_too_long_says_so() -> None:
    with pytest.warns(TrainingWarning, match=r"overflowed at step \d+ .*step_size=100 is too"):
        run = mirror_descent(NET, X, Y, step_size=100.0, steps=100)
    assert not run.converged
    assert np.isfinite(run.w).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_size": 0.0, "steps": 1}, "step_size must be greater than 0"),
        ({"step_size": 0.1, "steps": 0}, "steps must be at least 1"),
        ({"step_size": 0.1, "steps": 1, "record_every": 0}, "record_every must be at least 1"),
    ],
)
def test_says_what_is_wrong(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mirror_descent(NET, X, Y, **options)


@pytest.mark.usefixtures("as_a_user")
def test_a_network_without_such_a_mirror_is_refused() -> None:
    with pytest.raises(TypeError, match=r"LinearNeuron; allowed: DiagonalNet.*gradient_descent"):
        mirror_descent(LinearNeuron(1.0, [1.0, 0.0, 0.0]), X, Y, step_size=0.1, steps=1)
