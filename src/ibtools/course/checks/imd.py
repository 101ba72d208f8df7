"""Implicit mirror descent: the checkers of its exercises."""

from ibtools.course.questions import array
from ibtools.course.registry import Checker
from ibtools.theory import HypentropyPotential, bregman_projection


def _tied(first: float, second: float) -> object:
    """Return the interpolator of the sample (1, 1) with label 1 that two small √k choose."""
    potential = HypentropyPotential(sqrt_k=[first, second], start=[0.0, 0.0])
    return bregman_projection(potential, [[1.0, 1.0]], [1.0]).w


_TIE = Checker(
    "imd.tie",
    minutes=20,
    questions=(
        array(
            "equal",
            "the limit for $k_1=k_2$, as two numbers",
            lambda: _tied(1e-12, 1e-12),
            {
                "a corner of the diamond": (
                    [1.0, 0.0],
                    "Nothing distinguishes this coordinate from the other.",
                ),
                "forgot the constraint": ([1.0, 1.0], "That does not fit the label."),
            },
        ),
        array(
            "unequal",
            r"the limit for $\sqrt{k_1}=\epsilon$ and $\sqrt{k_2}=2\epsilon$",
            lambda: _tied(1e-12, 2e-12),
            {
                "weights by k instead of by its root": (
                    [0.2, 0.8],
                    "Look at which power of the start stands under the logarithm.",
                ),
                "the smaller start gets more": (
                    [2 / 3, 1 / 3],
                    "The other way round: which coordinate is cheaper, that of the larger start or "
                    "that of the smaller?",
                ),
                "the start is forgotten as it vanishes": (
                    [0.5, 0.5],
                    "Both starts vanish, and something of them that the limit sees does not.",
                ),
            },
        ),
    ),
    hints=(
        "What remains is an entropy with weights. Where is its derivative along the segment 0?",
    ),
)

CHECKERS = (_TIE,)
