"""What comes from elsewhere is the same as a plain array, or is refused and the mend works.

Every public function, every public method, every class that users make; every argument, one table
(odd.py).
"""

import copy
import inspect
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.lib.recfunctions
import pytest
import torch
from odd import (
    FREE,
    NO_NUMBER,
    NO_WORD,
    REFUSED,
    SAME,
    SAME_COUNT,
    SAME_NUMBER,
    TELLING,
    TOLD,
    WHOLE,
    arrays,
    is_array,
)
from same import differing
from walk import example, functions, made_by_users, methods, named

from ibtools._validation import entries
from ibtools.models.samples import finite_inputs
from ibtools.theory import AccuracyWarning
from ibtools.trainers import TrainingWarning

pytestmark = pytest.mark.usefixtures("as_a_user")

# These read files of 60 000 images, and take no arrays.
_DOWNLOADS = {"data.mnist", "data.fashion_mnist", "data.cifar10", "trainers.load_run"}
_PACKAGES = ("data", "models", "trainers", "metrics", "theory", "show")
NAMES = [walked for walk in (functions, made_by_users, methods) for walked in walk(*_PACKAGES)]
CALLED = [n for n in NAMES if n not in _DOWNLOADS]


def _quietly(call: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        warnings.simplefilter("ignore", AccuracyWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        return call()


def _refusal(call: Callable[[], Any], name: str) -> tuple[str, str]:
    """Return what is wrong with how a call refuses, and what it says."""
    try:
        _quietly(call)
    except (TypeError, ValueError) as error:
        told = str(error)
        if not re.search(rf"\b({name})\b", told):
            return f"the message does not name {name}: {told}", told
        if ";" not in told:
            return f"the message has no mend: {told}", told
        return "", told
    except Exception as error:
        return f"{type(error).__name__}: {error}", ""
    return "was taken", ""


def _mended(told: str, name: str, value: Any) -> Any:
    """Follow the code in a message to the letter; return the argument then."""
    code = re.search(rf"((?:kept = .+, )?){name} = [^;]+$", told)
    if code is None:
        return None
    names = {name: value, "numpy": np, "torch": torch}
    for line in code[0].rsplit(", ", 1) if code[1] else [code[0]]:
        exec(line, names)
    return names[name]


@pytest.mark.parametrize("name", NAMES)
def test_each_function_shows_how_it_is_called(name: str) -> None:
    if name not in _DOWNLOADS:
        called = example(name).function
        assert getattr(called, "__func__", called) == getattr(named(name), "__func__", named(name))


@pytest.mark.parametrize("kind", {**SAME, **WHOLE})
def test_the_validator_sees_the_same_numbers_in_all_clothes(kind: str) -> None:
    for a in (np.array([[3.0, -1.0], [1.0, 2.0], [-4.0, 0.0]]), np.array([1.0, -1.0, 1.0])):
        dressed = {**SAME, **WHOLE}[kind](a)
        found = entries("X", dressed)
        assert type(found) is np.ndarray
        assert found.dtype == np.float64
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, a)
        if a.ndim == 2:
            tensor = finite_inputs(dressed)
            assert not tensor.requires_grad
            np.testing.assert_array_equal(tensor.numpy(), a)


@pytest.mark.parametrize("name", CALLED)
def test_the_same_numbers_give_the_same_answer(name: str) -> None:
    call, wrong = example(name), []
    given = dict(arrays(call))
    call.arguments |= {k: a.copy() for k, a in given.items()}
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    plain = _quietly(call) if given else None  # without arrays there is nothing to dress
    for kind, dressed in (TELLING if given else {}).items():
        try:
            found = _quietly(lambda: call(**{k: dressed(a) for k, a in given.items()}))  # noqa: B023
        except Exception as error:
            wrong.append(f"as {kind}: {type(error).__name__}: {error}")
            continue
        if different := differing(found, plain):
            wrong.append(f"as {kind}: {different}")
    assert not wrong, "\n".join(wrong)
    for argument, a in given.items():
        np.testing.assert_array_equal(call.arguments[argument], a, f"{argument} was changed")
    after = np.random.get_state()[1], torch.get_rng_state()  # noqa: NPY002
    assert all((x == y).all() for x, y in zip(before, after, strict=True)), "global generators"


@pytest.mark.parametrize("name", CALLED)
def test_what_is_no_array_of_numbers_is_refused_and_the_mend_works(name: str) -> None:
    call, wrong = example(name), []
    given = dict(arrays(call))
    call.arguments |= {k: a.copy() for k, a in given.items()}
    for argument, a in given.items():
        names = "|".join(inspect.signature(call.function).parameters)
        for kind, dressed in REFUSED.items():
            if kind == "None" and call.optional(argument):
                continue
            trouble, told = _refusal(lambda: call(**{argument: dressed(a)}), argument)  # noqa: B023
            if trouble:
                wrong.append(f"{argument} as {kind}: {trouble}")
                continue
            try:
                mended = _mended(told, argument, dressed(a))
            except Exception as error:
                wrong.append(f"{argument} as {kind}: the mend fails, {error}: {told}")
                continue
            if mended is None:
                continue
            # A mended array may still be the wrong one for this function, but it is an array.
            again, retold = _refusal(lambda: call(**{argument: mended}), names)  # noqa: B023
            refused_again = re.search(r"array of real numbers|masked|must fit into", retold)
            if refused_again or not (retold or again in ("", "was taken")):
                wrong.append(f"{argument} as {kind}: mended, {again or retold}")
        for kind, dressed in TOLD.items():
            try:
                changed = dressed(a)
            except (IndexError, ValueError):
                continue
            trouble, _ = _refusal(lambda: call(**{argument: changed}), names)  # noqa: B023
            if trouble not in ("", "was taken"):
                wrong.append(f"{argument} with {kind}: {trouble}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", CALLED)
def test_numbers_and_words_are_the_same_or_refused(name: str) -> None:
    call, wrong = example(name), []
    call.arguments = {
        k: v for k, v in {**call.defaults(), **call.arguments}.items() if v is not None
    }
    plain: Any = None
    for argument, value in list(call.arguments.items()):
        if is_array(value) or isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        if isinstance(value, str):
            table, same = NO_WORD, {}
        else:
            table = NO_NUMBER
            same = SAME_COUNT if isinstance(value, int) else SAME_NUMBER
            if argument == "seed":
                table = {k: v for k, v in table.items() if k != "None"}
        for kind, odd in table.items():
            if odd is None and call.optional(argument):
                continue
            if call.takes_arrays(argument) and kind in ("an array", "a truth value"):
                continue
            trouble, _ = _refusal(lambda: call(**{argument: odd}), argument)  # noqa: B023
            if trouble == "was taken" and kind == "infinity":
                continue  # log 𝓛 = −∞, or no limit
            if trouble == "was taken" and kind == "another word" and argument in FREE:
                continue
            if trouble:
                wrong.append(f"{argument} as {kind}: {trouble}")
        for kind, dressed in same.items():
            rounded = float(np.float32(value)) if isinstance(value, float) else value
            try:
                plain = _quietly(lambda: call(**{argument: rounded}))  # noqa: B023
                found = _quietly(lambda: call(**{argument: dressed(rounded)}))  # noqa: B023
            except Exception as error:
                wrong.append(f"{argument} as {kind}: {type(error).__name__}: {error}")
                continue
            if different := differing(found, plain):
                wrong.append(f"{argument} as {kind}: {different}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", CALLED)
def test_anything_else_is_refused_by_name(name: str) -> None:
    call, wrong = example(name), []
    for argument, value in copy.copy(call.arguments).items():
        array = is_array(value) and argument in dict(arrays(call))
        if array or isinstance(value, int | float | str):
            continue
        for odd in (None, object(), 3.5) if isinstance(value, Path) else (None, "a", object(), 3.5):
            if odd is None and call.optional(argument):
                continue
            if odd == 3.5 and call.takes_arrays(argument):
                continue
            trouble, _ = _refusal(lambda: call(**{argument: odd}), argument)  # noqa: B023
            if trouble:
                wrong.append(f"{argument} as {odd!r}: {trouble}")
    assert not wrong, "\n".join(wrong)
