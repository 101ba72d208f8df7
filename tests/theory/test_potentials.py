"""The hyperbolic entropy against its integral in many digits, and as a convex function."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ibtools.models import DiagonalNet
from ibtools.theory import HypentropyPotential, implicit_potential

_sizes = st.floats(-150, 150).map(lambda exponent: 10.0**exponent)
_signs = st.sampled_from([-1.0, 1.0])


def _entropy(w: mp.mpf, sqrt_k: float, digits: int = 900) -> mp.mpf:
    """Return ½∫₀ʷ arcsinh(2z/√k) dz; in 900 digits nothing cancels for any floats."""
    with mp.workdps(digits):
        k, x = mp.mpf(sqrt_k), mp.mpf(w)
        return k / 4 * (1 - mp.sqrt(1 + 4 * x**2 / k**2) + 2 * x / k * mp.asinh(2 * x / k))


def test_closed_form_is_the_integral() -> None:
    # The 900-digit formula above is what the others compare with, so check it by quadrature.
    with mp.workdps(30):
        integral = mp.quad(lambda z: mp.asinh(2 * z / mp.mpf("0.7")) / 2, [0, 1, 2.5])
    assert mp.almosteq(_entropy(2.5, 0.7), integral, rel_eps=1e-15)


@given(_sizes, _signs, _sizes)
def test_value_gradient_and_curvature_keep_their_digits(
    size: float, sign: float, sqrt_k: float
) -> None:
    w = sign * size
    q = HypentropyPotential(sqrt_k=[sqrt_k], start=[0.0])
    exact = _entropy(w, sqrt_k)
    if 1e-300 < abs(exact) < 1e300:
        assert abs(q(np.array([w])) / exact - 1) < 1e-14
    with mp.workdps(500):
        angle = 2 * mp.mpf(w) / mp.mpf(sqrt_k)
        gradient = mp.asinh(angle) / 2
        curvature = 1 / mp.sqrt(mp.mpf(sqrt_k) ** 2 + 4 * mp.mpf(w) ** 2)
    if abs(angle) > 1e-300:  # below, 2w/√k is itself no float
        assert abs(q.gradient(np.array([w]))[0] / gradient - 1) < 1e-14
    assert abs(q.curvature(np.array([w]))[0] / curvature - 1) < 1e-14


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_gradient_and_hessian_are_derivatives_of_the_value(seed: int) -> None:
    random = np.random.default_rng(seed)
    sqrt_k, start = 10 ** random.uniform(-2, 2, 3), random.normal(size=3)
    q, w = HypentropyPotential(sqrt_k, start), random.normal(size=3)

    def value(point: list) -> mp.mpf:
        return mp.fsum(
            _entropy(z, k, digits=70) - z * mp.asinh(2 * mp.mpf(s) / mp.mpf(k)) / 2
            for z, k, s in zip(point, sqrt_k, start, strict=True)
        )

    with mp.workdps(60):
        for i in range(3):

            def along(t: mp.mpf, i: int = i) -> mp.mpf:
                return value([mp.mpf(z) + (t if j == i else 0) for j, z in enumerate(w)])

            slope = (along(mp.mpf("1e-20")) - along(mp.mpf("-1e-20"))) / mp.mpf("2e-20")
            bend = (along(mp.mpf("1e-15")) - 2 * along(mp.mpf(0)) + along(mp.mpf("-1e-15"))) / (
                mp.mpf("1e-30")
            )
            assert float(slope) == pytest.approx(q.gradient(w)[i], rel=1e-9, abs=1e-12)
            assert float(bend) == pytest.approx(q.hessian(w)[i, i], rel=1e-9, abs=0)
        assert float(value(list(w))) == pytest.approx(q(w), rel=1e-12, abs=1e-12)
    np.testing.assert_array_equal(q.hessian(w), np.diag(q.curvature(w)))


@given(st.integers(0, 10_000), st.floats(-12, 6), st.floats(0, 1))
def test_convex_with_its_least_value_at_the_start(seed: int, log_k: float, share: float) -> None:
    random = np.random.default_rng(seed)
    start, one, other = random.normal(size=(3, 5))
    q = HypentropyPotential(np.full(5, 10**log_k), start)
    np.testing.assert_array_equal(q.gradient(start), 0.0)
    np.testing.assert_array_equal(q(np.zeros(5)), 0.0)
    scale = 1e-12 * (abs(q(one)) + abs(q(other)) + abs(q(start)))
    assert q(one) >= q(start) - scale
    mixed = q(share * one + (1 - share) * other)
    assert mixed <= share * q(one) + (1 - share) * q(other) + scale


@given(st.integers(0, 10_000), st.floats(-30, 6))
@example(seed=1365, log_k=-17.0)
def test_inverse_gradient_undoes_the_gradient(seed: int, log_k: float) -> None:
    random = np.random.default_rng(seed)
    start, w = random.normal(size=(2, 5))
    q = HypentropyPotential(10 ** (log_k + random.uniform(-1, 1, 5)), start)
    mirror = q.gradient(w)
    # An error of eps in arcsinh(2w/√k) is one of eps·|arcsinh| in w: the conditioning of it.
    allowed = 1e-14 * (1 + np.abs(q.offset)) * np.hypot(q.sqrt_k, 2 * np.abs(w))
    assert np.all(np.abs(q.inverse_gradient(mirror) - w) <= allowed)
    np.testing.assert_array_equal(q.inverse_gradient(np.zeros(5)), start)


def test_kernel_regime_keeps_the_small_move_from_a_large_start() -> None:
    q = HypentropyPotential(sqrt_k=[1e12], start=[3e11])
    mirror = np.array([1e-14])
    moved = q.inverse_gradient(mirror) - q.start
    np.testing.assert_allclose(moved, 1e-14 / q.curvature(q.start), rtol=1e-2)


def test_batches_are_rows_of_single_calls() -> None:
    q = HypentropyPotential([0.1, 1.0, 10.0], [0.3, -0.2, 0.0])
    batch = np.random.default_rng(0).normal(size=(2, 4, 3))
    value, gradient, curvature = q(batch), q.gradient(batch), q.curvature(batch)
    assert (value.shape, gradient.shape, curvature.shape) == ((2, 4), (2, 4, 3), (2, 4, 3))
    for index in np.ndindex(2, 4):
        np.testing.assert_allclose(value[index], q(batch[index]), rtol=1e-15)
        np.testing.assert_array_equal(gradient[index], q.gradient(batch[index]))
        np.testing.assert_array_equal(curvature[index], q.curvature(batch[index]))
    assert isinstance(q(batch[0, 0]), float)


@given(st.integers(0, 10_000))
def test_hessian_at_the_start_is_the_networks_metric(seed: int) -> None:
    # What Appendix A says of κ, without its formula: the metric of the flow at any point of the
    # path is the potential's Hessian there.
    random = np.random.default_rng(seed)
    net = DiagonalNet(*random.normal(size=(4, 3)))
    q = implicit_potential(net)
    for moved in (net, net.after(random.normal(size=3))):
        np.testing.assert_allclose(q.hessian(moved.predictor), moved.metric_tensor(), rtol=1e-9)
    np.testing.assert_array_equal(q.start, net.predictor)


@pytest.mark.parametrize(("scale", "shape"), [(1e-20, -0.99), (0.01, 0.9), (1e3, 0.9999)])
def test_unbiased_start_has_the_paper_s_sqrt_k(scale: float, shape: float) -> None:
    q = implicit_potential(DiagonalNet.from_scale_shape(scale=scale, shape=shape, d=2))
    with mp.workdps(40):
        s = mp.mpf(shape)
        exact = 4 * mp.mpf(scale) * (1 + s**2) / (1 - s**2)
    np.testing.assert_allclose(q.sqrt_k, float(exact), rtol=1e-12)
    np.testing.assert_array_equal(q.offset, 0.0)


def test_no_potential_where_a_half_is_zero_and_the_other_balanced() -> None:
    half = DiagonalNet([1.0, 0.5], [0.2, 0.5], [0.0, 0.0], [0.0, 0.0])
    with pytest.raises(ValueError, match=r"got 0 at index 1.*never change sign.*Move the start"):
        implicit_potential(half)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: implicit_potential("net"),
            TypeError,
            "net must be a DiagonalNet or LinearNeuron or LinearNet, got str",
        ),
        (lambda: HypentropyPotential([1.0], [1.0, 2.0]), ValueError, "start must have 1 entries"),
        (
            lambda: HypentropyPotential([1.0, -2.0, -3.0], [1.0, 1.0, 1.0]),
            ValueError,
            "sqrt_k must be greater than 0, got -2 at index 1;",
        ),
        (lambda: HypentropyPotential([np.inf], [1.0]), ValueError, "sqrt_k must be finite"),
        (lambda: HypentropyPotential([], []), ValueError, "sqrt_k is empty"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong(call, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_one_vector_has_a_number_and_several_have_an_array() -> None:
    q = HypentropyPotential(sqrt_k=[0.1, 2.0], start=[0.0, 0.3])
    one, several = q(np.array([0.2, -0.4])), q(np.array([[0.2, -0.4], [1.0, 0.0]]))
    assert type(one) is float
    assert several.shape == (2,)
    assert several[0] == one


def test_a_potential_stays_what_it_was() -> None:
    sqrt_k, start = np.array([1.0]), np.array([0.5])
    q = HypentropyPotential(sqrt_k, start)
    sqrt_k[0] = start[0] = 7.0
    assert (q.sqrt_k[0], q.start[0]) == (1.0, 0.5)
    for entries in (q.sqrt_k, q.start):
        with pytest.raises(ValueError, match="read-only"):
            entries[0] = 7.0
