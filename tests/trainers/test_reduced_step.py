"""Steps where the heaviest margins vary one by one and the others as one; the first phase."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from ibtools.data import digits
from ibtools.metrics.margins import loss_threshold
from ibtools.models.nets import MLP
from ibtools.trainers import TrainingWarning
from ibtools.trainers.margins import implicit
from ibtools.trainers.margins.entropy import entropy_step
from ibtools.trainers.margins.implicit import margin_flow
from ibtools.trainers.margins.implicit_step import Nearby, many_margins_step
from ibtools.trainers.margins.problem import Linearization, Problem
from ibtools.trainers.margins.reduced_step import ReducedSteps, log_excess, log_weights
from ibtools.trainers.margins.runs import MarginRun, load_run

LOSSES = ["exponential", "logistic", "cross_entropy"]


def problem_of(loss: str) -> Problem:
    random = np.random.default_rng(0)
    outputs = 3 if loss == "cross_entropy" else 1
    net = MLP([5, 6, outputs], "squared_relu", seed=0)
    X = random.normal(size=(30, 5))
    with torch.no_grad():
        values = net(torch.tensor(X)).numpy()
    y = values.argmax(1) if outputs > 1 else np.sign(values)
    return Problem(net, X, y, loss)


def quietly(*arguments: object, **options: object) -> MarginRun:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return margin_flow(*arguments, **options)


# ------------------------------------------------------------------ the small problem


@pytest.mark.parametrize("several", [1, 3])
@pytest.mark.parametrize("log_constant", [-np.inf, 2.0])
@pytest.mark.parametrize("h", [1e-3, 1.0, 30.0])
def test_the_least_of_the_small_problem(h: float, log_constant: float, several: int) -> None:
    random = np.random.default_rng(0)
    J = random.normal(size=(40, 25)) + 0.5
    s, K = random.normal(size=40) * 3, J @ J.T
    group = np.arange(40) // several
    c = entropy_step(
        torch.tensor(s),
        torch.tensor(K),
        h,
        log_constant=log_constant,
        start=torch.zeros(40, dtype=torch.float64),
        tolerance=2e-6,
        group=torch.tensor(group),
        sharpness=8.0,
    ).numpy()
    # At the least of log(C + Σe^(−least of a group of s + Kc)) + cᵀKc/2h the step d = Jᵀc is h
    # times the pull there.
    margins = s + K @ c
    sums = np.array([
        np.logaddexp.reduce(-8.0 * margins[group == g]) for g in range(group[-1] + 1)
    ])  # fmt: skip
    shares = np.exp(-8.0 * margins - sums[group])
    logs = np.append(sums / 8.0, log_constant)
    v = shares * np.exp(logs[:-1] - np.logaddexp.reduce(logs))[group]
    pull = J.T @ v
    # Rounding of the dual's value shows as much more in shares as these are sharper.
    size = np.linalg.norm(pull) * (1 if several == 1 else 2 * 8.0)
    np.testing.assert_allclose(J.T @ c / h, pull, rtol=0, atol=2.1e-6 * size)


def test_a_gram_matrix_that_rounding_made_indefinite_is_factored() -> None:
    random = np.random.default_rng(0)
    J = 1e5 * random.normal(size=(40, 25))
    K = torch.tensor(J @ J.T)
    K -= 1e-7 * K.diagonal().max() * torch.eye(40).double()  # as in single precision
    assert torch.linalg.eigvalsh(K / 40 + torch.eye(40)).min() < 0
    c = entropy_step(
        torch.tensor(random.normal(size=40)),
        K,
        1.0,
        log_constant=-np.inf,
        start=torch.full((40,), 1 / 40).double(),
        tolerance=1e-3,
    )
    assert torch.isfinite(c).all()
    assert float(c.sum()) == pytest.approx(1.0, rel=1e-12, abs=0)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_and_excess_are_those_of_the_loss(loss: str) -> None:
    state = problem_of(loss).evaluate()
    logs = log_weights(state.margins, loss)
    torch.testing.assert_close(
        torch.exp(logs - state.log_loss), state.weights, rtol=1e-12, atol=1e-15
    )
    excess = np.exp(log_excess(state.margins, loss))
    expected = np.exp(state.log_loss) * (1 - float(state.weights.sum()))
    assert excess == pytest.approx(expected, rel=1e-3, abs=1e-12)


# ------------------------------------------------------------------ one step


@pytest.mark.parametrize("rows", [3, 12, 1000])
@pytest.mark.parametrize("h", [1e-2, 0.3])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_with_few_rows_is_that_of_all_margins(loss: str, h: float, rows: int) -> None:
    problem = problem_of(loss)
    state = problem.evaluate()
    nearby = Nearby(state.margins, torch.arange(state.margins.numel()), loss)
    whole = many_margins_step(nearby, Linearization(problem), h, tolerance=1e-9)
    steps = steps_of(problem, rows=rows)
    d = steps(h)
    assert d is not None
    # The problem is convex, its second derivative at least 1/h: so near is what solves it so well.
    size = float(problem.pulled(state.weights).norm())
    assert float((d - whole).norm()) <= 1.01e-4 * h * size
    assert len(steps._chosen) <= rows


def steps_of(problem: Problem, *, rows: int, longest: float = np.inf) -> ReducedSteps:
    state = problem.evaluate()
    return ReducedSteps(
        problem,
        state,
        gradient=-problem.pulled(state.weights),
        rows=rows,
        longest=longest,
        tolerance=1e-4,
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_what_the_rest_pulls_at_the_start_is_the_gradient_less_the_chosen_part(
    loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = steps_of(problem_of(loss), rows=5)
    weights, still = steps._start.weights, torch.zeros(steps._start.margins.numel()).double()
    assert float(steps._rest(weights).sum()) > 1e-2
    expected = steps._of_rest(weights)
    assert float(expected.norm()) > 1e-3
    # Of the samples themselves nothing is asked.
    monkeypatch.setattr(steps, "_of_rest", None)
    found = steps._of_rest_at_start(steps._start, still)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-13)


def test_other_rows_have_the_gram_matrix_of_all_computed_anew() -> None:
    problem = problem_of("cross_entropy")
    steps = steps_of(problem, rows=20)
    random = torch.Generator().manual_seed(0)
    for _ in range(3):
        chosen = torch.randperm(steps._start.margins.numel(), generator=random)[:20].sort().values
        assert 0 < int(torch.isin(chosen, steps._chosen).sum()) < 20
        steps._choose(chosen)
        np.testing.assert_allclose(steps._K, steps._tangents_of(chosen).gram(), rtol=1e-12)


def test_a_quarter_more_rows_are_taken_where_these_have_all_weight() -> None:
    problem = problem_of("exponential")
    weights = problem.evaluate().weights.reshape(-1).sort().values
    # 29 of 30 leave out less than a millionth, 28 do not.
    assert float(weights[:1].sum()) < 1e-6 < float(weights[:2].sum())
    assert len(steps_of(problem, rows=24)._chosen) == 29
    assert len(steps_of(problem, rows=23)._chosen) == 23


def test_no_more_rows_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two layers, each an input and an output of its own: 5 + 6 and 6 + 3 numbers a row.
    monkeypatch.setattr("ibtools.trainers.margins.reduced_step._HELD", 20 * 7 + 1)
    steps = steps_of(problem_of("cross_entropy"), rows=1000)
    assert len(steps._chosen) == 7
    assert steps(0.3) is not None


def test_of_a_step_that_is_too_long_only_the_length_matters() -> None:
    steps = steps_of(problem_of("exponential"), rows=5, longest=1e-3)
    d = steps(10.0)
    assert d is not None
    assert float(d.norm()) > 1e-3


# ------------------------------------------------------------------ whole runs


def test_the_path_with_few_rows_is_that_of_all_margins(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = digits()
    X, y = X[:60], y[:60]
    net = MLP([64, 8, 10], "squared_relu", seed=0)
    begun = margin_flow(net, X, y, loss="cross_entropy", until_log10_loss=-1).net
    options = {"loss": "cross_entropy", "until_log10_loss": -10}
    whole = margin_flow(begun, X, y, **options)
    monkeypatch.setattr(implicit, "MANY", 0)
    monkeypatch.setattr(implicit, "_FEW", 0)
    monkeypatch.setattr(implicit, "ROWS", 40)
    monkeypatch.setattr(implicit, "_CAREFUL", implicit._AIM)
    run = margin_flow(begun, X, y, first_phase=False, **options)
    assert run.converged
    assert run.smoothed_margin_drops[-1] == 0
    assert run.steps[-1] == whole.steps[-1]
    # A step's error is a twentieth of the relative step, of 0.05; errors of many do not add up.
    assert not np.array_equal(run.log_loss, whole.log_loss)
    np.testing.assert_allclose(run.log_loss, whole.log_loss, rtol=5e-3)
    np.testing.assert_allclose(run.smoothed_margin, whole.smoothed_margin, rtol=5e-3)


# ------------------------------------------------------------------ the first phase


TOY_X = np.random.default_rng(0).normal(size=(60, 4))
TOY_Y = np.where(TOY_X[:, 0] + 0.5 * TOY_X[:, 1] > 0, 1.0, -1.0)
TOY = (MLP([4, 20, 1], "squared_relu", bias="first", seed=0), TOY_X, TOY_Y)
FIRST = {"first_phase": True, "seed": 0, "until_log10_loss": -1, "max_steps": 200}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ibtools.trainers.margins.first_phase._BATCH", 15)


@pytest.fixture(scope="module")
def whole() -> MarginRun:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ibtools.trainers.margins.first_phase._BATCH", 15)
        return quietly(*TOY, **FIRST)


def test_a_first_phase_leads_to_the_threshold_and_is_told(whole: MarginRun) -> None:
    run = whole
    first = run.first_epochs
    assert 0 < first < run.steps[-1]
    above = run.log_loss >= loss_threshold("exponential")
    assert np.all(above[:first])
    assert not np.any(above[first:])
    # Of the flow's time it takes none.
    assert np.all(run.effective_time[: first + 1] == 0)
    assert np.all(np.diff(run.effective_time[first:]) > 0)
    assert f"{first} of them epochs of minibatches" in repr(run)
    assert run.smoothed_margin_drops[-1] == 0


def test_where_minibatches_do_not_help_their_rate_is_halved_until_there_is_no_hope() -> None:
    contradictory = (TOY[0], np.repeat(TOY_X[:20], 2, axis=0), np.tile([1.0, -1.0], 20))
    options = FIRST | {"max_steps": 100}
    run = quietly(*contradictory, **options)
    # From its first value to 1e-4 of it the rate is halved 14 times, after two epochs each.
    assert 28 <= run.first_epochs < 90
    part = quietly(*contradictory, **options | {"max_steps": run.first_epochs - 5})
    assert part._progress["first_rate"] < part._progress["first_largest_rate"]
    on = quietly(*contradictory, **options, resume=part)
    np.testing.assert_array_equal(on.log_loss, run.log_loss)
    assert on.first_epochs == run.first_epochs


def test_without_need_there_is_no_first_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = quietly(*TOY, until_log10_loss=-3, max_steps=3)
    assert plain.first_epochs == 0
    monkeypatch.setattr(implicit, "MANY", 0)
    with pytest.raises(ValueError, match=r"seed is needed .* pass seed=0, say, or first_phase=F"):
        margin_flow(*TOY)
    assert quietly(*TOY, seed=0, max_steps=2).first_epochs == 2
    assert quietly(*TOY, first_phase=False, max_steps=2).first_epochs == 0


@pytest.mark.usefixtures("as_a_user")
def test_a_first_phase_is_wanted_or_not() -> None:
    with pytest.raises(TypeError, match="first_phase must be True, False or None, got str"):
        margin_flow(*TOY, first_phase="yes")


@pytest.mark.parametrize(("after", "saved"), [(0, True), (4, False)])
def test_a_run_in_parts_is_the_whole_run(
    after: int, saved: bool, whole: MarginRun, tmp_path: Path
) -> None:
    stop = whole.first_epochs + after - 2
    part = quietly(*TOY, **FIRST | {"max_steps": stop})
    assert part.steps[-1] == stop
    if saved:
        part.save(tmp_path / "run.npz")
        part = load_run(tmp_path / "run.npz", TOY[0])
    run = quietly(*TOY, **FIRST, resume=part)
    np.testing.assert_array_equal(run.log_loss, whole.log_loss)
    np.testing.assert_array_equal(run.effective_time, whole.effective_time)
    assert run.first_epochs == whole.first_epochs


def test_an_interrupted_epoch_is_made_anew(
    whole: MarginRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = Problem.batch_gradient, []

    def interrupted(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Problem, "batch_gradient", interrupted)
        part = quietly(*TOY, **FIRST)
    assert part.message == "interrupted"
    run = quietly(*TOY, **FIRST, resume=part)
    np.testing.assert_array_equal(run.log_loss, whole.log_loss)
