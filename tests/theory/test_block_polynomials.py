"""Polynomials in block norms: algebra, and bounds on the sphere that are bounds and sharp."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from ibtools.theory.block_polynomials import BlockPolynomial

NAMES = "abcd"
monomials = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3), max_size=3).map(
    lambda powers: tuple(sorted(powers.items()))
)
terms = st.dictionaries(monomials, st.floats(1e-3, 1e3), max_size=6)
norms = st.fixed_dictionaries({name: st.floats(0, 10) for name in NAMES})


def block(name: str) -> BlockPolynomial:
    return BlockPolynomial.block(name)


def cubic(square: str, other: str) -> BlockPolynomial:
    return block(square) * block(square) * block(other)


SUM = block("a") + 2 * block("b") + 3 * block("c")


def climbed(p: BlockPolynomial, degree: int) -> float:
    """The maximum of the part of one degree on the unit sphere, by ascent from many points."""
    part = {m: c for m, c in p.terms.items() if sum(k for _, k in m) == degree}
    powers = np.array([[dict(m).get(name, 0) for name in NAMES] for m in part])
    c = np.array(list(part.values()))
    squares = np.random.default_rng(0).dirichlet(np.ones(len(NAMES)), size=200)
    for _ in range(300):
        values = c * np.exp(np.log(np.maximum(squares, 1e-300)) @ powers.T / 2)
        squares = values @ powers
        squares /= squares.sum(axis=1, keepdims=True)
    return float(values.sum(axis=1).max())


@given(terms, terms, norms, st.floats(0, 5))
def test_sums_and_products(left: dict, right: dict, at: dict, number: float) -> None:
    p, q = BlockPolynomial(left), BlockPolynomial(right)
    assert (p + q)(at) == pytest.approx(p(at) + q(at), rel=1e-12, abs=1e-300)
    assert (p * q)(at) == pytest.approx(p(at) * q(at), rel=1e-12, abs=1e-300)
    assert (number * p + number)(at) == pytest.approx(
        number * p(at) + number, rel=1e-12, abs=1e-300
    )


@given(terms, norms)
def test_the_bound_is_one(drawn: dict, at: dict) -> None:
    r = float(np.linalg.norm(list(at.values())))
    p = BlockPolynomial(drawn)
    assert p(at) <= p.on_sphere()(r) * (1 + 1e-9)


@given(terms)
def test_the_bound_is_above_the_maximum_and_not_loose(drawn: dict) -> None:
    p = BlockPolynomial(drawn)
    bounds = p.on_sphere().coef
    for degree in range(1, len(bounds)):
        part = {m: c for m, c in p.terms.items() if sum(k for _, k in m) == degree}
        # Never more than each monomial at its own maximum; the maximum itself up to degree 2.
        separate = sum(
            c * math.prod((k / degree) ** (k / 2) for _, k in m) for m, c in part.items()
        )
        assert bounds[degree] <= separate * (1 + 1e-9)
        if part:
            best = climbed(p, degree)
            assert bounds[degree] >= best * (1 - 1e-9)
            if degree <= 2:
                assert bounds[degree] == pytest.approx(best, rel=1e-6, abs=0)


@pytest.mark.parametrize(
    ("p", "coefficients"),
    [
        (BlockPolynomial.constant(0.0), [0.0]),
        (BlockPolynomial.constant(2.5), [2.5]),
        (3 * block("a") + 4 * block("b"), [0, 5]),
        (block("a") * block("b"), [0, 0, 1 / 2]),
        (block("a") * block("b") * block("c"), [0, 0, 0, 3**-1.5]),
        (block("a") * block("a") * block("b"), [0, 0, 0, 2 / 27**0.5]),
        # a factor and two blocks that enter together
        (block("a") * (3 * block("b") + 4 * block("c")), [0, 0, 5 / 2]),
        (block("a") * block("d") * (3 * block("b") + 4 * block("c")), [0, 0, 0, 5 * 3**-1.5]),
        # pieces without a common block: the larger one
        (block("a") * block("b") + 2 * block("c") * block("d"), [0, 0, 1]),
        (block("a") * block("a") + block("b") * block("b"), [0, 0, 1]),
        # a path of three blocks has the eigenvalue √2/2
        (block("a") * block("b") + block("b") * block("c"), [0, 0, 2**-0.5]),
        ((block("a") + 2 * block("b") + 3 * block("c")) * SUM, [0, 0, 14]),
        # a bilinear form has half its largest singular value
        (
            block("a") * (block("c") + 2 * block("d")) + block("b") * (3 * block("c") + block("d")),
            [0, 0, np.linalg.norm([[1, 2], [3, 1]], 2) / 2],
        ),
        (3 * cubic("a", "b") + cubic("c", "d"), [0, 0, 0, 6 / 27**0.5]),
        # three factors of blocks that enter together
        (
            (3 * block("a") + 4 * block("b") + 12 * block("d"))
            * (5 * block("c") + 12 * block("f"))
            * (8 * block("e") + 15 * block("g")),
            [0, 0, 0, 13 * 13 * 17 * 3**-1.5],
        ),
        (
            (1e-6 * block("a") + block("b"))
            * (0.1 * block("c") + 0.7 * block("d"))
            * (0.3 * block("e") + 0.9 * block("f")),
            [0, 0, 0, math.hypot(1e-6, 1) * math.hypot(0.1, 0.7) * math.hypot(0.3, 0.9) * 3**-1.5],
        ),
    ],
)
def test_exact_maxima(p: BlockPolynomial, coefficients: list) -> None:
    np.testing.assert_allclose(p.on_sphere().coef, coefficients, rtol=1e-12, atol=0)


def test_the_concave_bound_is_the_maximum_of_the_concave_function() -> None:
    # a³ + 2a²b is at most u + 2 (2/√27)^(1/3) u^(2/3) (1 − u)^(1/3), u = a²
    c = 2 * (2 / 27**0.5) ** (1 / 3)
    found = minimize_scalar(
        lambda u: -(u + c * u ** (2 / 3) * (1 - u) ** (1 / 3)), bounds=(0, 1), method="bounded"
    )
    bound = (cubic("a", "a") + 2 * cubic("a", "b")).on_sphere().coef[3]
    assert bound == pytest.approx(-found.fun, rel=2e-10, abs=0)
    # A block whose share of the sum no float holds.
    tiny = cubic("a", "a") + 2 * cubic("a", "b") + 1e-310 * cubic("c", "a")
    assert tiny.on_sphere().coef[3] == pytest.approx(bound, rel=1e-9, abs=0)


def test_one_block_twice_is_one_block() -> None:
    # ‖W‖² and not ‖W‖‖W'‖: its maximum is 1, not 1/2
    assert (block("W") * block("W")).on_sphere().coef[-1] == 1.0


@settings(max_examples=10)
@given(st.lists(st.floats(0, 3), min_size=10, max_size=10))
def test_many_terms_become_powers_of_the_norm(values: list) -> None:
    # Π (1 + nᵢ) has 2¹⁰ terms.
    at = {f"n{i:02d}": value for i, value in enumerate(values)}
    product = BlockPolynomial.constant(1.0)
    for name in at:
        product = product * (block(name) + 1)
    assert len(product.terms) <= 256
    truth = float(np.prod(1 + np.array(values)))
    r = float(np.linalg.norm(values))
    assert truth <= product(at) * (1 + 1e-9)
    assert product(at) <= product.on_sphere()(r) * (1 + 1e-9)


def test_as_many_terms_as_there_may_be() -> None:
    product = BlockPolynomial.constant(1.0)
    for name in "abcdefgh":
        product = product * (block(name) + 1)
    assert len(product.terms) == 256
    assert (product + block("z")).terms.keys() == {(("", i),) if i else () for i in range(9)}


def test_powers_of_the_norm_write_themselves() -> None:
    total = BlockPolynomial({(("", 2), ("W", 1)): 2.0})
    assert repr(total) == "2 ‖θ‖² ‖W‖"
    assert total({"W": 3.0, "b": 4.0}) == pytest.approx(2 * 25 * 3, rel=1e-12, abs=0)
    np.testing.assert_array_equal(total.on_sphere().coef, [0, 0, 0, 2])


def test_it_writes_itself() -> None:
    assert repr(BlockPolynomial.constant(0.0)) == "0"
    assert repr(block("b") + 2 * block("a") * block("a") + 1) == "1 + ‖b‖ + 2 ‖a‖²"
    assert repr(block("b") + 2 * block("a")) == "2 ‖a‖ + ‖b‖"
