"""All ways to train two-layer networks that are timed do the same."""

import json

import numpy as np
import pytest

from benchmarks import two_layer
from benchmarks.clock import Allowance
from benchmarks.competitors.two_layer import Problem, Trainer, everyone
from benchmarks.two_layer import compare, draw, lines


@pytest.fixture(scope="module", params=[(1, 0.3, 40), (3, 0.0, 6)])
def problem(request: pytest.FixtureRequest) -> Problem:
    networks, slope, d = request.param
    return draw(n=5, d=d, m=4, networks=networks, slope=slope, steps=60, seed=0)


@pytest.mark.parametrize("trainer", [pytest.param(one, id=one.name) for one in everyone()])
def test_all_end_at_the_same_weights(trainer: Trainer, problem: Problem) -> None:
    expected = everyone()[0].prepare(problem)(Allowance(60)).W
    moved = np.linalg.norm(expected - problem.start) / np.linalg.norm(expected)
    assert moved > 0.5
    W, steps = trainer.prepare(problem)(Allowance(60))
    assert steps == 60
    assert W.shape == problem.start.shape
    assert np.linalg.norm(W - expected) < 1e-12 * np.linalg.norm(expected)


def test_without_time_a_row_says_where_it_stopped(problem: Problem) -> None:
    rows = compare(problem, everyone(), cap=-1.0, repetitions=1)
    assert rows[0].finished
    assert rows[0].ratio == 1
    for row in rows:
        if row.group in "abc":
            assert not row.finished
            assert row.steps == 0
            assert row.distance is None
    assert "stopped at step 0" in "\n".join(lines(rows))


def test_the_command_prints_a_table_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(two_layer, "CASES", [(4, 10, 3, 2, 0.2, 20)])
    assert two_layer.main(["--repetitions", "2"]) == 0
    table = capsys.readouterr().out
    assert "2 networks, n=4, d=10, 2m=6, 20 steps, slope 0.2" in table
    assert all(one.name in table for one in everyone())
    assert two_layer.main(["--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [one.name for one in everyone()]
    assert max(row["distance"] for row in rows) < 1e-12
