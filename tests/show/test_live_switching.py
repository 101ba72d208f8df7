"""Coordinates that switch on, as the page computes them, against the trainer."""

import itertools

import numpy as np
import pytest
from live_figures import DATA

from ibtools.models import DiagonalNet
from ibtools.theory import minimum_l1_interpolator
from ibtools.trainers import gradient_flow

X = DATA["switching"]["X"]
TEACHERS = ((1.0, 0.8, 0.6, 0.4, 0.2), (0.1, 0.35, 0.0, 0.9, 1.2))
STATES = [
    {"scale": scale, "time": time} | {f"truth{i + 1}": w for i, w in enumerate(teacher)}
    for scale, teacher, time in itertools.product((1e-32, 1e-2), TEACHERS, (1.025, 2.5))
]


def compare(computed, states):
    for state, found in zip(states, computed("switching", states), strict=True):
        teacher = np.append([state[f"truth{i}"] for i in range(1, 6)], np.zeros(55))
        y = X @ teacher
        unit = np.log(1 / (4 * state["scale"])) / (2 * np.abs(X.T @ y).max())
        clock = np.linspace(0, 7, 281)
        net = DiagonalNet.from_scale_shape(scale=state["scale"], shape=0.0, d=60)
        run = gradient_flow(net, X, y, times=clock * unit)
        at = np.argmin(np.abs(clock - state["time"]))
        np.testing.assert_allclose(np.array(found["now"]), run.w[at], atol=1e-6)
        np.testing.assert_allclose(found["loss"], run.loss[at], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(np.array(found["path"]), run.w, atol=1e-6)
        assert found["on"] == [i + 1 for i in range(5) if run.w[at, i] > teacher[i] / 2]


def test_the_page_follows_the_flow(computed):
    compare(computed, STATES)


def test_the_rule_ends_at_the_sparsest_and_begins_at_the_largest_correlation(computed):
    for found in computed("switching", STATES[:1]):
        teacher = np.array(found["teacher"])
        times, points = zip(*found["rule"], strict=True)
        pull = np.abs(X.T @ X @ teacher)
        assert abs(times[0] - 1) < 1e-9
        assert np.flatnonzero(points[0]).tolist() == [pull.argmax()]
        sparsest = minimum_l1_interpolator(X, X @ teacher)
        assert np.abs(np.array(points[-1]) - sparsest).max() < 1e-6


def test_nothing_to_learn_leaves_everything_at_zero(computed):
    nothing = {f"truth{i}": 0 for i in range(1, 6)}
    (found,) = computed("switching", [nothing])
    assert (found["now"], found["rule"], found["loss"]) == ([0] * 60, [], 0)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Math.exp(2 * p + logScale)", "Math.exp(2.0001 * p + logScale)"),
        ("Math.log(1 / (4 * scale))", "Math.log(1 / (4.001 * scale))"),
        ("inner(missing, kept", "2 * inner(missing, kept"),
        ("teacher[i - 1] / 2)", "teacher[i - 1])"),
    ],
)
def test_the_comparison_sees_a_wrong_formula(misprint, computed, right, wrong):
    with misprint("switching", right, wrong), pytest.raises(AssertionError):
        compare(computed, STATES[:2])
