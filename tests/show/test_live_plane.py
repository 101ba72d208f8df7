"""The plane of two weights, as the page computes it, against training and theory."""

import itertools
from functools import cache

import numpy as np
import pytest
from book_live import LIVE

from ibtools.models import DiagonalNet
from ibtools.theory import (
    implicit_limit,
    implicit_potential,
    minimum_l1_interpolator,
    minimum_norm_interpolator,
)
from ibtools.trainers import gradient_flow

SCALES_AND_SHAPES = ((2.5e-9, 0.0), (1e-3, 0.9), (0.05, 0.3), (25.0, 0.0))
FEET = ((0.2, 0.4), (-0.31, 0.12), (0.05, -0.5))
STARTS = ((0.0, 0.0), (0.3, -0.5), (-0.6, 0.1))
NAMES = ("scale", "shape", "foot1", "foot2", "start1", "start2")
STATES = [
    dict(zip(NAMES, [*SCALES_AND_SHAPES[i], *FEET[j], *STARTS[(i + j) % 3]], strict=True))
    for i, j in itertools.product(range(4), range(3))
]


def unbiased(state):
    return DiagonalNet.from_scale_shape(scale=state["scale"], shape=state["shape"], d=2)


def network(state):
    """A network of this scale and shape, moved along its own conserved quantities to the start."""
    fresh = unbiased(state)
    start = np.array([state["start1"], state["start2"]])
    turn = np.arcsinh(2 * start / implicit_potential(fresh).sqrt_k) / 2
    u, v, cosh, sinh = fresh.u_plus, fresh.v_plus, np.cosh(turn), np.sinh(turn)
    return DiagonalNet(
        u * cosh + v * sinh, v * cosh + u * sinh, u * cosh - v * sinh, v * cosh - u * sinh
    )


@cache
def trained(index):
    """What training and theory say at a state, at three moments of the run."""
    state = STATES[index]
    net, foot = network(state), np.array([state["foot1"], state["foot2"]])
    X, y, start = (
        (foot / (foot @ foot))[None],
        np.ones(1),
        np.array([state["start1"], state["start2"]]),
    )
    run = gradient_flow(net, X, y, tolerance=1e-8)
    share = ((run.w - start) @ X[0]) / (1 - start @ X[0])
    moments = [int(np.argmin(np.abs(share - part))) for part in (0.3, 0.9, 1.0)]
    wanted = {
        "sqrtK": implicit_potential(unbiased(state)).sqrt_k[0],
        "limit": implicit_limit(net, X, y),
        "leastL1": minimum_l1_interpolator(X, y),
        "leastL2": minimum_norm_interpolator(X, y),
    }
    asked = [{**state, "trained": float(np.clip(share[at], 0, 1))} for at in moments]
    return implicit_potential(net), start, run.w[moments], wanted, asked


def compare(computed):
    asked = [state for index in range(len(STATES)) for state in trained(index)[-1]]
    answers = iter(computed("plane", asked))
    for index in range(len(STATES)):
        q, start, on_the_way, wanted, _ = trained(index)
        for w, found in zip(on_the_way, answers, strict=False):
            for name, value in wanted.items():
                np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-6, err_msg=name)
            np.testing.assert_allclose(found["sqrtK"], wanted["sqrtK"], rtol=1e-12)
            np.testing.assert_allclose(found["path"][0], start, atol=1e-6)
            np.testing.assert_allclose(found["now"], w, atol=1e-6)
            np.testing.assert_allclose(found["path"][-1], w, atol=1e-6)
            level, around = q(np.array(found["now"])) - q(start), np.array(found["levelSet"])
            np.testing.assert_allclose(found["level"], level, rtol=1e-6, atol=1e-12)
            assert around.shape == (180, 2)
            np.testing.assert_allclose(q(around) - q(start), level, rtol=1e-6, atol=1e-12)
            angles = np.unwrap(np.arctan2(*(around - start).T[::-1]))
            assert np.isclose(angles[-1] - angles[0], 2 * np.pi * 179 / 180)
    assert next(answers, None) is None


def test_path_limit_and_level_set_are_those_of_training_and_theory(computed):
    compare(computed)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("sqrtK * Math.sinh(nu", "sqrtK * Math.sinh(1.0001 * nu"),
        ("Math.sinh(2 * nu", "Math.sinh(2.0001 * nu"),
        ("(1 + Math.hypot(1, z))", "(1 + Math.hypot(1.01, z))"),
        ("first + (1 - first)", "first + (1.001 - first)"),
        ("Math.abs(x[0]) > Math.abs(x[1])", "Math.abs(x[0]) < Math.abs(x[1])"),
        ("4 * state.scale", "4.0001 * state.scale"),
    ],
)
def test_the_comparison_sees_a_wrong_formula(live_page, computed, right, wrong):
    script = (LIVE / "plane.js").read_text(encoding="utf-8")
    assert right in script
    live_page.evaluate(script.replace(right, wrong))
    try:
        with pytest.raises(AssertionError):
            compare(computed)
    finally:
        live_page.evaluate(script)
    compare(computed)
