"""Homework, one for each chapter, drawn for each student and judged by theory."""

from typing import Any

import numpy as np

from ibtools.course.homework import Homework
from ibtools.course.questions import Question, array, number
from ibtools.models import DiagonalNet
from ibtools.theory import (
    implicit_limit,
    implicit_potential,
    minimum_l1_interpolator,
    minimum_norm_interpolator,
)

Drawn = tuple[str, dict[str, Any], tuple[Question, ...]]


def _one_sample(rng: np.random.Generator) -> Drawn:
    """One sample, a diagonal network, and where it ends."""
    x = rng.permutation([1, 2, 3]) * rng.choice([-1, 1], 3) + np.round(rng.uniform(-0.3, 0.3, 3), 2)
    X, y = x[None].astype(float), np.array([np.round(rng.uniform(1, 3), 2)])
    first, second = np.round(rng.uniform(0.4, 0.9), 2), np.round(rng.uniform(0.05, 0.3), 2)
    net = DiagonalNet(*(np.full(3, value) for value in (first, second, first, second)))
    statement = (
        "A diagonal network $w=u_+\\circ v_+-u_-\\circ v_-$ is trained by gradient flow on one "
        f"sample, $x=({', '.join(f'{value:g}' for value in x)})$ with label $y={y[0]:g}$ (`X`, "
        f"`y`), from $u_\\pm={first:g}$ and $v_\\pm={second:g}$ in every coordinate (`u`, `v`).\n\n"
        "1. `root_k`: the number $\\sqrt k$ of each coordinate.\n"
        "2. `limit`: where training ends.\n"
        "3. `sparse`: where it would end from starts that vanish, all equal.\n"
        "4. `excess`: the $\\ell_1$ norm of `limit` over the least of an interpolator, less 1."
    )
    root_k = 2 * (first**2 + second**2)
    limit, sparse = implicit_limit(net, X, y), minimum_l1_interpolator(X, y)
    dense = minimum_norm_interpolator(X, y)
    ratio = float(np.abs(limit).sum() / np.abs(sparse).sum())
    questions = (
        number(
            "root_k",
            "the number $\\sqrt k$ of each coordinate",
            lambda: float(implicit_potential(net).sqrt_k[0]),
            {
                "forgot the factor 2": (root_k / 2, "A constant factor is missing."),
                "k instead of its root": (root_k**2, "That is another power of what is asked for."),
                "the scale": (4 * first * second, "That would be right for a start without shape."),
            },
        ),
        array(
            "limit",
            "where training ends, as three numbers",
            lambda: limit,
            {
                "least l2 norm": (dense, "This start is not that large."),
                "least l1 norm": (sparse, "This start is not that small."),
            },
            points=2.0,
        ),
        array(
            "sparse",
            "where it would end from starts that vanish",
            lambda: sparse,
            {
                "least l2 norm": (dense, "That is the other end of the scale."),
                "the limit again": (limit, "That is where it ends from the start that is given."),
            },
        ),
        number(
            "excess",
            "the excess of the $\\ell_1$ norm, as a fraction",
            lambda: ratio - 1,
            {
                "did not subtract 1": (ratio, "That is the quotient itself."),
                "in percent": (100 * (ratio - 1), "As a fraction, not in percent."),
            },
            rtol=1e-2,
        ),
    )
    return statement, {"X": X, "y": y, "u": first, "v": second}, questions


HOMEWORKS = (Homework("hw1", "One sample, one network", 45, _one_sample),)
