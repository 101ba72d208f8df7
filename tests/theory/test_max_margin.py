"""Largest margins: reference digits, certificates made here, laws of scaling, decided answers."""

import re
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from sklearn.datasets import load_digits, load_iris

from ibtools.theory.interpolation import AccuracyWarning
from ibtools.theory.max_margin import max_margin

TOY = np.array([[3.0, -1.0], [1.0, 2.0], [4.0, 4.0]])
ONES = np.ones(3)
seeds = st.integers(0, 10_000)
norms = st.sampled_from(["l2", "l1"])
DUAL = {"l2": 2, "l1": np.inf}
ORDER = {"l2": 2, "l1": 1}


def digits(first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    table = load_digits()
    chosen = (table.target == first) | (table.target == second)
    return table.data[chosen] / 16, np.where(table.target[chosen] == second, 1.0, -1.0)


def separable(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 25), rng.integers(1, 10)
    X = rng.normal(size=(n, d))
    y = np.where(X @ rng.normal(size=d) >= 0, 1.0, -1.0)
    return X, y


def test_three_points() -> None:
    found = max_margin(TOY, ONES)
    assert found.margin == pytest.approx(7 / 13**0.5, rel=1e-15, abs=0)
    np.testing.assert_allclose(found.w, [3 / 7, 2 / 7], rtol=1e-14)
    np.testing.assert_allclose(found.direction, np.array([3, 2]) / 13**0.5, rtol=1e-14)
    np.testing.assert_allclose(found.multipliers, np.array([4, 9, 0]) / 49, rtol=1e-14)
    np.testing.assert_array_equal(found.support, [0, 1])


@pytest.mark.parametrize(
    ("pair", "norm", "margin", "support"),
    [
        ((3, 8), "l2", 0.207440406931, 29),
        ((0, 1), "l2", 0.584944998135, 16),
        ((3, 8), "l1", 0.043421807135, 23),
    ],
)
def test_digits(pair: tuple[int, int], norm: str, margin: float, support: int) -> None:
    found = max_margin(*digits(*pair), norm=norm)
    assert found.margin == pytest.approx(margin, abs=5e-13)
    assert found.support.size == support == np.sum(found.multipliers > 0)
    assert found.duality_gap < 1e-13


def test_the_l1_toy() -> None:
    Z = np.array([[2, 1, 0.2], [1, 2, 0.2]])
    found = max_margin(Z, [1, 1], norm="l1")
    assert found.margin == pytest.approx(1.5, rel=1e-15, abs=0)
    np.testing.assert_allclose(found.direction, [0.5, 0.5, 0], atol=1e-15)
    other = max_margin(Z, [1, 1]).direction
    assert (Z @ other).min() / np.abs(other).sum() == pytest.approx(1.41875, rel=1e-14, abs=0)


def with_a_free_bias(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Return w and b of min ½‖w‖² subject to yⱼ(⟨w, xⱼ⟩ + b) ≥ 1.

    Without b it says that all differences of samples of the two classes have margins of at least 2.
    """
    positive, negative = X[y == 1], X[y == -1]
    apart = (positive[:, None] - negative[None]).reshape(-1, X.shape[1])
    w = 2 * max_margin(apart, np.ones(len(apart))).w
    return w, -((positive @ w).min() + (negative @ w).max()) / 2


# Numbers that others have published: the data, w and b.
PUBLISHED = {
    # Textbook examples, solved by hand.
    "one third": ([[1, 1], [2, 2]], [[0, 0], [-1, -1]], [1, 1], -1),
    "two thirds": ([[2, 2], [3, 3]], [[0, 0], [-1, -1]], [0.5, 0.5], -1),
    # scikit-learn, test_libsvm_parameters
    "libsvm": ([[1, 1], [1, 2], [2, 1]], [[-2, -1], [-1, -1], [-1, -2]], [0.5, 0.5], 0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_machines_with_a_bias(name: str) -> None:
    positive, negative, w, b = PUBLISHED[name]
    X = np.array([*positive, *negative], dtype=float)
    y = np.repeat([1.0, -1.0], [len(positive), len(negative)])
    found_w, found_b = with_a_free_bias(X, y)
    np.testing.assert_allclose(found_w, w, rtol=1e-13)
    assert found_b == pytest.approx(b, rel=1e-13, abs=1e-14)
    if name == "one third":
        assert 2 / np.linalg.norm(found_w) == pytest.approx(2**0.5, rel=1e-13, abs=0)


def test_libsvms_dual_coefficients() -> None:
    X = np.array([[-2.0, -1], [-1, -1], [-1, -2], [1, 1], [1, 2], [2, 1]])
    y = np.repeat([-1.0, 1.0], 3)
    # With a column of ones for the bias, which symmetry keeps at 0.
    found = max_margin(np.column_stack([X, np.ones(6)]), y)
    np.testing.assert_allclose(found.w, [0.5, 0.5, 0], rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(found.support, [1, 3])
    np.testing.assert_allclose(found.multipliers, [0, 0.25, 0, 0.25, 0, 0], atol=1e-14)


def test_irises() -> None:
    # Setosa and versicolor by their petals. Published, from a general solver with six digits or so:
    # w = (1.29411744, 0.82352928), b = −3.78823471.
    table = load_iris()
    chosen = table.target < 2
    X, y = table.data[chosen][:, 2:], np.where(table.target[chosen] == 1, 1.0, -1.0)
    w, b = with_a_free_bias(X, y)
    np.testing.assert_allclose(w, [22 / 17, 14 / 17], rtol=1e-12)
    assert b == pytest.approx(-322 / 85, rel=1e-12, abs=0)
    np.testing.assert_allclose([*w, b], [1.29411744, 0.82352928, -3.78823471], atol=6e-7)
    assert 0.5 * w @ w == pytest.approx(1.1764706, abs=5e-8)


@given(seeds, norms)
def test_margin_is_attained_and_no_other_is_larger(seed: int, norm: str) -> None:
    # Both bounds are computed here, from the definition: together they prove the margin.
    X, y = separable(seed)
    found = max_margin(X, y, norm=norm)
    Z = y[:, None] * X
    assert np.linalg.norm(found.direction, ORDER[norm]) == pytest.approx(1, rel=1e-14, abs=0)
    assert (Z @ found.direction).min() == pytest.approx(found.margin, rel=1e-12, abs=0)
    assert found.multipliers.min() >= 0
    p = found.multipliers / found.multipliers.sum()
    assert np.linalg.norm(p @ Z, DUAL[norm]) == pytest.approx(found.margin, rel=1e-12, abs=0)


@given(seeds, norms)
def test_normal_solution_satisfies_its_conditions(seed: int, norm: str) -> None:
    X, y = separable(seed)
    found = max_margin(X, y, norm=norm)
    Z, size = y[:, None] * X, np.linalg.norm(found.w, ORDER[norm])
    margins = Z @ found.w
    assert margins.min() == pytest.approx(1, rel=1e-12, abs=0)
    assert size == pytest.approx(1 / found.margin, rel=1e-12, abs=0)
    assert found.multipliers.sum() == pytest.approx(1 / found.margin**2, rel=1e-11, abs=0)
    # ∂(½‖w‖²) = ‖w‖ ∂‖w‖: its elements have dual norm ‖w‖ and product ‖w‖² with w.
    force = found.multipliers @ Z
    assert np.linalg.norm(force, DUAL[norm]) == pytest.approx(size, rel=1e-11, abs=0)
    assert force @ found.w == pytest.approx(size**2, rel=1e-11, abs=0)
    assert set(np.flatnonzero(found.multipliers)) <= set(found.support)
    np.testing.assert_allclose(margins[found.support], 1, rtol=1e-9)


def test_agrees_with_a_general_solver() -> None:
    X, y = separable(8)
    Z = y[:, None] * X
    answer = minimize(
        lambda w: 0.5 * w @ w,
        np.linalg.lstsq(Z, np.ones(len(Z)), rcond=None)[0],
        jac=lambda w: w,
        constraints={"type": "ineq", "fun": lambda w: Z @ w - 1, "jac": lambda w: Z},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert answer.success
    np.testing.assert_allclose(max_margin(X, y).w, answer.x, atol=1e-5 * abs(answer.x).max())


@given(seeds, norms, st.floats(-100, 100))
def test_margin_scales_with_the_data(seed: int, norm: str, exponent: float) -> None:
    X, y = separable(seed)
    scale = 10.0**exponent
    one, other = max_margin(X, y, norm=norm), max_margin(scale * X, y, norm=norm)
    assert other.margin == pytest.approx(scale * one.margin, rel=1e-11, abs=0)
    size = np.abs(one.direction).max()
    np.testing.assert_allclose(other.direction, one.direction, atol=1e-9 * size)
    np.testing.assert_allclose(other.w * scale, one.w, atol=1e-9 * np.abs(one.w).max())


@given(seeds, norms, seeds)
def test_labels_order_and_duplicates_do_not_matter(seed: int, norm: str, other: int) -> None:
    X, y = separable(seed)
    one = max_margin(X, y, norm=norm)
    rng = np.random.default_rng(other)
    order = rng.integers(0, len(y), size=2 * len(y))
    order = np.concatenate([order, np.arange(len(y))])
    sign = rng.choice([-1.0, 1.0], size=len(order))
    again = max_margin(sign[:, None] * X[order], sign * y[order], norm=norm)
    assert again.margin == pytest.approx(one.margin, rel=1e-12, abs=0)


@given(seeds)
def test_more_samples_never_raise_the_margin(seed: int) -> None:
    X, y = separable(seed)
    assume(len(y) > 1)
    for norm in ("l2", "l1"):
        whole, part = max_margin(X, y, norm=norm), max_margin(X[1:], y[1:], norm=norm)
        assert whole.margin <= part.margin * (1 + 1e-12)


def test_one_dimension_and_one_class() -> None:
    for norm in ("l2", "l1"):
        found = max_margin([[2.0], [-3.0], [5.0]], [1, -1, 1], norm=norm)
        assert found.margin == 2
        np.testing.assert_array_equal(found.direction, [1])
        found = max_margin([[0.0, -4.0]], [-1], norm=norm)
        np.testing.assert_array_equal(found.direction, [0, 1])
        np.testing.assert_array_equal(found.support, [0])


def test_a_thin_wedge() -> None:
    # γ = s exactly, ever nearer to what cannot be separated.
    for s in (1e-3, 1e-6, 1e-9, 1e-11):
        for norm in ("l2", "l1"):
            found = max_margin([[1.0, s], [-1.0, s]], [1, 1], norm=norm)
            assert found.margin == pytest.approx(s, rel=1e-14, abs=0)
            np.testing.assert_allclose(found.direction, [0, 1], atol=1e-14)


def test_more_samples_lie_on_the_margin_than_carry_it() -> None:
    # Four have the margin 3/√2 along −(1, 1, 0)/√2, and half of two of them is that point.
    Z = np.array([[-3, 0, 2], [-3, -3, -1], [0, -3, -3], [-3, 0, 3], [-2, -1, -2]])
    found = max_margin(Z, np.ones(5))
    assert found.margin == pytest.approx(3 / 2**0.5, rel=1e-14, abs=0)
    np.testing.assert_allclose(found.direction, [-(0.5**0.5), -(0.5**0.5), 0], atol=1e-14)
    assert max_margin([[3], [2], [3], [2]], np.ones(4)).margin == 2


@pytest.mark.parametrize(("norm", "seed"), [("l1", 73), ("l1", 127), ("l2", 209)])
def test_samples_of_many_sizes_have_a_margin_to_all_digits(norm: str, seed: int) -> None:
    # What the solvers answer, and what is solved for once more: one of the two is off by 2e-10
    # or more here, and not the same one each time.
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 8)) * 10.0 ** rng.uniform(-4, 4, size=(30, 1))
    y = np.where(X[:, 0] + X[:, 1] > 0, 1.0, -1.0)
    found = max_margin(X, y, norm=norm)
    assert (y * (X @ found.direction)).min() == pytest.approx(found.margin, rel=1e-10, abs=0)
    p = found.multipliers / found.multipliers.sum()
    dual = np.linalg.norm((p * y) @ X, {"l1": np.inf, "l2": 2}[norm])
    assert dual == pytest.approx(found.margin, rel=1e-10, abs=0)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_support_is_judged_by_the_length_of_a_sample(norm: str) -> None:
    # The third sample's margin is twice the smallest, and both are tiny.
    s = 1e-11
    found = max_margin([[1.0, s], [-1.0, s], [0.0, 2 * s]], ONES, norm=norm)
    np.testing.assert_array_equal(found.support, [0, 1])


def test_not_unique_l1_solutions_have_one_margin() -> None:
    found = max_margin([[1.0, 1.0]], [1], norm="l1")
    assert found.margin == 1
    np.testing.assert_array_equal(np.sort(found.direction), [0, 1])


def test_many_samples_are_solved_a_few_at_a_time() -> None:
    # More rows than the first working set; certified in exact arithmetic on the support.
    rng = np.random.default_rng(3)
    Z = rng.integers(-9, 10, size=(4000, 4)).astype(float)
    Z = Z[Z @ [4, 3, 2, 1] > 6]
    found = max_margin(Z, np.ones(len(Z)))
    p = [Fraction(float(a)) for a in found.multipliers]
    point = [sum(a * Fraction(float(z)) for a, z in zip(p, column, strict=True)) for column in Z.T]
    bound = float(sum(c * c for c in point) / sum(p) ** 2) ** 0.5
    assert (Z @ found.direction).min() == pytest.approx(bound, rel=1e-14, abs=0)


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize(
    "Z",
    [
        [[1.0, 0.0], [-1.0, 0.0]],
        [[0.0, 0.0], [1.0, 0.0]],
        [[0.0, 0.0]],
        [[1.0, 2.0], [-1.0, 2.0], [0.0, -1.0]],
        [[1.0], [-1.0]],
        [[1.0, 1e-13], [-1.0, 1e-13]],
        [[0.1, 0.7], [0.3, -0.9], [-0.7, 0.1]],
    ],
)
def test_what_cannot_be_separated(Z: list, norm: str) -> None:
    with pytest.raises(ValueError, match="append a constant column"):
        max_margin(Z, np.ones(len(Z)), norm=norm)


def test_what_is_only_badly_scaled_is_told_so_and_the_mend_works() -> None:
    rng = np.random.default_rng(0)
    y = np.where(np.arange(20) < 10, 1.0, -1.0)
    clouds = rng.normal(size=(20, 2)) * 0.3 + y[:, None]
    far = np.column_stack([clouds + 1e6, np.ones(20)])
    with pytest.raises(ValueError, match="subtract their means from all columns but the constant"):
        max_margin(far, y)
    centred = far - np.append(far[:, :2].mean(axis=0), 0.0)
    assert max_margin(centred, y).margin > 0.1

    uneven = np.column_stack([rng.normal(size=20) * 1e14, y * rng.uniform(1, 2, size=20)])
    with pytest.raises(ValueError, match="divide each column by its largest absolute value"):
        max_margin(uneven, y)
    assert max_margin(uneven / np.abs(uneven).max(axis=0), y).margin > 0.1

    mixed = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    labels = np.array([1.0, 1.0, -1.0, -1.0])
    for X in (mixed, np.column_stack([mixed, np.ones(4)])):
        with pytest.raises(ValueError, match="does not help, they are not separable with a bias"):
            max_margin(X, labels)

    offset = clouds + 7.0
    with pytest.raises(ValueError, match=r"; append a constant column to X for a bias$"):
        max_margin(offset, y)
    assert max_margin(np.column_stack([offset, np.ones(20)]), y).margin > 0


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_samples_that_contradict_each_other_are_named_and_no_others(norm: str) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.choice([-1.0, 1.0], size=40)
    twice = np.array([[0.0, 1.0], [1.0, 2.0], [1.0, 2.0]])
    for samples, labels in ((X, y), (twice, np.array([1.0, 1.0, -1.0]))):
        for column in (1.0, 0.0):
            biased = np.column_stack([samples, np.ones(len(labels))])
            given = biased if column else samples
            with pytest.raises(ValueError, match=r"contradict each other; rows [\d, ]+ do") as told:
                max_margin(given, labels, norm=norm)
            match = re.search(r"rows ([\d, ]+) do", str(told.value))
            assert match
            rows = [int(row) for row in match[1].split(", ")]
            with pytest.raises(ValueError, match="must be separable"):
                max_margin(biased[rows], labels[rows], norm=norm)
            # Without any one of them the others are separable.
            for row in rows:
                others = [other for other in rows if other != row]
                assert max_margin(biased[others], labels[others], norm=norm).margin > 0
        assert samples is X or rows == [1, 2]


@pytest.mark.parametrize(("d", "named"), [(8, "8, 9 do"), (9, "8, 9, … do")])
def test_ten_samples_that_contradict_each_other_are_named(d: int, named: str) -> None:
    # d + 2 points and one dependence among them: all are needed (Radon).
    X = np.random.default_rng(0).normal(size=(d + 2, d))
    dependence = np.linalg.svd(np.column_stack([X, np.ones(d + 2)]).T)[2][-1]
    with pytest.raises(ValueError, match=f"rows 0, 1, 2, 3, 4, 5, 6, 7, {named}"):
        max_margin(X, np.sign(dependence))


@pytest.mark.parametrize("constant", [1.0, -1.0])
def test_a_bias_that_is_needed_is_kept_by_the_mend(constant: float) -> None:
    # Few samples of one class: through the origin of the means nothing separates them.
    rng = np.random.default_rng(0)
    y = np.where(np.arange(20) < 18, 1.0, -1.0)
    clouds = rng.normal(size=(20, 2)) * 0.2 + y[:, None]
    far = np.column_stack([clouds + 1e6, np.full(20, constant)])
    with pytest.raises(ValueError, match="subtract their means from all columns but the constant"):
        max_margin(far, y)


def test_a_tiny_column_is_told_to_be_scaled() -> None:
    rng = np.random.default_rng(0)
    y = np.where(np.arange(20) < 10, 1.0, -1.0)
    uneven = np.column_stack([rng.normal(size=20), 1e-14 * y * rng.uniform(1, 2, size=20)])
    with pytest.raises(ValueError, match="divide each column by its largest absolute value"):
        max_margin(uneven, y)


def test_zeros_are_not_told_to_be_scaled() -> None:
    for Z in ([[0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]]):
        with pytest.raises(ValueError, match=r"^X and y must be separable by a hyperplane"):
            max_margin(Z, np.ones(len(Z)))


def test_no_gap_is_below_zero() -> None:
    assert all(max_margin(*separable(seed)).duality_gap >= 0 for seed in range(40))


@given(seeds)
def test_random_labels_are_separated_or_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Six samples in three dimensions: by Cover's count half of all labels can be separated.
    X, y = rng.normal(size=(6, 3)), rng.choice([-1.0, 1.0], size=6)
    Z = y[:, None] * X
    separable = linprog(np.zeros(3), A_ub=-Z, b_ub=-np.ones(6), bounds=(None, None)).success
    for norm in ("l2", "l1"):
        if separable:
            assert (Z @ max_margin(X, y, norm=norm).direction).min() > 0
        else:
            with pytest.raises(ValueError, match="append a constant column"):
                max_margin(X, y, norm=norm)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("X", "y", "norm", "error", "words"),
    [
        ([[1.0]], [2.0], "l2", ValueError, "labels 1 and -1"),
        ([[1.0]], [0.0], "l2", ValueError, "numpy.where"),
        ([[1.0], [1.0], [1.0]], [1.0, 2.0, 3.0], "l2", ValueError, "got 2 at index 1"),
        ([[0.0]], [1.0], "l2", ValueError, r"no margin exceeds 0\.0e\+00"),
        ([[1.0]], [1.0, 1.0], "l2", ValueError, "same number of rows"),
        ([[np.nan]], [1.0], "l2", ValueError, "finite"),
        ([[1.0]], [np.inf], "l2", ValueError, "finite"),
        (np.empty((0, 2)), [], "l2", ValueError, "empty"),
        ([1.0, 2.0], [1.0], "l2", ValueError, "2 axis"),
        ([[1.0]], [1.0], "l3", ValueError, "norm must be one of"),
        ([["a"]], [1.0], "l2", TypeError, "real numbers"),
        ([[1e200]], [1.0], "l2", ValueError, "rescale"),
        ([[1e-200]], [1.0], "l1", ValueError, "rescale"),
    ],
)
def test_bad_input(X: list, y: list, norm: str, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        max_margin(X, y, norm=norm)


def test_negative_multipliers_are_no_certificate() -> None:
    # Both margins of (1/2, −1/2) are 1, with multipliers 3/4 and −1/4: the bound they give is none.
    module = import_module("ibtools.theory.max_margin")
    given = np.array([0.5, 0.0]), np.array([0.5, 0.5])
    found = module._sharpened(np.array([[2.0, 0.0], [4.0, 2.0]]), given[1], given[0])
    np.testing.assert_array_equal(found, given)


def test_where_nothing_contradicts_nothing_is_named() -> None:
    assert import_module("ibtools.theory.max_margin")._contradicting(TOY, ONES).size == 0


def test_a_missed_accuracy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("ibtools.theory.max_margin")

    exact = module._least_norm

    def blunt(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        w, p = exact(Z)
        return w * [1, 1 + 1e-6], p

    monkeypatch.setattr(module, "_least_norm", blunt)
    with pytest.warns(AccuracyWarning, match="duality gap is") as warned:
        found = max_margin(TOY, ONES)
    assert found.margin == pytest.approx(7 / 13**0.5, rel=1e-5, abs=0)
    bounds = re.search(r"lies between (\S+) and (\S+);", str(warned[0].message))
    assert bounds is not None
    low, high = float(bounds[1]), float(bounds[2])
    assert low == pytest.approx(found.margin, rel=1e-14, abs=0)
    assert low * (1 + 1e-7) < high
    assert high == pytest.approx(7 / 13**0.5, rel=1e-14, abs=0)
