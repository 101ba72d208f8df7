"""Constrained minimizers: reference digits, optimality by independent routes, bad input."""

import re
from types import SimpleNamespace

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from ibtools.data import sparse_regression
from ibtools.models import DiagonalNet
from ibtools.theory import (
    AccuracyWarning,
    HypentropyPotential,
    bregman_projection,
    implicit_limit,
    implicit_potential,
    minimum_l1_interpolator,
    minimum_norm_interpolator,
    optima,
)

# Computed in 40-digit arithmetic.
X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
Y = np.array([1.0, -0.5])
GENERAL = DiagonalNet([0.5, 0.2, 0.3], [0.4, -0.1, 0.6], [0.1, 0.3, 0.2], [0.3, 0.5, -0.4])
REFERENCES = [
    (
        DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=3),
        (0.037055898747463002, 0.48476590829270965, -0.013175430665764623),
        0.72475819660200128,
    ),
    (
        DiagonalNet.from_scale_shape(scale=0.01, shape=0.9, d=3),
        (0.1168696641968135, 0.45195358249686556, -0.041553658381089245),
        None,
    ),
    (
        GENERAL,
        (0.41384259265346033, 0.32986471190913297, -0.14714403294345256),
        0.54206415772300241,
    ),
]
LEAST_NORM = (0.1586772133803488, 0.43476603449918994, -0.056418564757457353)


@pytest.mark.parametrize(("net", "w", "value"), REFERENCES)
def test_reference_digits(net: DiagonalNet, w: tuple, value: float | None) -> None:
    limit = implicit_limit(net, X, Y)
    np.testing.assert_allclose(limit, w, rtol=0, atol=1e-14)
    if value is not None:
        assert implicit_potential(net)(limit) == pytest.approx(value, rel=1e-14, abs=0)


@pytest.mark.parametrize(("net", "w", "value"), REFERENCES)
def test_reference_digits_are_right(net: DiagonalNet, w: tuple, value: float | None) -> None:
    # A third route, from the network's own definition: the weights' exponentials in mpmath.
    with mp.workdps(40):
        plus, minus = (
            [mp.mpf(float(z)) for z in half] for half in (net.u_plus + 0, net.u_minus + 0)
        )
        v_plus, v_minus = ([mp.mpf(float(z)) for z in half] for half in (net.v_plus, net.v_minus))
        rows = [[mp.mpf(str(entry)) for entry in row] for row in X]

        def predictor(*nu: mp.mpf) -> list:
            entries = []
            for i in range(3):
                p = rows[0][i] * nu[0] + rows[1][i] * nu[1]
                ch, sh = mp.cosh(p), mp.sinh(p)
                # exp(P·[[0,1],[1,0]]) on (u₊, v₊), exp(−P·…) on (u₋, v₋)
                up, vp = plus[i] * ch + v_plus[i] * sh, plus[i] * sh + v_plus[i] * ch
                um, vm = minus[i] * ch - v_minus[i] * sh, v_minus[i] * ch - minus[i] * sh
                entries.append(up * vp - um * vm)
            return entries

        def residual(*nu: mp.mpf) -> list:
            entries = predictor(*nu)
            return [
                mp.fdot(row, entries) - mp.mpf(str(target))
                for row, target in zip(rows, Y, strict=True)
            ]

        exact = predictor(*mp.findroot(residual, (mp.mpf("0.3"), mp.mpf("-0.2"))))
    np.testing.assert_allclose([float(z) for z in exact], w, rtol=1e-14)


def test_least_norm_reference() -> None:
    np.testing.assert_allclose(minimum_norm_interpolator(X, Y), LEAST_NORM, rtol=1e-14)


@st.composite
def _problems(draw: st.DrawFn) -> tuple[HypentropyPotential, np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 4))
    d = n + draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    log_k = draw(st.floats(-20, 6)) + random.uniform(-1, 1, d)
    start = random.normal(size=d) * draw(st.sampled_from([0.0, 1.0, 30.0]))
    size = 10 ** draw(st.floats(-3, 3))
    q = HypentropyPotential(10**log_k, start)
    return q, random.normal(size=(n, d)), size * random.normal(size=n)


@given(_problems(), st.integers(0, 99))
def test_projection_certifies_itself(problem: tuple, seed: int) -> None:
    q, X, y = problem
    answer = bregman_projection(q, X, y)
    assert answer.converged
    w = answer.w
    size = np.linalg.norm(X, 2) * np.linalg.norm(w)
    np.testing.assert_allclose(X @ w, y, atol=1e-9 * size, rtol=0)
    # KKT: the mirror variable lies in the row space, with the multipliers as its coordinates. An
    # error δ in w moves arcsinh(2w/√k)/2 by at most δ/√(k+4w²).
    gradient = q.gradient(w)
    allowed = 1e-8 * np.linalg.norm(w) * q.curvature(w) + 1e-12 * (1 + np.abs(q.offset))
    assert np.all(np.abs(gradient - X.T @ answer.multipliers) <= allowed)
    # Convex, so no interpolator is better.
    null = np.linalg.svd(X)[2][len(X) :]
    for move in (1e-3, 1.0):
        other = w + move * (np.random.default_rng(seed).normal(size=len(null)) @ null)
        assert q(other) >= q(w) - 1e-9 * (abs(q(w)) + abs(q(other)))


@settings(max_examples=8)
@given(st.integers(0, 1000))
def test_projection_is_what_a_general_solver_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(2, 5)), random.normal(size=2)
    q = HypentropyPotential(10 ** random.uniform(-1, 1, 5), random.normal(size=5))
    ours = bregman_projection(q, X, y).w
    theirs = minimize(
        lambda w: float(q(w)),
        np.linalg.pinv(X) @ y,
        jac=q.gradient,
        hess=q.hessian,
        method="trust-constr",
        constraints=LinearConstraint(X, y, y),
        options={"gtol": 1e-11, "xtol": 1e-14},
    )
    np.testing.assert_allclose(ours, theirs.x, atol=1e-6)
    assert q(ours) <= q(theirs.x) + 1e-10


@given(st.integers(0, 10_000), st.floats(-20, 3), st.floats(-100, 100))
def test_limit_scales_with_the_responses_and_the_weights(
    seed: int, log_scale: float, log_factor: float
) -> None:
    # w and √k have one unit: stretching y and √k stretches w.
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(3, 6)), random.normal(size=3)
    factor = 10.0**log_factor
    base = DiagonalNet.from_scale_shape(scale=10.0**log_scale, shape=0.3, d=6)
    stretched = DiagonalNet(*np.sqrt(factor) * base.parameters.reshape(4, 6))
    expected = factor * implicit_limit(base, X, y)
    got = implicit_limit(stretched, X, factor * y)
    assert np.linalg.norm(got - expected) <= 1e-10 * np.linalg.norm(expected)


def test_extreme_scales_tend_to_the_two_norms() -> None:
    X, y, _ = sparse_regression(n=5, d=20, sparsity=3, seed=0)
    sparse, dense = minimum_l1_interpolator(X, y), minimum_norm_interpolator(X, y)
    excess = []
    for scale in (1e-20, 1e-60, 1e-100, 1e-250, 1e-300):
        q = implicit_potential(DiagonalNet.from_scale_shape(scale=scale, shape=0.3, d=20))
        answer = bregman_projection(q, X, y)
        np.testing.assert_allclose(X @ answer.w, y, atol=1e-14)
        np.testing.assert_allclose(q.gradient(answer.w), X.T @ answer.multipliers, rtol=1e-11)
        excess.append(np.abs(answer.w).sum() - np.abs(sparse).sum())
    # Slowly: this instance has a runner-up among the vertices, and the approach is logarithmic.
    assert np.all(np.diff(excess) < 0)
    assert 0 < 20 * excess[-1] < excess[0] < 1e-3
    huge = DiagonalNet.from_scale_shape(scale=1e100, shape=0.3, d=20)
    np.testing.assert_allclose(implicit_limit(huge, X, y), dense, atol=1e-14)


def test_no_responses_no_move() -> None:
    np.testing.assert_array_equal(implicit_limit(REFERENCES[0][0], X, 0 * Y), 0.0)
    at_start = implicit_limit(GENERAL, X, X @ GENERAL.predictor)
    np.testing.assert_allclose(at_start, GENERAL.predictor, rtol=1e-14)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 1e-12, 1e12, 1e-100, 1e100]), st.booleans())
def test_least_l1_norm_by_its_dual_certificate(seed: int, unit: float, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    n, d = int(random.integers(1, 6)), 12
    X, y = random.normal(size=(n, d)), unit * random.normal(size=n)
    # Rows of different sizes are the same constraints.
    rows = 10 ** random.uniform(-4, 4, n)
    cost = 10 ** random.uniform(-2, 2, d) if weighted else np.ones(d)
    w = minimum_l1_interpolator(X * rows[:, None], y * rows, weights=cost if weighted else None)
    np.testing.assert_allclose(X @ w, y, atol=1e-10 * np.linalg.norm(w) * np.linalg.norm(X), rtol=0)
    support = np.flatnonzero(w)
    assert len(support) == n  # a vertex, for data in general position
    dual = np.linalg.solve(X[:, support].T, cost[support] * np.sign(w[support]))
    assert np.all(np.abs(X.T @ dual) <= cost * (1 + 1e-9))


def test_least_l1_norm_recovers_a_sparse_truth() -> None:
    X, y, truth = sparse_regression(n=40, d=100, sparsity=3, noise_std=0.0, seed=1)
    np.testing.assert_allclose(minimum_l1_interpolator(X, y), truth, atol=1e-12)
    np.testing.assert_array_equal(minimum_l1_interpolator(X, 0 * y), 0.0)


@given(st.integers(0, 10_000), st.floats(0, 4))
def test_least_norm_by_its_normal_equations(seed: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(3, 7)), random.normal(size=3)
    weights, anchor = 10 ** random.uniform(-spread, spread, 7), random.normal(size=7)
    w = minimum_norm_interpolator(X, y, weights=weights, anchor=anchor)
    np.testing.assert_allclose(X @ w, y, atol=1e-9 * np.linalg.norm(w), rtol=0)
    gradient = weights * (w - anchor)
    beyond = gradient - X.T @ np.linalg.lstsq(X.T, gradient, rcond=None)[0]
    assert np.linalg.norm(beyond) <= 1e-8 * np.linalg.norm(gradient)


def test_what_a_vertex_misses_is_told_beside_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    # With the first of two columns alone, (3, 0) is as near as w comes to (3, 4): 4/5 are missed.
    answer = SimpleNamespace(x=np.array([1.0, 0.0, 0.0, 0.0]))
    monkeypatch.setattr(optima, "linprog", lambda *_, **__: answer)
    with pytest.raises(RuntimeError, match=r"misses Xw = y by a relative 8\.0e-01"):
        minimum_l1_interpolator(np.eye(2), [3.0, 4.0])


@pytest.mark.parametrize(
    ("target", "exponent", "error", "iterations"),
    [
        # From w = 3 to 3.3; at w = 3; at w = 0; from w = 0 on there is nothing to compare with.
        (3.3, np.arcsinh(3), 0.1, 1),
        (3.0, np.arcsinh(3), 0.0, 0),
        (0.0, 0.0, 0.0, 0),
        (3.0, 0.0, np.inf, 1),
    ],
)
def test_newtons_method_tells_its_next_step_and_how_many_it_made(
    target, exponent, error, iterations, monkeypatch
) -> None:
    monkeypatch.setattr(optima, "_MAX_ITERATIONS", 1)
    # w = sinh(2ν), so that one step of ν moves w by what is missing.
    q = HypentropyPotential([2.0], [0.0])
    answer = optima._newton(q, np.ones((1, 1)), np.array([target]), np.array([exponent / 2]))
    assert answer[0] == pytest.approx(np.sinh(exponent), rel=1e-14, abs=0)
    assert answer[2:] == (pytest.approx(error, rel=1e-9, abs=1e-15), iterations)


@pytest.mark.parametrize("scale", [1e-1, 1e-3, 1e-5, 1e-8])
def test_newtons_method_comes_back_from_far(scale: float) -> None:
    # Far from the minimum a step may be longer than the one before: that is not the end.
    potential = HypentropyPotential(scale * np.ones(12), np.zeros(12))
    for seed in range(20):
        random = np.random.default_rng(seed)
        found = optima.interpolation_problem(
            random.standard_normal((5, 12)), random.standard_normal(5)
        )
        error = optima._newton(potential, found.rows, found.target, 5 * random.standard_normal(5))[
            2
        ]
        assert error < 1e-12


def _small_problem(seed: int, log_k: float) -> tuple[HypentropyPotential, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(3, 8)), random.normal(size=3)
    sqrt_k = 10 ** (log_k + random.uniform(-1, 1, 8))
    return HypentropyPotential(sqrt_k, (seed % 2) * random.normal(size=8)), X, y


@pytest.mark.parametrize("log_k", [-10.0, -3.0, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_few_newton_steps_are_left_at_the_end_of_the_path(seed: int, log_k: float) -> None:
    answer = bregman_projection(*_small_problem(seed, log_k))
    assert answer.iterations <= 20  # at most 9, and rounding may add some


@pytest.mark.parametrize("log_k", [-10.0, -3.0])  # from 1 on, one step is the whole of the path
@pytest.mark.parametrize("seed", range(6))
def test_a_path_of_short_steps_leads_to_the_minimizer(
    seed: int, log_k: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, X, y = _small_problem(seed, log_k)
    w = bregman_projection(q, X, y).w
    monkeypatch.setattr(optima, "_LARGEST_MOVE", 0.1)
    constraints = optima.interpolation_problem(X, y)
    dual = optima._continue(q, constraints.rows, constraints.target)
    end = q.inverse_gradient(dual @ constraints.rows)
    assert np.linalg.norm(end - w) < 1e-3 * np.linalg.norm(w)


@pytest.mark.parametrize("small", [1e-18, 1e-22])
@pytest.mark.parametrize("seed", range(4))
def test_slopes_of_very_different_sizes_cost_no_digits(seed: int, small: float) -> None:
    # One slope carries one of two equations: the other's digits are lost where K is formed.
    random = np.random.default_rng(seed)
    rows = np.linalg.qr(random.normal(size=(4, 2)))[0].T
    slope, b = small * np.array([1, 1 / small, 100, 0.01]), random.normal(size=2)
    with mp.workdps(60):
        Q = mp.matrix(rows.tolist())
        exact = mp.lu_solve(Q * mp.diag([mp.mpf(float(s)) for s in slope]) * Q.T, mp.matrix(b))
    x = optima._solver(slope, rows)(b)
    np.testing.assert_allclose(x, [float(z) for z in exact], rtol=1e-12)


@pytest.mark.parametrize("spoil", [1e9, 1e12])
def test_ill_conditioned_data_say_so(spoil: float) -> None:
    X, y, _ = sparse_regression(n=5, d=20, sparsity=3, seed=0)
    left, _, right = np.linalg.svd(X, full_matrices=False)
    bad = left * np.geomspace(1, 1 / spoil, 5) @ right
    q = implicit_potential(DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=20))
    with pytest.warns(AccuracyWarning, match=r"relative error is .*") as warned:
        answer = bregman_projection(q, bad, y)
    told = re.search(r"condition number of X is (\S+) ", str(warned[0].message))
    # Of X with rows of about the same size, which the singular values do not know of.
    assert told is not None
    assert spoil / 4 < float(told[1]) < 4 * spoil
    assert not answer.converged
    assert answer.error_estimate > 1e-8
    assert np.isfinite(answer.w).all()


def _dependent(seed: int, n: int, rank: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n rows that span `rank` dimensions, of very different sizes, and labels in range."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, rank)) @ random.normal(size=(rank, d))
    X *= 10 ** random.uniform(-4, 4, (n, 1))
    return X, X @ random.normal(size=d)


@settings(max_examples=15)
@given(
    st.integers(0, 10_000), st.sampled_from([(3, 2, 5), (6, 3, 4), (2, 1, 2), (4, 4, 4), (7, 4, 4)])
)
def test_rows_may_depend_and_outnumber_the_columns(seed: int, sizes: tuple) -> None:
    X, y = _dependent(seed, *sizes)
    rank, d = sizes[1:]
    # The same interpolators, by a basis of the row space found here.
    basis = np.linalg.svd(X / np.linalg.norm(X, axis=1)[:, None])[2][:rank]
    target = basis @ np.linalg.lstsq(X / (size := np.linalg.norm(X, axis=1))[:, None], y / size)[0]
    random = np.random.default_rng(seed)
    q = HypentropyPotential(10 ** random.uniform(-3, 2, d), random.normal(size=d))
    answer = bregman_projection(q, X, y)
    np.testing.assert_allclose(answer.w, bregman_projection(q, basis, target).w, rtol=1e-7)
    scale = 1e-6 * np.abs(X).max(axis=1) * np.linalg.norm(answer.w)
    assert np.all(np.abs(X @ answer.w - y) <= scale)
    np.testing.assert_allclose(q.gradient(answer.w), X.T @ answer.multipliers, atol=1e-7)
    for solve in (minimum_l1_interpolator, minimum_norm_interpolator):
        np.testing.assert_allclose(solve(X, y), solve(basis, target), rtol=1e-7, atol=1e-10)


def test_a_repeated_sample_is_a_sample_of_weight_two() -> None:
    twice, labels = X[[0, 1, 0]], Y[[0, 1, 0]]
    q = implicit_potential(GENERAL)
    once, again = bregman_projection(q, X, Y), bregman_projection(q, twice, labels)
    np.testing.assert_allclose(again.w, once.w, rtol=1e-13)
    # Of all the multipliers, the least: the repeated sample's is shared.
    np.testing.assert_allclose(
        again.multipliers, once.multipliers[[0, 1, 0]] * [0.5, 1, 0.5], rtol=1e-12
    )


def test_the_mend_that_the_refusal_offers_works() -> None:
    twice, labels = X[[0, 1, 0]], np.array([1.0, -0.5, 3.0])
    with pytest.raises(ValueError, match="y must be in the range of X"):
        implicit_limit(NET, twice, labels)
    projected = twice @ np.linalg.lstsq(twice, labels)[0]
    mean = np.array([2.0, -0.5, 2.0])
    np.testing.assert_allclose(
        implicit_limit(NET, twice, projected), implicit_limit(NET, twice, mean), rtol=1e-12
    )


def test_without_data_nothing_moves() -> None:
    q = implicit_potential(GENERAL)
    answer = bregman_projection(q, np.zeros((2, 3)), np.zeros(2))
    np.testing.assert_array_equal(answer.w, GENERAL.predictor)
    assert (answer.error_estimate, answer.iterations, answer.converged) == (0.0, 0, True)
    np.testing.assert_array_equal(answer.multipliers, np.zeros(2))
    for least in (minimum_l1_interpolator, minimum_norm_interpolator):
        np.testing.assert_array_equal(least(np.zeros((2, 3)), [0.0, 0.0]), np.zeros(3))


NET = DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=3)
SOLVERS = [
    lambda X, y: implicit_limit(NET, X, y),
    lambda X, y: bregman_projection(implicit_potential(NET), X, y),
    minimum_l1_interpolator,
    minimum_norm_interpolator,
]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("X", "y", "kind", "message"),
    [
        (X * [[1], [0]], Y, ValueError, "range of X, got X of rank 1 with 2 rows.*most at row 1"),
        (X[[0, 0]], Y, ValueError, "y must be in the range of X.*interpolation.*their mean"),
        (0 * X, Y, ValueError, "X of rank 0 with 2 rows.*misses its range by a relative 1"),
        (X[[0, 0, 0]], [1, 1, 1 + 1e-7], ValueError, "by a relative 4.7e-08, most at row 2"),
        (np.vander([1, 2, 3, 4], 3), [1, 0, 0, 0], ValueError, "rank 3 with 4 rows.*lstsq"),
        (X * [[1], [np.nan]], Y, ValueError, r"X must be finite, got nan at index \(1, 0\)"),
        (X, Y * np.inf, ValueError, "y must be finite, got inf"),
        (X, Y[:, None], ValueError, r"y must have 1 axis.*shape \(2, 1\)"),
        (X, np.ones(3), ValueError, r"same number of rows, got X \(2, 3\) and y \(3,\)"),
        (X[0], Y, ValueError, "X must have 2 axis"),
        (np.empty((0, 3)), np.empty(0), ValueError, "X is empty"),
        (X * 1j, Y, TypeError, "X must be an array of real numbers"),
        ("X", Y, TypeError, "X must be an array of real numbers, got str"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong(solver, X: object, y: object, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        solver(X, y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: implicit_limit(NET, np.ones((1, 4)), [1.0]), "X must have 3 columns.*d=4"),
        (lambda: minimum_l1_interpolator(X, Y, weights=[1, 0, 1]), "weights must be greater than"),
        (lambda: minimum_norm_interpolator(X, Y, weights=[1, -2, 1]), "weights .*got -2"),
        (lambda: minimum_norm_interpolator(X, Y, weights=[1.0]), "weights must have 3 entries"),
        (lambda: minimum_norm_interpolator(X, Y, anchor=[1.0]), "anchor must have 3 entries"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_which_option_is_wrong(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
