"""One table of odd inputs, the same for every argument of every public function."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.sparse
import torch
from walk import Call


class Table:
    """What a data frame is to NumPy: something with an ``__array__``."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype)


def _strided(a: np.ndarray) -> np.ndarray:
    wide = np.full(tuple(2 * s for s in a.shape), np.nan)
    view = wide[(slice(None, None, 2),) * a.ndim]
    view[...] = a
    return view


def _read_only(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


def _reversed(a: np.ndarray) -> np.ndarray:
    every = (slice(None, None, -1),) * a.ndim
    return a[every].copy()[every]


def _rows(a: np.ndarray, row: Callable[[np.ndarray], Any]) -> list[Any]:
    return [row(entry) for entry in a]


# What a function shows that it does not ask the one validator: each of these breaks some other way
# of making an array, and the whole table below is tried on the validator itself.
TELLING: dict[str, Callable[[np.ndarray], Any]] = {
    "tensor with a gradient": lambda a: torch.tensor(a, requires_grad=True),
    "reversed view": _reversed,
    "data frame": Table,
}

# The same numbers in other clothes; of numbers that single precision holds.
SAME: dict[str, Callable[[np.ndarray], Any]] = {
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()),
    "Fortran order": np.asfortranarray,
    "reversed view": _reversed,
    "strided view": _strided,
    "read-only": _read_only,
    "single precision": lambda a: a.astype(np.float32),
    "extended precision": lambda a: a.astype(np.longdouble),
    "big-endian": lambda a: a.astype(">f8"),
    "objects": lambda a: a.astype(object),
    "fractions": lambda a: np.vectorize(Fraction, otypes=[object])(a),
    "masked array with nothing masked": np.ma.masked_array,
    "tensor": torch.tensor,
    "tensor with a gradient": lambda a: torch.tensor(a, requires_grad=True),
    "tensor of single precision": lambda a: torch.tensor(a, dtype=torch.float32),
    "list of tensors": lambda a: _rows(a, lambda row: torch.tensor(row, requires_grad=True)),
    "transposed tensor": lambda a: torch.tensor(a.T.copy()).T if a.ndim == 2 else torch.tensor(a),
    "data frame": Table,
}

# The same where the numbers are whole.
WHOLE: dict[str, Callable[[np.ndarray], Any]] = {
    "integers": lambda a: a.astype(np.int64),
    "short integers": lambda a: a.astype(np.int8),
    "tensor of bfloat16": lambda a: torch.tensor(a, dtype=torch.bfloat16),
}


def _mask(a: np.ndarray) -> np.ma.MaskedArray:
    mask = np.zeros(a.shape, dtype=bool)
    mask.flat[0] = True
    return np.ma.masked_array(a, mask=mask)


def _fields(a: np.ndarray) -> np.ndarray:
    kinds = [(f"f{i}", float) for i in range(a.shape[-1])]
    return np.array([tuple(row) for row in np.atleast_2d(a)], dtype=kinds)


# What hides something, or is no table of real numbers: to be refused.
REFUSED: dict[str, Callable[[np.ndarray], Any]] = {
    "masked": _mask,
    "list of masked rows": lambda a: _rows(_mask(a), lambda row: row),
    "strings": lambda a: a.astype(str),
    "words": lambda a: np.full(a.shape, "word"),
    "a word among objects": lambda a: np.where(np.arange(a.size).reshape(a.shape), a, "word"),
    "complex": lambda a: a + 1j,
    "complex tensor": lambda a: torch.tensor(a + 1j),
    "dates": lambda a: np.arange(a.size).reshape(a.shape).astype("M8[D]"),
    "spans of time": lambda a: np.arange(a.size).reshape(a.shape).astype("m8[s]"),
    "records with fields": _fields,
    "None": lambda a: None,
    "missing among objects": lambda a: np.where(np.arange(a.size).reshape(a.shape), a, None),
    "any object": lambda a: object(),
    "a dictionary": lambda a: {"X": a},
    "a generator": lambda a: (row for row in a),
    "tensor without values": lambda a: torch.zeros(a.shape, device="meta"),
    "sparse tensor": lambda a: torch.tensor(a).to_sparse(),
    "sparse matrix": lambda a: scipy.sparse.csr_matrix(np.atleast_2d(a)),
    "sparse array": lambda a: scipy.sparse.coo_array(np.atleast_2d(a)),
    "rows of several lengths": lambda a: [[1.0, 2.0], [1.0]],
    "integers beyond floats": lambda a: np.full(a.shape, 10**400, dtype=object),
}


def _with(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def build(a: np.ndarray) -> np.ndarray:
        a = a.copy()
        a.flat[-1] = value
        return a

    return build


# To be refused, or to be seen in the answer: never anything else than these two errors.
TOLD: dict[str, Callable[[np.ndarray], Any]] = {
    "NaN": _with(np.nan),
    "infinity": _with(np.inf),
    "empty": lambda a: np.zeros((0, *a.shape[1:])),
    "nothing in its rows": lambda a: np.zeros((*a.shape[:-1], 0)),
    "a number": lambda a: np.float64(1.0),
    "one axis more": lambda a: a[..., None],
    "one axis less": lambda a: a[0],
    "one sample less": lambda a: a[:-1],
    "one column more": lambda a: np.concatenate([a, a[..., :1]], axis=-1),
}

SAME_NUMBER: dict[str, Callable[[Any], Any]] = {
    "NumPy's": np.float64,
    "single precision": np.float32,
}
SAME_COUNT: dict[str, Callable[[Any], Any]] = {"NumPy's": np.int64, "a short one": np.int32}
NO_NUMBER: dict[str, Any] = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a string": "0.5",
    "None": None,
    "complex": 1j,
    "an array": np.array([1.0, 2.0]),
    "a masked number": np.ma.masked,
    "any object": object(),
    "a truth value": True,
}
NO_WORD: dict[str, Any] = {
    "another word": "no such word",
    "None": None,
    "an array": np.array([1.0, 2.0]),
    "a list": ["exponential"],
    "any object": object(),
}


# Any word will do: it is for readers.
FREE = {"label", "alt", "caption"}


def is_array(value: Any) -> bool:
    """Whether a value is an array of numbers, or what stands for one."""
    if isinstance(value, np.ndarray | torch.Tensor):
        return value.ndim > 0
    if isinstance(value, list | tuple) and value and not hasattr(value, "_fields"):
        try:
            found = np.asarray(value)
        except Exception:
            return False
        return found.dtype.kind in "if" and found.ndim > 0
    return False


def arrays(call: Call) -> Iterator[tuple[str, np.ndarray]]:
    """Give each array among the arguments of a call, but for lists of sizes."""
    for name, value in call.arguments.items():
        if is_array(value) and not (call.takes_sizes(name) or call.takes_anything(name)):
            found = np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)
            yield name, found.astype(np.float64)
