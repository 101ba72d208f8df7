"""The run-time check of shapes: what it lets pass, and when."""

import numpy as np
import pytest
import shapes
from jaxtyping import Float, TypeCheckError

from ibtools.theory import block_margin_ratio
from ibtools.theory.interpolation import unit_rows


def longest(x: Float[np.ndarray, " n"]) -> float:
    return float(np.max(np.abs(x)))


@pytest.fixture
def checked():
    return shapes.some_calls(typechecker=shapes.typechecker)(longest)


def test_wrong_shapes_are_seen_in_the_first_calls_and_again_and_again(checked) -> None:
    wrong, seen = np.ones((2, 2)), []
    for call in range(1, shapes.FIRST + 3 * shapes.EVERY + 1):
        try:
            checked(wrong)
        except TypeCheckError:
            seen.append(call)
    assert seen[: shapes.FIRST] == list(range(1, shapes.FIRST + 1))
    assert len(seen) == shapes.FIRST + 3


def test_every_test_begins_anew(checked) -> None:
    for _ in range(shapes.FIRST + 1):
        checked(np.ones(2))
    checked(np.ones((2, 2)))
    shapes.next_test()
    with pytest.raises(TypeCheckError):
        checked(np.ones((2, 2)))


def test_a_function_that_is_made_inside_of_another_is_checked_the_first_times() -> None:
    def made_again() -> bool:
        @shapes.some_calls(typechecker=shapes.typechecker)
        def inner(x: Float[np.ndarray, " n"]) -> float:
            return float(np.max(np.abs(x)))

        try:
            inner(np.ones((2, 2)))
        except TypeCheckError:
            return True
        return False

    times = range(1, 2 * shapes.EVERY + 1)
    first = [1, 2, 3]
    assert [k for k in times if made_again()] == [*first, shapes.EVERY, 2 * shapes.EVERY]
    shapes.next_test()
    assert [k for k in times if made_again()][:3] == first


def test_the_package_is_checked() -> None:
    with pytest.raises(TypeCheckError):
        unit_rows("not an array", np.ones(2))


def test_an_int_is_a_float_and_a_word_is_not() -> None:
    assert block_margin_ratio([2, 4]) == block_margin_ratio([2.0, 4.0])
    with pytest.raises(TypeCheckError):
        block_margin_ratio(["2", "4"])
