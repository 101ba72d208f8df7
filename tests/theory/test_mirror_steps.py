"""The permitted step of mirror descent, by its definition in many digits and by random points."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibtools.theory import HypentropyPotential, bregman_projection, mirror_descent_step_bound


def _divergence(limit: float, w: mp.mpf, sqrt_k: float) -> mp.mpf:
    """Return D_q(limit, w) of one coordinate by quadrature of (mirror(z) − mirror(w)) dz."""
    mirror = mp.asinh(2 * w / mp.mpf(sqrt_k)) / 2
    return mp.quad(lambda z: mp.asinh(2 * z / mp.mpf(sqrt_k)) / 2 - mirror, [w, limit])


def test_one_coordinate_by_quadrature() -> None:
    # Two identical columns share the label; the start is off the origin.
    sqrt_k, start = 0.3, 0.2
    q = HypentropyPotential([sqrt_k, sqrt_k], [start, start])
    bound = mirror_descent_step_bound(q, [[2.0, 2.0]], [4.0])
    with mp.workdps(30):
        # The two coordinates end at 1; each may take all of the divergence.
        radius = 2 * _divergence(1, mp.mpf(start), sqrt_k)
        ends = [
            mp.findroot(lambda w: _divergence(1, w, sqrt_k) - radius, guess)
            for guess in ((3, 5), (-0.2, -0.1))
        ]
        reach = max(abs(end) for end in ends)
        # λ_max of (2, 2) diag(c, c) (2, 2)ᵀ is 8c.
        expected = 1 / (8 * mp.sqrt(mp.mpf(sqrt_k) ** 2 + 4 * reach**2))
    assert bound == pytest.approx(float(expected), rel=1e-12, abs=0)


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_within_the_divergence_the_hessian_is_large_enough(seed: int) -> None:
    random = np.random.default_rng(seed)
    n, d = 2, 4
    X, y = random.normal(size=(n, d)), random.normal(size=n)
    q = HypentropyPotential(10 ** random.uniform(-4, 2, d), random.normal(size=d))
    step = mirror_descent_step_bound(q, X, y)
    limit = bregman_projection(q, X, y).w
    radius = q(limit) - q(q.start)
    # Points on random rays from the limit, at the border of S.
    rays = random.normal(size=(50, d))

    def within(t: np.ndarray) -> np.ndarray:
        w = limit + t[:, None] * rays
        return q(limit) - q(w) - np.sum(q.gradient(w) * (limit - w), axis=1) < radius

    low, high = np.zeros(50), np.ones(50)
    while within(high).any():
        high = np.where(within(high), 2 * high, high)
    for _ in range(50):
        middle = (low + high) / 2
        inside = within(middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    for w in limit + low[:, None] * rays:
        assert np.linalg.eigvalsh(q.hessian(w) - step * X.T @ X)[0] >= -1e-12


def test_units() -> None:
    # w and √k have one unit, X the inverse one of that: stretching both leaves η·X²·w.
    X, y = np.array([[1.0, 2.0, 0.5]]), np.array([1.0])
    q, stretched = (HypentropyPotential(np.full(3, c * 0.1), np.zeros(3)) for c in (1, 7))
    step = mirror_descent_step_bound(q, X, y)
    assert mirror_descent_step_bound(stretched, X, 7 * y) == pytest.approx(
        step / 7, rel=1e-12, abs=0
    )
    assert mirror_descent_step_bound(q, 2 * X, 2 * y) == pytest.approx(step / 4, rel=1e-12, abs=0)


def test_it_is_the_same_in_the_mirror_and_for_small_data() -> None:
    X, y = np.array([[0.02, 0.01, 0.03]]), np.array([0.5])
    q = HypentropyPotential([0.1, 1e-6, 2.0], [0.2, -0.1, 0.0])
    step = mirror_descent_step_bound(q, X, y)
    mirrored = HypentropyPotential([0.1, 1e-6, 2.0], [-0.2, 0.1, 0.0])
    assert mirror_descent_step_bound(mirrored, X, -y) == pytest.approx(step, rel=1e-12, abs=0)
    assert 1 < step < np.inf
    # A coordinate that no sample sees and that stays at 0.
    bare = mirror_descent_step_bound(q, X * [1, 1, 0], y)
    fewer = HypentropyPotential([0.1, 1e-6], [0.2, -0.1])
    assert bare <= mirror_descent_step_bound(fewer, X[:, :2], y) * (1 + 1e-12)


def test_without_data_any_step_will_do() -> None:
    q = HypentropyPotential([1.0, 1.0], [0.3, 0.0])
    assert mirror_descent_step_bound(q, [[0.0, 0.0]], [0.0]) == np.inf


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong() -> None:
    q = HypentropyPotential([1.0, 1.0], [0.0, 0.0])
    with pytest.raises(ValueError, match="y must be in the range of X"):
        mirror_descent_step_bound(q, np.ones((2, 2)), [1.0, 2.0])
    with pytest.raises(ValueError, match="X must have 2 columns"):
        mirror_descent_step_bound(q, np.ones((1, 3)), [1.0])
