"""The step condition: its formula, its bounds, and what it promises of descent."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.theory.step_condition import (
    SphereBounds,
    deep_linear_bounds,
    diagonal_bounds,
    log_descent_step_bound,
    polynomial_bounds,
    two_layer_bounds,
)

X = np.array([[1.0, -2.0, 0.5], [0.3, 0.4, 1.2]])


def deep_linear(theta: np.ndarray, x: np.ndarray, depth: int) -> float:
    shapes = [(2, 3)] + [(2, 2)] * (depth - 2) + [(1, 2)] if depth > 1 else [(1, 3)]
    output, start = x, 0
    for rows, columns in shapes:
        output = theta[start : start + rows * columns].reshape(rows, columns) @ output
        start += rows * columns
    return float(output[0])


def diagonal(theta: np.ndarray, x: np.ndarray) -> float:
    return float(x @ (theta[:3] ** 2 - theta[3:] ** 2))


def two_layer(theta: np.ndarray, x: np.ndarray, power: int) -> float:
    return float(theta[:2] @ np.maximum(theta[2:].reshape(2, 3) @ x, 0) ** power)


MODELS = {
    "linear": (3, lambda t, x: deep_linear(t, x, 1), lambda: deep_linear_bounds(X, depth=1)),
    "two layers": (8, lambda t, x: deep_linear(t, x, 2), lambda: deep_linear_bounds(X, depth=2)),
    "three layers": (12, lambda t, x: deep_linear(t, x, 3), lambda: deep_linear_bounds(X, depth=3)),
    "diagonal": (6, diagonal, lambda: diagonal_bounds(X)),
    "squared ReLU": (8, lambda t, x: two_layer(t, x, 2), lambda: two_layer_bounds(X)),
    "cubed ReLU": (8, lambda t, x: two_layer(t, x, 3), lambda: two_layer_bounds(X, power=3)),
}


def derivatives(function: object, theta: np.ndarray) -> tuple[float, float, float]:
    """Return |q|, ‖∇q‖ and ‖∇²q‖ by central differences; exact enough for a polynomial."""
    h, size = 1e-4, len(theta)
    eye = h * np.eye(size)
    q = function  # type: ignore[assignment]
    gradient = np.array([(q(theta + e) - q(theta - e)) / (2 * h) for e in eye])
    hessian = np.array(
        [
            [
                (q(theta + e + f) - q(theta + e - f) - q(theta - e + f) + q(theta - e - f))
                / (4 * h * h)
                for f in eye
            ]
            for e in eye
        ]
    )
    return abs(q(theta)), float(np.linalg.norm(gradient)), float(np.linalg.norm(hessian, 2))


@pytest.mark.parametrize("name", MODELS)
def test_bounds_hold_on_the_sphere(name: str) -> None:
    size, q, bounds_of = MODELS[name]
    bounds = bounds_of()
    rng = np.random.default_rng(0)
    for theta in rng.normal(size=(150, size)):
        theta = theta / np.linalg.norm(theta)
        for x in X:
            found = derivatives(lambda t, x=x: q(t, x), theta)
            assert np.all(np.array(found) <= np.array(bounds) * (1 + 1e-3) + 1e-6)


def at_the_top(name: str) -> np.ndarray:
    longest = X[np.linalg.norm(X, axis=1).argmax()]
    u, first = longest / np.linalg.norm(longest), np.array([1.0, 0.0])
    layers = np.outer(first, u).ravel()
    return {
        "linear": u,
        "two layers": np.concatenate([layers, first]) / 2**0.5,
        "three layers": np.concatenate([layers, np.outer(first, first).ravel(), first]) / 3**0.5,
        "diagonal": np.array([0, 1.0, 0, 0, 0, 0]),
        "squared ReLU": np.concatenate([first, 2**0.5 * layers]) / 3**0.5,
        "cubed ReLU": np.concatenate([first, 3**0.5 * layers]) / 4**0.5,
    }[name]


@pytest.mark.parametrize("name", MODELS)
def test_bounds_are_attained(name: str) -> None:
    # So they are exact: no smaller ones would hold.
    _, q, bounds_of = MODELS[name]
    theta = at_the_top(name)
    assert np.linalg.norm(theta) == pytest.approx(1, rel=1e-12, abs=0)
    found = np.max([derivatives(lambda t, x=x: q(t, x), theta) for x in X], axis=0)
    np.testing.assert_allclose(found, bounds_of(), rtol=1e-4, atol=1e-6)


def literal(x: float, L: int, x0: float, margin: float, norm: float, B: SphereBounds) -> float:
    """H as it is printed, in plain numbers."""
    mu = math.log(1 / x0) / (2 * math.log(1 / x))
    # The paper's κ(x) is the largest of w·log(1/w)^(2−2/L) over 0 < w ≤ x.
    w = x * np.linspace(1e-4, 1, 20_001)
    kappa = float(np.max(w * np.log(1 / w) ** (2 - 2 / L)))
    constant = (
        0.5
        * (B.gradient**2 + norm**-L * B.hessian)
        * max(margin ** (-2 + 2 / L), B.value ** (-2 + 2 / L))
    )
    return mu / (constant * kappa)


@given(
    st.integers(1, 5),
    st.floats(-20, -2),
    st.floats(1, 20),
    st.floats(1e-3, 0.49),
    st.floats(0.1, 10),
    st.sampled_from([(1.0, 2.0, 2.0), (0.5, 0.7, 0.0), (4.0, 1.0, 9.0)]),
)
def test_the_formula(
    order: int, initial: float, factor: float, margin: float, norm: float, bounds: tuple
) -> None:
    B = SphereBounds(*bounds)
    found = log_descent_step_bound(
        factor * initial, order=order, initial_log_loss=initial, initial_modified_margin=margin,
        initial_norm=norm, bounds=B,
    )  # fmt: skip
    expected = literal(math.exp(factor * initial), order, math.exp(initial), margin, norm, B)
    assert math.exp(found) == pytest.approx(expected, rel=1e-9, abs=0)


def test_a_little_curvature_counts() -> None:
    B = SphereBounds(1.0, 0.5, 0.8)
    start = {"initial_log_loss": -3.0, "initial_modified_margin": 0.1, "initial_norm": 1.5}
    found = math.exp(log_descent_step_bound(-4.0, order=2, bounds=B, **start))
    expected = literal(math.exp(-4), 2, math.exp(-3), 0.1, 1.5, B)
    assert found == pytest.approx(expected, rel=1e-9, abs=0)


def test_the_bound_goes_below_the_smallest_float() -> None:
    B = polynomial_bounds(1.0, order=2)
    start = {"initial_log_loss": -3.0, "initial_modified_margin": 0.1, "initial_norm": 5.0}
    found = log_descent_step_bound(-1e6, order=2, bounds=B, **start)
    # μ = 3/(2v), κ = 𝓛v, C = ½(4 + 2/25)·10
    expected = 1e6 + math.log(1.5e-12) - math.log(20.4)
    assert found == pytest.approx(expected, rel=1e-14, abs=0)


@pytest.mark.parametrize("name", ["linear", "diagonal"])
def test_descent_keeps_the_promise(name: str) -> None:
    # Steps of exactly H: the loss falls and γ̂ rises at each; ten times H breaks the linear model.
    # Two samples that pull apart, so that long steps are thrown from side to side.
    Z = np.array([[1.0, 3.0, 0.2], [1.0, -3.0, 0.1], [0.5, -0.2, 1.5]])
    linear = name == "linear"
    order = 1 if linear else 2
    B = deep_linear_bounds(Z, depth=1) if linear else diagonal_bounds(Z)

    def evaluate(theta: np.ndarray) -> tuple[float, np.ndarray]:
        if linear:
            q, slopes = Z @ theta, Z
        else:
            u, v = theta[:3], theta[3:]
            q, slopes = Z @ (u * u - v * v), np.hstack([2 * Z * u, -2 * Z * v])
        terms = np.exp(-q)
        return math.log(terms.sum()), -terms @ slopes

    def run(factor: float, steps: int) -> tuple[float, float]:
        theta = np.array([6.0, 0.1, 1.0]) if linear else np.array([2.5, 0.3, 1.0, 0.1, 0.2, 0.1])
        log_loss, gradient = evaluate(theta)
        v0, norm0 = -log_loss, float(np.linalg.norm(theta))
        assert v0 >= 2

        def modified(v: float, norm: float) -> float:
            return math.log(v) - order * math.log(norm) - v0 * (1 / v + 0.5 / (order * v**2))

        first = math.exp(modified(v0, norm0))
        worst_loss = worst_margin = math.inf
        for _ in range(steps):
            log_step = log_descent_step_bound(
                log_loss, order=order, initial_log_loss=-v0, initial_modified_margin=first,
                initial_norm=norm0, bounds=B,
            )  # fmt: skip
            step = factor * math.exp(log_step)
            before = modified(-log_loss, float(np.linalg.norm(theta)))
            theta = theta - step * gradient
            new, gradient = evaluate(theta)
            worst_loss = min(worst_loss, log_loss - new)
            if new >= -v0:
                return worst_loss, -math.inf
            worst_margin = min(worst_margin, modified(-new, float(np.linalg.norm(theta))) - before)
            log_loss = new
        return worst_loss, worst_margin

    loss, margin = run(1.0, 2000)
    assert loss > 0
    assert margin >= 0
    if linear:
        loss, margin = run(10.0, 200)
        assert min(loss, margin) < 0


START = {"order": 2, "initial_log_loss": -3.0, "initial_modified_margin": 0.1, "initial_norm": 5.0}


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("log_loss", "change", "error", "words"),
    [
        (-2.0, {}, ValueError, "log_loss must be at most"),
        (math.nan, {}, ValueError, "log_loss must be finite"),
        (-4.0, {"initial_log_loss": -1.9}, ValueError, "initial_log_loss must be at most -2"),
        (-4.0, {"initial_modified_margin": 1.0}, ValueError, "must be below bounds.value=1"),
        (-4.0, {"initial_modified_margin": 0.0}, ValueError, "initial_modified_margin must be"),
        (-4.0, {"initial_norm": -1.0}, ValueError, "initial_norm must be greater"),
        (-4.0, {"order": 0}, ValueError, "order must be at least 1"),
        (-4.0, {"order": 1.5}, TypeError, "order must be an integer"),
        (-4.0, {"bounds": SphereBounds(0.0, 1.0, 1.0)}, ValueError, "bounds.value"),
        (-4.0, {"bounds": SphereBounds(1.0, 1.0, -1.0)}, ValueError, "bounds.hessian"),
    ],
)
def test_bad_input(log_loss: float, change: dict, error: type, words: str) -> None:
    arguments = START | {"bounds": SphereBounds(1.0, 2.0, 2.0)} | change
    with pytest.raises(error, match=words):
        log_descent_step_bound(log_loss, **arguments)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: two_layer_bounds(X, power=1), "power must be at least 2"),
        (lambda: deep_linear_bounds([[0.0]], depth=2), "X must not vanish"),
        (lambda: diagonal_bounds([[np.nan]]), "finite"),
        (lambda: polynomial_bounds(0.0, order=2), "value must be greater"),
        (lambda: polynomial_bounds(1.0, order=0), "order must be at least 1"),
    ],
)
def test_bad_bounds(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
