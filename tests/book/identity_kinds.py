"""Ways to check a labelled equation of the book; the arithmetic is not the package's.

Every entry is decided at 50 digits, on points drawn from `Random`, by two routes: what a symbol is
defined as (an integral, a derivative, a limit, a maximum), and what the equation says of it.
"""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import sympy

DIGITS = 50


class Random:
    """Admissible points: numbers of full precision, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)

    def uniform(self, low: float, high: float) -> mpmath.mpf:
        """Draw a number between `low` and `high`."""
        return mpmath.mpf(low) + (mpmath.mpf(high) - low) * self._source.random()

    def log_uniform(self, low: float, high: float) -> mpmath.mpf:
        """Draw a positive number whose logarithm is uniform."""
        return mpmath.exp(self.uniform(mpmath.log(low), mpmath.log(high)))

    def sign(self) -> int:
        """Draw 1 or −1."""
        return self._source.choice((-1, 1))

    def integer(self, low: int, high: int) -> int:
        """Draw an integer from `low` to `high`, both included."""
        return self._source.randint(low, high)

    def vector(self, size: int, *, scale: float = 1.0) -> mpmath.matrix:
        """Draw a column of standard normal numbers times `scale`."""
        return mpmath.matrix([mpmath.mpf(self._source.gauss(0, 1)) * scale for _ in range(size)])

    def matrix(self, rows: int, columns: int, *, scale: float = 1.0) -> mpmath.matrix:
        """Draw a matrix of standard normal numbers times `scale`."""
        entries = [[self._source.gauss(0, 1) for _ in range(columns)] for _ in range(rows)]
        return mpmath.matrix(entries) * scale


def numbers(value: Any) -> list[mpmath.mpf]:
    """Return the entries of a number, a list of any depth, or a matrix of mpmath."""
    if isinstance(value, list | tuple):
        return [entry for part in value for entry in numbers(part)]
    if isinstance(value, mpmath.matrix):
        return [value[i, j] for i in range(value.rows) for j in range(value.cols)]
    return [mpmath.mpf(value)]


@dataclass(frozen=True)
class Definition:
    """The equation gives a meaning to a symbol: there is nothing that could be wrong with it."""

    of: str

    def check(self) -> None:
        """A definition says of what it is one."""
        assert self.of.strip()


@dataclass(frozen=True)
class Identity:
    """Both sides agree at random points; `sides` computes them by two routes."""

    sides: Callable[[Random], tuple[Any, Any]]
    draws: int = 20
    digits: int = 30  # quadratures and differences lose some of the 50

    def check(self) -> None:
        """Compare both sides entry by entry, relative to the largest entry."""
        moved = set()
        for draw in range(self.draws):
            left, right = map(numbers, self.sides(Random(draw)))
            assert len(left) == len(right) > 0
            size = max(map(abs, [*left, *right]))
            assert mpmath.isfinite(size), f"draw {draw} is not finite"
            apart = max(abs(a - b) for a, b in zip(left, right, strict=True))
            assert apart <= size * mpmath.mpf(10) ** -self.digits, (
                f"draw {draw}: {mpmath.nstr(left, 12)} is not {mpmath.nstr(right, 12)}"
            )
            moved.add(mpmath.nstr(left, 12))
        assert len(moved) > 1 or self.draws == 1, "every draw is the same point"


@dataclass(frozen=True)
class Inequality:
    """The smaller side never exceeds the larger one, and comes near to it."""

    sides: Callable[[Random], tuple[Any, Any]]
    nearness: float  # 1 − smaller/larger at the nearest draw
    draws: int = 50

    def check(self) -> None:
        """Compare on every draw; one of them must come within `nearness` of equality."""
        nearest = mpmath.inf
        for draw in range(self.draws):
            for smaller, larger in zip(*map(numbers, self.sides(Random(draw))), strict=True):
                gap = larger - smaller
                size = max(abs(larger), abs(smaller))
                assert gap >= -size * mpmath.mpf(10) ** -30, (
                    f"draw {draw}: {mpmath.nstr(smaller, 12)} > {mpmath.nstr(larger, 12)}"
                )
                nearest = min(nearest, gap / size if size else mpmath.mpf(0))
        assert nearest <= self.nearness, f"never nearer than {mpmath.nstr(nearest, 5)}"


@dataclass(frozen=True)
class Asymptotic:
    """The ratio of both sides tends to 1 along `scales`."""

    ratio: Callable[[Any], Any]
    scales: Sequence[float | str]
    tolerance: float

    def check(self) -> None:
        """The distance from 1 falls from scale to scale and ends within the tolerance."""
        assert len(self.scales) >= 3
        apart = [abs(mpmath.mpf(self.ratio(mpmath.mpf(scale))) - 1) for scale in self.scales]
        assert all(b < a for a, b in itertools.pairwise(apart)), mpmath.nstr(apart, 5)
        assert apart[-1] <= self.tolerance, mpmath.nstr(apart, 5)


@dataclass(frozen=True)
class Symbolic:
    """The difference of both sides, a SymPy expression, is zero."""

    difference: Callable[[], sympy.Expr | sympy.Matrix]

    def check(self) -> None:
        """Simplify the difference."""
        left = sympy.simplify(self.difference())
        assert left == left * 0, left


Entry = Definition | Identity | Inequality | Asymptotic | Symbolic
