"""Shapes and types are checked at run time: of a function's first calls in a test, then of some.

A loop calls the same function tens of thousands of times with the same shapes, and the check takes
longer than the call: half of the time of all tests.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from types import CodeType, FunctionType
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

# An int is a float, as type checkers and the language's own rules (PEP 484) have it.
typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))

FIRST = 30  # calls of a function in a test that are all checked
EVERY = 30  # of those that follow, one in so many
MADE = 3  # of a function that is made inside of another, so many in a test; then one in EVERY

every_call = jaxtyping.jaxtyped
current = {"test": 0}
made: dict[CodeType, int] = {}


def next_test() -> None:
    """Check the first calls of every function again."""
    current["test"] += 1
    made.clear()


def is_one_of_many(function: FunctionType) -> bool:
    """Say whether it was made inside of another so often in this test that it goes unchecked.

    To make a check takes longer than most such functions run.
    """
    if "<locals>" not in function.__qualname__:
        return False
    made[function.__code__] = count = made.get(function.__code__, 0) + 1
    return count > MADE and count % EVERY != 0


def some_calls(*, typechecker: Any) -> Callable:
    """Do what `jaxtyping.jaxtyped` does, for a part of the calls."""
    checked = every_call(typechecker=typechecker)

    def decorate(function: Any) -> Any:
        if not inspect.isfunction(function):  # a class: its methods come one by one
            return checked(function)
        if is_one_of_many(function):
            return function
        # To make a check takes milliseconds, and many a function no test of a process calls.
        with_check, counted, calls = None, -1, 0

        @wraps(function)
        def call(*args: object, **kwargs: object) -> object:
            nonlocal with_check, counted, calls
            if counted != current["test"]:
                counted, calls = current["test"], 0
            calls += 1
            if calls <= FIRST or calls % EVERY == 0:
                if with_check is None:
                    with_check = checked(function)
                return with_check(*args, **kwargs)
            return function(*args, **kwargs)

        return call

    return decorate
