"""Polynomials in the norms of a net's parameter blocks, and their largest value on a sphere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.polynomial import Polynomial

Monomial = tuple[tuple[str, int], ...]
Part = Mapping[Monomial, float]

# The norm of all blocks together; no block of a net has this name.
_TOTAL = ""
_MOST_TERMS = 256
_MOST_ITERATIONS = 5000
_CERTIFIED = 1e-10


@dataclass(frozen=True)
class BlockPolynomial:
    r"""A polynomial with coefficients ≥ 0 in the norms :math:`n_b = \|\theta_b\|` of blocks of θ.

    Attributes
    ----------
    terms
        Coefficient of each monomial; a monomial is its blocks, sorted by name, with their powers.
        The name "" stands for the norm ‖θ‖ of all blocks together.

    Notes
    -----
    A sum or product of more than 256 terms is replaced by a bound in powers of ‖θ‖: skip
    connections double the number of terms with every block.

    Examples
    --------
    >>> from ibtools.theory.block_polynomials import BlockPolynomial
    >>> W, b = BlockPolynomial.block("W"), BlockPolynomial.block("b")
    >>> p = 2.0 * W * W + 3.0 * b + 1.0
    >>> p
    1 + 3 ‖b‖ + 2 ‖W‖²
    >>> p.on_sphere().coef
    array([1., 3., 2.])
    """

    terms: Mapping[Monomial, float]

    @classmethod
    def constant(cls, value: float) -> "BlockPolynomial":
        """Return the constant `value` ≥ 0."""
        return cls({(): float(value)} if value else {})

    @classmethod
    def block(cls, name: str) -> "BlockPolynomial":
        """Return the norm of the block `name`."""
        return cls({((name, 1),): 1.0})

    def __add__(self, other: "BlockPolynomial | float") -> "BlockPolynomial":
        """Return the sum with a polynomial or a number ≥ 0."""
        terms = dict(self.terms)
        for monomial, coefficient in _polynomial(other).terms.items():
            terms[monomial] = terms.get(monomial, 0.0) + coefficient
        return _limited(terms)

    def __mul__(self, other: "BlockPolynomial | float") -> "BlockPolynomial":
        """Return the product with a polynomial or a number ≥ 0."""
        terms: dict[Monomial, float] = {}
        for left, a in self.terms.items():
            for right, b in _polynomial(other).terms.items():
                powers = dict(left)
                for name, power in right:
                    powers[name] = powers.get(name, 0) + power
                monomial = tuple(sorted(powers.items()))
                terms[monomial] = terms.get(monomial, 0.0) + a * b
        return _limited(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __call__(self, norms: Mapping[str, float]) -> float:
        """Return the value where the blocks have these `norms`."""
        all_norms = {_TOTAL: float(np.linalg.norm(list(norms.values()))), **norms}
        return sum(
            (
                coefficient * float(np.prod([all_norms[name] ** power for name, power in monomial]))
                for monomial, coefficient in self.terms.items()
            ),
            start=0.0,
        )

    def on_sphere(self) -> Polynomial:
        r"""Return p with p(r) ≥ this polynomial wherever :math:`\sum_b n_b^2 \le r^2`.

        The coefficient of rⁱ bounds the part of degree i on the unit sphere. For i ≤ 2 it is the
        maximum (the Euclidean norm of the coefficients; the largest eigenvalue of a matrix), for a
        single monomial too, :math:`\max \prod_b n_b^{k_b} = \prod_b (k_b/i)^{k_b/2}`, and for
        what is built of these by common factors and by sums without a common block. Else it is an
        upper bound: a monomial :math:`m` of degree i has
        :math:`m \le (\max m)^{1-2/i}\, m^{2/i}`, the powers :math:`m^{2/i}` are concave in the
        squares :math:`n_b^2`, and a concave function has one maximum on their simplex.

        Returns
        -------
        numpy.polynomial.Polynomial
            p, in the variable r.

        Examples
        --------
        >>> from ibtools.theory.block_polynomials import BlockPolynomial
        >>> product = BlockPolynomial.block("v") * BlockPolynomial.block("W")
        >>> product.on_sphere().coef
        array([0. , 0. , 0.5])
        """
        parts: dict[tuple[int, int], dict[Monomial, float]] = {}
        for monomial, c in self.terms.items():
            degree = sum(power for _, power in monomial)
            of_total = dict(monomial).get(_TOTAL, 0)
            rest = tuple((name, power) for name, power in monomial if name != _TOTAL)
            if c:
                parts.setdefault((degree, degree - of_total), {})[rest] = c
        bounds = np.zeros(max((degree for degree, _ in parts), default=0) + 1)
        for (degree, of_blocks), part in parts.items():
            bounds[degree] += _largest(part, of_blocks)
        return Polynomial(bounds, symbol="r")

    def __repr__(self) -> str:
        """Write the polynomial with norms."""
        if not self.terms:
            return "0"
        ordered = sorted(self.terms.items(), key=lambda term: (sum(k for _, k in term[0]), term[0]))
        return " + ".join(
            " ".join(
                [f"{c:.6g}"] * (c != 1 or not monomial)
                + [f"‖{name or 'θ'}‖{_superscript(power)}" for name, power in monomial]
            )
            for monomial, c in ordered
        )


def _limited(terms: dict[Monomial, float]) -> BlockPolynomial:
    whole = BlockPolynomial(terms)
    if len(terms) <= _MOST_TERMS:
        return whole
    coefficients = np.asarray(whole.on_sphere().coef, dtype=np.float64)
    powers: list[Monomial] = [((_TOTAL, i),) if i else () for i in range(len(coefficients))]
    return BlockPolynomial({m: float(c) for m, c in zip(powers, coefficients, strict=True) if c})


def _superscript(power: int) -> str:
    return "" if power == 1 else str(power).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _polynomial(value: "BlockPolynomial | float") -> BlockPolynomial:
    return value if isinstance(value, BlockPolynomial) else BlockPolynomial.constant(value)


def _largest(part: Part, degree: int) -> float:
    """Return a bound on a homogeneous polynomial on the unit sphere; see `on_sphere`.

    Exact as long as it can be taken apart: into blocks that enter together, a common factor, and
    sums without a common block. What cannot and has degree 3 or more is bounded by concavity.
    """
    part = _merged(part)
    if degree == 0:
        return sum(part.values(), start=0.0)
    if degree == 1:
        return float(np.linalg.norm(list(part.values())))
    factor, rest = _common_factor(part)
    if factor:
        inner = degree - sum(factor)
        return _largest(rest, inner) * _monomial_maximum([*factor, inner])
    pieces = _without_common_block(part)
    if len(pieces) > 1:
        return max(_largest(piece, degree) for piece in pieces)
    names = sorted({name for monomial in part for name, _ in monomial})
    powers = np.array([[dict(monomial).get(name, 0) for name in names] for monomial in part])
    coefficients = np.array(list(part.values()))
    if degree == 2:
        form = np.zeros((len(names), len(names)))
        for row, coefficient in zip(powers, coefficients, strict=True):
            i, j = np.repeat(np.arange(len(names)), row)
            form[i, j] += coefficient / 2
            form[j, i] += coefficient / 2
        return float(np.linalg.eigvalsh(form)[-1])
    maxima = np.array([_monomial_maximum(row) for row in powers])
    return _concave_maximum(coefficients * maxima ** (1 - 2 / degree), powers / degree)


def _monomial_maximum(powers: Sequence[int] | Int[np.ndarray, " b"]) -> float:
    """Return max Π n^k on the unit sphere, Π (k/Σk)^(k/2)."""
    k = np.asarray(powers, dtype=np.float64)
    return float(np.prod((k / k.sum()) ** (k / 2)))


def _common_factor(part: Part) -> tuple[list[int], Part]:
    """Return the powers of the blocks that have one power in all terms, and the rest."""
    first, *others = (dict(monomial) for monomial in part)
    common = {
        name: power
        for name, power in first.items()
        if all(other.get(name) == power for other in others)
    }
    rest = {
        tuple((name, power) for name, power in monomial if name not in common): c
        for monomial, c in part.items()
    }
    return list(common.values()), rest


def _without_common_block(part: Part) -> list[Part]:
    """Return the pieces, sums of terms, that have no block in common."""
    pieces: list[tuple[set[str], dict[Monomial, float]]] = []
    for monomial, c in part.items():
        names, terms = {name for name, _ in monomial}, {monomial: c}
        apart = []
        for other_names, other_terms in pieces:
            if names & other_names:
                names, terms = names | other_names, {**other_terms, **terms}
            else:
                apart.append((other_names, other_terms))
        pieces = [*apart, (names, terms)]
    return [terms for _, terms in pieces]


def _merged(part: Part) -> Part:
    """Make one block of two that enter as a n₁ + b n₂ only: √(a² + b²) n has the same maximum."""
    terms = dict(part)
    again = True
    while again:
        again = False
        cofactors: dict[str, dict[Monomial, float]] = {}
        for monomial, c in terms.items():
            for name, _ in monomial:
                rest = tuple((other, k) for other, k in monomial if other != name)
                cofactors.setdefault(name, {})[rest] = c
        linear = [
            name
            for name in sorted(cofactors)
            if all(dict(monomial).get(name, 1) == 1 for monomial in terms)
        ]
        for i, first in enumerate(linear):
            for second in linear[i + 1 :]:
                ratio = _ratio(cofactors[first], cofactors[second])
                if ratio is None or any(second in dict(rest) for rest in cofactors[first]):
                    continue
                terms = {m: c for m, c in terms.items() if second not in dict(m)}
                terms = {
                    m: c * float(np.hypot(1, ratio)) if first in dict(m) else c
                    for m, c in terms.items()
                }
                again = True
                break
            if again:
                break
    return terms


def _ratio(first: Part, second: Part) -> float | None:
    """Return t where second = t·first, else None."""
    if first.keys() != second.keys():
        return None
    ratios = np.array([second[m] / first[m] for m in first])
    return float(ratios.max()) if np.ptp(ratios) <= 1e-12 * ratios.max() else None


def _concave_maximum(c: Float[np.ndarray, " k"], shares: Float[np.ndarray, "k b"]) -> float:
    """Return a bound on Σ c Π u^share over the simplex of u, from above.

    Each term is a weighted geometric mean: concave, and homogeneous of degree 1. So at any u inside
    F ≤ max_b ∂F/∂u_b on the whole simplex. The iteration u ← u ∂F/F raises F (Baum & Eagon 1967)
    until that bound is F itself.
    """
    u = np.full(shares.shape[1], 1 / shares.shape[1])
    bound = np.inf
    for _ in range(_MOST_ITERATIONS):
        values = c * np.exp(shares @ np.log(u))
        weights = values @ shares
        total = values.sum()
        bound = min(bound, float((weights / u).max()))
        if bound <= total * (1 + _CERTIFIED):
            break
        u = np.maximum(weights / total, 1e-200)
        u /= u.sum()
    return bound
