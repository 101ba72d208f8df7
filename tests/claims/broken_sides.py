"""Run a claim once, then again and again with what one of its sides returned broken.

What the functions of the other side returned is replayed: a second run costs next to nothing.
"""

import copy
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import numpy as np
import pytest
from numpy.polynomial import Polynomial

from ibtools.claims import Claim, Outcome

SIDES = {
    "theory": ("ibtools.theory",),
    "simulation": ("ibtools.trainers", "ibtools.metrics"),
}

# Functions of the claims' own modules that simulate or predict: an independent witness.
OF_CLAIMS = {
    "_biased_flow": "simulation",
    "_exact_flow": "simulation",
    "_neuron_descent": "simulation",
    "_sign_descent": "simulation",
    "_steepest_descent": "simulation",
    "_suprema_on_sphere": "simulation",
    "_largest_margin": "theory",
}

Break = Callable[[np.ndarray], np.ndarray]


def _ramp(values: np.ndarray, least: float, most: float) -> np.ndarray:
    """Factors from `least` to `most` along the first axis; of a single number `most`."""
    if values.ndim == 0:
        return np.asarray(most)
    return np.linspace(least, most, len(values)).reshape(-1, *[1] * (values.ndim - 1))


def nothing(values: np.ndarray) -> np.ndarray:
    """NaN everywhere."""
    return np.full_like(values, np.nan)


# One is seen by an equation, another by a bound with room, the third by an exponent.
SLIPS: dict[str, Break] = {
    "3 % more": lambda values: values * _ramp(values, 1.015, 1.03),
    "3 % less": lambda values: values * _ramp(values, 0.985, 0.97),
    "twice": lambda values: values * _ramp(values, 1.5, 2.0),
    "half": lambda values: values * _ramp(values, 0.75, 0.5),
    "another power": lambda values: np.sign(values) * np.abs(values) ** 1.1,
    "another sign": lambda values: -values,
}


def broken(value: Any, how: Break, seen: dict[int, Any] | None = None) -> Any:
    """Return a copy of `value` with every real number in it changed by `how`."""
    seen = {} if seen is None else seen
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, float | np.floating):
        return type(value)(how(np.asarray(float(value))))
    if isinstance(value, np.ndarray):
        return how(value) if np.issubdtype(value.dtype, np.floating) else value
    if type(value).__module__.startswith("torch") and hasattr(value, "is_floating_point"):
        if not value.is_floating_point():
            return value
        import torch

        with torch.no_grad():
            return torch.as_tensor(how(value.detach().numpy().copy()), dtype=value.dtype)
    if isinstance(value, Polynomial):
        return Polynomial(how(value.coef), value.domain, value.window, value.symbol)
    if isinstance(value, tuple | list):
        parts = [broken(part, how, seen) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {key: broken(part, how, seen) for key, part in value.items()}
    if isinstance(value, type | types.FunctionType | types.MethodType | types.ModuleType):
        return value
    if hasattr(value, "named_parameters"):
        import torch

        seen[id(value)] = new = copy.deepcopy(value)
        with torch.no_grad():
            for parameter in new.parameters():
                parameter.copy_(torch.as_tensor(how(parameter.numpy().copy())))
        return new
    if type(value).__module__.startswith("ibtools") and hasattr(value, "__dict__"):
        seen[id(value)] = new = copy.copy(value)
        for name, part in vars(value).items():
            object.__setattr__(new, name, broken(part, how, seen))
        return new
    return value


@dataclass
class Tape:
    """What each imported function of a claim's module returned, call by call."""

    side: str | None = None  # which side is broken
    how: Break | None = None  # None while recording
    every: int = 1  # break every call, or every other one, the first included
    results: dict[str, list[Any]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def play(self, side: str, name: str, function: Callable) -> Callable:
        """Return `function` as it was, while recording; then what it returned, broken or not."""

        @wraps(function)
        def played(*args: Any, **kwargs: Any) -> Any:
            at = self.calls.get(name, 0)
            self.calls[name] = at + 1
            if self.how is None:
                self.used.add(side)
                result = function(*args, **kwargs)
                # A later change of the result by the claim must not reach the tape.
                self.results.setdefault(name, []).append(broken(result, lambda values: values))
                return result
            result = self.results[name][at] if at < len(self.results[name]) else None
            if result is None:
                raise AssertionError(f"{name} was called more often than while recording")
            return (
                broken(result, self.how) if side == self.side and at % self.every == 0 else result
            )

        return played


@contextmanager
def played(claim: Claim, tape: Tape) -> Iterator[None]:
    """Let the functions that the claim's module imported go through the tape."""
    # The type checker wraps functions, and a wrapper has other globals.
    module = vars(sys.modules[claim.compare.__module__])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in list(module.items()):
            origin = getattr(value, "__module__", None) or ""
            for side, rooms in SIDES.items():
                if callable(value) and (origin.startswith(rooms) or OF_CLAIMS.get(name) == side):
                    patch.setitem(module, name, tape.play(side, name, value))
        yield


def run_and_break(claim: Claim) -> tuple[Outcome, dict[str, dict[str, bool]]]:
    """Run `claim`; say for each side, and each way to break it, whether it still holds."""
    tape = Tape()
    with played(claim, tape):
        outcome = claim.run()
    verdicts: dict[str, dict[str, bool]] = {}
    for side in sorted(tape.used):
        verdicts[side] = {}
        ways = [
            ("nan", nothing, 1),
            *((name, how, n) for name, how in SLIPS.items() for n in (1, 2)),
        ]
        for name, how, every in ways:
            tape.side, tape.how, tape.every, tape.calls = side, how, every, {}
            with played(claim, tape):
                holds = _holds(claim)
            verdicts[side][name if every == 1 else f"{name}, in every other call"] = holds
            # One slip that is seen is enough; a NaN must be seen as well.
            if name != "nan" and not holds:
                break
    return outcome, verdicts


def _holds(claim: Claim) -> bool:
    """Whether the claim holds; where it refuses what it was given, it does not."""
    with np.errstate(all="ignore"):
        try:
            return claim.run().holds
        except (ValueError, ArithmeticError, AssertionError, np.linalg.LinAlgError):
            return False
