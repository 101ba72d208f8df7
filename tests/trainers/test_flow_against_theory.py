"""Where the flow ends is where the theory says, in every regime; and its path is mirror descent's.

The trainers and the theory share no code; these tests are where the two meet.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.data import diabetes_interactions, sparse_regression
from ibtools.models import DiagonalNet
from ibtools.theory import implicit_limit, implicit_potential
from ibtools.trainers import TrainingWarning, gradient_flow, mirror_flow

# Thousands of steps at a user's pace; in test_flow.py shapes are checked.
pytestmark = pytest.mark.usefixtures("as_users")

_small = sparse_regression(n=5, d=20, sparsity=3, noise_std=0.1, seed=0)
_SHAPES = (-0.99, -0.5, 0.0, 0.7, 0.9999)


def _distance(net: DiagonalNet, X: np.ndarray, y: np.ndarray) -> float:
    """Return the relative distance of the flow's end to the predicted limit; neither may warn."""
    run = gradient_flow(net, X, y)
    assert run.converged
    limit = implicit_limit(net, X, y)
    return float(np.linalg.norm(run.w[-1] - limit) / np.linalg.norm(limit))


@pytest.mark.parametrize("scale", [1e-250, 1e-100, 1e-60, 1e-20, 1e-10, 1e-5, 1e-2, 1.0, 1e3])
def test_every_scale_and_shape(scale: float) -> None:
    for shape in _SHAPES:
        net = DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=20)
        assert _distance(net, _small.X, _small.y) < 1e-8, shape


@pytest.mark.parametrize(
    ("scale", "shape", "noise_std"), [(1e3, 0.9999, 0.1), (1e-5, 0.0, 0.1), (1e-5, -0.99, 0.0)]
)
def test_the_paper_s_size(scale: float, shape: float, noise_std: float) -> None:
    X, y, _ = sparse_regression(n=100, d=1000, sparsity=5, noise_std=noise_std, seed=0)
    net = DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=1000)
    assert _distance(net, X, y) < 1e-8


@pytest.mark.slow
def test_the_paper_s_size_at_a_tiny_scale() -> None:
    X, y, _ = sparse_regression(n=100, d=1000, sparsity=5, noise_std=0.1, seed=0)
    net = DiagonalNet.from_scale_shape(scale=1e-20, shape=-0.99, d=1000)
    assert _distance(net, X, y) < 1e-8


@pytest.mark.slow
def test_what_conditioning_does_not_allow_is_said() -> None:
    # Without noise five columns fit all 100 responses, and the last 1e-8 of the way belongs to
    # columns that move 1e10 times slower: rounding of the five hides it from an integrator.
    X, y, _ = sparse_regression(n=100, d=1000, sparsity=5, noise_std=0.0, seed=0)
    net = DiagonalNet.from_scale_shape(scale=1e-20, shape=0.0, d=1000)
    with pytest.warns(TrainingWarning, match=r"gave up.*estimated relative distance .*e-0[78]"):
        run = gradient_flow(net, X, y, max_steps=3000)
    assert not run.converged
    limit = implicit_limit(net, X, y)
    true = np.linalg.norm(run.w[-1] - limit) / np.linalg.norm(limit)
    assert run.remaining == pytest.approx(true, rel=0.5, abs=0)


def test_real_data() -> None:
    X, y, *_ = diabetes_interactions(n=20, seed=0)
    assert _distance(DiagonalNet.from_scale_shape(scale=1e-3, shape=0.5, d=64), X, y) < 1e-8


@settings(max_examples=25)
@given(
    st.integers(0, 10_000),
    st.integers(1, 5),
    st.integers(1, 6),
    st.floats(-4, 2),
    st.floats(-12, 12),
)
def test_general_starts(seed: int, n: int, more: int, log_weights: float, log_y: float) -> None:
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(n, n + more)), random.normal(size=n)
    size = 10 ** (log_weights + random.uniform(-1, 1, (4, 1)))
    # The start is on the scale of the limit, or far below it; far above, w − w₀ is what has digits.
    net = DiagonalNet(*size * random.normal(size=(4, n + more)) * 10 ** (min(log_y, 0) / 2))
    assert _distance(net, X, 10**log_y * y) < 1e-8


def _conditioned(condition: float) -> np.ndarray:
    left, _, right = np.linalg.svd(_small.X, full_matrices=False)
    return left * np.geomspace(1, 1 / condition, 5) @ right


@pytest.mark.parametrize(
    "X",
    [
        pytest.param(_conditioned(1e4), id="condition-1e4"),
        pytest.param(_conditioned(1e6), id="condition-1e6", marks=pytest.mark.slow),
        pytest.param(_small.X * np.geomspace(1, 1e-5, 5)[:, None], id="rows-of-all-sizes"),
        pytest.param(_small.X * np.geomspace(1, 1e-12, 20), id="shrinking-columns"),
        pytest.param(_small.X * np.geomspace(1, 1e9, 20), id="growing-columns"),
        pytest.param(_small.X * 1e-8, id="small-X"),
        pytest.param(_small.X * 1e8, id="large-X"),
    ],
)
def test_badly_scaled_data(X: np.ndarray) -> None:
    # Rounding X's entries, or y's, alone moves the limit by about condition × 1e-16.
    assert _distance(DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=20), X, _small.y) < 1e-8


@pytest.mark.parametrize("factor", [1e-100, 1e-30, 1e-12, 1e12, 1e100])
@pytest.mark.parametrize("scale", [1e-3, 1.0])
def test_tiny_and_huge_responses(factor: float, scale: float) -> None:
    net = DiagonalNet.from_scale_shape(scale=scale, shape=0.3, d=20)
    assert _distance(net, _small.X, factor * _small.y) < 1e-8


@pytest.mark.parametrize("left", [1e-3, 1e-8, 1e-15, 1e-100])
def test_a_half_that_is_nearly_zero(left: float) -> None:
    random = np.random.default_rng(0)
    u, v = random.normal(size=(2, 20))
    rest = left * random.normal(size=(2, 20))
    for net in (DiagonalNet(u, v, *rest), DiagonalNet(u, u, *rest), DiagonalNet(*rest, u, -v)):
        assert _distance(net, _small.X, _small.y) < 1e-8


@pytest.mark.parametrize("huge", [1e2, 1e5, 1e8])
def test_a_huge_start_away_from_zero(huge: float) -> None:
    weights = np.random.default_rng(1).normal(size=(4, 20))
    assert _distance(DiagonalNet(huge * weights[0], *weights[1:]), _small.X, _small.y) < 1e-8
    assert _distance(DiagonalNet(*huge * weights), _small.X, _small.y) < 1e-8


@pytest.mark.parametrize(("n", "d"), [(1, 2), (1, 30), (9, 10)])
def test_one_sample_and_one_spare_dimension(n: int, d: int) -> None:
    random = np.random.default_rng(2)
    X, y = random.normal(size=(n, d)), random.normal(size=n)
    for scale in (1e-6, 1.0):
        assert _distance(DiagonalNet.from_scale_shape(scale=scale, shape=0.3, d=d), X, y) < 1e-8


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_the_mirror_variable_stays_in_the_row_space(seed: int) -> None:
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(2, 5)), random.normal(size=2)
    net = DiagonalNet(*random.normal(size=(4, 5)))
    run = gradient_flow(net, X, y, times=[0.1, 0.5, 2.0, 9.0], method="parameters")
    mirror = implicit_potential(net).gradient(run.w)
    beyond = np.linalg.svd(X)[2][2:]
    assert np.abs(mirror @ beyond.T).max() <= 1e-8 * (1 + np.abs(mirror).max())
    assert np.abs(mirror).max() > 1e-3


@settings(max_examples=5)
@given(st.integers(0, 10_000))
def test_mirror_flow_of_the_potential_is_the_flow_of_the_weights(seed: int) -> None:
    random = np.random.default_rng(seed)
    X, y = random.normal(size=(2, 4)), random.normal(size=2)
    net = DiagonalNet(*random.normal(size=(4, 4)))
    times = [0.0, 0.1, 1.0, 4.0]
    weights = gradient_flow(net, X, y, times=times, method="parameters")
    mirror = mirror_flow(implicit_potential(net), X, y, start=net.predictor, times=times)
    size = np.linalg.norm(weights.w, axis=1, keepdims=True)
    assert np.all(np.abs(mirror.w - weights.w) <= 1e-8 * size)
    end = mirror_flow(implicit_potential(net), X, y, start=net.predictor)
    assert end.converged
    np.testing.assert_allclose(end.w[-1], implicit_limit(net, X, y), atol=1e-8)
