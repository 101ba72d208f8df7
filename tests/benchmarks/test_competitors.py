"""Every competitor solves the same problem as we do: the benchmark compares like with like."""

import numpy as np
import pytest

from benchmarks import figure
from benchmarks.clock import Allowance, OutOfTimeError
from benchmarks.competitors import Competitor, everyone, ours
from benchmarks.competitors.base import Attempt, Run
from benchmarks.competitors.scipy_flow import jacobian
from benchmarks.measure import compare
from benchmarks.problem import HORIZON_ERROR, Problem, Reference, draw, solve
from benchmarks.report import header, lines, summary

ALL = [*ours(), *everyone()]
# What each is off by on this problem is its own affair; these are bounds that another limit, or a
# wrong sign, would break: the start is off by 1, the ℓ₁ solution by 0.7.
LOOSE = {
    "torch GD, step 1/λmax, to loss 1e-08": 0.2,
    "torch GD, step 0.1/λmax, to loss 1e-08": 0.02,
    "scipy trust-constr, potential": 1e-7,
    "cvxpy + Clarabel": 1e-5,
    "scipy L-BFGS-B, dual": 1e-6,
    "scipy trust-exact, dual": 1e-6,
}


@pytest.fixture(scope="module")
def problem() -> Problem:
    return draw(n=3, d=8, scale=1e-2, shape=0.3, seed=0)


@pytest.fixture(scope="module")
def reference(problem: Problem) -> Reference:
    return solve(problem)


def prepared(competitor: Competitor, problem: Problem, reference: Reference) -> Run:
    try:
        return competitor.prepare(problem, reference)
    except ImportError as error:
        pytest.skip(f"{error.name} is not installed")


@pytest.mark.filterwarnings("default")  # of packages that are not ours to mend
@pytest.mark.parametrize(
    "competitor",
    [
        pytest.param(one, id=one.name, marks=pytest.mark.slow if one.group == "d" else ())
        for one in ALL
        if "ℓ₁" not in one.name
    ],
)
def test_reaches_the_limit_and_the_point_midway(
    competitor: Competitor, problem: Problem, reference: Reference
) -> None:
    attempt = prepared(competitor, problem, reference)(Allowance(60))
    assert attempt.finished, attempt.note
    assert reference.limit_error(attempt.w) < LOOSE.get(competitor.name, 3 * HORIZON_ERROR)
    if competitor.group in "bcd":
        assert attempt.midway is not None
    if attempt.midway is not None:
        assert reference.midway_error(attempt.midway) < LOOSE.get(competitor.name, 1e-6)


def test_the_l1_program_is_the_rich_limit() -> None:
    rich = draw(n=3, d=8, scale=1e-30, seed=0)
    least_l1 = next(one for one in ALL if "ℓ₁" in one.name)
    w = least_l1.prepare(rich, None)(Allowance(60)).w
    np.testing.assert_allclose(rich.X @ w, rich.y, atol=1e-9)
    limit = ours()[0].prepare(rich, None)(Allowance(60)).w
    assert np.abs(w).sum() <= np.abs(limit).sum() < 1.02 * np.abs(w).sum()


def test_the_reference_interpolates_and_is_stationary(
    problem: Problem, reference: Reference
) -> None:
    np.testing.assert_allclose(problem.X @ reference.limit, problem.y, atol=1e-14)
    mirror = np.arcsinh(2 * reference.limit / problem.sqrt_k)
    row_space = np.linalg.lstsq(problem.X.T, mirror, rcond=None)[0] @ problem.X
    np.testing.assert_allclose(mirror, row_space, atol=1e-12)


def test_the_jacobian_is_the_derivative_of_the_velocity(problem: Problem) -> None:
    random = np.random.default_rng(0)
    X, y, state, step = problem.X, problem.y, random.standard_normal(4 * 8), 1e-6
    net = problem.net

    def velocity(parameters: np.ndarray) -> np.ndarray:
        here = net.replace(parameters)
        return here.velocity(X, y - here.predict(X))

    columns = [
        (velocity(state + step * unit) - velocity(state - step * unit)) / (2 * step)
        for unit in np.eye(len(state))
    ]
    np.testing.assert_allclose(jacobian(X, y, state), np.transpose(columns), atol=1e-6)


def test_an_allowance_runs_out() -> None:
    spent = Allowance(-1.0)
    assert spent.spent
    assert spent.left == 0
    with pytest.raises(OutOfTimeError):
        spent.check()
    assert not Allowance(60).spent


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "competitor",
    [pytest.param(one, id=one.name) for one in everyone() if one.group in "abc"],
)
def test_without_time_it_says_that_it_did_not_finish(
    competitor: Competitor, problem: Problem, reference: Reference
) -> None:
    attempt = prepared(competitor, problem, reference)(Allowance(-1.0))
    assert not attempt.finished
    assert reference.limit_error(attempt.w) > 0.9


class Missing:
    name, group = "missing", "c"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        raise ImportError("No module named 'nothing'", name="nothing")


class Stuck:
    name, group = "stuck", "b"

    def prepare(self, problem: Problem, reference: Reference) -> Run:
        return lambda _: Attempt(np.zeros(problem.X.shape[1]), finished=False, hopeless=True)


def test_the_table_says_what_did_not_run_and_what_did_not_finish(
    problem: Problem, reference: Reference
) -> None:
    hopeless: set[str] = set()

    def table() -> list[str]:
        rows = compare(
            problem,
            reference,
            ours(),
            [Missing(), Stuck()],
            cap=1.0,
            repetitions=2,
            hopeless=hopeless,
        )
        assert [row.limit_ratio for row in rows[:1]] == [1.0]
        assert rows[1].path_ratio == 1.0
        assert all(row.repetitions == 2 for row in rows[:3])
        assert header()
        assert "none other reached" in "\n".join(summary(rows))
        return lines(rows)

    first, second = table(), table()
    assert "nothing is not installed" in first[3]
    assert "NOT FINISHED" in first[4]
    assert "not run: earlier" in second[4]


def test_figure_7_1_has_100_points_and_its_sample_spans_them() -> None:
    assert len(figure.SCALES) * len(figure.SHAPES) == 100
    roots = [problem.sqrt_k for problem in figure.sample(seed=0)]
    assert roots == sorted(roots)
    assert roots[0] < 1e-4
    assert roots[-1] > 1
