"""Every competitor solves the same problem as we do: the benchmark compares like with like."""

import os

import numpy as np
import pytest

from benchmarks import figure
from benchmarks.clock import Allowance, OutOfTimeError
from benchmarks.competitors import (
    Competitor,
    everyone,
    everyone_leaky,
    everyone_neuron,
    ours,
    ours_neuron,
)
from benchmarks.competitors.base import Attempt, Run
from benchmarks.measure import compare
from benchmarks.neuron import NeuronProblem, draw_neuron
from benchmarks.problem import HORIZON_ERROR, DiagonalProblem, Problem, Reference, draw, solve
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
def problem() -> DiagonalProblem:
    return draw(n=3, d=8, scale=1e-2, shape=0.3, seed=0)


@pytest.fixture(scope="module")
def reference(problem: Problem) -> Reference:
    return solve(problem)


def prepared(competitor: Competitor, problem: Problem, reference: Reference) -> Run:
    try:
        return competitor.prepare(problem, reference)
    except ImportError as error:
        if "CI" in os.environ:
            pytest.fail(f"{error.name} of benchmarks/requirements.txt is not installed")
        pytest.skip(f"{error.name} is not installed; `make bench` installs it")


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
    problem: DiagonalProblem, reference: Reference
) -> None:
    np.testing.assert_allclose(problem.X @ reference.limit, problem.y, atol=1e-14)
    mirror = np.arcsinh(2 * reference.limit / problem.sqrt_k)
    row_space = np.linalg.lstsq(problem.X.T, mirror, rcond=None)[0] @ problem.X
    np.testing.assert_allclose(mirror, row_space, atol=1e-12)


@pytest.fixture(scope="module")
def neuron_problem() -> NeuronProblem:
    return draw_neuron(n=3, d=8, scale=1e-2, shape=0.3, seed=0)


@pytest.fixture(scope="module")
def neuron_reference(neuron_problem: NeuronProblem) -> Reference:
    return solve(neuron_problem)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "competitor",
    [
        pytest.param(one, id=one.name, marks=pytest.mark.slow if one.group == "d" else ())
        for one in [*ours_neuron(), *everyone_neuron()]
        if "least norm" not in one.name
    ],
)
def test_a_neuron_reaches_the_limit_and_the_point_midway(
    competitor: Competitor, neuron_problem: NeuronProblem, neuron_reference: Reference
) -> None:
    attempt = prepared(competitor, neuron_problem, neuron_reference)(Allowance(60))
    assert attempt.finished, attempt.note
    error = neuron_reference.limit_error(attempt.w)
    assert error < LOOSE.get(competitor.name, 3 * HORIZON_ERROR)
    if competitor.group in "bcd":
        assert attempt.midway is not None
        assert neuron_reference.midway_error(attempt.midway) < 1e-6


@pytest.mark.filterwarnings("default")
def test_a_leaky_neuron_reaches_the_limit_across_its_kinks() -> None:
    problem = draw_neuron(n=3, d=1000, scale=1e-3, shape=0.5, slope=0.1, seed=0)
    start, reference = problem.network.parts(problem.start)[1], solve(problem)
    assert (np.sign(problem.X @ start) != np.sign(problem.X @ reference.limit)).any()
    for competitor in [*ours_neuron(), *everyone_leaky()]:
        attempt = prepared(competitor, problem, reference)(Allowance(60))
        assert attempt.finished, competitor.name
        allowed = 1e-3 if competitor.group == "a" else 3 * HORIZON_ERROR
        assert reference.limit_error(attempt.w) < allowed, competitor.name
        if attempt.midway is not None and competitor.group != "a":
            assert reference.midway_error(attempt.midway) < 1e-7, competitor.name


@pytest.mark.parametrize("slope", [1.0, 0.1])
def test_the_limit_of_a_neuron_interpolates_and_keeps_what_flow_keeps(slope: float) -> None:
    problem = draw_neuron(n=3, d=8, scale=0.1, shape=0.3, slope=slope, seed=1)
    limit, (a_start, w_start) = problem.exact_limit(), problem.network.parts(problem.start)
    outputs = problem.X @ limit
    np.testing.assert_allclose(np.maximum(outputs, slope * outputs), problem.y, atol=1e-14)
    rows = np.linalg.qr(problem.X.T)[0].T
    rest = np.eye(8) - rows.T @ rows
    a = (rest @ limit) @ (rest @ w_start) / np.sum((rest @ w_start) ** 2)
    np.testing.assert_allclose(rest @ limit, a * (rest @ w_start), atol=1e-14)
    kept = a_start[0] ** 2 - w_start @ w_start
    np.testing.assert_allclose(a**2 - np.sum((limit / a) ** 2), kept, rtol=1e-12)


@pytest.mark.parametrize("slope", [None, 1.0, 0.1], ids=["diagonal", "linear", "leaky"])
def test_everyone_and_ibtools_follow_the_same_network(slope: float | None) -> None:
    problem: Problem = draw(n=3, d=8, scale=1e-2, shape=0.3, seed=0)
    if slope is not None:
        problem = draw_neuron(n=3, d=8, scale=1e-2, shape=0.3, slope=slope, seed=0)
    X, y, network = problem.X, problem.y, problem.network
    state = np.random.default_rng(0).standard_normal(problem.start.size)
    here, parts = problem.net.replace(state), network.parts(state)
    np.testing.assert_allclose(network.predictor(*parts), here.predictor, rtol=1e-14)
    np.testing.assert_allclose(network.outputs(X, *parts), here.predict(X), rtol=1e-13)
    velocity = here.velocity(X, y - here.predict(X))
    np.testing.assert_allclose(np.concatenate(network.velocity(X, y, *parts)), velocity, rtol=1e-12)
    gradients = network.gradients(X, *parts)
    np.testing.assert_allclose(gradients @ gradients.T, here.tangent_kernel(X), rtol=1e-12)


@pytest.mark.parametrize("slope", [None, 1.0, 0.1], ids=["diagonal", "linear", "leaky"])
def test_the_jacobian_is_the_derivative_of_the_velocity(slope: float | None) -> None:
    problem: Problem = draw(n=3, d=8, scale=1e-2, shape=0.3, seed=0)
    if slope is not None:
        problem = draw_neuron(n=3, d=8, scale=1e-2, shape=0.3, slope=slope, seed=0)
    X, y, network, step = problem.X, problem.y, problem.network, 1e-6
    state = np.random.default_rng(0).standard_normal(problem.start.size)

    def velocity(parameters: np.ndarray) -> np.ndarray:
        return np.concatenate(network.velocity(X, y, *network.parts(parameters)))

    columns = [
        (velocity(state + step * unit) - velocity(state - step * unit)) / (2 * step)
        for unit in np.eye(len(state))
    ]
    np.testing.assert_allclose(network.jacobian(X, y, state), np.transpose(columns), atol=1e-6)


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
