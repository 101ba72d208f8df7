"""The line that turns, as the page computes it, against the flow and the largest margin."""

import itertools
from functools import cache

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import logsumexp, softmax

from ibtools.data import three_points
from ibtools.theory import max_margin, separation_constants

y = three_points().y
SAMPLES = (
    (3.0, -1.0, -1.0, -2.0, 4.0, 4.0),  # as on the page
    (0.3, -0.1, 1.1, -4.0, 5.0, 0.4),
    (-5.0, 2.0, 6.0, 1.5, -1.0, -3.5),
    (2.0, 2.0, -3.0, -3.2, 6.0, 5.0),  # one support vector
)
STARTS = ((0.01, 0.0), (6.0, -4.0), (-4.0, 6.0))
NAMES = ("x11", "x12", "x21", "x22", "x31", "x32", "start1", "start2")
STATES = [
    dict(zip(NAMES, [*samples, *start], strict=True))
    for samples, start in itertools.product(SAMPLES, STARTS)
]
POWERS = (10**-0.5, 10**0.3, 100.0)  # of those that the page draws
LATE = 1e6


def data(state):
    return np.array([[state[f"x{j}1"], state[f"x{j}2"]] for j in (1, 2, 3)])


@cache
def followed(index):
    """Weights at the powers, by another integrator and in another time: that of the flow on log ℒ.

    There s = log(1/ℒ) is an unknown beside w.
    """
    state = STATES[index]
    Z = y[:, None] * data(state)
    start = np.array([state["start1"], state["start2"]])

    def field(_, ws):
        pull = softmax(-Z @ ws[:2]) @ Z
        return [*pull, pull @ pull]

    def reached(power):
        event = lambda _, ws: ws[2] - power * np.log(10)  # noqa: E731
        event.terminal = power == POWERS[-1]
        return event

    first = -logsumexp(-Z @ start)
    run = solve_ivp(
        field, (0, 1e5), [*start, first], method="LSODA", rtol=1e-11, atol=1e-11,
        events=[reached(power) for power in POWERS],
    )  # fmt: skip
    return [events[0][:2] if len(events) else start for events in run.y_events]


def compare(computed, indices):
    asked = [{**STATES[i], "power": power} for i in indices for power in (*POWERS, LATE)]
    answers = iter(computed("turning", asked))
    for i in indices:
        X = data(STATES[i])
        Z = y[:, None] * X
        toy = max_margin(X, y)
        constants = separation_constants(X, y)
        two = len(constants.support) == 2
        for power in (*POWERS, LATE):
            found = next(answers)
            assert found["separable"]
            w = np.array(found["now"])
            reached = -logsumexp(-Z @ w) / np.log(10)
            if power < LATE:
                np.testing.assert_allclose(
                    w, followed(i)[POWERS.index(power)], rtol=1e-6, atol=1e-6
                )
                np.testing.assert_allclose(
                    found["path"][0], [STATES[i]["start1"], STATES[i]["start2"]]
                )
            elif two:
                elapsed = LATE * np.log(10) + np.log(constants.loss_rate)
                later = constants.w * elapsed + constants.offset
                np.testing.assert_allclose(w, later, rtol=1e-12, atol=1e-6)
            assert found["early"] == (found["begun"] > power)
            np.testing.assert_allclose(reached, max(power, found["begun"]), rtol=1e-7)
            np.testing.assert_allclose(found["power"], reached, rtol=1e-7)
            direction = w / np.linalg.norm(w)
            np.testing.assert_allclose(found["margins"], Z @ direction, rtol=0, atol=1e-6)
            assert found["margin"] == min(found["margins"])
            np.testing.assert_allclose(found["best"], toy.margin, rtol=1e-9)
            np.testing.assert_allclose(found["direction"], toy.w * toy.margin, rtol=0, atol=1e-9)
            assert sorted(found["support"]) == sorted(constants.support)
            assert found["wrong"] == (Z @ w <= 0).sum()
            cross, along = np.linalg.det([direction, toy.w]), direction @ toy.w
            angle = np.rad2deg(abs(np.arctan2(cross, along)))
            np.testing.assert_allclose(found["angle"], angle, rtol=1e-9, atol=1e-9)
            if not found["early"]:
                curve = np.array(found["curve"])
                drawn = curve[np.argmin(np.abs(curve[:, 0] - power)), 1]
                np.testing.assert_allclose(drawn, angle, rtol=1e-6, atol=1e-9)
            if two:
                turn = abs(np.linalg.det([toy.w, constants.offset])) * toy.margin**2
                np.testing.assert_allclose(found["late"], np.rad2deg(turn), rtol=1e-6, atol=1e-9)
            else:
                assert found["late"] is None
    assert next(answers, None) is None


def test_the_page_follows_the_flow_to_the_largest_margin(computed):
    compare(computed, range(len(STATES)))


def test_data_that_no_line_separates_are_told_in_words(computed, live_page):
    inside = {"x31": -4, "x32": 1}
    on_the_edge = {"x11": 2, "x12": 2, "x21": 3, "x22": 3}  # of the hull of the yx
    at_zero = {"x11": 0, "x12": 0}
    states = [inside, on_the_edge, at_zero]
    start = dict(zip(NAMES, STATES[0].values(), strict=True))
    for state in states:
        with pytest.raises(ValueError, match="separable"):
            max_margin(data(start | state), y)
    for found in computed("turning", states):
        assert not found["separable"]
        for words in ("tell", "readout"):
            told = live_page.evaluate(f"found => ibtoolsLive.turning.{words}(found)", found)
            assert "No line through the origin has both classes on its two sides" in told


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("least - p[j]", "1.0001 * (least - p[j])"),
        ("g[0] / square", "g[0] / Math.sqrt(square)"),
        ("factor * (fine[1] - rough[1])", "1.01 * factor * (fine[1] - rough[1])"),
        ("share > 0 && share < 1", "share > 0 && share < 0"),
        ("inner(z, point) >= square", "inner(z, point) >= -square"),
        ("u * b[1] - v * a[1]", "u * b[1] + v * a[1]"),
        ("1 + course.ahead[j]", "1 + 2 * course.ahead[j]"),
        ("hat[0] * v[1] - hat[1] * v[0]", "hat[0] * v[1] + hat[1] * v[0]"),
    ],
)
def test_the_comparison_sees_a_wrong_formula(misprint, computed, right, wrong):
    with misprint("turning", right, wrong), pytest.raises(AssertionError):
        compare(computed, [2, 6, 9])
