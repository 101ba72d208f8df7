"""What counts as acceptable input, and what a user is told when it is not.

Every message has the same four parts: the argument, what came, what is allowed, how to mend it.
"""

import inspect
import numbers
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeGuard, TypeVar, cast

import numpy as np
from jaxtyping import Float, Shaped

Method = TypeVar("Method", bound=Callable[..., Any])


def plain(name: str, value: object) -> Shaped[np.ndarray, "..."]:
    """Return `value` as an array of numbers, or say what hides in it.

    This is the one place where what comes from elsewhere becomes an array: lists, arrays of any
    type, order and strides, tables, tensors. Nothing is uncovered, left out or guessed on the way:
    masked values, sparse storage, strings and complex numbers are refused, each with its mend.

    Returns
    -------
    Shaped[np.ndarray, "..."]
        Of booleans, integers or floats, contiguous, in the machine's byte order.
    """
    if type(value) is not np.ndarray:
        value = _opened(name, value)
    try:
        result = np.asarray(value)
    except Exception as error:
        raise TypeError(
            f"{name} must be an array of real numbers, got {type(value).__name__} that is none "
            f"({error}); give rows of one length, as a list of lists or an array"
        ) from error
    if result.dtype.kind not in "biuf":
        result = _real_numbers(name, value, result)
    result = np.asarray(result, dtype=result.dtype.newbyteorder("="), order="C")
    # A single number is contiguous even where its stride is negative, which PyTorch refuses.
    return result.copy() if min(result.strides, default=0) < 0 else result


def _opened(name: str, value: object) -> object:
    """Return what np.asarray reads to the letter: it would uncover what masks hide, and more."""
    refuse_masked(name, value)
    for kind, module in (("Tensor", "torch"), ("spmatrix", "scipy.sparse")):
        if module not in sys.modules:
            continue
        if kind == "Tensor" and isinstance(value, sys.modules[module].Tensor):
            return _of_tensor(name, value)
        if kind == "spmatrix" and sys.modules[module].issparse(value):
            raise TypeError(
                f"{name} must be an array of real numbers, got a sparse one "
                f"({type(value).__name__}); fill it in: {name} = {name}.toarray()"
            )
    if isinstance(value, list | tuple):
        hidden = [e for e in value if isinstance(e, np.ma.MaskedArray) and np.ma.is_masked(e)]
        if hidden:
            raise ValueError(
                f"{name} must not have masked values, got {len(hidden)} entries with some; "
                + (
                    "put a number in the place of each, or leave out its sample"
                    if any(e.ndim == 0 for e in hidden)
                    else "join them and say what stands for a masked value: "
                    f"{name} = numpy.ma.array({name}).filled(0.0)"
                )
            )
        return [e if isinstance(e, int | float) else _opened(name, e) for e in value]
    return value


def _of_tensor(name: str, value: Any) -> object:
    refuse_unreadable_tensor(name, value)
    value = value.detach().cpu().resolve_conj().resolve_neg()
    try:
        return value.numpy()
    except TypeError:  # NumPy has no such type: bfloat16, say
        return value.double().numpy()


def refuse_unreadable_tensor(name: str, value: Any) -> None:
    """Raise where a PyTorch tensor has no values, or does not lie in rows and columns."""
    if value.is_meta:
        raise ValueError(
            f"{name} must have values, got a tensor on the device 'meta', which has a shape only; "
            "make it on a device that holds values, device='cpu', say"
        )
    if value.is_quantized:
        raise TypeError(
            f"{name} must be an array of real numbers, got a quantized tensor; turn it into one of "
            f"floats: {name} = {name}.dequantize()"
        )
    if str(value.layout) != "torch.strided" or value.is_nested:
        raise TypeError(
            f"{name} must be an array of real numbers, got a tensor of layout {value.layout}; "
            + (
                "give rows of one length"
                if value.is_nested
                else f"fill it in: {name} = {name}.to_dense()"
            )
        )


def _real_numbers(
    name: str, value: object, result: Shaped[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Return an array of objects that are real numbers as floats, or say what it holds."""
    must = f"{name} must be an array of real numbers, got "
    if result.dtype.kind == "c":
        raise TypeError(
            f"{must}complex ones; take their real parts, if the others are nothing: "
            f"{name} = numpy.real({name})"
        )
    if result.dtype.names:
        raise TypeError(
            f"{must}records with fields {', '.join(result.dtype.names)}; take the fields as "
            f"columns: {name} = numpy.lib.recfunctions.structured_to_unstructured({name})"
        )
    if result.dtype.kind == "O" and result.ndim == 0:
        raise TypeError(f"{must}{type(value).__name__}; give a list of numbers or an array")
    where = next((at for at in np.ndindex(result.shape) if not _is_real(result[at])), None)
    if where is None:
        try:
            return result.astype(np.float64)
        except OverflowError as error:
            raise ValueError(
                f"{name} must fit into floats of double precision, got an integer that does not; "
                "rescale it"
            ) from error
    what = f" with {result[where]!r} at index {where}" if result.ndim else f" {result[()]!r}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            readable = bool(np.isfinite(np.asarray(value, dtype=np.float64)).all())
    except Exception:
        readable = False
    raise TypeError(
        f"{must}{type(value).__name__}{what}; "
        + (
            f"convert it: {name} = numpy.asarray({name}, dtype=float)"
            if readable
            else "encode it as a number, or leave it out"
        )
    )


def _is_real(value: object) -> bool:
    # A span of time is an integer to NumPy, of a unit that is not ours to guess.
    return isinstance(value, numbers.Real | np.bool_) and not isinstance(value, np.timedelta64)


def entries(name: str, value: object) -> Float[np.ndarray, "..."]:
    """Return `value` as a float64 array of any shape, infinite and NaN where it is."""
    if type(value) is np.ndarray and value.dtype == np.float64 and value.flags.carray:
        return value if min(value.strides, default=0) >= 0 else value.copy()
    if type(value) in (float, np.float64):
        return np.asarray(value)
    return plain(name, value).astype(np.float64, copy=False)


def records(name: str, value: object, *, nan: bool = False) -> Float[np.ndarray, "..."]:
    """Return numbers of records, of any shape; they may be infinite, and NaN if that is said."""
    result = entries(name, value)
    if not nan and np.isnan(result).any():
        raise ValueError(
            f"{name} must not be NaN, got {int(np.isnan(result).sum())} such of {result.size} "
            "entries; drop these records, here and in what has an entry for each: "
            f"kept = ~numpy.isnan({name}), {name} = {name}[kept]"
        )
    return result


def array(name: str, value: object, *, ndim: int | None = None) -> Float[np.ndarray, "..."]:
    """Return `value` as a finite, non-empty float64 array of `ndim` axes, or say what is wrong."""
    result = entries(name, value)
    if ndim is not None and result.ndim != ndim:
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


def vector(name: str, value: object, *, size: int | None = None) -> Float[np.ndarray, " d"]:
    """Return `value` as a finite float64 vector, of `size` entries if given."""
    result = array(name, value, ndim=1)
    if size is not None and result.shape != (size,):
        raise ValueError(
            f"{name} must have {size} entries, got {result.shape[0]}; "
            "give one entry for each of them, in the same order"
        )
    return result


def samples(X: object, columns: int) -> Float[np.ndarray, "n d"]:
    """Return the rows of `X`, one for each sample, of so many `columns`."""
    if _is_plain(X, 2) and X.shape[1] == columns:
        return X
    X = array("X", X, ndim=2)
    if X.shape[1] != columns:
        raise ValueError(
            f"X must have {columns} columns, one for each of the network's inputs, got shape "
            f"{X.shape}; rows of X are samples"
        )
    return X


def numbers_of(name: str, value: object, size: int) -> Float[np.ndarray, " size"]:
    """Return a vector of `size` entries; a solver's trial state need not be finite."""
    if _is_plain(value, 1) and value.size == size:
        return value
    return vector(name, value, size=size)


def _is_plain(value: object, ndim: int) -> TypeGuard[np.ndarray]:
    """Whether this is an array of floats, which is taken as it lies: sums depend on the order."""
    return (
        type(value) is np.ndarray
        and value.dtype == np.float64
        and value.dtype.isnative
        and value.ndim == ndim
        and value.size > 0
    )


def checked(method: Method) -> Method:
    """Make a method of a model look at the samples, residuals and parameters that it is given.

    A trainer that passes its own arrays, step after step, takes the method by `unchecked`.
    """
    names = list(inspect.signature(method).parameters)[1:]

    @wraps(method)
    def call(self: Any, *given: Any, **named: Any) -> Any:
        got = dict(zip(names, given, strict=False), **named)
        if "X" in got:
            got["X"] = samples(
                got["X"], (self.W if hasattr(self, "W") else self.predictor).shape[-1]
            )
            for name in ("y", "residual"):
                if name in got:
                    got[name] = vector(name, got[name], size=len(got["X"]))
        if "parameters" in got:
            size = self.parameters.size
            got["parameters"] = vector("parameters", got["parameters"], size=size)
        return method(self, *given[len(names) :], **got)

    call.unchecked = method  # type: ignore[attr-defined]
    return cast("Method", call)


def unchecked(model: object, name: str) -> Callable[..., Any]:
    """Return a method of models of one kind, as a function, that does not look at its arguments."""
    own = getattr(getattr(type(model), name, None), "unchecked", None)
    return own or (lambda model, *given: getattr(model, name)(*given))


def points(name: str, value: object, size: int) -> Float[np.ndarray, "*batch d"]:
    """Return an array whose last axis has `size` entries; they may be infinite, or NaN."""
    result = entries(name, value)
    if result.ndim == 0 or result.shape[-1] != size:
        raise ValueError(
            f"{name} must have {size} entries along its last axis, got shape {result.shape}; give "
            "one for each coordinate, in the same order"
        )
    return result


def place(name: str, value: int, number: int) -> int:
    """Return an index among `number` records, which may count from the end."""
    index = count(name, value, least=-sys.maxsize)
    if not -number <= index < number:
        raise IndexError(
            f"{name} must be from {-number} to {number - 1}, as there are {number} records, got "
            f"{index}; -1 is the last"
        )
    return index


def regression_problem(
    X: object, y: object, *, columns: int | None = None
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


def offering(name: str, value: object, *asked: str, mend: str) -> None:
    """Refuse what has not all the attributes or methods that are asked of it."""
    missing = [attribute for attribute in asked if not hasattr(value, attribute)]
    if missing:
        raise TypeError(
            f"{name} must have {', '.join(asked)}, got {type(value).__name__} without "
            f"{missing[0]}; {mend}"
        )


def function(name: str, value: object, *, of: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise TypeError(
            f"{name} must be a function of {of}, got {type(value).__name__}; write one with def "
            "or lambda"
        )


def sign_of(name: str, value: int) -> int:
    """Return `value` if it is 1 or −1."""
    if isinstance(value, bool) or not _is_real(value) or value not in (1, -1):
        raise ValueError(
            f"{name} must be 1 or -1, got {_kind(value)}; it is the sign of the output weight"
        )
    return int(value)


def increasing(name: str, value: object) -> Float[np.ndarray, " t"]:
    """Return `value` as a vector of times that increase strictly, from 0 or later."""
    result = vector(name, value)
    if result[0] < 0 or np.any(np.diff(result) <= 0):
        raise ValueError(
            f"{name} must increase strictly from 0 or later, got {result}; sort the times and "
            "drop what is negative or repeated"
        )
    return result


def positive(name: str, value: Any) -> float:
    """Return `value` as a finite float above 0."""
    number = real(name, value)
    if not number > 0:
        raise ValueError(f"{name} must be greater than 0, got {number:g}; give a positive number")
    return number


def real(name: str, value: Any) -> float:
    """Return `value` as a finite float."""
    if isinstance(value, bool) or not _is_real(value):
        raise TypeError(
            f"{name} must be a real number, got {type(value).__name__}; "
            + _by_call(name, value, float, "give a float")
        )
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}; give a finite number")
    return number


def count(name: str, value: int, *, least: int = 1) -> int:
    """Return `value` as an int of at least `least`."""
    if isinstance(value, bool) or not (_is_real(value) and isinstance(value, numbers.Integral)):
        raise TypeError(
            f"{name} must be an integer, got {_kind(value)}; "
            + _by_call(name, value, int, "give an int")
        )
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}; give a larger integer")
    return int(value)


def sizes(name: str, value: object) -> list[int]:
    """Return a list of sizes, each at least 1."""
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        raise TypeError(
            f"{name} must be a list of integers, got {_kind(value)}; give one for each, in a list"
        )
    return [count(f"{name}[{i}]", size) for i, size in enumerate(value)]


def word(name: str, value: object) -> str:
    """Return `value` if it is a string."""
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be a string, got {type(value).__name__}: {_kind(value)}; write it in "
            "quotes"
        )
    return value


def file_path(name: str, value: object) -> Path:
    """Return the path of a file."""
    if not isinstance(value, str | Path):
        raise TypeError(
            f"{name} must be the path of a file, a string or a pathlib.Path, got {_kind(value)}; "
            "write it in quotes"
        )
    return Path(value)


def _kind(value: object) -> str:
    """Say what came: the value itself where that is short."""
    written = repr(value)
    return written if len(written) <= 40 and "\n" not in written else type(value).__name__


def _by_call(name: str, value: object, call: type, otherwise: str) -> str:
    """Return the call that makes a number of it, where there is one that changes nothing."""
    if isinstance(value, bool | complex | np.ma.MaskedArray):
        return otherwise
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made = call(value)
            kept = np.isfinite(made) and (isinstance(value, str) or bool(made == value))
    except Exception:
        kept = False
    return f"{otherwise}: {name} = {call.__name__}({name})" if kept else otherwise


def one_of(name: str, value: str, allowed: tuple[str, ...] | Mapping[str, object]) -> str:
    """Return `value` if it is one of the `allowed` words."""
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be one of {', '.join(map(repr, allowed))}, got {_kind(value)}; choose one"
        )
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
