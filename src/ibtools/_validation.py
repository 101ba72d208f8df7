"""What counts as acceptable input, and what a user is told when it is not.

Every message has the same four parts: the argument, what came, what is allowed, how to mend it.
"""

import inspect
import numbers
import sys
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike


def array(name: str, value: ArrayLike, *, ndim: int) -> Float[np.ndarray, "..."]:
    """Return `value` as a finite, non-empty float64 array of `ndim` axes, or say what is wrong."""
    refuse_masked(name, value)
    try:
        result = np.asarray(value)
        if result.dtype.kind not in "biuf":
            raise TypeError
        result = result.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be an array of real numbers, got {type(value).__name__}; "
            f"convert it with numpy.asarray({name}, dtype=float)"
        ) from error
    if result.ndim != ndim:
        raise ValueError(
            f"{name} must have {ndim} axis/axes, got shape {result.shape}; "
            "reshape it (a column of shape (n, 1) is not a vector of shape (n,))"
        )
    if result.size == 0:
        raise ValueError(
            f"{name} is empty (shape {result.shape}); give at least one row and column"
        )
    finite = np.isfinite(result)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"{name} must be finite, got {result[where]} at index {where} "
            f"({result.size - int(finite.sum())} such entries); remove or impute them"
        )
    return result


def refuse_masked(name: str, value: object) -> None:
    """Raise where a masked array hides values, which every conversion brings back to light."""
    masked = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else None
    if masked is not None and masked.any():
        raise ValueError(
            f"{name} must not have masked values, got {int(masked.sum())} of them; replace them, "
            f"for example {name}.filled(0.0), or leave out their samples, here and in what has an "
            f"entry for each sample: kept = ~numpy.ma.getmaskarray({name})"
            + (f".any(axis={tuple(range(1, masked.ndim))})" if masked.ndim > 1 else "")
            + f", {name} = {name}[kept]"
        )


def vector(name: str, value: ArrayLike, *, size: int | None = None) -> Float[np.ndarray, " d"]:
    """Return `value` as a finite float64 vector, of `size` entries if given."""
    result = array(name, value, ndim=1)
    if size is not None and result.shape != (size,):
        raise ValueError(
            f"{name} must have {size} entries, got {result.shape[0]}; "
            "give one entry for each of them, in the same order"
        )
    return result


def regression_problem(
    X: ArrayLike, y: ArrayLike, *, columns: int | None = None
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """Return finite ``(X, y)`` whose rows agree and whose columns number `columns`, if given."""
    X = array("X", X, ndim=2)
    y = array("y", y, ndim=1)
    if X.shape[0] != y.shape[0]:
        raise ValueError(
            f"X and y must have the same number of rows, got X {X.shape} and y {y.shape}; "
            "rows of X are samples"
        )
    if columns is not None and X.shape[1] != columns:
        raise ValueError(
            f"X must have {columns} columns, one for each entry of the predictor w, "
            f"got X {X.shape}; build the model with d={X.shape[1]} or change X"
        )
    return X, y


def of_kind(name: str, value: object, *kinds: type) -> None:
    """Refuse what is none of these kinds, or is one with something of its own in it.

    What is known of a kind of network need not be true of a class that descends from it.
    """
    allowed = " or ".join(kind.__name__ for kind in kinds)
    kind = next((c for c in type(value).__mro__ if c in kinds), None)
    if kind is None:
        raise TypeError(
            f"{name} must be a {allowed}, got {type(value).__name__}; make one of ibtools.models"
        )
    known = {n for c in kind.__mro__[:-1] for n in vars(c) if not n.startswith("__")}
    here = inspect.getattr_static
    own = [n for n in sorted(known) if here(type(value), n) is not here(kind, n)]
    own += [
        n for n in sorted(known & getattr(value, "__dict__", {}).keys()) if callable(here(kind, n))
    ]
    if own:
        raise TypeError(
            f"{name} must be a plain {allowed}, got {type(value).__name__}, a {kind.__name__} with "
            f"its own {own[0]}, of which nothing is known; make a {kind.__name__} with the same "
            "weights"
        )


def increasing(name: str, value: ArrayLike) -> Float[np.ndarray, " t"]:
    """Return `value` as a vector of times that increase strictly, from 0 or later."""
    result = vector(name, value)
    if result[0] < 0 or np.any(np.diff(result) <= 0):
        raise ValueError(
            f"{name} must increase strictly from 0 or later, got {result}; sort the times and "
            "drop what is negative or repeated"
        )
    return result


def positive(name: str, value: float) -> float:
    """Return `value` as a finite float above 0."""
    number = real(name, value)
    if not number > 0:
        raise ValueError(f"{name} must be greater than 0, got {number:g}; give a positive number")
    return number


def real(name: str, value: float) -> float:
    """Return `value` as a finite float."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, got {type(value).__name__}; give a float")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}; give a finite number")
    return number


def count(name: str, value: int, *, least: int = 1) -> int:
    """Return `value` as an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}; give an int")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}; give a larger integer")
    return int(value)


def one_of(name: str, value: str, allowed: tuple[str, ...] | Mapping[str, object]) -> str:
    """Return `value` if it is one of the `allowed` words."""
    if value not in tuple(allowed):
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}; choose one"
        )
    return value


def generator(seed: int | np.random.Generator, *, weights: bool = False) -> np.random.Generator:
    """Return the random generator that `seed` names; a generator is used as it is.

    One int names one sequence of numbers for data and another, independent one for `weights`, or a
    net and its data drawn with ``seed=0`` would be multiples of one another.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise TypeError(
            f"seed must be an int or a numpy.random.Generator, got {seed!r}; "
            "randomness here is always explicit: pass seed=0, say"
        )
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}; give a non-negative integer")
    return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=(1,) * weights))


def quiet() -> bool:
    """Whether progress bars would be noise: nobody watches this standard error."""
    return not sys.stderr.isatty()
