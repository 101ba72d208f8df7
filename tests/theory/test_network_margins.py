"""Largest margins of networks: closed forms, networks that have them, none that have more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from ibtools.theory.max_margin import max_margin
from ibtools.theory.network_margins import (
    deep_linear_gap,
    deep_linear_margin,
    diagonal_margin,
    two_layer_margin,
)

TOY = np.array([[3.0, -1.0], [1.0, 2.0], [4.0, 4.0]])
XOR = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
XOR_LABELS = np.array([1.0, 1.0, -1.0, -1.0])
seeds = st.integers(0, 10_000)


def activate(z: np.ndarray, slope: float) -> np.ndarray:
    return np.maximum(z, 0) + slope * np.minimum(z, 0)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_deep_linear_margin_is_attained_and_not_exceeded(depth: int) -> None:
    best = deep_linear_margin(TOY, np.ones(3), depth=depth)
    assert best == pytest.approx(7 / 13**0.5 / depth ** (depth / 2), rel=1e-14, abs=0)
    direction = np.array([3.0, 2.0]) / 13**0.5
    first = np.outer([1.0, 0.0, 0.0], direction)
    pick = np.zeros((3, 3))
    pick[0, 0] = 1
    layers = [first] + [pick] * (depth - 1)
    size = sum(np.sum(W**2) for W in layers) ** 0.5
    output = TOY
    for W in layers:
        output = output @ W.T
    assert output[:, 0].min() / size**depth == pytest.approx(best, rel=1e-14, abs=0)
    rng = np.random.default_rng(depth)
    for _ in range(200):
        layers = [rng.normal(size=(3, 2)), *rng.normal(size=(depth - 1, 3, 3))]
        size = sum(np.sum(W**2) for W in layers) ** 0.5
        output = TOY
        for W in layers:
            output = output @ W.T
        assert output[:, 0].min() / size**depth < best


def test_diagonal_margin_is_attained_and_not_exceeded() -> None:
    Z = np.array([[2, 1, 0.2], [1, 2, 0.2]])
    best = diagonal_margin(Z, [1, 1])
    assert best == pytest.approx(1.5, rel=1e-14, abs=0)
    u, v = np.sqrt([0.5, 0.5, 0]), np.zeros(3)
    assert (Z @ (u * u - v * v)).min() / (u @ u + v @ v) == pytest.approx(best, rel=1e-14, abs=0)
    for u, v in np.random.default_rng(0).normal(size=(500, 2, 3)):
        assert (Z @ (u * u - v * v)).min() / (u @ u + v @ v) <= best


def integrate(shapes: list[tuple[int, int]], seed: int, start: float, v: float) -> tuple:
    """Follow the path of the flow of a deep linear net on the toy to log 1/𝓛 ≈ v."""
    from scipy.integrate import solve_ivp

    rng = np.random.default_rng(seed)
    sizes = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    theta = rng.normal(scale=start, size=int(sum(r * c for r, c in shapes)))

    def layers(theta: np.ndarray) -> list[np.ndarray]:
        return [p.reshape(s) for p, s in zip(np.split(theta, sizes), shapes, strict=True)]

    def state(W: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
        q = TOY @ np.linalg.multi_dot(W[::-1])[0]
        weights = np.exp(q.min() - q)
        return q, weights / weights.sum(), float(q.min() - np.log(weights.sum()))

    def velocity(_: float, theta: np.ndarray) -> np.ndarray:
        W = layers(theta)
        _, p, value = state(W)
        gradients = []
        for i in range(len(W)):
            below, above = np.eye(2), np.eye(1)
            for M in W[:i]:
                below = M @ below
            for M in W[:i:-1]:
                above = above @ M
            gradients.append(np.outer(above[0], below @ (p @ TOY)).ravel())
        gradient = np.concatenate(gradients)
        return gradient / (gradient @ gradient) * max(abs(value), 1.0)

    answer = solve_ivp(velocity, (0, np.log(v)), theta, method="LSODA", rtol=1e-10, atol=1e-12)
    W = layers(answer.y[:, -1])
    q, _, value = state(W)
    norm = float(np.linalg.norm(answer.y[:, -1]))
    left = sum(np.sum(M**2) - np.linalg.norm(M, 2) ** 2 for M in W)
    return q.min() / norm ** len(W), value, float(left)


@pytest.mark.parametrize(
    ("shapes", "start", "late", "relative"),
    [
        ([(3, 2), (1, 3)], 0.5, 1e5, 1e-3),
        ([(3, 2), (3, 3), (1, 3)], 0.5, 1e7, 1e-3),
        ([(1, 2), (1, 1), (1, 1)], 0.7, 1e5, 5e-3),
    ],
)
def test_deep_linear_gap_is_the_one_of_the_flow(
    shapes: list, start: float, late: float, relative: float
) -> None:
    depth = len(shapes)
    margin, value, left = integrate(shapes, 0, start, late)
    measured = 1 - margin / deep_linear_margin(TOY, np.ones(3), depth=depth)
    predicted = deep_linear_gap([-value], TOY, np.ones(3), depth=depth, remainder=max(left, 0.0))
    assert measured == pytest.approx(predicted[0], rel=relative, abs=0)


@pytest.mark.parametrize(("depth", "remainder"), [(1, 0.0), (1, 0.3), (3, 0.7), (4, 2.0)])
def test_deep_linear_gap_by_hand(depth: int, remainder: float) -> None:
    # γ = 7/√13, p = (4, 9)/13.
    v = np.array([2.0, 50.0, 1e4])
    size = v * 13**0.5 / 7
    expected = remainder / 2 * size ** (-2 / depth) + 4 / 13 * np.log(9 / 4) / v
    found = deep_linear_gap(-v, TOY, np.ones(3), depth=depth, remainder=remainder)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_exclusive_or() -> None:
    found = two_layer_margin(XOR, XOR_LABELS)
    assert found.margin == pytest.approx(2**0.5 / 8, rel=1e-14, abs=0)
    assert found.upper_bound == pytest.approx(2**0.5 / 8, rel=1e-14, abs=0)
    # Independently: a linear program over a fine grid of directions.
    angles = 2 * np.pi * np.arange(720) / 720
    grid = np.column_stack([np.cos(angles), np.sin(angles)])
    features = XOR_LABELS[:, None] * activate(XOR @ grid.T, 0.0)
    answer = linprog(np.ones(1440), A_ub=np.hstack([-features, features]), b_ub=-np.ones(4))
    assert 0.5 / answer.fun == pytest.approx(2**0.5 / 8, rel=1e-9, abs=0)


def margin_at(X: np.ndarray, y: np.ndarray, slope: float, angles: np.ndarray) -> float:
    """Solve the linear program for neurons with these directions, which know of no arcs."""
    m = len(angles)
    features = y[:, None] * activate(X @ np.array([np.cos(angles), np.sin(angles)]), slope)
    answer = linprog(
        np.append(np.zeros(2 * m), -1.0),
        A_ub=np.vstack([
            np.column_stack([-features, features, np.ones(len(X))]),
            np.append(np.ones(2 * m), 0.0),
        ]),
        b_ub=np.append(np.zeros(len(X)), 1.0),
        bounds=[(0, None)] * (2 * m) + [(None, None)],
    )  # fmt: skip
    return -answer.fun / 2


@settings(max_examples=25)
@given(seeds, st.sampled_from([0.0, 0.3, -0.5, -1.0]))
def test_two_layer_margin_is_attained_and_bounded(seed: int, slope: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(int(rng.integers(1, 9)), 2))
    y = rng.choice([-1.0, 1.0], size=len(X))
    if slope == -1:
        y = np.where(np.abs(X @ rng.normal(size=2)) > np.abs(X @ rng.normal(size=2)), 1.0, -1.0)
    found = two_layer_margin(X, y, slope=slope)
    assert found.margin <= found.upper_bound * (1 + 1e-12)
    assert found.upper_bound <= found.margin * (1 + 1e-8)
    # Build the network and measure it.
    size = np.sqrt(np.abs(found.coefficients))
    W = size[:, None] * found.directions
    a = np.sign(found.coefficients) * size
    output = activate(X @ W.T, slope) @ a
    assert (y * output).min() / (a @ a + np.sum(W**2)) == pytest.approx(
        found.margin, rel=1e-9, abs=0
    )
    # No grid of directions does better than the bound.
    angles = 2 * np.pi * np.arange(180) / 180 + 0.01
    assert margin_at(X, y, slope, angles) <= found.upper_bound * (1 + 1e-6) + 1e-9


def test_no_arc_is_left_out_however_short() -> None:
    # The best network has a neuron on one of the short arcs between the kinks of like samples.
    X = np.array(
        [[2.72, -1.29], [0.55, -0.89], [0.35, -0.36], [2.24, -2.99], [0.32, 0.5], [0.42, 0.02]]
    )
    y = np.array([1.0, 1, -1, -1, -1, -1])
    found = two_layer_margin(X, y)
    kinks = np.arctan2(X[:, 1], X[:, 0]) + np.pi / 2
    angles = np.concatenate([kinks, kinks + np.pi, np.linspace(0, 2 * np.pi, 1000)])
    near = margin_at(X, y, 0.0, angles)
    assert near <= found.upper_bound <= near * (1 + 1e-5)


@settings(max_examples=15)
@given(seeds)
def test_a_linear_activation_gives_half_of_the_l2_margin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(6, 2))
    y = np.where(X @ rng.normal(size=2) >= 0, 1.0, -1.0)
    found = two_layer_margin(X, y, slope=1.0)
    assert found.margin == pytest.approx(deep_linear_margin(X, y, depth=2), rel=1e-8, abs=0)


def test_given_directions_are_all_there_is_in_other_dimensions() -> None:
    X = np.column_stack([XOR, np.zeros(4)])
    directions = 7 * np.array([[1.0, 1, 0], [-1, -1, 0], [1, -1, 0], [-1, 1, 0]])
    found = two_layer_margin(X, XOR_LABELS, directions=directions)
    assert found.margin == pytest.approx(2**0.5 / 8, rel=1e-14, abs=0)
    assert np.isnan(found.upper_bound)
    fewer = two_layer_margin(X, XOR_LABELS, directions=[[1, 0.9, 0], [-1, -1, 0], [1, -1, 0.2],
                                                        [-1, 1, 0]])  # fmt: skip
    assert fewer.margin < found.margin


def test_duplicates_opposites_and_one_sample() -> None:
    found = two_layer_margin([[3.0, 4.0], [3.0, 4.0], [-3.0, -4.0]], [1, 1, -1])
    assert found.margin == pytest.approx(1.25, rel=1e-12, abs=0)  # two neurons share ½ · 5
    found = two_layer_margin([[3.0, 4.0]], [-1])
    assert found.margin == pytest.approx(2.5, rel=1e-12, abs=0)
    assert found.margin == pytest.approx(
        max_margin([[3.0, 4.0]], [-1]).margin / 2, rel=1e-12, abs=0
    )


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: deep_linear_margin(TOY, np.ones(3), depth=0), ValueError, "depth must be"),
        (lambda: deep_linear_margin(TOY, np.ones(3), depth=1.5), TypeError, "depth must be"),
        (lambda: diagonal_margin([[1.0], [-1.0]], [1, 1]), ValueError, "append a constant"),
        (lambda: two_layer_margin(TOY, np.ones(3), slope=2), ValueError, "slope must lie"),
        (lambda: two_layer_margin([[1.0, 2, 3]], [1]), ValueError, "directions must be given"),
        (lambda: two_layer_margin(TOY, np.ones(3), directions=[[0, 0]]), ValueError, "vanish"),
        (lambda: two_layer_margin(TOY, np.ones(3), directions=[[1.0]]), ValueError, "columns"),
        # Two samples on one ray with opposite labels: no network without bias tells them apart.
        (lambda: two_layer_margin([[1, 1], [2, 2]], [1, -1]), ValueError, "separable"),
        (lambda: two_layer_margin([[0.0, 0.0]], [1]), ValueError, "separable"),
        (lambda: two_layer_margin([[0, 0], [1, 1], [2, 1]], [1, 1, 1]), ValueError, "separable"),
        (lambda: deep_linear_gap([0.0], TOY, np.ones(3), depth=2), ValueError, "log_loss must"),
        (
            lambda: deep_linear_gap([-5.0], TOY, np.ones(3), depth=2, remainder=-1),
            ValueError,
            "remainder must",
        ),
        (
            lambda: deep_linear_gap([-5.0], np.column_stack([TOY, ZERO]), np.ones(3), depth=2),
            ValueError,
            "span all 3 dimensions",
        ),
    ],
)
def test_bad_input(call: object, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        call()  # type: ignore[operator]


ZERO = np.zeros(3)
