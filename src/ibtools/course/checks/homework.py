"""Homework, one for each chapter, drawn for each student and judged by theory."""

from typing import Any

import numpy as np

from ibtools.course.homework import Homework
from ibtools.course.questions import Question, array, number
from ibtools.models import DiagonalNet, LinearNeuron, TwoLayerNet
from ibtools.theory import (
    explicit_limit,
    implicit_limit,
    implicit_potential,
    max_margin,
    minimum_l1_interpolator,
    minimum_norm_interpolator,
    separation_constants,
    two_layer_limit,
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


def _one_neuron(rng: np.random.Generator) -> Drawn:
    """One linear neuron, and where it ends."""
    X = np.round(rng.uniform(-2, 2, (2, 4)), 1) + np.array([[2, 0, 0, 1], [0, 2, 1, 0]])
    y = np.round(rng.uniform(1, 3, 2), 1)
    a, w = float(np.round(rng.uniform(0.8, 1.6), 2)), np.round(rng.uniform(-0.5, 0.5, 4), 2)
    neuron = LinearNeuron(a, w)
    end = explicit_limit(neuron, X, y)
    least = minimum_norm_interpolator(X, y)
    seen = np.linalg.pinv(X) @ X @ w
    c = a**2 - float(seen @ seen)
    statement = (
        "A linear neuron $\\tilde w=a\\,w$ is trained by gradient flow on two samples (`X`, `y`), "
        "from "
        f"the output weight $a_0={a:g}$ (`a`) and the input weights `w`.\n\n"
        "1. `shape`: the balancedness $\\delta$ that the flow keeps.\n"
        "2. `c`: the number $c$ on whose sign it depends whether the output weight can change its "
        "own.\n"
        "3. `output`: the output weight where training ends.\n"
        "4. `limit`: the predictor where training ends."
    )
    questions = (
        number(
            "shape",
            r"$\delta$",
            lambda: float(neuron.balancedness),
            {
                "the wrong order": (float(w @ w) - a**2, "The sign of it is a convention: which?"),
                "the lengths, not their squares": (
                    a - float(np.linalg.norm(w)),
                    "Which power of the two layers do the two derivatives share?",
                ),
            },
        ),
        number(
            "c",
            r"$c$",
            lambda: c,
            {
                "all input weights": (
                    a**2 - float(w @ w),
                    "Only a part of the input weights takes part.",
                ),
                "the part that is not seen": (
                    a**2 - float((w - seen) @ (w - seen)),
                    "That part of the input weights never moves.",
                ),
            },
        ),
        number(
            "output",
            r"$a_\infty$",
            lambda: float(end.a),
            {
                "its square": (float(end.a) ** 2, "That is its square."),
                "as it was": (a, "The output weight moves, too."),
            },
        ),
        array(
            "limit",
            r"$\tilde w_\infty$, as four numbers",
            lambda: end.w,
            {
                "the least norm": (least, "This start is not that small: a part of it is kept."),
                "the part that is kept, not multiplied": (
                    least + w - seen,
                    "By what does the output weight multiply what is kept?",
                ),
            },
            points=2.0,
        ),
    )
    return statement, {"X": X, "y": y, "a": a, "w": w}, questions


def _separable(rng: np.random.Generator) -> tuple[Any, Any]:
    """Return three samples of the plane, of which the first two are support vectors."""
    while True:
        X = np.round(rng.uniform(-3, 4, (3, 2)), 1)
        y = rng.choice([-1.0, 1.0], 3)
        Z = y[:, None] * X
        if abs(np.linalg.det(Z[:2])) < 3 or Z[2] @ Z[:2].sum(axis=0) <= 0:
            continue
        w = np.linalg.solve(Z[:2], np.ones(2))
        multipliers = np.linalg.solve(Z[:2].T, w)
        if np.all(multipliers > 0.02) and np.ptp(multipliers) > 0.02 and Z[2] @ w > 1.5:
            return X, y


def _three_samples(rng: np.random.Generator) -> Drawn:
    """Three samples, and the largest margin."""
    X, y = _separable(rng)
    best, constants = max_margin(X, y), separation_constants(X, y)
    mean = (y[:, None] * X).sum(axis=0)
    statement = (
        "A linear model without bias is trained by gradient flow on the exponential loss of three "
        "samples of the plane (`X`, `y`).\n\n"
        "1. `direction`: the limit of $w/\\lVert w\\rVert$.\n"
        "2. `margin`: the largest margin $\\gamma$.\n"
        "3. `multipliers`: the three multipliers of $\\hat w$, whose least margin is 1.\n"
        "4. `rate`: the limit of $t\\,\\mathcal L$."
    )
    questions = (
        array(
            "direction",
            "the direction, of length 1",
            lambda: best.direction,
            {
                "not of length one": (
                    2 * best.direction,
                    "The direction is right; make its length one.",
                ),
                "the mean of the samples": (
                    mean / np.linalg.norm(mean),
                    "In the long run only some of the samples decide.",
                ),
            },
        ),
        number(
            "margin",
            r"$\gamma$",
            lambda: float(best.margin),
            {
                "its inverse": (1 / float(best.margin), "That is the length of a vector."),
                "its square": (float(best.margin) ** 2, "That is another power of it."),
            },
        ),
        array(
            "multipliers",
            "the multipliers, as three numbers",
            lambda: best.multipliers,
            {
                "as shares": (
                    best.multipliers / best.multipliers.sum(),
                    "Their weighted sum of the samples must have the right length, too.",
                ),
                "of the direction": (
                    best.multipliers * float(best.margin),
                    "Those are the coefficients of the vector of length one.",
                ),
            },
            atol=1e-6,
        ),
        number(
            "rate",
            r"the limit of $t\,\mathcal L$",
            lambda: float(constants.loss_rate),
            {
                "its inverse": (
                    float(best.margin) ** 2,
                    "Does a larger margin make the loss fall faster, or more slowly?",
                ),
                "the first power": (
                    1 / float(best.margin),
                    "Which power of the margin is in the speed of the loss?",
                ),
            },
        ),
    )
    return statement, {"X": X, "y": y}, questions


def _near_homogeneous(rng: np.random.Generator) -> Drawn:
    """Polynomials in one weight, which are nearly homogeneous."""
    M = int(rng.integers(3, 6))
    lower = np.round(rng.uniform(0.5, 3, 2), 1)
    theta = float(np.round(rng.uniform(2, 4), 1))
    powers = np.array([1, M - 1])
    f = theta**M + float(lower @ theta**powers)
    defect = float(lower @ ((M - powers) * theta**powers))
    statement = (
        f"Let $f(\\theta)=\\theta^{M}+{lower[1]:g}\\,\\theta^{M - 1}+{lower[0]:g}\\,\\theta$ for "
        f"one "
        f"weight $\\theta>0$, and $M={M}$ (`M`, `lower`: the lower coefficients, `theta`).\n\n"
        f"1. `defect`: $|\\theta f'-Mf|$ at $\\theta={theta:g}$.\n"
        "2. `gap`: $|f-f_H|$ there, with $f_H$ the homogenization.\n"
        "3. `modified`: the modified margin of one sample with output $f$ there, with the least "
        "correction that the theory allows."
    )
    coefficients = np.zeros(M)
    coefficients[powers] = lower * (M - powers)
    gap = float(sum(c / (M - i) * theta**i for i, c in enumerate(coefficients)))
    questions = (
        number(
            "defect",
            "the defect",
            lambda: float(sum(c * theta**i for i, c in enumerate(coefficients))),
            {
                "the derivative alone": (
                    M * theta**M + float(lower @ (powers * theta**powers)),
                    "That is what Euler's identity has on its left side.",
                ),
                "the lower terms": (
                    float(lower @ theta**powers),
                    "Each term has a factor of its own: its distance from the order.",
                ),
            },
        ),
        number(
            "gap",
            "the gap",
            lambda: gap,
            {
                "the defect": (defect, "That is the defect again; the gap is its integral."),
                "divided by the order": (
                    defect / M,
                    "Each power of the defect is divided by another number.",
                ),
            },
        ),
        number(
            "modified",
            "the modified margin",
            lambda: (f - gap) / theta**M,
            {
                "the naive margin": (f / theta**M, "The correction is taken off first."),
                "the defect taken off": (
                    (f - defect) / theta**M,
                    "The correction is not the defect itself.",
                ),
            },
        ),
    )
    return statement, {"M": M, "lower": lower, "theta": theta}, questions


def _two_layers(rng: np.random.Generator) -> Drawn:
    """Orthogonal samples and a two-layer network."""
    plus, minus = (int(n) for n in rng.choice([2, 3, 4, 5, 6], 2, replace=False))
    m, rho = int(rng.integers(2, 9)), float(np.round(rng.uniform(0.1, 0.6), 2))
    length = float(np.round(rng.uniform(1.5, 3), 1))
    n = plus + minus
    net = TwoLayerNet.initialize(m=m, d=n, slope=rho, scale=1e-4, seed=0)
    limit = two_layer_limit(net, length * np.eye(n), np.repeat([1.0, -1.0], [plus, minus]))
    statement = (
        f"A two-layer network of ${m}$ neurons of either sign (`m`) with the slope $\\rho={rho:g}$ "
        f"(`rho`) is trained on orthogonal samples of length ${length:g}$ (`length`), ${plus}$ of "
        f"label $+$ and ${minus}$ of label $-$ (`plus`, `minus`), from a very small start.\n\n"
        "1. `alpha`: the multiplier $\\alpha_i$.\n"
        "2. `margin`: the limit of the normalized margin.\n"
        "3. `rank`: the limit of the stable rank of $W$."
    )
    alpha = 1 / (1 + rho**2) / length**2
    questions = (
        number(
            "alpha",
            r"$\alpha_i$",
            lambda: float(limit.multipliers[0]),
            {
                "samples of length one": (alpha * length**2, "How long are the samples?"),
                "their length, not its square": (
                    alpha * length,
                    "The entries of the kernel are squares of lengths.",
                ),
                "the other sign forgotten": (
                    1 / length**2,
                    "Neurons of the other sign see the sample as well.",
                ),
            },
        ),
        number(
            "margin",
            r"$\bar\gamma$",
            lambda: float(limit.margin),
            {
                "the width forgotten": (
                    float(limit.margin) * m**0.5,
                    "The output is a mean over the neurons.",
                ),
                "its square": (float(limit.margin) ** 2, "That is another power of it."),
            },
        ),
        number(
            "rank",
            r"the stable rank of $W$",
            lambda: float(limit.stable_rank),
            {
                "a count of directions": (2.0, "A stable rank is no count of directions."),
                "as many of either label": (
                    2 * (1 + rho**2) / (1 + rho) ** 2,
                    "That is for as many samples of either label.",
                ),
            },
        ),
    )
    data = {"m": m, "rho": rho, "length": length, "plus": plus, "minus": minus}
    return statement, data, questions


HOMEWORKS = (
    Homework("hw1", "One sample, one network", 45, _one_sample),
    Homework("hw2", "One neuron", 45, _one_neuron),
    Homework("hw3", "Three samples and a margin", 45, _three_samples),
    Homework("hw4", "Nearly homogeneous", 30, _near_homogeneous),
    Homework("hw5", "Two layers, orthogonal samples", 45, _two_layers),
)
