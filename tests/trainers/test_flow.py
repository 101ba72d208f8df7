"""Gradient flow against its definition, its laws, and how runs end."""

import re
import warnings
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from ibtools.models import DiagonalNet, LinearNet, LinearNeuron
from ibtools.trainers import (
    RegressionRun,
    TrainingWarning,
    gradient_descent,
    gradient_flow,
    metric_flow,
)
from ibtools.trainers.flow import systems

X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
Y = np.array([1.0, -0.5])
BALANCED = DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=3)
GENERAL = DiagonalNet([0.5, 0.2, 0.3], [0.4, -0.1, 0.6], [0.1, 0.3, 0.2], [0.3, 0.5, -0.4])
# Computed in 40-digit arithmetic.
AT_ONE = (0.03131892449623128, 0.36445956642456677, -0.015094825569961336)
LIMITS = [
    (BALANCED, (0.037055898747463002, 0.48476590829270965, -0.013175430665764623)),
    (
        DiagonalNet.from_scale_shape(scale=0.01, shape=0.9, d=3),
        (0.1168696641968135, 0.45195358249686556, -0.041553658381089245),
    ),
    (GENERAL, (0.41384259265346033, 0.32986471190913297, -0.14714403294345256)),
]


@pytest.mark.parametrize("method", ["dual", "parameters"])
@pytest.mark.parametrize(("net", "w"), LIMITS)
def test_reference_limits(net: DiagonalNet, w: tuple, method: str) -> None:
    run = gradient_flow(net, X, Y, method=method)
    assert run.converged
    np.testing.assert_allclose(run.w[-1], w, rtol=0, atol=1e-9)
    np.testing.assert_allclose(run.net.predictor, run.w[-1], rtol=1e-14)
    np.testing.assert_allclose(run.w[0], net.predictor, atol=1e-16)


@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_reference_path(method: str) -> None:
    run = gradient_flow(BALANCED, X, Y, times=[1.0], method=method)
    np.testing.assert_array_equal(run.times, [1.0])
    np.testing.assert_allclose(run.w[0], AT_ONE, rtol=0, atol=1e-9)
    assert not run.converged


def test_reference_path_is_right() -> None:
    # A third route: mpmath's Taylor series on the raw weights u, v (both halves start alike).
    rows = [[mp.mpf(str(entry)) for entry in row] for row in X]

    def field(_: mp.mpf, state: list) -> list:
        u, v, m = state[:3], state[3:6], state[6:]
        w = [u[i] * v[i] - m[i] ** 2 for i in range(3)]
        r = [mp.mpf(str(t)) - mp.fdot(row, w) for row, t in zip(rows, Y, strict=True)]
        pull = [rows[0][i] * r[0] + rows[1][i] * r[1] for i in range(3)]
        up = [v[i] * pull[i] for i in range(3)]
        vp = [u[i] * pull[i] for i in range(3)]
        return [*up, *vp, *[-m[i] * pull[i] for i in range(3)]]

    with mp.workdps(16):
        tenth = mp.mpf("0.1")
        at_one = mp.odefun(field, 0, [tenth] * 9, tol=mp.mpf("1e-13"))(1)
    w = [float(at_one[i] * at_one[3 + i] - at_one[6 + i] ** 2) for i in range(3)]
    np.testing.assert_allclose(w, AT_ONE, atol=1e-12)


@st.composite
def _problems(draw: st.DrawFn) -> tuple[DiagonalNet, np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 4))
    d = draw(st.integers(1, 6))  # n ≥ d as well: the flow does not mind
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    weights = random.normal(size=(4, d)) * 10 ** random.uniform(-3, 0, (4, 1))
    return DiagonalNet(*weights), random.normal(size=(n, d)), random.normal(size=n)


@settings(max_examples=15)
@given(_problems(), st.floats(0.01, 5))
def test_dual_and_parameters_are_one_flow(problem: tuple, horizon: float) -> None:
    times = horizon * np.array([0.0, 0.3, 1.0])
    dual, full = (
        gradient_flow(*problem, times=times, method=method) for method in ("dual", "parameters")
    )
    np.testing.assert_array_equal(dual.times, times)
    size = np.linalg.norm(full.w, axis=1, keepdims=True)
    assert np.all(np.abs(dual.w - full.w) <= 1e-8 * size)
    np.testing.assert_allclose(dual.loss, full.loss, rtol=1e-6, atol=1e-12)
    for i in range(3):
        one, other = dual.net_at(i).parameters, full.net_at(i).parameters
        assert np.linalg.norm(one - other) <= 1e-8 * np.linalg.norm(other)


@settings(max_examples=15)
@given(_problems(), st.sampled_from(["dual", "parameters"]))
def test_what_every_flow_does(problem: tuple, method: str) -> None:
    net, X, y = problem
    with warnings.catch_warnings():
        # Where samples outnumber dimensions a coordinate may have to die, which takes for ever.
        warnings.simplefilter("ignore", TrainingWarning)
        run = gradient_flow(net, X, y, method=method, max_steps=150)
    assert np.all(np.diff(run.times) > 0)
    assert np.all(np.diff(run.loss) <= 1e-8 * run.loss[0])
    np.testing.assert_allclose(run.loss, 0.5 * np.sum((run.w @ X.T - y) ** 2, axis=1), atol=1e-14)
    expected = net.conserved_quantities()
    for index in (0, len(run.times) // 3, -1):
        then = run.net_at(index)
        np.testing.assert_allclose(then.predictor, run.w[index], rtol=1e-8, atol=1e-8)
        size = np.abs(then.parameters).max() ** 2
        np.testing.assert_allclose(then.conserved_quantities(), expected, atol=1e-8 * size)


def test_path_does_not_depend_on_when_one_looks() -> None:
    coarse = gradient_flow(GENERAL, X, Y, times=[0.0, 2.0])
    fine = gradient_flow(GENERAL, X, Y, times=np.linspace(0, 4, 81))
    np.testing.assert_allclose(coarse.w, fine.w[[0, 40]], atol=1e-10)
    free = gradient_flow(GENERAL, X, Y)
    again = gradient_flow(GENERAL, X, Y, times=free.times[1:40:10])
    np.testing.assert_allclose(again.w, free.w[1:40:10], atol=1e-9)


def test_restarting_a_run_continues_it() -> None:
    first = gradient_flow(GENERAL, X, Y, times=[0.7])
    second = gradient_flow(first.net, X, Y, times=[0.5])
    whole = gradient_flow(GENERAL, X, Y, times=[1.2])
    np.testing.assert_allclose(second.w, whole.w, atol=1e-10)


@pytest.mark.parametrize("method", ["dual", "parameters"])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_remaining_is_the_true_distance_to_the_limit(method: str, tolerance: float) -> None:
    net, limit = LIMITS[0]
    run = gradient_flow(net, X, Y, method=method, tolerance=tolerance)
    true = np.linalg.norm(run.w[-1] - limit) / np.linalg.norm(run.w[-1])
    assert run.converged
    assert run.remaining <= tolerance
    assert run.remaining == pytest.approx(true, rel=0.05, abs=0)


def test_long_asked_times_count_as_converged() -> None:
    run = gradient_flow(BALANCED, X, Y, times=[1.0, 1e6])
    assert run.converged
    np.testing.assert_allclose(run.w[-1], LIMITS[0][1], atol=1e-9)
    assert "2 records to t=1e+06" in repr(run)


def test_nothing_to_learn_nothing_moves() -> None:
    run = gradient_flow(GENERAL, X, X @ GENERAL.predictor, times=[0.0, 5.0])
    np.testing.assert_allclose(run.w[1], GENERAL.predictor, atol=1e-14)
    run = gradient_flow(BALANCED, X, 0 * Y)
    assert run.converged
    assert len(run.times) == 1
    with pytest.raises(IndexError):
        run.net_at(1)


# --- more samples than dimensions, dependent rows -------------------------------------------------


@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_more_samples_than_dimensions_end_at_least_squares(method: str) -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(12, 3)), random.normal(size=12)
    run = gradient_flow(GENERAL, X, y, method=method)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    assert run.converged
    np.testing.assert_allclose(run.w[-1], best, atol=1e-9 * np.linalg.norm(best))
    assert run.loss[-1] > 0.1


@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_repeated_rows_weigh_more_and_break_nothing(method: str) -> None:
    doubled = gradient_flow(GENERAL, X[[0, 0, 1]], Y[[0, 0, 1]], times=[0.4, 3.0], method=method)
    scaled = gradient_flow(
        GENERAL, X * [[np.sqrt(2)], [1]], Y * [np.sqrt(2), 1], times=[0.4, 3.0], method=method
    )
    np.testing.assert_allclose(doubled.w, scaled.w, atol=1e-10)
    contradictory = gradient_flow(GENERAL, X[[0, 0, 1]], [0.0, 2.0, -0.5], method=method)
    assert contradictory.converged
    agreed = gradient_flow(GENERAL, X, Y, method=method)
    assert contradictory.loss[-1] == pytest.approx(1.0, rel=1e-9, abs=0)
    np.testing.assert_allclose(X @ contradictory.w[-1], X @ agreed.w[-1], atol=1e-8)


# --- runs that do not end as asked ----------------------------------------------------------------


@pytest.mark.parametrize("method", ["dual", "parameters"])
@pytest.mark.parametrize("times", [None, [0.0, 50.0]])
def test_too_few_steps_warn_and_return_what_there_is(method: str, times: list | None) -> None:
    with pytest.warns(
        TrainingWarning, match=r"gave up after max_steps=5 steps, at t=.*loss.*1e-10"
    ):
        run = gradient_flow(BALANCED, X, Y, method=method, max_steps=5, times=times)
    assert not run.converged
    assert len(run.times) == (6 if times is None else 1)
    assert np.isfinite(run.w).all()


class _Interrupted(DiagonalNet):
    """A network during whose training somebody presses Ctrl-C."""

    def replace(self, parameters: np.ndarray) -> DiagonalNet:
        self.__dict__["calls"] = self.__dict__.get("calls", 0) + 1
        if self.calls == 200:
            raise KeyboardInterrupt
        return super().replace(parameters)

    def predictor_after(self, accumulated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.__dict__["calls"] = self.__dict__.get("calls", 0) + 1
        if self.calls == 200:
            raise KeyboardInterrupt
        return super().predictor_after(accumulated)


@pytest.mark.parametrize(
    "train",
    [
        lambda net: gradient_flow(net, X, Y, method="dual"),
        lambda net: gradient_flow(net, X, Y, method="parameters"),
        lambda net: gradient_flow(net, X, Y, times=np.linspace(0, 9, 99)),
        lambda net: gradient_descent(net, X, Y, step_size=0.01, steps=1000),
    ],
)
def test_an_interrupted_run_returns_what_it_has(train: Callable[..., RegressionRun]) -> None:
    net = _Interrupted(*BALANCED.parameters.reshape(4, 3))
    with pytest.warns(TrainingWarning, match="interrupted"):
        run = train(net)
    assert not run.converged
    assert "interrupted" in run.message
    assert len(run.times) > 3
    assert np.isfinite(run.w).all()
    np.testing.assert_allclose(run.net_at(-1).predictor, run.w[-1], atol=1e-15)
    assert run.loss[-1] < run.loss[0]


@pytest.mark.parametrize("method", ["dual", "parameters"])
@pytest.mark.parametrize("alive", [0, 1])
def test_dead_weights_are_noticed(method: str, alive: int) -> None:
    weights = np.where(np.arange(3) < alive, 1.0, 0.0)
    net = DiagonalNet(weights, weights, weights, -weights)
    with pytest.warns(TrainingWarning, match=r"nothing moves any more|falls no further"):
        run = gradient_flow(net, X, Y, method=method)
    assert not run.converged
    assert np.isfinite(run.w).all()
    np.testing.assert_array_equal(run.w[:, alive:], 0.0)
    best = X[:, 0] @ Y / (X[:, 0] @ X[:, 0])
    np.testing.assert_allclose(run.w[-1, 0], best * alive, atol=1e-6)


def test_an_overflow_is_reported_not_returned() -> None:
    def stretched(w: np.ndarray) -> np.ndarray:
        return np.exp(-np.minimum(w, 710.0)) * np.eye(1)

    with pytest.warns(TrainingWarning, match=r"flow: (the solver failed|gave up)"):
        run = metric_flow(stretched, [[1e-3]], [1e6], start=[0.0], max_steps=2000)
    assert not run.converged
    assert np.isfinite(run.w).all()


# --- other metrics --------------------------------------------------------------------------------


def test_metric_flow_in_a_metric_that_is_no_hessian() -> None:
    def innocent(w: np.ndarray) -> np.ndarray:
        return np.eye(3) + np.outer(w, w)

    start, times = np.array([0.5, -1.0, 0.3]), np.array([0.2, 1.0, 3.0])
    run = metric_flow(innocent, X, Y, start=start, times=times)
    by_definition = solve_ivp(
        lambda _, w: np.linalg.inv(innocent(w)) @ X.T @ (Y - X @ w),
        (0, 3),
        start,
        method="Radau",
        t_eval=times,
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(run.w, by_definition.y.T, atol=1e-8)
    end = metric_flow(innocent, X, Y, start=start)
    assert end.converged
    np.testing.assert_allclose(X @ end.w[-1], Y, atol=1e-9)
    np.testing.assert_array_equal(end.w[0], start)


# --- gradient descent -----------------------------------------------------------------------------


def test_descent_strays_from_the_flow_in_proportion_to_its_step() -> None:
    flow = gradient_flow(GENERAL, X, Y, times=[0.4, 1.6])
    errors = []
    for step_size in (2e-3, 1e-3, 5e-4):
        run = gradient_descent(
            GENERAL, X, Y, step_size=step_size, steps=round(1.6 / step_size), record_every=1
        )
        np.testing.assert_allclose(run.times, step_size * np.arange(len(run.times)))
        index = [round(0.4 / step_size), -1]
        errors.append(np.linalg.norm(run.w[index] - flow.w, axis=1))
    # Order one: halving the step halves the error.
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 2.0, atol=0.02)


def test_descent_is_its_definition() -> None:
    run = gradient_descent(GENERAL, X, Y, step_size=0.05, steps=3)
    u, v, m, p = GENERAL.parameters.reshape(4, 3)
    for record in range(1, 4):
        pull = X.T @ (Y - X @ (u * v - m * p))
        u, v, m, p = (
            u + 0.05 * v * pull,
            v + 0.05 * u * pull,
            m - 0.05 * p * pull,
            p - 0.05 * m * pull,
        )
        np.testing.assert_allclose(run.w[record], u * v - m * p, rtol=1e-13)


def test_descent_records_first_last_and_every() -> None:
    run = gradient_descent(BALANCED, X, Y, step_size=0.1, steps=25, record_every=10)
    np.testing.assert_allclose(run.times, [0.0, 1.0, 2.0, 2.5])
    assert not run.converged
    assert gradient_descent(BALANCED, X, Y, step_size=0.1, steps=4000).converged


def test_descent_that_diverges_says_so_and_returns_finite_records() -> None:
    with pytest.warns(TrainingWarning, match=r"overflowed at step \d+ .*step_size=5 is too large"):
        run = gradient_descent(GENERAL, X, Y, step_size=5.0, steps=100)
    assert not run.converged
    assert np.isfinite(run.w[:-1]).all()
    assert np.isfinite(run.net.parameters).all()
    assert 1 < len(run.times) < 100


# --- bad input ------------------------------------------------------------------------------------

_TRAINERS = [
    lambda X, y, net=BALANCED: gradient_flow(net, X, y),
    lambda X, y, net=BALANCED: gradient_descent(net, X, y, step_size=0.1, steps=2),
    lambda X, y: metric_flow(lambda w: np.eye(3), X, y, start=np.zeros(3)),
]


@pytest.mark.parametrize("trainer", _TRAINERS)
@pytest.mark.parametrize(
    ("X", "y", "kind", "message"),
    [
        (X * np.nan, Y, ValueError, r"X must be finite, got nan at index \(0, 0\) \(6 such"),
        (X, Y * [1, np.inf], ValueError, "y must be finite, got -inf at index"),
        (X, Y[:, None], ValueError, r"y must have 1 axis.*not a vector of shape \(n,\)"),
        (X[:1], Y, ValueError, "same number of rows.*rows of X are samples"),
        (np.empty((0, 3)), np.empty(0), ValueError, "X is empty"),
        (np.empty((2, 0)), Y, ValueError, "X is empty"),
        (X + 0j, Y, TypeError, "X must be an array of real numbers"),
        (X, ["a", "b"], TypeError, "y must be an array of real numbers, got list"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong(trainer, X: object, y: object, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        trainer(X, y)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: gradient_flow(BALANCED, X[:, :2], Y), ValueError, r"X must have 3 columns.*d=2"),
        (lambda: gradient_flow(BALANCED, X, Y, times=[1.0, 1.0]), ValueError, "increase strictly"),
        (lambda: gradient_flow(BALANCED, X, Y, times=[-1.0, 1.0]), ValueError, "from 0 or later"),
        (lambda: gradient_flow(BALANCED, X, Y, times=[]), ValueError, "times is empty"),
        (lambda: gradient_flow(BALANCED, X, Y, times=[np.inf]), ValueError, "times must be finite"),
        (lambda: gradient_flow(BALANCED, X, Y, times=2.0), ValueError, "times must have 1 axis"),
        (
            lambda: gradient_flow(BALANCED, X, Y, method="fast"),
            ValueError,
            "method must be one of 'auto', 'dual', .*'parameters', got 'fast'",
        ),
        (lambda: gradient_flow(BALANCED, X, Y, tolerance=0), ValueError, "tolerance must be great"),
        (lambda: gradient_flow(BALANCED, X, Y, max_steps=0), ValueError, "max_steps must be at"),
        (
            lambda: gradient_descent(BALANCED, X, Y, step_size=-1, steps=2),
            ValueError,
            "step_size must be greater than 0, got -1",
        ),
        (
            lambda: gradient_descent(BALANCED, X, Y, step_size=0.1, steps=2.5),
            TypeError,
            "steps must be an integer",
        ),
        (
            lambda: gradient_descent(BALANCED, X, Y, step_size=0.1, steps=2, record_every=0),
            ValueError,
            "record_every must be at least 1",
        ),
        (
            lambda: metric_flow(lambda w: np.eye(3), X, Y, start=[1.0]),
            ValueError,
            "start must have 3 entries, got 1",
        ),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_which_option_is_wrong(call, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def _gives_up(times: int) -> type:
    """LSODA that gives up after thirty steps, in that many of its lives."""
    lives = []

    class Faulty(systems.LSODA):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)
            lives.append(self)
            self.left = 30 if len(lives) <= times else 10**9

        def _step_impl(self) -> tuple[bool, str | None]:
            self.left -= 1
            return (False, "it gave up") if self.left < 0 else super()._step_impl()

    return Faulty


def test_a_solver_that_gives_up_is_started_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gradient_flow(GENERAL, X, Y)
    asked = np.geomspace(0.1, 3.0, 20)
    path = gradient_flow(GENERAL, X, Y, times=asked, method="parameters").w
    monkeypatch.setattr(systems, "LSODA", _gives_up(3))
    run = gradient_flow(GENERAL, X, Y)
    assert run.converged
    np.testing.assert_allclose(run.w[-1], whole.w[-1], rtol=1e-8)
    assert np.all(np.diff(run.times) > 0)
    monkeypatch.setattr(systems, "LSODA", _gives_up(3))
    np.testing.assert_allclose(gradient_flow(GENERAL, X, Y, times=asked).w, path, atol=1e-8)


def test_a_solver_that_always_gives_up_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "LSODA", _gives_up(10**9))
    with pytest.warns(TrainingWarning, match="it gave up"):
        assert not gradient_flow(GENERAL, X, Y).converged


@pytest.mark.parametrize("net", [LinearNeuron(1.0, [0.5, 0.5]), LinearNet([1.0], [[0.5, 0.5]])])
def test_a_limit_far_below_the_start_is_not_its_rounding(net: LinearNeuron | LinearNet) -> None:
    X = np.array([[3.0, -1.0], [1.0, 2.0]])
    for small in (1e-20, 1e-60):
        run = gradient_flow(net, X, [small, small])
        assert run.converged
        np.testing.assert_allclose(run.w[-1], np.array([3, 2]) / 7 * small, rtol=1e-8)


@pytest.mark.parametrize("size", [1e150, 1e-150])
def test_data_out_of_size_are_rescaled_as_told(size: float) -> None:
    net, X = LinearNeuron(1.0, [0.5, 0.5]), size * np.array([[3.0, -1.0], [1.0, 2.0]])
    with pytest.warns(TrainingWarning, match="rescale them") as caught:
        gradient_flow(net, X, [1.0, 1.0])
    factor = float(re.search(r"X / (\S+),", str(caught[0].message))[1])
    run = gradient_flow(net, X / factor, [1.0, 1.0])
    np.testing.assert_allclose(run.w[-1] / factor, np.linalg.solve(X, [1.0, 1.0]), rtol=1e-8)
