"""Where tests break what a function returned, its long calls are made once for all of them.

A claim is run again for each slip that a test puts into it. What the slip does not touch, the
training most of all, would be computed again, to the same end. This is for tests that break results
or arguments; one that changes how a function works inside must not ask for it.
"""

import copy
import time
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from broken_sides import SIDES

LONG = 0.02  # seconds: shorter calls are not worth it

_KEPT: dict[tuple[str, Any], Any] = {}


class UnknownKindError(Exception):
    """Something of which one cannot say whether another is the same."""


def fingerprint(value: Any) -> Any:
    """Return what equals another's fingerprint only where the two values are alike."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.number):
        return type(value).__name__, repr(value)
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, tuple | list | set | frozenset):
        return type(value).__qualname__, tuple(map(fingerprint, value))
    if isinstance(value, dict):
        return type(value).__qualname__, tuple((k, fingerprint(v)) for k, v in value.items())
    if isinstance(value, type):
        return "type", value.__module__, value.__qualname__
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if kind.startswith("torch") and hasattr(value, "detach"):
        return kind, fingerprint(value.detach().numpy())
    if kind == "torch.dtype":
        return kind, str(value)
    if kind.startswith(("ibtools", "torch.nn")) and hasattr(value, "__dict__"):
        return kind, fingerprint(vars(value))
    raise UnknownKindError(kind)


def once(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, which gives a copy of what it gave to the same arguments before."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            key = name, fingerprint((args, kwargs))
        except UnknownKindError:
            return function(*args, **kwargs)
        if key in _KEPT:
            return copy.deepcopy(_KEPT[key])
        begun = time.perf_counter()
        result = function(*args, **kwargs)
        # A function that changes its arguments has done more than to return something.
        if time.perf_counter() - begun > LONG and fingerprint((args, kwargs)) == key[1]:
            try:
                _KEPT[key] = copy.deepcopy(result)
            except RuntimeError:  # PyTorch copies no tensor that a gradient hangs on
                return result
        return result

    return called


def call_once(patch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Let a module of claims make the calls of the two sides once."""
    rooms = tuple(room for rooms in SIDES.values() for room in rooms)
    for name, value in list(vars(module).items()):
        origin = getattr(value, "__module__", None) or ""
        if callable(value) and not isinstance(value, type) and origin.startswith(rooms):
            patch.setattr(module, name, once(f"{origin}.{name}", value))
