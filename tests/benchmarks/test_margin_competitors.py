"""The competitors on margins reach what they are said to reach, by the benchmark's own measure."""

import numpy as np
import pytest

from benchmarks.clock import Allowance
from benchmarks.competitors.margins import LinearProblem, TorchSGD, contenders
from benchmarks.margins import compare, lines
from ibtools.theory import max_margin


def test_the_goal_is_the_largest_margin() -> None:
    problem = LinearProblem(1e-2)
    X, y = problem.data
    assert max_margin(X, y).margin == pytest.approx(problem.best, rel=1e-11)
    assert problem.done(0.991 * problem.best, -1.0)
    assert not problem.done(0.989 * problem.best, -1.0)


def test_every_competitor_comes_to_the_same_margin_or_says_that_it_does_not() -> None:
    problem = LinearProblem(0.3)
    everyone = contenders(problem)
    rows = compare(problem, everyone, cap=4.0, repetitions=1)
    assert [row.name for row in rows] == [one.name for one in everyone]
    assert rows[0].finished
    for row in rows:
        assert row.margin is not None
        assert row.finished == bool(row.margin >= 0.7 * problem.best)
        assert row.margin <= problem.best * (1 + 1e-9)
    table = "\n".join(lines(problem, rows))
    assert all(one.name in table for one in everyone)


def test_a_competitor_without_time_stops_where_it_is() -> None:
    problem = LinearProblem(1e-6)
    outcome = TorchSGD().prepare(problem)(Allowance(0.0))
    assert not outcome.finished
    assert np.isfinite(outcome.margin)
