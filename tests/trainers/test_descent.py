"""Descent in the log domain against plain PyTorch, the paper's rule, and how runs end."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ibtools.data import digits, three_points
from ibtools.models.homogeneity import NotHomogeneousError
from ibtools.models.nets import MLP, DeepLinear, DiagonalClassifier, Net
from ibtools.trainers import TrainingWarning, margin_flow
from ibtools.trainers.margins.descent import SCHEDULES, descend
from ibtools.trainers.margins.driver import Position
from ibtools.trainers.margins.problem import Problem
from ibtools.trainers.margins.records import Recorder
from ibtools.trainers.margins.runs import MarginRun, load_run

TOY_X, TOY_Y = three_points()
DIRECTION = np.array([3.0, 2.0]) / np.sqrt(13)
NEVER = -1e300


def linear(w: tuple[float, ...] = (0.0, 0.0)) -> DeepLinear:
    net = DeepLinear(d=len(w), depth=1, seed=0)
    with torch.no_grad():
        net.layers[0].weight.copy_(torch.tensor([w], dtype=torch.float64))
    return net


def small() -> MLP:
    return MLP([2, 5, 1], "squared_relu", scale=0.3, seed=0)


def go(*arguments: object, **options: object) -> MarginRun:
    """Train a given number of epochs, which ends in a warning."""
    options = {"until_log10_loss": NEVER, "record_growth": 1, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return descend(*arguments, **options)


def flat(run: MarginRun) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in run.net.parameters()])


@pytest.mark.parametrize("loss", ["exponential", "logistic", "cross_entropy"])
def test_a_constant_step_is_plain_gradient_descent(loss: str) -> None:
    outputs = 3 if loss == "cross_entropy" else 1
    net = MLP([2, 5, outputs], "squared_relu", scale=0.3, seed=0)
    y = np.array([0, 1, 2]) if outputs > 1 else TOY_Y
    run = go(net, TOY_X, y, loss=loss, step_size=0.01, max_epochs=30)
    X, labels = torch.tensor(TOY_X), torch.tensor(y)
    plain = MLP([2, 5, outputs], "squared_relu", scale=0.3, seed=0)
    sgd = torch.optim.SGD(plain.parameters(), lr=0.01)
    logs = []
    for _ in range(31):
        if loss == "cross_entropy":
            total = nn.functional.cross_entropy(plain(X), labels, reduction="sum")
        elif loss == "logistic":
            total = torch.log(1 + torch.exp(-labels * plain(X))).sum()
        else:
            total = torch.exp(-labels * plain(X)).sum()
        logs.append(float(total.detach().log()))
        sgd.zero_grad()
        total.backward()
        sgd.step()
    np.testing.assert_allclose(run.log_loss, logs, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(run.steps, np.arange(31))
    np.testing.assert_allclose(np.exp(run.log_time[1:]), 0.01 * np.arange(1, 31), rtol=1e-12)
    np.testing.assert_allclose(
        run.effective_time[1:], np.cumsum(0.01 * np.exp(run.log_loss[:-1])), rtol=1e-12
    )
    assert np.all(run.step_size[1:] == 0.01)


def test_the_default_step_is_a_tenth_of_the_mean() -> None:
    assert go(small(), TOY_X, TOY_Y, max_epochs=1).step_size[1] == pytest.approx(
        0.1 / 3, rel=1e-12, abs=0
    )


def paper_schedule(epochs: int) -> list[tuple[np.ndarray, float, float]]:
    """Run the paper's rule on Toy A from zero: parameters, log loss and α after each epoch."""
    Z = TOY_Y[:, None] * TOY_X

    def log_loss(w: np.ndarray) -> float:
        return float(np.logaddexp.reduce(-Z @ w))

    w, alpha, path = np.zeros(2), 0.1, []
    for _ in range(epochs):
        last = log_loss(w)
        step = alpha * np.exp(-Z @ w - last) @ Z
        if log_loss(w + step) <= last:
            w, alpha = w + step, alpha * 2 ** (1 / 5)
        else:
            alpha *= 2 ** (-1 / 10)
        path.append((w, log_loss(w), alpha))
    return path


def test_reference_6_the_loss_based_schedule_is_the_papers() -> None:
    run = go(linear(), TOY_X, TOY_Y, schedule="loss_based", max_epochs=40)
    path = paper_schedule(40)
    # So long as the growing step has not made rounding errors grow as well.
    np.testing.assert_allclose(run.states[1:21], [w for w, _, _ in path[:20]], rtol=1e-11)
    np.testing.assert_allclose(run.log_loss[1:21], [v for _, v, _ in path[:20]], rtol=1e-11)
    assert run._progress["alpha"] == pytest.approx(path[-1][2], rel=1e-12, abs=0)
    assert run.log_loss[10] == pytest.approx(-7.4310838987, abs=5e-11)
    assert run.step_size[11] == pytest.approx(0.4, rel=1e-12, abs=0)


@pytest.mark.parametrize("epochs", [100, 1000])
def test_reference_6_a_tiny_loss_is_not_progress(epochs: int) -> None:
    run = go(linear(), TOY_X, TOY_Y, schedule="loss_based", max_epochs=epochs, record_growth=2)
    w = run.net.predictor
    error = float(np.linalg.norm(w / np.linalg.norm(w) - DIRECTION))
    assert error == pytest.approx(3.593e-2, abs=1e-5)
    assert run.log_loss[-1] < -1e6
    assert run.log_loss[-1] == pytest.approx(paper_schedule(epochs)[-1][1], rel=1e-9, abs=0)


def test_a_rejected_epoch_restores_its_start() -> None:
    run = go(small(), TOY_X, TOY_Y, schedule="loss_based", step_size=30.0, max_epochs=60)
    alpha = run._progress["alpha"]
    accepted = int(run.steps[-1])
    assert 0 < accepted < 60
    # The logarithm of α counts what was accepted and what was not.
    expected = 30.0 * 2 ** (accepted / 5 - (60 - accepted) / 10)
    assert alpha == pytest.approx(expected, rel=1e-9, abs=0)
    assert np.all(np.diff(run.log_loss) <= 0)
    first = int(np.flatnonzero(run.steps == 1)[0])
    assert np.all(run.states[:first] == run.states[0])
    assert np.all(run.log_time[:first] == -np.inf)
    assert run.evaluations[-1] == 61


def test_armijo_falls_by_half_of_what_the_gradient_promises() -> None:
    run = go(small(), TOY_X, TOY_Y, schedule="armijo", max_epochs=60)
    promised = run.step_size[1:] * run.gradient_norm[:-1] ** 2
    assert np.all(np.diff(run.log_loss) <= -0.5 * promised * (1 - 1e-12))
    # A step that is not twice the one before was halved, because twice of it was not enough.
    problem = Problem(small(), TOY_X, TOY_Y, "exponential")
    halved = 0
    for i in range(1, 60):
        if run.step_size[i + 1] > 1.5 * run.step_size[i]:
            continue
        halved += 1
        start, doubled = torch.tensor(run.states[i]), 2 * run.step_size[i + 1]
        problem.flat.copy_(start)
        state, gradient = problem.descend_from()
        enough = state.log_loss - 0.5 * doubled * float(gradient @ gradient)
        assert problem.evaluate(start - doubled * gradient).log_loss > enough
    assert halved > 5


def test_armijo_reaches_losses_below_the_smallest_float() -> None:
    run = descend(small(), TOY_X, TOY_Y, schedule="armijo", until_log10_loss=-500)
    assert run.converged
    assert run.log_loss[-1] <= -500 * np.log(10)
    assert run.message == "the asked loss is reached"
    assert np.all(np.isfinite(run.gradient_norm))


@pytest.mark.parametrize("schedule", ["constant", "loss_based"])
def test_minibatches_are_those_of_the_seed_and_scaled_to_all_samples(schedule: str) -> None:
    X, y = digits(classes=(3, 8), per_class=10, seed=0)
    net = MLP([64, 4, 1], "squared_relu", seed=0)
    options = {"schedule": schedule, "step_size": 1e-3, "batch_size": 8, "max_epochs": 3}
    run = go(net, X, y, seed=5, **options)
    again = go(net, X, y, seed=5, **options)
    other = go(net, X, y, seed=6, **options)
    np.testing.assert_array_equal(run.states, again.states)
    assert not np.array_equal(run.states, other.states)
    assert run.steps[-1] == 9
    problem = Problem(net, X, y, "exponential")
    order = torch.Generator().manual_seed(5)
    step = 1e-3
    for epoch in range(3):
        log_loss = problem.evaluate().log_loss
        for batch in torch.randperm(20, generator=order).split(8):
            weights = -torch.exp(
                -problem.margins.labels[batch] * problem.outputs_at(problem.X[batch])
            )
            (-weights.sum()).backward()
            share = 20 / len(batch) * (np.exp(-log_loss) if schedule == "loss_based" else 1.0)
            gradient = torch.cat([p.grad.reshape(-1) for p in problem.weights])
            problem.flat.sub_(step * share * gradient)
            for p in problem.weights:
                p.grad = None
        step *= 2**0.2 if schedule == "loss_based" else 1.0
        np.testing.assert_allclose(run.states[epoch + 1], problem.flat.numpy(), rtol=1e-11)


def test_a_step_that_is_too_long_is_told_and_the_last_finite_point_returned() -> None:
    with pytest.warns(TrainingWarning, match=r"diverged after \d+ updates with step 10") as caught:
        run = descend(small(), TOY_X, TOY_Y, step_size=10.0, record_growth=1)
    assert not run.converged
    assert "asked for -100" in str(caught[0].message)
    assert np.isfinite(run.log_loss).all()
    assert np.isfinite(flat(run)).all()
    assert run.log_loss[-1] == Problem(run.net, TOY_X, TOY_Y, "exponential").evaluate().log_loss


def test_the_largest_number_of_epochs_is_told() -> None:
    with pytest.warns(TrainingWarning, match=r"log10 loss .*, asked for -100: max_epochs=5"):
        run = descend(small(), TOY_X, TOY_Y, max_epochs=5)
    assert (run.converged, run.steps[-1]) == (False, 5)


def test_nothing_is_done_where_the_loss_is_reached_already() -> None:
    run = descend(small(), TOY_X, TOY_Y, until_log10_loss=5)
    assert run.converged
    assert run.steps.tolist() == [0]


def test_from_zero_a_linear_model_leaves_and_a_deep_one_does_not() -> None:
    run = descend(linear(), TOY_X, TOY_Y, schedule="armijo", until_log10_loss=-5)
    assert run.converged
    assert np.isnan(run.normalized_margin[0])
    assert np.isnan(run.gradient_alignment[0])
    deep = MLP([2, 3, 1], seed=0)
    with torch.no_grad():
        for p in deep.parameters():
            p.zero_()
    for schedule, message in {
        "constant": "the steps are below rounding",
        "armijo": "no step lowers the loss enough",
    }.items():
        with pytest.warns(TrainingWarning, match=message):
            run = descend(deep, TOY_X, TOY_Y, schedule=schedule)
        assert run.log_loss[-1] == pytest.approx(np.log(3), rel=1e-12, abs=0)
        assert not run.converged


def test_a_constant_step_ends_where_the_loss_is_below_the_smallest_float() -> None:
    with pytest.warns(TrainingWarning, match="the steps are below rounding"):
        run = descend(linear((600.0, 400.0)), TOY_X, TOY_Y, until_log10_loss=-1e4)
    assert run.steps[-1] == 0


def test_the_start_is_not_changed() -> None:
    net = small()
    before = [p.detach().clone() for p in net.parameters()]
    run = go(net, TOY_X, TOY_Y, max_epochs=3)
    for p, was, after in zip(net.parameters(), before, run.net.parameters(), strict=True):
        assert torch.equal(p, was)
        assert not torch.equal(p, after)
    assert type(run.net) is MLP


def test_single_precision_nets_are_trained() -> None:
    net = MLP([2, 5, 1], "squared_relu", seed=0, dtype=torch.float32)
    run = descend(net, TOY_X, TOY_Y, schedule="armijo", until_log10_loss=-60)
    assert run.converged
    assert next(run.net.parameters()).dtype == torch.float32


@pytest.mark.parametrize("options", [
    {"schedule": "constant", "step_size": 0.01},
    {"schedule": "loss_based"},
    {"schedule": "loss_based", "step_size": 30.0},
    {"schedule": "armijo"},
    {"schedule": "constant", "step_size": 0.01, "batch_size": 2, "seed": 3},
    {"schedule": "loss_based", "batch_size": 2, "seed": 3},
])  # fmt: skip
@pytest.mark.parametrize("saved", [False, True])
def test_a_run_in_parts_is_the_whole_run(options: dict, saved: bool, tmp_path: Path) -> None:
    whole = go(small(), TOY_X, TOY_Y, max_epochs=25, **options)
    part = go(small(), TOY_X, TOY_Y, max_epochs=11, **options)
    if saved:
        part.save(tmp_path / "run.npz")
        part = load_run(tmp_path / "run.npz", small())
    rest = go(small(), TOY_X, TOY_Y, max_epochs=25, resume=part, **options)
    assert_same(rest, whole)


def assert_same(run: MarginRun, whole: MarginRun) -> None:
    """Check that two runs agree to the last bit; of loaded ones one alignment is missing."""
    np.testing.assert_array_equal(flat(run), flat(whole))
    for name in (
        *("steps", "evaluations", "log_time", "effective_time", "log_loss", "norm"),
        *("minimum_margin", "gradient_alignment", "gradient_norm", "slack", "layer_norms"),
        *("step_size", "smoothed_margin_drops", "alignment"),
    ):
        np.testing.assert_array_equal(getattr(run, name), getattr(whole, name), err_msg=name)
    assert run._progress.keys() == whole._progress.keys()
    for name, value in whole._progress.items():
        np.testing.assert_array_equal(run._progress[name], value, err_msg=name)


@pytest.mark.parametrize("where", ["forward", "backward", "record", "update"])
@pytest.mark.parametrize("at", [1, 5, 14])
@pytest.mark.parametrize("options", [
    {"schedule": "constant", "step_size": 0.01},
    {"schedule": "loss_based", "step_size": 30.0},
    {"schedule": "armijo"},
    {"schedule": "loss_based", "batch_size": 2, "seed": 3},
])  # fmt: skip
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    options: dict, at: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = go(small(), TOY_X, TOY_Y, max_epochs=25, **options)
    owner, name = {
        "forward": (Problem, "_state"),
        "backward": (Problem, "_backward"),
        "record": (Recorder, "add"),
        "update": (Position, "advance"),
    }[where]
    original, calls = getattr(owner, name), []

    def interrupted(*arguments: object, **named: object) -> object:
        result = original(*arguments, **named)
        calls.append(1)
        if len(calls) == 2 + at:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        part = go(small(), TOY_X, TOY_Y, max_epochs=25, **options)
    assert part.message == "interrupted"
    assert not part.converged
    assert np.all(np.diff(part.steps) >= 0)
    here = Problem(part.net, TOY_X, TOY_Y, "exponential").evaluate().log_loss
    assert part.log_loss[-1] == here
    assert_same(go(small(), TOY_X, TOY_Y, max_epochs=25, resume=part, **options), whole)


def test_an_interruption_does_not_warn() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Problem, "descend_from", _raise_after(Problem.descend_from, 3))
        run = descend(small(), TOY_X, TOY_Y)
    assert (run.message, run.steps[-1]) == ("interrupted", 1)


def _raise_after(method: object, times: int) -> object:
    calls = []

    def wrapped(self: Problem) -> object:
        calls.append(1)
        if len(calls) == times:
            raise KeyboardInterrupt
        return method(self)

    return wrapped


def test_records_thin_out() -> None:
    run = go(small(), TOY_X, TOY_Y, max_epochs=200, record_growth=1.1)
    assert run.steps[:11].tolist() == list(range(11))
    later = run.steps[run.steps > 20]
    assert np.all(later[1:-1] >= 1.1 * later[:-2])
    assert run.steps[-1] == 200


@pytest.mark.parametrize(
    "net", [DiagonalClassifier([1.0, 1.0], [0.5, 0.2]), DeepLinear(2, 3, seed=0)]
)
def test_drops_of_the_smoothed_margin_are_counted_below_the_threshold(net: nn.Module) -> None:
    run = go(net, TOY_X, TOY_Y, schedule="loss_based", max_epochs=200)
    margin = run.smoothed_margin
    fell = (margin[1:] < margin[:-1] * (1 - 2e-15)) & (run.log_loss[:-1] < 0)
    np.testing.assert_array_equal(np.cumsum(fell), run.smoothed_margin_drops[1:])
    assert run.smoothed_margin_drops[-1] > 0


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"schedule": "adam"}, ValueError, f"schedule must be one of '{SCHEDULES[0]}'"),
        ({"step_size": 0.0}, ValueError, "step_size must be greater than 0"),
        ({"step_size": np.nan}, ValueError, "step_size must be finite"),
        ({"step_size": "small"}, TypeError, "step_size must be a real number, got str"),
        ({"until_log10_loss": np.nan}, ValueError, "until_log10_loss must be finite"),
        ({"until_log10_loss": None}, TypeError, "until_log10_loss must be a real number"),
        ({"max_epochs": 0}, ValueError, "max_epochs must be at least 1"),
        ({"max_epochs": 1.5}, TypeError, "max_epochs must be an integer"),
        ({"record_growth": 0.9}, ValueError, "record_growth must be at least 1, got 0.9"),
        ({"batch_size": 2}, ValueError, "seed is needed with batch_size"),
        ({"batch_size": 0, "seed": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_size": 4, "seed": 0}, ValueError, "batch_size must be at most n=3, got 4"),
        ({"batch_size": 2, "seed": -1}, ValueError, "seed must be at least 0"),
        ({"batch_size": 2, "seed": 0, "schedule": "armijo"}, ValueError, "takes no minibatches"),
        ({"loss": "hinge"}, ValueError, "loss must be one of"),
        ({"loss": "cross_entropy"}, ValueError, "needs a net with one output for each class"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        descend(small(), TOY_X, TOY_Y, **options)


def test_a_net_of_unknown_growth_is_refused() -> None:
    net = Net(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    with pytest.raises(NotHomogeneousError, match="Tanh"):
        descend(net, TOY_X, TOY_Y)


def test_a_start_whose_outputs_overflow_is_refused() -> None:
    with pytest.raises(ValueError, match="outputs that are not finite at its start"):
        descend(linear((1.5e308, 1e308)), TOY_X, TOY_Y)


@pytest.mark.parametrize(
    ("net", "y", "options", "message"),
    [
        (small(), TOY_Y, {"loss": "logistic"}, "resume must be a run with the same loss and order"),
        (DeepLinear(2, 2, width=5, seed=0), TOY_Y, {}, "resume must be a run with the same loss"),
        (small(), -TOY_Y, {}, "resume must be a run on the same data"),
    ],
)
def test_only_a_run_of_its_own_is_continued(
    net: nn.Module, y: np.ndarray, options: dict, message: str
) -> None:
    part = go(small(), TOY_X, TOY_Y, max_epochs=3)
    with pytest.raises(ValueError, match=message):
        descend(net, TOY_X, y, resume=part, **options)


def test_a_run_of_the_other_trainer_is_not_continued() -> None:
    other = margin_flow(small(), TOY_X, TOY_Y, until_log10_loss=-1)
    with pytest.raises(ValueError, match="resume must be a run of descend, got one of margin_flow"):
        descend(small(), TOY_X, TOY_Y, resume=other)
