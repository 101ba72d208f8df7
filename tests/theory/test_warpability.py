"""Warps found from metrics alone, against warps that were put there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ibtools.models import LinearNeuron
from ibtools.theory import explicit_limit, log_warp, metric_limit, warpability

seeds = st.integers(0, 10_000)
X = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]])
Y = np.array([1.0, -0.5])


def innocent(w: np.ndarray) -> np.ndarray:
    return np.eye(w.size) + np.outer(w, w)


def cyclic(w: np.ndarray) -> np.ndarray:
    return np.diag(1 + np.roll(w, 1) ** 2)


def hopeless(w: np.ndarray) -> np.ndarray:
    return np.diag([np.exp(w[0] * w[1]), 1 + 0 * w[0]])


def _disguised(seed: int, d: int):
    """Return a Hessian divided by g, log g, and the gradient of the potential."""
    random = np.random.default_rng(seed)
    mixing, bend = random.normal(scale=0.5, size=(d + 1, d)), random.normal(size=d)

    def log_g(w: np.ndarray) -> np.ndarray:
        return np.sin(bend @ w) + w[0] * w[-1] / 3

    def metric(w: np.ndarray) -> np.ndarray:
        shares = np.exp(mixing @ w)
        shares = shares / shares.sum()
        hessian = np.eye(d) + mixing.T @ (np.diag(shares) - np.outer(shares, shares)) @ mixing
        return hessian / np.exp(log_g(w))

    def mirror(w: np.ndarray) -> np.ndarray:
        shares = np.exp(mixing @ w)
        return w + mixing.T @ (shares / shares.sum())

    def slope(w: np.ndarray) -> np.ndarray:
        return np.cos(bend @ w) * bend + (w[-1] * np.eye(d)[0] + w[0] * np.eye(d)[-1]) / 3

    return metric, log_g, slope, mirror


@settings(max_examples=12)
@given(seeds, st.integers(2, 5))
def test_a_warp_that_was_put_there_is_found(seed: int, d: int) -> None:
    metric, log_g, slope, _ = _disguised(seed, d)
    path = np.random.default_rng(seed + 1).normal(size=(3, d))
    found = warpability(metric, path[0])
    np.testing.assert_allclose(found.gradient, slope(path[0]), rtol=1e-10, atol=1e-10)
    assert found.obstruction < 1e-8
    expected = [log_g(w) - log_g(path[0]) for w in path]
    np.testing.assert_allclose(log_warp(metric, path), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=5)
@given(seeds, st.integers(2, 4))
def test_the_potential_behind_a_warp_decides_the_limit(seed: int, d: int) -> None:
    metric, _, _, mirror = _disguised(seed, d)
    random = np.random.default_rng(seed + 2)
    start, A = random.normal(size=d), random.normal(size=(1, d))
    found = metric_limit(metric, A, [0.7], start=start)
    np.testing.assert_allclose(A @ found.w, [0.7], atol=1e-10)
    # ∇q(w) − ∇q(w₀) in the row space, by the gradient that the metric was made from.
    pull = mirror(found.w) - mirror(start)
    outside = pull - A[0] * (A[0] @ pull) / (A[0] @ A[0])
    np.testing.assert_allclose(outside, 0, atol=1e-8 * (1 + np.linalg.norm(pull)))
    # The multipliers belong to the g that is 1 at the start.
    g_start = float(np.exp(_disguised(seed, d)[1](start)))
    np.testing.assert_allclose(found.multipliers @ A, pull / g_start, rtol=1e-6, atol=1e-8)


def test_the_innocent_metric_ends_where_its_potential_is_least() -> None:
    start = np.array([0.5, 0.0, -0.5])
    found = metric_limit(innocent, [[1.0, 2.0, 0.5]], [1.0], start=start)
    A = np.array([1.0, 2.0, 0.5])
    free = np.linalg.svd(A[None, :])[2][1:]
    part = A / (A @ A)

    def bregman(step: np.ndarray) -> float:
        w = part + step @ free
        return np.exp(w @ w / 2) - np.exp(start @ start / 2) * (start @ w)

    least = minimize(bregman, np.zeros(2), options={"gtol": 1e-9}).x
    np.testing.assert_allclose(found.w, part + least @ free, atol=1e-6)


@settings(max_examples=15)
@given(seeds, st.floats(-0.9, 0.9))
def test_a_neuron_s_warp_is_its_output_weight(seed: int, shape: float) -> None:
    random = np.random.default_rng(seed)
    neuron = LinearNeuron.from_scale_shape(scale=1.0, shape=shape, direction=random.normal(size=3))
    found = warpability(neuron.metric_at(), neuron.predictor)
    size = (neuron.a**2 + neuron.w @ neuron.w) * neuron.a**2
    np.testing.assert_allclose(found.gradient, neuron.predictor / size, rtol=1e-9, atol=1e-12)
    assert found.obstruction < 1e-8


def test_the_limit_is_the_neuron_s() -> None:
    neuron = LinearNeuron(0.8, [0.3, 0.5, -0.2])
    found = metric_limit(neuron.metric_at(), X, Y, start=neuron.predictor)
    np.testing.assert_allclose(found.w, explicit_limit(neuron, X, Y).w, rtol=1e-9)
    assert found.converged
    # A sample that comes twice changes nothing; with as many as coordinates there is no choice.
    twice = metric_limit(neuron.metric_at(), X[[0, 1, 1]], Y[[0, 1, 1]], start=neuron.predictor)
    np.testing.assert_allclose(twice.w, found.w, rtol=1e-9)
    only = metric_limit(innocent, np.eye(3), np.ones(3), start=np.full(3, 0.5))
    np.testing.assert_allclose(only.w, np.ones(3), rtol=1e-12)
    # Already there: the start is an interpolator.
    again = metric_limit(neuron.metric_at(), X, X @ found.w, start=found.w)
    np.testing.assert_allclose(again.w, found.w, rtol=1e-12)


def test_samples_that_nearly_depend_on_each_other_cost_their_condition_once() -> None:
    mix, start = np.array([[1.0, 0.0], [1.0, 1e-3]]), [0.5, 0.0, -0.5]
    found = metric_limit(innocent, mix @ X, mix @ Y, start=start)
    plain = metric_limit(innocent, X, Y, start=start)
    np.testing.assert_allclose(found.w, plain.w, rtol=3e-12)


def test_what_no_clock_mends_is_told() -> None:
    plane, space = np.array([0.7, -1.2]), np.array([0.7, -1.2, 0.4])
    # In the plane the candidate leaves no defect; its curl decides.
    found = warpability(hopeless, plane)
    np.testing.assert_allclose(found.gradient, [0.0, -plane[0]], atol=1e-12)
    np.testing.assert_allclose(found.curl, [[0, -1], [1, 0]], atol=1e-9)
    np.testing.assert_allclose(found.defect, 0, atol=1e-12)
    assert found.obstruction > 0.1
    assert warpability(cyclic, plane).obstruction < 1e-9
    # In space the candidate is a gradient here, and leaves a defect.
    found = warpability(cyclic, space)
    small = warpability(lambda w: 1e-6 * cyclic(w), space)
    assert small.obstruction == pytest.approx(found.obstruction, rel=1e-9, abs=0)
    np.testing.assert_allclose(found.gradient, -space / (1 + space**2), rtol=1e-12)
    np.testing.assert_allclose(found.curl, 0, atol=1e-9)
    # T_iil + H_ii φ_l where l is neither i nor i − 1: sample 0, l = 1.
    assert found.defect[0, 0, 1] == pytest.approx(
        (1 + space[2] ** 2) * found.gradient[1], rel=1e-12, abs=0
    )
    assert found.obstruction > 0.5
    with pytest.raises(ValueError, match=r"metric must be warpable, got an obstruction of .*0\.4"):
        metric_limit(cyclic, X, Y, start=space)


@settings(max_examples=5)
@given(seeds)
def test_the_curl_is_that_of_the_candidate(seed: int) -> None:
    random = np.random.default_rng(seed)
    bends, w = random.normal(scale=0.5, size=(3, 3)), random.normal(size=3)

    def metric(w: np.ndarray) -> np.ndarray:
        return np.diag(np.exp(bends @ w)) + np.outer(np.sin(w), np.sin(w))

    step = 1e-5
    slopes = np.stack(
        [
            (warpability(metric, w + h).gradient - warpability(metric, w - h).gradient) / (2 * step)
            for h in step * np.eye(3)
        ]
    )
    found = warpability(metric, w)
    scale = np.abs(slopes).max()
    np.testing.assert_allclose(found.curl, slopes - slopes.T, atol=1e-7 * (1 + scale))


def test_the_obstruction_is_the_part_of_the_derivatives_that_no_warp_mends() -> None:
    # H = diag(1 + w₂, 1 + w₃, 1 + w₁) at 0: H₁₁₂ = H₂₂₃ = H₃₃₁ = 1, no second derivatives.
    def affine(w: np.ndarray) -> np.ndarray:
        return np.diag(1 + np.roll(w, -1))

    found = warpability(affine, np.zeros(3))
    np.testing.assert_allclose(found.gradient, np.full(3, -0.5), rtol=1e-12)
    # T + Hφ: of each l one pair i at 1 − ½, one at −½, each there and back.
    assert found.obstruction == pytest.approx(np.sqrt(12 / 4) / np.sqrt(3), rel=1e-9, abs=0)
    # H = diag(e^(c w₁w₂), 1): no defect in the plane, and a curl of c beside H's derivatives.
    for c in (1.0, 3e-3):
        w = np.array([0.7, -1.2])
        found = warpability(lambda w, c=c: np.diag([np.exp(c * w[0] * w[1]), 1 + 0 * w[0]]), w)
        h = np.exp(c * w[0] * w[1])
        first = c * w[::-1]
        second = h * (np.outer(first, first) + c * (1 - np.eye(2)))
        size = np.sqrt(1 + 1 / h**2)
        bend = size * np.linalg.norm(second) + (size * h * np.linalg.norm(first)) ** 2
        assert found.obstruction == pytest.approx(np.sqrt(2) * c / bend, rel=1e-8, abs=0)


def test_every_point_of_a_path_has_to_have_a_metric() -> None:
    np.testing.assert_array_equal(log_warp(innocent, [[1.0, 2.0]]), [0.0])

    def lopsided(w: np.ndarray) -> np.ndarray:
        return innocent(w) + (w[0] == 0) * np.array([[0.0, 1.0], [0.0, 0.0]])

    for path in ([[0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0], [0.0, 1.0]]):
        with pytest.raises(ValueError, match="symmetric"):
            log_warp(lopsided, path)


def test_newton_s_method_has_the_right_curvature() -> None:
    found = metric_limit(innocent, [[1.0, 2.0, 0.5]], [1.0], start=[0.5, 0.0, -0.5])
    assert found.iterations <= 6


def test_tiny_and_flat_metrics() -> None:
    # A metric that bends on a scale far below that of w, at its symmetric point, and none at all.
    def narrow(w: np.ndarray) -> np.ndarray:
        return np.eye(2) * (1 + ((w[0] - 1) / 1e-4) ** 2)

    assert warpability(narrow, [1.0, 0.0]).obstruction < 1e-6
    assert warpability(lambda w: np.diag([1.0, 2.0]), [1.0, 1.0]).obstruction == 0
    assert warpability(innocent, [0.0, 0.0, 0.0]).obstruction < 1e-9


@pytest.mark.usefixtures("as_a_user")
def test_unusable_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"w must have at least 2 entries, got 1"):
        warpability(innocent, [1.0])
    with pytest.raises(ValueError, match=r"points must have at least 2 columns, got 1"):
        log_warp(innocent, [[1.0], [2.0]])
    with pytest.raises(ValueError, match="metric\\(w\\) must be positive definite"):
        warpability(lambda w: -innocent(w), [1.0, 2.0])
    with pytest.raises(ValueError, match="metric must be smooth on the straight line"):
        log_warp(lambda w: np.diag([1 + 1e8 * w[1] ** 2, 1 + 0 * w[0]]), [[0, -1.0], [0, 1.3]])
    with pytest.raises(TypeError, match="metric must accept complex w"):
        warpability(lambda w: np.eye(2) * float(w[0]), [1.0, 2.0])
    with pytest.raises(ValueError, match="y must be in the range of X"):
        metric_limit(innocent, [[1, 2, 3], [2, 4, 6]], [1, 1], start=np.ones(3))
    with pytest.raises(ValueError, match="X must have 3 columns"):
        metric_limit(innocent, [[1.0, 2.0]], [1.0], start=np.ones(3))
