"""The end of a flow in long steps: exact where it is linear, as accurate as asked where not."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ibtools.data import sparse_regression
from ibtools.models import DiagonalNet
from ibtools.trainers import gradient_flow
from ibtools.trainers.flow import systems
from ibtools.trainers.flow.endings import Ending

TOLERANCES = {"rtol": 1e-11, "atol": 1e-12}


def scalars(rates, bend):
    """y' = −λ y (1 + bend·y), each entry by itself, in coordinates of different scales."""
    scale = np.array([1.0, 3.0, 0.2])

    def velocities(states):
        return -rates * states * (1 + bend * states / scale)

    def curvature(state):
        return np.diag(rates * (1 + 2 * bend * state / scale))

    def exact(start, t):
        # 1/y is linear in e^(λt).
        left = np.exp(-rates * np.atleast_1d(t)[:, None])
        return left / (1 / start + bend / scale * (1 - left))

    return velocities, curvature, scale, exact


@pytest.mark.parametrize(("bend", "error"), [(0.0, 1e-14), (0.3, 3e-11)])
def test_stiff_and_slow_directions_are_followed_together(bend, error):
    rates = np.array([1.0, 40.0, 3000.0])
    velocities, curvature, scale, exact = scalars(rates, bend)
    start = 0.2 * scale
    solver = Ending(velocities, curvature, scale, 0.0, start, 30.0, first_step=1e-3, **TOLERANCES)
    steps = 0
    while solver.status == "running":
        solver.step()
        steps += 1
        inside = np.linspace(solver.t_old, solver.t, 7)
        found = solver.dense_output()(inside)
        assert np.abs(found.T - exact(start, inside)).max() < error
        assert np.array_equal(solver.dense_output()(solver.t).shape, start.shape)
    assert solver.status == "finished"
    # An explicit method needs h λ < 7: more than 13000 steps.
    assert steps < (12 if bend == 0 else 120)


def test_directions_that_do_not_decay_move_at_constant_speed():
    speed = np.array([2.0, 0.0])
    solver = Ending(
        lambda states: np.broadcast_to(speed, states.shape),
        lambda state: np.zeros((2, 2)),
        np.ones(2),
        1.0,
        np.zeros(2),
        4.0,
        first_step=0.5,
        **TOLERANCES,
    )
    while solver.status == "running":
        solver.step()
    assert np.allclose(solver.y, [6.0, 0.0], atol=1e-12)


def test_it_fails_where_no_step_is_nearly_linear():
    def velocities(states):
        return np.where(states > 0, np.nan, 1.0)

    solver = Ending(
        velocities,
        lambda _: np.eye(1),
        np.ones(1),
        0.0,
        np.zeros(1),
        1.0,
        first_step=1,
        **TOLERANCES,
    )
    assert "not nearly linear" in solver.step()
    assert solver.status == "failed"


@pytest.fixture(scope="module")
def problem():
    X, y, _ = sparse_regression(n=20, d=600, sparsity=4, noise_std=0.1, seed=0)
    return DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=600), X, y


def test_a_flow_on_large_data_ends_so_and_takes_the_same_path(problem, monkeypatch):
    net, X, y = problem
    times = np.geomspace(1e-4, 0.6, 60)
    steps, step = [], Ending._step_impl
    monkeypatch.setattr(Ending, "_step_impl", lambda self: steps.append(self.t) or step(self))
    quick, limit = gradient_flow(net, X, y, times=times), gradient_flow(net, X, y)
    taken = len(steps)
    assert taken > 4
    monkeypatch.setattr(systems, "_LARGE", np.inf)
    slow, slow_limit = gradient_flow(net, X, y, times=times), gradient_flow(net, X, y)
    assert len(steps) == taken
    size = np.linalg.norm(slow_limit.w[-1])
    assert np.linalg.norm(quick.w - slow.w, axis=1).max() < 3e-11 * size
    assert np.linalg.norm(limit.w[-1] - slow_limit.w[-1]) < 2e-10 * size
    assert limit.converged
    assert len(limit.times) < 0.7 * len(slow_limit.times)


def test_where_the_end_is_not_nearly_linear_the_slower_way_goes_on(problem, monkeypatch):
    net, X, y = problem
    expected = gradient_flow(net, X, y).w[-1]
    monkeypatch.setattr(Ending, "_collocate", lambda *_: None)
    run = gradient_flow(net, X, y)
    assert run.converged
    assert np.allclose(run.w[-1], expected, rtol=0, atol=2e-10 * np.linalg.norm(expected))


def test_the_reference_of_these_tests_is_right():
    rates = np.array([1.0, 4.0, 9.0])
    velocities, _, scale, exact = scalars(rates, 0.3)
    run = solve_ivp(
        lambda _, y: velocities(y[None])[0], (0, 2), 0.2 * scale, rtol=1e-10, atol=1e-12
    )
    assert np.allclose(run.y[:, -1], exact(0.2 * scale, 2.0)[0], rtol=1e-8)
