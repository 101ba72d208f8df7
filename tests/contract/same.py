"""Whether two answers are the same, whatever they are made of."""

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Polynomial
from torch import nn

_CLOSE = 1e-12


def differing(a: Any, b: Any, where: str = "answer") -> str:
    """Return where two answers differ, "" if nowhere."""
    if isinstance(a, nn.Module):
        a, b = (a.state_dict(), b.state_dict()) if isinstance(b, nn.Module) else (a, b)
    if callable(a) and callable(b) and not isinstance(a, type):
        return ""  # a way back to nets: what it gives is compared
    if type(a) is not type(b):
        return f"{where}: {type(a).__name__} against {type(b).__name__}"
    if isinstance(a, Polynomial):
        a, b = a.coef, b.coef
    if isinstance(a, torch.Tensor):
        a, b = a.detach().double().numpy(), b.detach().double().numpy()
    if isinstance(a, np.ndarray | np.generic | float | complex):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype == object or a.dtype.kind in "USb":
            return "" if a.shape == b.shape and (a == b).all() else f"{where}: {a} against {b}"
        size = np.max(np.abs(a[np.isfinite(a)]), initial=0.0)
        near = a.shape == b.shape and np.allclose(
            a, b, rtol=_CLOSE, atol=_CLOSE * float(size), equal_nan=True
        )
        return "" if near else f"{where}: {a} against {b}"
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return f"{where}: {sorted(a)} against {sorted(b)}"
        return next(filter(None, (differing(a[k], b[k], f"{where}[{k!r}]") for k in a)), "")
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return f"{where}: {len(a)} entries against {len(b)}"
        pairs = enumerate(zip(a, b, strict=True))
        return next(filter(None, (differing(x, y, f"{where}[{i}]") for i, (x, y) in pairs)), "")
    if dataclasses.is_dataclass(a):
        names = [f.name for f in dataclasses.fields(a)]
        return next(
            filter(None, (differing(getattr(a, n), getattr(b, n), f"{where}.{n}") for n in names)),
            "",
        )
    if type(a).__eq__ is object.__eq__:
        return ""
    return "" if a == b else f"{where}: {a!r} against {b!r}"
