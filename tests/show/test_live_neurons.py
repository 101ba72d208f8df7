"""Neurons in a plane, as the page computes them, against the trainer."""

import itertools

import numpy as np
import pytest
from live_figures import DATA

from ibtools.models import TwoLayerNet
from ibtools.trainers import train_two_layer

STATES = [
    {"scale": scale, "slope": slope, "label2": label, "angle1": 20, "angle2": angle, "step": step}
    for scale, slope, label, (angle, step) in itertools.product(
        (0.05, 0.8), (0.1, 0.3, 1.0), (-1, 1), ((104, 1), (60, 7), (-130, 40))
    )
]


def compare(computed, states):
    for state, found in zip(states, computed("neurons", states), strict=True):
        angles = np.deg2rad([state["angle1"], state["angle2"]])
        X, y = np.stack([np.cos(angles), np.sin(angles)], axis=1), np.array([1, state["label2"]])
        net = TwoLayerNet(state["scale"] * DATA["neurons"]["start"], slope=state["slope"])
        steps = state["step"]
        run = train_two_layer(
            net, X, y, loss="logistic", step_size=16.0, steps=steps, record_count=1000
        )
        assert np.array_equal(run.steps, np.arange(steps + 1))
        for k, weights in enumerate(found["path"]):
            np.testing.assert_allclose(weights, run.net_at(k).W, rtol=0, atol=1e-6)
        pattern, own = run.net.activity(X), np.outer(run.net.signs, y) > 0
        assert len(found["path"]) == steps + 1
        assert np.array_equal(found["pattern"], pattern)
        wrong = ((own & ~pattern).sum(), (~own & pattern).sum())
        assert (found["sleeping"], found["firing"]) == wrong
        outputs = run.normalized_margins[-1] * run.norm[-1]
        np.testing.assert_allclose(found["margins"], outputs, rtol=0, atol=1e-6)


def test_the_page_follows_descent(computed):
    compare(computed, STATES)


def test_parallel_neurons_have_no_spread(computed):
    early, late = computed("neurons", [{"scale": 0.02, "step": step} for step in (0, 40)])
    assert min(early["spread"]) > 90
    assert max(late["spread"]) < 8


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("on ? 1 : slope", "on ? 1 : 1.001 * slope"),
        ("Math.exp(labels[i] * output)", "Math.exp(1.001 * labels[i] * output)"),
        ("push * signs[r] * move", "push * move"),
        ("z >= 0 ? z : state.slope * z", "z"),
        ("mine && !on", "!mine && !on"),
    ],
)
def test_the_comparison_sees_a_wrong_formula(misprint, computed, right, wrong):
    with misprint("neurons", right, wrong), pytest.raises(AssertionError):
        compare(computed, STATES[:4])
