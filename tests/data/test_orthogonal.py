"""Nearly orthogonal samples, and the constant that says how nearly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ibtools.data import orthogonal
from ibtools.data.images import digits
from ibtools.data.orthogonal import nearly_orthogonal, noisy_digits, orthogonality

_SAMPLES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.integers(-9, 9).map(float),
)


def _by_its_definition(X: np.ndarray) -> float:
    n = len(X)
    if not np.abs(X).max(axis=1).all():
        return 0.0
    largest = [
        max((abs(x @ X[k]) for k in range(n) if k != i), default=0.0) for i, x in enumerate(X)
    ]
    return min(x @ x / (n * most) if most else math.inf for x, most in zip(X, largest, strict=True))


@given(_SAMPLES)
def test_orthogonality_is_its_definition(X: np.ndarray) -> None:
    # Products of small integers are exact on both sides; the divisions may round.
    assert orthogonality(X) == pytest.approx(_by_its_definition(X), rel=4e-16, abs=0)


@given(_SAMPLES, st.integers(0, 2**32))
def test_orthogonality_forgets_order_signs_and_permuted_axes(X: np.ndarray, seed: int) -> None:
    random = np.random.default_rng(seed)
    signs = random.choice([-1.0, 1.0], size=(len(X), 1))
    turned = (signs * random.permutation(X))[:, random.permutation(X.shape[1])]
    assert orthogonality(turned) == pytest.approx(orthogonality(X), rel=4e-16, abs=0)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_orthogonality_has_no_scale(scale: float) -> None:
    X, _ = nearly_orthogonal(n=7, d=50, seed=0)
    assert orthogonality(scale * X) == pytest.approx(orthogonality(X), rel=1e-14, abs=0)


@pytest.mark.parametrize(("power", "expected"), [(600, 2.0**-601), (-600, 2.0**-600)])
def test_orthogonality_of_samples_of_very_different_lengths(power: int, expected: float) -> None:
    # (1, 2)·2^p and (3, 1)/2: squares 5·4^p and 10/4, product 5·2^p/2. For p = 600 the shorter is
    # the second, so C = 2^-600 / 2; for p = -600 the first, so C = 2^-600.
    X = np.array([[1.0, 2.0], [1.5, 0.5]])
    X[0] *= 2.0**power
    assert orthogonality(X) == pytest.approx(expected, rel=1e-15, abs=0)


def test_every_sample_has_its_own_largest_inner_product() -> None:
    # 4 ≥ C·3·1 for the first two, and the third is orthogonal to both.
    X = [[2.0, 0.0, 0.0, 0.0], [0.5, 15.0**0.5 / 2, 0.0, 0.0], [0.0, 0.0, 10.0, 0.0]]
    assert orthogonality(X) == pytest.approx(4 / 3, rel=1e-15, abs=0)
    # 100 ≥ C·3·20 for the last two; that the first is short has nothing to do with it.
    X = [[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 10.0, 0.0], [0.0, 0.0, 2.0, 96.0**0.5]]
    assert orthogonality(X) == pytest.approx(100 / 60, rel=1e-15, abs=0)


def test_orthogonality_of_orthogonal_samples_is_infinite() -> None:
    assert orthogonality([[1, 2], [2, -1]]) == math.inf
    assert orthogonality(1e-200 * np.diag([1.0, 3.0, 7.0])) == math.inf
    # Orthogonal, but a fused multiply-add makes the inner product 1e-16.
    assert orthogonality([[1.1, 3.3], [3.3, -1.1]]) == math.inf
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 30)))
    assert orthogonality(rotation) == math.inf


def test_orthogonality_does_not_take_small_inner_products_for_none() -> None:
    assert orthogonality([[1.0, 1e-17], [0.0, 1e-17]]) == pytest.approx(0.5, rel=1e-15, abs=0)
    assert orthogonality([[1.0, 1e-12], [0.0, 1.0]]) == pytest.approx(5e11, rel=1e-12, abs=0)


def test_orthogonality_decides_the_odd_cases() -> None:
    assert orthogonality([[3.0, 4.0]]) == math.inf
    assert orthogonality([[0.0, 0.0]]) == 0.0
    assert orthogonality([[1.0, 0.0], [0.0, 0.0]]) == 0.0
    assert orthogonality([[1.0], [1.0]]) == 0.5
    assert orthogonality([[1, 0], [1, 3]]) == 0.5
    assert isinstance(orthogonality([[1, 0], [1, 3]]), float)


@given(seed=st.integers(0, 2**32), height=st.integers(1, 9))
def test_orthogonality_of_many_samples_goes_by_blocks(seed: int, height: int) -> None:
    random = np.random.default_rng(seed)
    # Small integers by powers of two: both sides are exact, and any sample may be the decisive one.
    X = random.integers(-9, 10, size=(9, 4)) * 2.0 ** random.integers(-9, 9, size=(9, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orthogonal, "_AT_ONCE", 9 * height)
        assert orthogonality(X) == pytest.approx(_by_its_definition(X), rel=4e-16, abs=0)


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        (np.ones(3), ValueError, "X must have 2 axis"),
        (np.ones((2, 1, 8, 8)), ValueError, "X must have 2 axis"),
        (np.ones((0, 3)), ValueError, "X is empty"),
        ([[1.0, np.nan]], ValueError, "X must be finite"),
        ([["a"]], TypeError, "X must be an array of real numbers"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_orthogonality_says_what_is_wrong(X: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        orthogonality(X)


def test_gaussian_samples_follow_their_law() -> None:
    n, d = 50, 2000
    X, y = nearly_orthogonal(n=n, d=d, seed=0)
    assert abs(X.mean()) < 5 / np.sqrt(n * d)
    assert abs(X.var() - 1) < 5 * np.sqrt(2 / (n * d))
    assert abs((X**4).mean() - 3) < 5 * np.sqrt(96 / (n * d))
    np.testing.assert_array_equal(y, np.repeat([1.0, -1.0], n // 2))


def test_more_dimensions_are_more_orthogonal() -> None:
    random = np.random.default_rng(0)
    few, many = (
        np.median([orthogonality(nearly_orthogonal(n=20, d=d, seed=random).X) for _ in range(50)])
        for d in (500, 5000)
    )
    # C grows as √d: tenfold d, threefold C, and a little more while the shortest sample matters.
    assert 3.0 < many / few < 4.0


def test_labels_are_balanced_or_fair_coins() -> None:
    X, y = nearly_orthogonal(n=7, d=3, seed=5)
    np.testing.assert_array_equal(y, [1, 1, 1, 1, -1, -1, -1])
    tossed = nearly_orthogonal(n=7, d=3, balanced=False, seed=5)
    np.testing.assert_array_equal(tossed.X, X)
    many = nearly_orthogonal(n=10_000, d=1, balanced=False, seed=0).y
    assert set(many) == {-1.0, 1.0}
    assert abs(many.mean()) < 5 / 100
    assert many.dtype == np.float64
    np.testing.assert_array_equal(nearly_orthogonal(n=7, d=3, seed=5).X, X)
    assert not np.array_equal(nearly_orthogonal(n=7, d=3, seed=6).X, X)


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"d": 2.0}, TypeError, "d must be an integer"),
        ({"balanced": 1}, TypeError, "balanced must be True or False, got 1"),
        ({"seed": None}, TypeError, "seed must be an int"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_nearly_orthogonal_says_what_is_wrong(
    wrong: dict, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        nearly_orthogonal(**{"n": 4, "d": 8, "seed": 0} | wrong)


def test_noisy_digits_are_centred_padded_digits_plus_noise() -> None:
    quiet, loud = (noisy_digits(noise=noise, seed=0) for noise in (0.0, 0.1))
    assert quiet.X.shape == (20, 784)
    np.testing.assert_array_equal(np.sort(quiet.y), np.repeat([-1.0, 1.0], 10))
    np.testing.assert_array_equal(loud.y, quiet.y)
    np.testing.assert_array_equal(quiet.X[:, 64:], 0)
    np.testing.assert_allclose(quiet.X.sum(axis=0), 0, atol=1e-13)
    # Differences of images do not know of the mean: they are those of real digits. One stays fixed.
    originals, labels = digits(classes=(3, 8))
    own = [originals[labels == label] for label in quiet.y]
    possible = np.ones(len(own[0]), dtype=bool)
    for images, image in zip(own, quiet.X[:, :64], strict=True):
        others = own[0] + (image - quiet.X[0, :64])
        possible &= (np.abs(others[:, None] - images).max(axis=2) < 1e-12).any(axis=1)
    assert possible.sum() == 1
    noise = loud.X - quiet.X
    assert abs(noise.std() - 0.1) < 5 * 0.1 / np.sqrt(2 * noise.size)
    assert abs(noise[:, :64].std() - 0.1) < 5 * 0.1 / np.sqrt(2 * noise[:, :64].size)


def test_noise_makes_digits_more_orthogonal() -> None:
    values = [orthogonality(noisy_digits(noise=noise, seed=0).X) for noise in (0.0, 0.1, 0.3)]
    assert values[0] == pytest.approx(0.0535, abs=5e-5)
    assert values[0] < values[1] / 4 < values[2] / 8


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"n": 7}, ValueError, "n must be even, got 7"),
        ({"n": 0}, ValueError, "n must be at least 2"),
        ({"n": 400}, ValueError, "n must be at most 348 for the classes .3, 8., got 400"),
        ({"d": 63}, ValueError, "d must be at least 64"),
        ({"noise": -0.1}, ValueError, r"noise must be at least 0, got -0\.1"),
        ({"noise": np.nan}, ValueError, "noise must be finite"),
        ({"classes": (1, 2, 3)}, ValueError, "classes must be two digits"),
        ({"classes": None}, ValueError, "classes must be two digits"),
        ({"classes": (3, 3)}, ValueError, "two or more different"),
        ({"seed": None}, TypeError, "seed must be an int"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_noisy_digits_say_what_is_wrong(wrong: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        noisy_digits(**{"seed": 0} | wrong)
