"""Limits of two-layer networks against their definition, generic solvers, and known values."""

import contextlib
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ibtools.metrics.rank import stable_rank
from ibtools.models.two_layer import TwoLayerNet
from ibtools.theory.two_layer import (
    InconsistentPatternError,
    TwoLayerLimit,
    _limit,
    balanced_stable_rank,
    consistency_statistic,
    first_step_slack,
    frozen_limit,
    linear_margin_bound,
    nearly_orthogonal_rank_bound,
    own_pattern_limit,
    relu_gap_bound,
    relu_loss_bound,
    relu_rank_bound,
    relu_share_bound,
    signed_rank_constants,
    sliding_limit,
    start_input_bound,
    two_layer_limit,
    wide_relu_stable_rank,
)

seeds = st.integers(0, 10_000)


def leaky(m: int, d: int, slope: float) -> TwoLayerNet:
    """Return a network of which only m, d and γ matter."""
    return TwoLayerNet.initialize(m=m, d=d, slope=slope, scale=1e-3, seed=0)


def cosines(d: int) -> tuple[np.ndarray, np.ndarray]:
    i, k = np.arange(8)[:, None], np.arange(d)
    X = np.cos(0.9 * (i + 1) * (k + 1) + 0.13 * (i + 1) ** 2 * (k + 1) ** 1.5)
    return X, np.repeat([1.0, -1.0], 4)


def gaussian(n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, d)), np.repeat([1.0, -1.0], [n - n // 2, n // 2])


def shared_rows(
    X: np.ndarray, y: np.ndarray, slope: float, *, convex: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return v₊ and v₋ by a generic solver: of the convex problem, or in the labels' pattern."""
    d = X.shape[1]
    plus = y[:, None] > 0
    # max(z, γz) is at most a number where both z and γz are.
    rows = np.vstack(
        [
            np.hstack([np.where(plus, X, -c * X), np.where(plus, -c * X, X)])
            for c in ((slope, 1.0) if convex else (slope,))
        ]
    )
    start = np.concatenate([v := 2 * np.linalg.pinv(X) @ y, -v])
    found = minimize(
        lambda v: v @ v / 2,
        start,
        jac=lambda v: v,
        constraints={"type": "ineq", "fun": lambda v: rows @ v - 1, "jac": lambda v: rows},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 2000},
    )
    return found.x[:d], found.x[d:]


def test_reference_1() -> None:
    X, y = np.diag([2, 3, 2.5, 3.5]) @ np.eye(4, 6), np.array([1.0, 1.0, -1.0, -1.0])
    limit = two_layer_limit(leaky(8, 6, 0.25), X, y)
    assert limit.loss_time() == pytest.approx(4.53831, abs=1e-5)
    assert limit.stable_rank == pytest.approx(1.331522, abs=1e-6)
    # On orthogonal data α = 1/((1 + γ²)‖x‖²).
    np.testing.assert_allclose(limit.multipliers, 1 / (1.0625 * np.sum(X**2, axis=1)), rtol=1e-14)


def test_reference_2() -> None:
    X, y = cosines(400)
    limit = two_layer_limit(leaky(10, 400, 0.5), X, y)
    assert limit.multipliers.sum() == pytest.approx(0.03085525, abs=1e-8)
    assert limit.stable_rank == pytest.approx(1.117884, abs=1e-6)
    assert limit.margin == pytest.approx(1.800261, abs=1e-6)


def test_reference_3_is_refused_and_says_why() -> None:
    X, y = cosines(64)
    net = leaky(10, 64, 0.3)
    with pytest.raises(
        InconsistentPatternError,
        match=r"neurons of sign − would have input 0\.143 at sample 1 of label \+, where they have "
        r"to be inactive",
    ):
        two_layer_limit(net, X, y)
    limit = two_layer_limit(net, X, y, check=False)
    assert limit.consistency == pytest.approx(-0.1425954, abs=1e-7)
    assert limit.consistency == pytest.approx(-(X @ limit.v_minus)[1], rel=1e-12, abs=0)


def check_solution(limit: TwoLayerLimit, X: np.ndarray, y: np.ndarray) -> None:
    """Check everything that follows from the definition."""
    margins = y * limit.net.predict(X)
    active = limit.multipliers > 0
    assert margins.min() == pytest.approx(1, rel=1e-9, abs=0)
    np.testing.assert_allclose(margins[active], 1, rtol=1e-8)
    norm = np.linalg.norm(limit.W)
    assert limit.margin == pytest.approx(1 / norm, rel=1e-9, abs=0)
    assert np.linalg.norm(limit.direction) == pytest.approx(1, rel=1e-9, abs=0)
    np.testing.assert_allclose(limit.margins, margins, rtol=1e-8)
    signs = np.repeat([1.0, -1.0], limit.m)
    rows = signs[:, None] * (limit.slopes * limit.multipliers * y) @ X
    np.testing.assert_allclose(limit.W, rows, atol=1e-12 * norm)
    assert limit.stable_rank == pytest.approx(stable_rank(limit.W), rel=1e-12, abs=0)


@settings(max_examples=30)
@given(seeds, st.sampled_from([0.1, 0.4, 0.8, 1.0]), st.integers(2, 6))
def test_it_solves_its_constrained_problem(seed: int, slope: float, n: int) -> None:
    X, y = gaussian(n, 40, seed)
    limit = two_layer_limit(leaky(3, 40, slope), X, y, check=False)
    assume(slope == 1 or limit.consistency > 0)
    check_solution(limit, X, y)
    v_plus, v_minus = shared_rows(X, y, slope, convex=False)
    size = np.linalg.norm(limit.v_plus)
    np.testing.assert_allclose(limit.v_plus, v_plus, atol=1e-6 * size)
    np.testing.assert_allclose(limit.v_minus, v_minus, atol=1e-6 * size)
    assert np.ptp(limit.W[:3], axis=0).max() == 0  # all rows of W₊ are v₊
    np.testing.assert_allclose(limit.stable_rank_signed, [1, 1], rtol=1e-12)


def test_its_kernel_is_the_one_of_the_text() -> None:
    X, y = gaussian(6, 500, 1)
    gamma = 0.3
    limit = two_layer_limit(leaky(4, 500, gamma), X, y)
    gram = X @ X.T
    same = np.equal.outer(y, y)
    expected = np.where(same, (1 + gamma**2) * gram, -2 * gamma * gram)
    np.testing.assert_allclose(limit.kernel, expected, rtol=1e-12)
    np.testing.assert_allclose(limit.multipliers, np.linalg.solve(expected, np.ones(6)), rtol=1e-10)
    alpha, plus = limit.multipliers, y > 0
    v_plus = alpha[plus] @ X[plus] - gamma * alpha[~plus] @ X[~plus]
    v_minus = alpha[~plus] @ X[~plus] - gamma * alpha[plus] @ X[plus]
    np.testing.assert_allclose(limit.v_plus, v_plus, atol=1e-14)
    np.testing.assert_allclose(limit.v_minus, v_minus, atol=1e-14)
    # consistency: the smallest input on its right side
    inputs = np.concatenate([y * (X @ v_plus), -y * (X @ v_minus)])
    assert limit.consistency == pytest.approx(inputs.min(), rel=1e-12, abs=0)


@given(seeds, st.floats(1e-4, 1e4))
def test_units_order_and_signs_of_the_labels_do_not_matter(seed: int, unit: float) -> None:
    X, y = gaussian(5, 60, seed)
    net = leaky(2, 60, 0.4)
    limit = two_layer_limit(net, X, y, check=False)
    scaled = two_layer_limit(net, unit * X, y, check=False)
    np.testing.assert_allclose(scaled.multipliers, limit.multipliers / unit**2, rtol=1e-9)
    assert scaled.margin == pytest.approx(unit * limit.margin, rel=1e-9, abs=0)
    assert scaled.consistency == pytest.approx(limit.consistency, rel=1e-6, abs=1e-9)
    order = np.random.default_rng(seed).permutation(5)
    moved = two_layer_limit(net, X[order], y[order], check=False)
    np.testing.assert_allclose(moved.W, limit.W, atol=1e-10 * np.abs(limit.W).max())
    flipped = two_layer_limit(net, X, -y, check=False)
    np.testing.assert_allclose(flipped.v_plus, limit.v_minus, atol=1e-10)


def test_a_linear_network_has_no_pattern_to_keep() -> None:
    X, y = gaussian(8, 10, 0)
    limit = two_layer_limit(leaky(2, 10, 1.0), X, y)
    assert limit.consistency == np.inf
    check_solution(limit, X, y)
    np.testing.assert_allclose(limit.v_plus, -limit.v_minus, rtol=1e-12)


def test_samples_that_are_no_support_vectors() -> None:
    # The long sample is far beyond the margin that the short one of its label needs.
    X = np.array([[1.0, 0.0, 0.0], [5.0, 0.5, 0.0], [0.0, 0.0, 1.0]])
    y = np.array([1.0, 1.0, -1.0])
    limit = two_layer_limit(leaky(3, 3, 0.5), X, y)
    np.testing.assert_allclose(limit.multipliers, [0.8, 0, 0.8], rtol=1e-12)
    assert not limit.equal_margins
    assert limit.margin_gap() == np.inf
    check_solution(limit, X, y)


@settings(max_examples=30)
@given(seeds, st.sampled_from([0.05, 0.3, 0.7]), st.integers(2, 8))
def test_sliding_solves_the_convex_problem(seed: int, slope: float, n: int) -> None:
    X, y = gaussian(n, 9, seed)
    net = leaky(2, 9, slope)
    v_plus, v_minus = shared_rows(X, y, slope, convex=True)
    own = np.where(y > 0, X @ v_plus, X @ v_minus)
    assume(np.abs(own).min() > 1e-4)
    if own.min() < 0:
        with pytest.raises(InconsistentPatternError, match="have to be active") as refused:
            sliding_limit(net, X, y)
        named = re.search(r"at sample (\d+) of label", str(refused.value))
        assert named is not None
        assert own[int(named[1])] == pytest.approx(own.min(), abs=1e-6)
    else:
        limit = sliding_limit(net, X, y)
        size = np.linalg.norm(v_plus) + np.linalg.norm(v_minus)
        np.testing.assert_allclose(limit.v_plus, v_plus, atol=1e-5 * size)
        np.testing.assert_allclose(limit.v_minus, v_minus, atol=1e-5 * size)
        check_solution(limit, X, y)
        inputs = limit.W @ X.T
        np.testing.assert_allclose(inputs[limit.sliding], 0, atol=1e-10 * np.abs(inputs).max())
        off = ~limit.sliding & (np.abs(inputs) > 1e-9 * np.abs(inputs).max())
        assert np.all((limit.slopes == 1)[off] == (inputs > 0)[off])


def test_sliding_is_the_closed_form_where_the_pattern_is_consistent() -> None:
    X, y = cosines(400)
    net = leaky(10, 400, 0.5)
    closed, convex = two_layer_limit(net, X, y), sliding_limit(net, X, y)
    np.testing.assert_allclose(convex.W, closed.W, atol=1e-12 * np.abs(closed.W).max())
    np.testing.assert_allclose(convex.multipliers, closed.multipliers, rtol=1e-10)
    assert not convex.sliding.any()
    assert convex.consistency == pytest.approx(closed.consistency, rel=1e-9, abs=0)


def test_a_repeated_sample_counts_twice() -> None:
    X, y = np.eye(3)[[0, 0, 1]], np.array([1.0, 1.0, -1.0])
    for limit_of in (two_layer_limit, sliding_limit):
        limit = limit_of(leaky(2, 3, 0.5), X, y)
        # α = 1/(1 + γ²) of each direction, shared by the copies.
        np.testing.assert_allclose(limit.multipliers, [0.4, 0.4, 0.8], rtol=1e-12)
        assert limit.equal_margins
        assert limit.margin_gap() == pytest.approx(np.log(2), rel=1e-12, abs=0)
        check_solution(limit, X, y)
        once = limit_of(leaky(2, 3, 0.5), X[1:], y[1:])
        np.testing.assert_allclose(limit.W, once.W, atol=1e-14)
        assert limit.margin == pytest.approx(once.margin, rel=1e-12, abs=0)
    relu = TwoLayerNet(
        [[1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0], [1.0, 1.0, 0.0]], slope=0.0
    )
    limit = two_layer_limit(relu, X, y)
    np.testing.assert_allclose(limit.multipliers, [0.5, 0.5, 1.0], rtol=1e-12)
    # Copies in any order, three of one and two of another.
    order = [2, 0, 1, 0, 1, 0]
    A, signs = np.linalg.qr(gaussian(3, 9, 0)[0].T)[0].T[order], np.array([1.0, -1.0, 1.0])[order]
    limit = two_layer_limit(leaky(2, 9, 0.5), A, signs)
    np.testing.assert_allclose(limit.multipliers, 0.8 / np.array([1, 3, 2, 3, 2, 3]), rtol=1e-12)


def test_samples_that_depend_on_each_other_have_a_direction_and_no_gap() -> None:
    # Three samples in a plane, and a linear network: the middle one is a mean of the others.
    X, y = np.array([[1.0, 0.5], [1.0, 0.0], [1.0, -0.5]]), np.ones(3)
    limit = two_layer_limit(leaky(2, 2, 1.0), X, y)
    np.testing.assert_allclose(limit.v_plus, [0.5, 0.0], atol=1e-14)
    assert limit.equal_margins
    assert not limit.determined
    with pytest.raises(ValueError, match="the gap depends on the start"):
        limit.margin_gap()
    check_solution(limit, X, y)


@pytest.mark.parametrize("angle", [1e-2, 1e-3, 1e-4, 1e-5])
def test_nearly_parallel_samples_of_opposite_labels_slide(angle: float) -> None:
    X = np.array([[1.0, 0.0, 0.0], [np.cos(angle), np.sin(angle), 0.0], [0.0, 0.0, 2.0]])
    y = np.array([1.0, -1.0, 1.0])
    limit = sliding_limit(leaky(2, 3, 0.5), X, y)
    # v₊ is the shortest with ⟨v₊, x₁⟩ = 1 and ⟨v₊, x₂⟩ = 0, and what the third sample adds.
    # (α is of the order of 1/angle², so its rounding is seen in the small entries.)
    rounding = 1e-9 / angle
    np.testing.assert_allclose(limit.v_plus, [1, -1 / np.tan(angle), 0.4], atol=rounding)
    np.testing.assert_allclose(limit.v_minus, [0, 1 / np.sin(angle), -0.2], atol=rounding)
    assert limit.sliding[:2, 1].all()
    assert limit.sliding[2:, 0].all()
    assert limit.consistency == pytest.approx(0.4, abs=rounding)


def by_every_neuron(
    X: np.ndarray, y: np.ndarray, active: np.ndarray, slope: float, start: np.ndarray
) -> np.ndarray:
    """Return the solution with this pattern on own samples, of all 2m rows, by a generic solver.

    In epigraph form: the variables are W and, for each opposite pair, at least σ of its input.
    """
    rows, n = active.shape
    m, d = rows // 2, X.shape[1]
    own = np.outer(np.repeat([1.0, -1.0], m), y) > 0
    r, i = np.nonzero(~own)
    k, size = np.arange(r.size), rows * d
    margins = np.zeros((n, size + r.size))
    held = np.where(active, 1.0, slope) * own / m
    margins[:, :size] = np.einsum("ri,id->ird", held, X).reshape(n, size)
    margins[i, size + k] = -1 / m
    inputs = np.zeros((r.size, rows, d))
    inputs[k, r] = X[i]
    inputs = inputs.reshape(r.size, size)
    kinks = np.vstack([np.hstack([-c * inputs, np.eye(r.size)]) for c in (slope, 1.0)])
    A, b = np.vstack([margins, kinks]), np.repeat([1.0, 0.0], [n, 2 * r.size])
    z = start @ X.T
    first = np.concatenate([start.ravel(), np.maximum(z, slope * z)[r, i]])
    found = minimize(
        lambda v: v[:size] @ v[:size] / 2,
        2 * first,
        jac=lambda v: np.append(v[:size], np.zeros(r.size)),
        constraints={"type": "ineq", "fun": lambda v: A @ v - b, "jac": lambda v: A},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return found.x[:size].reshape(rows, d)


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from([0.0, 0.1, 0.6]), st.sampled_from([2, 3, 6]))
def test_any_pattern_on_own_samples(seed: int, slope: float, d: int) -> None:
    X, y = gaussian(4, d, seed)
    random = np.random.default_rng(seed)
    net = TwoLayerNet(random.normal(size=(6, d)), slope=slope)
    active = net.W @ X.T >= 0
    own = np.outer(net.signs, y) > 0
    try:
        limit = own_pattern_limit(net, X, y, check=False)
    except ValueError:  # nothing separates the samples
        assume(False)
    np.testing.assert_array_equal(limit.slopes[own], np.where(active, 1.0, slope)[own])
    start = limit.W + 0.05 * random.normal(size=(6, d))
    # The solver goes on from where it stopped: of long weights it leaves more digits open.
    once = by_every_neuron(X, y, active, slope, start)
    expected = by_every_neuron(X, y, active, slope, once)
    np.testing.assert_allclose(limit.W, expected, atol=2e-5 * np.abs(expected).max())
    inputs = np.where(active, 1.0, -1.0) * (limit.W @ X.T)
    if (inputs[own] > 1e-6).all():
        assert own_pattern_limit(net, X, y).consistency > 0
        check_solution(limit, X, y)
    if (inputs[own] < -1e-6).any():
        with pytest.raises(InconsistentPatternError, match="own samples has stopped moving"):
            own_pattern_limit(net, X, y)


def test_crossing_kinks_is_shorter_where_samples_crowd() -> None:
    # In two dimensions a neuron cannot avoid samples of the other label.
    angles = np.array([0.0, 0.3, -0.3, 0.5])
    X, y = np.column_stack([np.cos(angles), np.sin(angles)]), np.array([1.0, 1.0, -1.0, -1.0])
    net = TwoLayerNet([[1.0, 0.2], [0.6, -0.9], [0.2, -1.0], [0.0, 1.0]], slope=0.0)
    active = net.W @ X.T >= 0
    limit = own_pattern_limit(net, X, y)
    full = (limit.slopes == 1) & (np.outer(net.signs, y) < 0)
    assert full.any()
    assert ((limit.W @ X.T)[full] > -1e-12).all()
    expected = by_every_neuron(X, y, active, 0.0, limit.W + 0.01)
    np.testing.assert_allclose(limit.W, expected, atol=1e-6 * np.abs(expected).max())


def orthogonal(n: int, d: int, sizes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, n)))[0]
    return sizes[:, None] * basis.T, np.repeat([1.0, -1.0], [n - n // 2, n // 2])


def test_relu_on_orthogonal_data() -> None:
    X, y = orthogonal(7, 20, np.linspace(1, 3, 7), 0)
    net = TwoLayerNet.initialize(m=6, d=20, slope=0.0, scale=1.0, seed=0)
    limit = two_layer_limit(net, X, y)
    active = net.W @ X.T >= 0
    share = np.where(y > 0, active[:6].mean(axis=0), active[6:].mean(axis=0))
    squares = np.sum(X**2, axis=1)
    np.testing.assert_allclose(limit.multipliers, 1 / (share * squares), rtol=1e-12)
    check_solution(limit, X, y)
    assert limit.loss_time() == pytest.approx(6 * np.sum(1 / (share * squares)), rel=1e-12, abs=0)
    for column, sign in enumerate((1.0, -1.0)):
        mine = y == sign
        bound = relu_rank_bound(share[mine], 1 / squares[mine])
        assert limit.stable_rank_signed[column] <= bound * (1 + 1e-12)
        assert bound <= 1 / share[mine].min()


def test_the_relu_bound_is_attained_by_neurons_with_one_sample_each() -> None:
    # Every neuron active on one sample of two: W₊ has orthogonal rows, and β = ½.
    W = [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    limit = two_layer_limit(TwoLayerNet(W, slope=0.0), np.eye(3), [1, 1, -1])
    assert limit.stable_rank_signed[0] == pytest.approx(
        relu_rank_bound([0.5, 0.5]), rel=1e-12, abs=0
    )
    assert limit.stable_rank_signed[0] == pytest.approx(2, rel=1e-12, abs=0)
    assert limit.stable_rank_signed[1] == pytest.approx(1, rel=1e-12, abs=0)


def test_wide_relu_networks() -> None:
    X, y = orthogonal(12, 30, np.full(12, 2.0), 1)
    ranks = [
        two_layer_limit(
            TwoLayerNet.initialize(m=4000, d=30, slope=0.0, scale=1.0, seed=seed), X, y
        ).stable_rank_signed
        for seed in range(3)
    ]
    assert np.mean(ranks) == pytest.approx(wide_relu_stable_rank(6), rel=5e-3, abs=0)


def test_one_class_leaves_the_other_neurons_of_a_relu_net_bounded() -> None:
    net = TwoLayerNet(np.ones((2, 3)), slope=0.0)
    limit = two_layer_limit(net, np.eye(3), [1, 1, 1])
    assert np.isnan(limit.stable_rank_signed[1])
    assert limit.stable_rank_signed[0] == pytest.approx(1, rel=1e-12, abs=0)
    leaky_limit = two_layer_limit(leaky(1, 3, 0.5), np.eye(3), [-1, -1, -1])
    np.testing.assert_allclose(leaky_limit.v_plus, -0.5 * leaky_limit.v_minus)


@pytest.mark.parametrize("slope", [0.05, 0.3, 0.9, 1.0])
def test_balanced_orthogonal_data(slope: float) -> None:
    X, y = orthogonal(10, 30, np.full(10, 1.7), 2)
    limit = two_layer_limit(leaky(4, 30, slope), X, y)
    assert limit.stable_rank == pytest.approx(balanced_stable_rank(slope), rel=1e-12, abs=0)
    assert limit.margin_gap() == pytest.approx(0, abs=1e-12)


def test_known_values() -> None:
    assert balanced_stable_rank(0.1) == pytest.approx(1.6694, abs=5e-5)
    assert balanced_stable_rank(0.5) == pytest.approx(1.1111, abs=5e-5)
    assert balanced_stable_rank(0.0) == 2
    assert wide_relu_stable_rank(1) == 1
    assert consistency_statistic(n=10, d=100, slope=0.5) == pytest.approx(
        25 / (10 * np.log(10)), rel=1e-12, abs=0
    )


def test_time_times_loss() -> None:
    X, y = cosines(400)
    limit = two_layer_limit(leaky(10, 400, 0.5), X, y)
    total = 1 / limit.margin**2
    assert limit.loss_time() == pytest.approx(total, rel=1e-12, abs=0)
    expected = 0.2 / (np.exp(0.2 / total) - 1)
    assert limit.loss_time(schedule="loss_based", step_size=0.2) == pytest.approx(
        expected, rel=1e-12, abs=0
    )
    # Small steps are flow, where both are the same.
    assert limit.loss_time(schedule="loss_based", step_size=1e-9) == pytest.approx(
        total, rel=1e-8, abs=0
    )
    alpha = limit.multipliers
    assert limit.margin_gap() == pytest.approx(np.log(alpha.max() / alpha.min()), rel=1e-12, abs=0)


def test_frozen_limit_of_the_labels_pattern_is_the_limit() -> None:
    X, y = cosines(400)
    limit = two_layer_limit(leaky(10, 400, 0.5), X, y)
    frozen = frozen_limit(limit.net, X, y)
    np.testing.assert_allclose(frozen.W, limit.W, atol=1e-13)
    with pytest.raises(InconsistentPatternError):
        frozen_limit(leaky(10, 400, 0.5), X, y)  # a random start


def test_frozen_limit_of_a_relu_net() -> None:
    X, y = orthogonal(6, 15, np.linspace(1, 2, 6), 3)
    net = TwoLayerNet.initialize(m=7, d=15, slope=0.0, scale=1.0, seed=4)
    limit = two_layer_limit(net, X, y)
    # Far out, and a little below every kink that the limit leaves alone.
    late = net.replace(
        (50 * limit.W + np.where(np.abs(limit.W @ X.T) < 1e-9, -1.0, 0.0) @ X).ravel()
    )
    np.testing.assert_allclose(frozen_limit(late, X, y).W, limit.W, atol=1e-12)


def test_signed_rank_constants_by_hand() -> None:
    X, y = np.eye(2, 5), np.array([1.0, -1.0])
    off = np.array([[0.0, 0.3, 0.0, 0.1, 0.0], [0.0, -0.1, 0.2, 0.0, 0.0]])
    base = np.array([[5.0, -2, 0, 0, 0], [-2.0, 5, 0, 0, 0]])
    W = np.vstack([base[0] + off, base[1] - off])
    constants = signed_rank_constants(TwoLayerNet(W, slope=0.5), X, y)
    for constant, sign in zip(constants, (1, -1), strict=True):
        v = np.array([1, -0.5, 0, 0, 0]) if sign > 0 else np.array([-0.5, 1, 0, 0, 0])
        deviation = off - off.mean(axis=0)
        expected = np.sum(deviation**2) - np.sum((deviation @ v / np.linalg.norm(v)) ** 2)
        assert constant == pytest.approx(expected, rel=1e-12, abs=0)
        # The same from the stable rank itself, with the rows far out in the limit direction.
        far = 1e3 * v + deviation
        assert (stable_rank(far) - 1) * np.sum(far**2) == pytest.approx(expected, rel=1e-3, abs=0)


def test_first_step_slack_by_hand() -> None:
    X, y = np.diag([2.0, 1.0]), np.array([1.0, -1.0])
    W = [[-0.1, 0.05], [0.0, -0.02]]  # one neuron of either sign
    net = TwoLayerNet(W, slope=0.5)
    outputs = [0.5 * -0.2 - 0.0, 0.05 - 0.5 * -0.02]
    pull = 1 / (1 + np.exp([outputs[0], -outputs[1]]))
    unit = 0.7 / 2
    moves = unit * pull * np.array([4.0, 1.0])  # of an active neuron at its own sample
    # Where it has to go: + at sample 0 up, at sample 1 down; − the other way round.
    slack = [
        (0.5 * moves[0] - 0.2) / (0.5 * moves[0]),
        (moves[1] - 0.05) / moves[1],
        (moves[0] + 0.0) / moves[0],
        (0.5 * moves[1] - 0.02) / (0.5 * moves[1]),
    ]
    assert first_step_slack(net, X, y, step_size=0.7) == pytest.approx(min(slack), rel=1e-12, abs=0)
    # A second sample takes from it what it may push the wrong way.
    nearby = np.array([[2.0, 0.0], [0.5, 1.0]])
    assert first_step_slack(net, nearby, y, step_size=0.7) < min(slack)


@pytest.mark.parametrize(("low", "high", "least", "most"), [(0.1, 0.1, 0, 0.3), (1.5, 2, 0.9, 1)])
def test_consistency_of_gaussian_data_depends_on_one_number(
    low: float, high: float, least: float, most: float
) -> None:
    shares = []
    for n, slope in ((10, 0.3), (20, 0.3), (20, 0.6)):
        d = int(np.ceil((low + high) / 2 * n * np.log(n) / slope**2))
        consistent = [
            two_layer_limit(leaky(1, d, slope), *gaussian(n, d, seed), check=False).consistency > 0
            for seed in range(40)
        ]
        shares.append(np.mean(consistent))
    assert all(least <= share <= most for share in shares), shares


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("X", "y", "slope", "message"),
    [
        ([[1.0, 0, 0], [0.1, 1, 0], [0, 0, 1]], [1, 1, -1], 0.0, r"samples 0 and 1 have cosine"),
        ([[1.0, 0, 0], [0, 0, 0]], [1, -1], 0.0, r"X must have no zero rows, got one at 1"),
        ([[1.0, 0, 0], [0, 0, 0]], [1, -1], 0.5, r"sample 1 is zero"),
        (np.eye(3), [1, 2, -1], 0.5, r"labels 1 and -1 only"),
        (np.eye(2), [1, -1], 0.5, r"X must have 3 columns"),
        (np.full((2, 3), np.nan), [1, -1], 0.5, r"X must be finite"),
    ],
)
def test_what_has_no_limit_is_refused(X: object, y: list, slope: float, message: str) -> None:
    net = TwoLayerNet(np.ones((4, 3)), slope=slope)
    with pytest.raises(ValueError, match=message):
        two_layer_limit(net, X, y)


def test_orthogonal_samples_have_a_limit_for_relu() -> None:
    net = TwoLayerNet(np.ones((4, 3)), slope=0.0)
    assert two_layer_limit(net, np.eye(3), [1, 1, -1]).equal_margins


def test_a_relu_sample_without_active_neurons_is_refused() -> None:
    net = TwoLayerNet([[1.0, -1.0], [1.0, 1.0]], slope=0.0)
    with pytest.raises(ValueError, match=r"no neuron of sign \+ is active on sample 1"):
        two_layer_limit(net, np.eye(2), [1, 1])


def test_contradicting_samples_are_refused() -> None:
    net = leaky(2, 1, 0.5)
    with pytest.raises(ValueError, match="no weights separate the samples"):
        sliding_limit(net, [[1.0], [2.0], [-1.0], [-3.0]], [1, -1, 1, -1])


@pytest.mark.usefixtures("as_a_user")
def test_bad_arguments_are_refused() -> None:
    X, y = np.eye(2, 3), np.array([1.0, -1.0])
    net, relu = leaky(2, 3, 0.5), leaky(2, 3, 0.0)
    limit = two_layer_limit(net, X, y)
    with pytest.raises(ValueError, match="schedule must be one of"):
        limit.loss_time(schedule="cosine")
    with pytest.raises(ValueError, match="step_size must be given"):
        limit.loss_time(schedule="loss_based")
    with pytest.raises(ValueError, match="step_size must be greater than 0"):
        limit.loss_time(schedule="loss_based", step_size=0.0)
    with pytest.raises(ValueError, match="step_size must be greater than 0"):
        first_step_slack(net, X, y, step_size=0.0)
    with pytest.raises(ValueError, match="no zero rows, got one at 1"):
        first_step_slack(net, np.diag([1.0, 0.0]) @ X, y, step_size=1.0)
    for refused in (
        lambda: first_step_slack(relu, X, y, step_size=1.0),
        lambda: signed_rank_constants(relu, X, y),
        lambda: sliding_limit(relu, X, y),
    ):
        with pytest.raises(ValueError, match="leaky ReLU, got slope 0"):
            refused()
    wrong = TwoLayerNet([[1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]], slope=0.5)
    with pytest.raises(
        ValueError, match=r"neuron 0 of sign \+ is active on sample 1 of label −; train it"
    ):
        signed_rank_constants(wrong, X, y)
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match="shares must be above 0 and at most 1"):
            relu_rank_bound([0.5, share])
    assert relu_rank_bound([0.5, 1.0]) == 1.5
    with pytest.raises(ValueError, match="weights must be above 0"):
        relu_rank_bound([0.5, 0.5], [1.0, 0.0])
    with pytest.raises(ValueError, match="weights must have 2 entries"):
        relu_rank_bound([0.5, 0.5], [1.0])
    with pytest.raises(ValueError, match="n must be at least 1"):
        wide_relu_stable_rank(0)
    with pytest.raises(ValueError, match="slope must be from 0 to 1"):
        balanced_stable_rank(1.1)
    with pytest.raises(ValueError, match="n must be at least 2"):
        consistency_statistic(n=1, d=10, slope=0.1)


def test_opposite_neurons_may_be_right_where_own_ones_are_not() -> None:
    X = np.array([[0.11, 0.015, 0.01], [-0.58, -2.94, 0.77], [0.09, 0.42, 0.035]])
    y = np.array([1.0, -1.0, -1.0])
    net = leaky(2, 3, 0.7)
    limit = two_layer_limit(net, X, y, check=False)
    plus, minus = X @ limit.v_plus, X @ limit.v_minus
    assert (limit.multipliers > 0).all()
    assert np.where(y > 0, minus, plus).max() < 0
    # The second sample's opposite input is below −1/γ, so its own one is negative.
    assert plus[1] < -1 / 0.7
    assert minus[1] == pytest.approx(1 + 0.7 * plus[1], rel=1e-9, abs=0)
    assert limit.consistency == pytest.approx(minus[1], rel=1e-9, abs=0)
    for limit_of in (two_layer_limit, sliding_limit):
        with pytest.raises(
            InconsistentPatternError,
            match=r"neurons of sign − would have input -1\.04 at sample 1 of label −, where they "
            "have to be active",
        ):
            limit_of(net, X, y)


def test_bounds_are_their_formulas() -> None:
    assert start_input_bound(m=3, n=5, scale=0.1, radius=4.0, failure=0.2) == pytest.approx(
        0.4 * np.sqrt(2 * np.log(150)), rel=1e-14, abs=0
    )
    assert relu_share_bound(m=50, n=8, failure=0.3) == pytest.approx(
        0.5 - np.sqrt(np.log(8 / 0.3) / 100), rel=1e-14, abs=0
    )
    assert relu_gap_bound(share=0.25, spread=2.0) == pytest.approx(np.log(48), rel=1e-14, abs=0)
    assert relu_loss_bound(m=3, n=5, step_size=2.0, share=0.5, least_square=4.0) == pytest.approx(
        15 / (4 * 15 / 16), rel=1e-14, abs=0
    )
    assert nearly_orthogonal_rank_bound(
        share=0.25, orthogonality=9.0, spread=2.0, balance=3.0
    ) == pytest.approx(2 * 10 / 8 * (4 + 3 / 64), rel=1e-14, abs=0)
    assert nearly_orthogonal_rank_bound(share=1.0, orthogonality=np.inf) == 65 / 64
    assert linear_margin_bound(orthogonality=48.0) == pytest.approx(45 / 49, rel=1e-14, abs=0)
    assert linear_margin_bound(orthogonality=20.0, spread=3.0) == pytest.approx(
        13 / 25, rel=1e-14, abs=0
    )
    assert linear_margin_bound(orthogonality=np.inf, spread=7.0) == 1
    # What is just above 1 + 2D, and above 1, is allowed.
    assert linear_margin_bound(orthogonality=7.5, spread=3.0) == pytest.approx(
        1 / 25, rel=1e-13, abs=0
    )
    assert nearly_orthogonal_rank_bound(
        share=0.25, orthogonality=1.5, spread=2.0, balance=3.0
    ) == pytest.approx(2 * 2.5 / 0.5 * (4 + 3 / 64), rel=1e-14, abs=0)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("bound", "message"),
    [
        (lambda: start_input_bound(m=0, n=1, scale=1.0, radius=1.0), "m must be at least 1"),
        (lambda: start_input_bound(m=1, n=1, scale=0.0, radius=1.0), "scale must be greater"),
        (lambda: start_input_bound(m=1, n=1, scale=1.0, radius=-1.0), "radius must be greater"),
        (lambda: relu_share_bound(m=1, n=1, failure=0.0), "failure must be between 0 and 1"),
        (lambda: relu_share_bound(m=1, n=1, failure=1.0), "failure must be between 0 and 1"),
        (lambda: relu_gap_bound(share=0.0), "share must be above 0 and at most 1"),
        (lambda: relu_gap_bound(share=1.01), "share must be above 0 and at most 1"),
        (lambda: relu_gap_bound(share=0.5, spread=0.9), "spread must be at least 1"),
        (
            lambda: relu_loss_bound(m=1, n=1, step_size=1.0, share=0.5, least_square=0.0),
            "least_square must be greater",
        ),
        (
            lambda: nearly_orthogonal_rank_bound(share=0.5, orthogonality=1.0),
            "orthogonality must be above 1, got 1",
        ),
        (
            lambda: linear_margin_bound(orthogonality=5.0, spread=2.0),
            r"orthogonality must be above 1 \+ 2·spread = 5, got 5",
        ),
        (
            lambda: linear_margin_bound(orthogonality=6.5, spread=3.0),
            r"orthogonality must be above 1 \+ 2·spread = 7, got 6\.5",
        ),
    ],
)
def test_bounds_refuse_what_they_do_not_hold_for(bound: Callable[[], float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bound()


def test_a_problem_without_room_inside_the_kinks_is_solved_all_the_same() -> None:
    # All opposite inputs at or below 0 is impossible here; a linear program finds other sides.
    random = np.random.default_rng(3)
    X, y = random.normal(size=(6, 2)), np.array([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    solved = 0
    for seed in range(40):
        net = TwoLayerNet(np.random.default_rng(seed).normal(size=(8, 2)), slope=0.2)
        active = net.W @ X.T >= 0
        try:
            limit = own_pattern_limit(net, X, y, check=False)
        except ValueError:
            continue
        expected = by_every_neuron(X, y, active, 0.2, 1.01 * limit.W)
        np.testing.assert_allclose(limit.W, expected, atol=1e-4 * np.abs(expected).max())
        solved += 1
        if solved == 3:
            break
    assert solved


def test_inseparable_samples_are_refused_whatever_the_pattern() -> None:
    net = TwoLayerNet(np.ones((4, 1)), slope=0.5)
    with pytest.raises(ValueError, match="no weights separate the samples"):
        own_pattern_limit(net, [[1.0], [2.0], [3.0]], [1, -1, 1])


def _two_neurons(slope: float) -> TwoLayerNet:
    return TwoLayerNet(np.eye(2), slope=slope)


def test_consistency_counts_the_pairs_that_have_a_side() -> None:
    # Orthogonal samples, multipliers of 1: each neuron's input at a sample is ± its slope there.
    net, X, y, ones = _two_neurons(0.5), np.eye(2), np.array([1.0, -1.0]), np.ones(2)
    own, wrong = np.eye(2, dtype=bool), np.array([[True, True], [False, True]])

    def consistency(slopes: list, active: np.ndarray, **options: bool) -> float:
        return _limit(X, y, np.array(slopes), net, active, ones, **options).consistency

    assert consistency([[1.0, 0.5], [0.5, 1.0]], own) == 0.5
    assert consistency([[1.0, 0.5], [0.5, 1.0]], wrong) == -0.5
    # Strictly between the slopes a neuron is on its kink, where no side is wrong.
    assert consistency([[1.0, 0.7], [0.7, 1.0]], wrong) == 1.0
    # Free to choose its side, an opposite pair is never on the wrong one; an own pair may be.
    assert consistency([[1.0, 0.5], [0.5, 1.0]], wrong, sides_free=True) == 0.5
    assert consistency([[1.0, 0.5], [0.5, 1.0]], ~own, sides_free=True) == -1.0


@pytest.mark.parametrize(("tilt", "counts"), [(2.9e-15, False), (3.2e-15, True)])
def test_what_rounding_may_have_moved_does_not_count(tilt: float, counts: bool) -> None:
    # 4(n + √d) units in the last place of 1, n = d = 2: 3.03e-15.
    X, y = np.array([[1.0, 0.0], [tilt, 1.0]]), np.array([1.0, -1.0])
    found = _limit(X, y, np.eye(2), _two_neurons(0.0), np.eye(2, dtype=bool), np.ones(2))
    assert found.consistency == (-tilt if counts else 1.0)


def test_an_input_of_0_at_the_start_is_active() -> None:
    # As PyTorch has it in `TwoLayerNet`; the second sample has no other neuron.
    relu = TwoLayerNet([[1.0, 0.0], [-1.0, -1.0]], slope=0.0)
    for limit_of in (two_layer_limit, own_pattern_limit, frozen_limit):
        np.testing.assert_allclose(limit_of(relu, np.eye(2), [1, 1]).multipliers, 1, rtol=1e-12)
    # A pattern with an input of 0 is the labels' as well.
    W = [[0.2, 0.0, -0.3], [0.0, 0.0, -0.3], [-0.2, -0.1, 0.0], [-0.1, -0.2, 0.4]]
    net = TwoLayerNet(W, slope=0.5)
    constants = signed_rank_constants(net, np.eye(3), [1, 1, -1])
    v = np.array([[1.0, 1.0, -0.5], [-0.5, -0.5, 1.0]])
    for rows, along, constant in zip((net.W[:2], net.W[2:]), v, constants, strict=True):
        off = rows - rows.mean(axis=0)
        expected = np.sum(off**2) - np.sum((off @ along) ** 2) / (along @ along)
        assert constant == pytest.approx(expected, rel=1e-12, abs=0)


def test_the_first_of_several_is_named() -> None:
    with pytest.raises(ValueError, match=r"no neuron of sign \+ is active on sample 1 at"):
        two_layer_limit(
            TwoLayerNet([[1.0, -1.0, -1.0], [1.0, 1.0, 1.0]], slope=0.0), np.eye(3), [1, 1, 1]
        )
    for high in (0.3, 3.0):
        active = TwoLayerNet(np.full((2, 3), high), slope=0.5)
        with pytest.raises(ValueError, match=r"neuron 0 of sign \+ is active on sample 1 of"):
            signed_rank_constants(active, np.eye(2, 3), [1, -1])
    with pytest.raises(ValueError, match=r"neuron 0 of sign \+ is inactive on sample 0 of"):
        signed_rank_constants(TwoLayerNet(-np.eye(2) / 2, slope=0.5), np.eye(2), [1, -1])
    with pytest.raises(ValueError, match="sample 0 is zero, or no neuron is active on it"):
        frozen_limit(TwoLayerNet(np.eye(2), slope=0.5), np.zeros((2, 2)), [1, -1])
    X = np.array([[1.0, 0, 0], [0.1, 1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match=r"samples 0 and 1 have cosine 0\.0995;"):
        two_layer_limit(TwoLayerNet(np.ones((4, 3)), slope=0.0), X, [1, 1, -1])


@pytest.mark.parametrize(
    ("seed", "slope"), [(50, 0.3), (71, 0.3), (112, 0.3), (201, 0.0), (320, 0.3)]
)
def test_the_wrong_side_that_is_named_is_an_own_one(seed: int, slope: float) -> None:
    # There are opposite inputs that are larger than the own one that is wrong.
    slides = seed in (50, 112)
    X, y = gaussian(4, 3 if slides else 2, seed)
    if slides:
        net, limit_of = leaky(1, 3, slope), sliding_limit
    else:
        net = TwoLayerNet(np.random.default_rng(seed).normal(size=(4, 2)), slope=slope)
        limit_of = own_pattern_limit
    with pytest.raises(InconsistentPatternError) as refused:
        limit_of(net, X, y)
    named = re.search(r"sign (.) would .* at sample (\d) of label (.),", str(refused.value))
    assert named is not None
    assert named[1] == named[3] == ("+" if y[int(named[2])] > 0 else "−")


@settings(max_examples=20)
@given(seeds, st.sampled_from([0.2, 0.7]), st.floats(0.1, 10))
def test_first_step_slack_is_its_formula(seed: int, slope: float, step: float) -> None:
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(3, 4)), np.array([1.0, -1.0, 1.0])
    net = TwoLayerNet(random.normal(size=(4, 4)), slope=slope)
    slack = np.inf
    for w, s in zip(net.W, net.signs, strict=True):
        c = [1.0 if w @ x > 0 else slope for x in X]
        g = 1 / (1 + np.exp(y * net.predict(X)))
        for i in range(3):
            others = sum(c[k] * g[k] * abs(X[i] @ X[k]) for k in range(3) if k != i)
            own = c[i] * g[i] * (X[i] @ X[i])
            unit = step / (3 * 2)
            slack = min(slack, (s * y[i] * (w @ X[i]) + unit * (own - others)) / (unit * own))
    assert first_step_slack(net, X, y, step_size=step) == pytest.approx(slack, rel=1e-10, abs=1e-12)


def test_an_input_of_0_moves_with_the_slope_1() -> None:
    # The first neuron has the inputs 0 and −1, slopes 1 and ½; the second is far on its right side.
    X, net = np.array([[1.0, 0.0], [0.5, 1.0]]), TwoLayerNet([[0, -1.0], [-5, 5]], slope=0.5)
    g = 1 / (1 + np.exp([2.5, 3.0]))
    expected = 1 - 0.5 * 0.5 * g[1] / g[0]
    assert first_step_slack(net, X, [1, -1], step_size=1.0) == pytest.approx(
        expected, rel=1e-12, abs=0
    )


def test_sides_are_found_for_neurons_that_are_there_several_times() -> None:
    random = np.random.default_rng(23)
    X, y = random.normal(size=(6, 2)), np.repeat([1.0, -1.0], 3)
    W = random.normal(size=(4, 2))
    net = TwoLayerNet(W[[0] * 7 + [1] + [2] * 7 + [3]], slope=0.2)
    limit = own_pattern_limit(net, X, y, check=False)
    assert limit.margins.min() == pytest.approx(1, rel=1e-9, abs=0)
    np.testing.assert_allclose(limit.margins[limit.multipliers > 0], 1, rtol=1e-8)
    own, active = np.outer(net.signs, y) > 0, net.W @ X.T >= 0
    np.testing.assert_array_equal(limit.slopes[own], np.where(active, 1.0, 0.2)[own])
    inputs = limit.W @ X.T
    off = ~own & ~limit.sliding & (np.abs(inputs) > 1e-9 * np.abs(inputs).max())
    np.testing.assert_array_equal((limit.slopes == 1)[off], (inputs > 0)[off])


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e4])
def test_units_do_not_matter_where_a_sample_is_no_support_vector(unit: float) -> None:
    X = unit * np.array([[1.0, 0.0, 0.0], [1.5, 0.1, 0.0], [0.0, 0.0, 1e-4]])
    y = np.array([1.0, 1.0, -1.0])
    limit = two_layer_limit(leaky(3, 3, 0.5), X, y)
    np.testing.assert_allclose(limit.multipliers * unit**2, [0.8, 0, 0.8e8], rtol=1e-9)
    assert not limit.equal_margins
    assert limit.determined  # lengths are no matter of independence
    with pytest.raises(ValueError, match="no weights separate the samples"):
        two_layer_limit(leaky(1, 1, 1.0), [[unit], [-unit]], [1, 1])


@pytest.mark.parametrize("X", [[[1.0, 0.0], [0.0, 0.0]], np.zeros((2, 2))])
def test_a_sample_of_zeros_is_named(X: list) -> None:
    X = np.asarray(X)
    for limit_of in (sliding_limit, own_pattern_limit):
        with pytest.raises(ValueError, match=f"sample {int(X[0, 0])} is zero"):
            limit_of(leaky(1, 2, 0.5), X, [1, -1])


def test_a_linear_network_slides_nowhere() -> None:
    X, y = gaussian(5, 7, 0)
    closed, convex = two_layer_limit(leaky(2, 7, 1.0), X, y), sliding_limit(leaky(2, 7, 1.0), X, y)
    np.testing.assert_allclose(convex.W, closed.W, atol=1e-12 * np.abs(closed.W).max())


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_crossing_kinks_does_not_depend_on_the_unit(unit: float) -> None:
    angles = np.array([0.0, 0.3, -0.3, 0.5])
    X, y = np.column_stack([np.cos(angles), np.sin(angles)]), np.array([1.0, 1.0, -1.0, -1.0])
    net = TwoLayerNet([[1.0, 0.2], [0.6, -0.9], [0.2, -1.0], [0.0, 1.0]], slope=0.0)
    limit, scaled = own_pattern_limit(net, X, y), own_pattern_limit(net, unit * X, y)
    np.testing.assert_allclose(unit * scaled.W, limit.W, atol=1e-9 * np.abs(limit.W).max())
    # Every pair counts that is not on its kink: own ones on their side, opposite ones on any.
    inputs = limit.W @ X.T
    own = np.outer(net.signs, y) > 0
    sides = np.where(own, np.where(net.W @ X.T >= 0, inputs, -inputs), np.abs(inputs))
    assert limit.consistency == pytest.approx(
        sides[~limit.sliding & (sides > 1e-9)].min(), rel=1e-9, abs=0
    )


@pytest.mark.parametrize(("tilt", "counts"), [(4.0e-15, False), (4.3e-15, True)])
def test_what_rounding_may_have_moved_depends_on_lengths(tilt: float, counts: bool) -> None:
    # 4(n + √d) units in the last place, n = 2 and d = 7, of 4², the size of an input: 4.13e-15.
    X, y = 4 * np.eye(2, 7), np.array([1.0, -1.0])
    X[1, 0] = 4 * tilt
    net = TwoLayerNet(np.eye(2, 7), slope=0.0)
    found = _limit(X, y, np.eye(2), net, np.eye(2, dtype=bool), np.ones(2))
    assert found.consistency == (-16 * tilt if counts else 16.0)


def test_a_limit_by_hand_is_determined() -> None:
    limit = TwoLayerLimit(np.eye(2), np.array([1.0, 2.0]), np.diag([1.0, 0.5]), np.eye(2), 1.0, 0.0)
    assert limit.margin_gap() == pytest.approx(np.log(2), rel=1e-14, abs=0)


def test_relu_loss_bound_is_a_quotient() -> None:
    assert relu_loss_bound(m=3, n=5, step_size=3.0, share=0.5, least_square=4.0) == pytest.approx(
        15 / (6 * 15 / 16), rel=1e-14, abs=0
    )


def test_an_opposite_input_counts_on_the_side_that_it_ends_on() -> None:
    random = np.random.default_rng(134)
    X, y = random.normal(size=(3, 3)), np.array([1.0, 1.0, -1.0])
    net = TwoLayerNet(random.normal(size=(4, 3)), slope=0.3)
    limit = own_pattern_limit(net, X, y)
    inputs, own = limit.W @ X.T, np.outer(net.signs, y) > 0
    least = np.abs(np.where(limit.sliding, np.inf, inputs))
    at = np.unravel_index(least.argmin(), least.shape)
    # It is an opposite one, and on the other side than it is in the network.
    assert not own[at]
    assert (inputs[at] > 0) != ((net.W @ X.T)[at] >= 0)
    assert limit.consistency == pytest.approx(least[at], rel=1e-9, abs=0)


def test_what_is_not_said_of_a_bound() -> None:
    assert relu_share_bound(m=50, n=8) == relu_share_bound(m=50, n=8, failure=0.05)
    assert relu_gap_bound(share=0.25) == relu_gap_bound(share=0.25, spread=1.0)
    start = {"m": 3, "n": 5, "scale": 0.1, "radius": 4.0}
    assert start_input_bound(**start) == start_input_bound(**start, failure=0.05)


def test_long_orthogonal_samples_are_orthogonal() -> None:
    X, y = orthogonal(4, 9, np.array([1e6, 3e6, 2e6, 1e6]), 0)
    assert two_layer_limit(TwoLayerNet(X, slope=0.0), X, y, check=False).equal_margins


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_whether_an_own_pattern_is_kept_is_no_matter_of_rounding(slope: float) -> None:
    # On integers many neurons end on a kink, or at zero, or have samples that pull at nothing.
    found = 0
    for seed in range(150):
        random = np.random.default_rng(seed)
        n, d, m = random.integers(2, 5), random.integers(2, 7), random.integers(2, 5)
        X = random.integers(-2, 3, (n, d)).astype(float)
        net = TwoLayerNet(random.integers(-3, 4, (2 * m, d)).astype(float), slope=slope)
        with contextlib.suppress(ValueError):  # not every draw can be separated
            limit = own_pattern_limit(net, X, np.where(np.arange(n) % 2, -1.0, 1.0), check=False)
            assert abs(limit.consistency) > 1e-9
            assert slope <= limit.slopes.min()
            assert limit.slopes.max() <= 1
            found += 1
    assert found > 80
