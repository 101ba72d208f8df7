"""What all trainers of nets owe to their one driver: each question is asked of each of them."""

import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ibtools.data import three_points
from ibtools.models import (
    MLP,
    DeepLinear,
    DiagonalNet,
    LinearNeuron,
    NotHomogeneousError,
    TwoLayerNet,
)
from ibtools.trainers import (
    MarginRun,
    TrainingWarning,
    descend,
    gradient_descent,
    gradient_flow,
    margin_flow,
    mirror_descent,
    psi_flow,
)
from ibtools.trainers.margins import driver
from ibtools.trainers.margins.driver import Position
from ibtools.trainers.margins.hints import hints
from ibtools.trainers.margins.problem import Problem
from ibtools.trainers.margins.records import Recorder

X, Y = three_points()
TRAINERS: dict[str, tuple[Callable[..., MarginRun], str, dict]] = {
    "margin_flow": (margin_flow, "max_steps", {}),
    "descend": (descend, "max_epochs", {"schedule": "loss_based", "record_growth": 1}),
    "psi_flow": (psi_flow, "max_steps", {"method": "rk4"}),
}
each = pytest.mark.parametrize("name", TRAINERS)


def net(outputs: int = 1) -> MLP:
    return MLP([2, 5, outputs], "squared_relu", scale=0.3, seed=0)


def go(name: str, steps: int, *data: object, **options: object) -> MarginRun:
    train, limit, usual = TRAINERS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return train(*(data or (net(), X, Y)), **{limit: steps, **usual, **options})


def assert_same(run: MarginRun, whole: MarginRun) -> None:
    for column in (
        "steps",
        "evaluations",
        "log_loss",
        "norm",
        "log_time",
        "alignment",
        "step_size",
    ):
        np.testing.assert_array_equal(getattr(run, column), getattr(whole, column), err_msg=column)
    for p, q in zip(run.net.parameters(), whole.net.parameters(), strict=True):
        assert torch.equal(p, q)


@each
@pytest.mark.parametrize("owner", [Recorder, Position, driver])
@pytest.mark.parametrize("at", [3, 6])
def test_an_interruption_at_any_moment_leaves_the_last_whole_step(
    name: str, owner: object, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = go(name, 9)
    what = {Recorder: "add", Position: "advance", driver: "_checkpoint"}[owner]
    original, calls = getattr(owner, what), []

    def interrupted(*arguments: object, **named: object) -> object:
        result = original(*arguments, **named)
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch:
        patch.setattr(owner, what, interrupted)
        part = go(name, 9)
    assert (part.message, part.converged) == ("interrupted", False)
    assert part.steps[-1] < 9
    flat = torch.cat([p.detach().reshape(-1) for p in part.net.parameters()]).numpy()
    np.testing.assert_array_equal(flat, part.states[-1])
    assert_same(go(name, 9, resume=part), whole)


@each
@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ((net(), X, -Y), {}, "resume must be a run on the same data"),
        ((net(), X, Y), {"loss": "logistic"}, "resume must be a run with the same loss and order"),
        ((MLP([2, 6, 1], "squared_relu", seed=0), X, Y), {}, "of the same architecture, of 18"),
    ],
)
def test_only_a_run_of_the_same_is_gone_on_with(
    name: str, data: tuple, options: dict, message: str
) -> None:
    part = go(name, 3)
    with pytest.raises(ValueError, match=message):
        go(name, 6, *data, resume=part, **options)


def test_a_run_by_another_schedule_or_method_is_not_gone_on_with() -> None:
    with pytest.raises(ValueError, match="with schedule='armijo', got one with schedule='loss_b"):
        go("descend", 6, schedule="armijo", resume=go("descend", 3))
    with pytest.raises(ValueError, match="with method='euler', got one with method='rk4'"):
        go("psi_flow", 6, method="euler", resume=go("psi_flow", 3))


@each
def test_a_run_that_is_there_at_its_last_step_has_arrived(name: str) -> None:
    there = go(name, 4)
    if name == "psi_flow":
        goal = {"until_psi": -float(there.log_loss[-1])}
    else:
        goal = {"until_log10_loss": float(there.log_loss[-1]) / np.log(10) + 1e-9}
    run = go(name, 4, **goal)
    assert run.converged


class Bilinear(nn.Module):
    """Order 2, of which nobody who reads its layers knows."""

    def __init__(self) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.tensor([0.3, 0.2], dtype=torch.float64))
        self.c = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.c * (x @ self.u)


@each
def test_an_order_may_be_declared_and_is_held_against_the_data(name: str) -> None:
    with pytest.raises(NotHomogeneousError, match="declare it"):
        go(name, 3, Bilinear(), X, Y)
    run = go(name, 5, Bilinear(), X, Y, order=2)
    assert run.order == 2
    np.testing.assert_allclose(run.normalized_margin, run.minimum_margin / run.norm**2)
    with pytest.raises(NotHomogeneousError, match="give order=2"):
        go(name, 3, Bilinear(), X, Y, order=3)


@each
def test_all_options_can_be_read_off_the_signature(name: str) -> None:
    parameters = inspect.signature(TRAINERS[name][0]).parameters
    assert {"net", "X", "y", "loss", "near_homogeneity", "order", "resume"} <= set(parameters)
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters.values())


TWO_LAYER = TwoLayerNet([[1.0, 0.0], [0.0, 1.0]], slope=0.0)
DIAGONAL = DiagonalNet.from_scale_shape(scale=0.1, shape=0.0, d=2)
NEURON = LinearNeuron(1.0, [1.0, 0.0])


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("train", [margin_flow, descend, psi_flow])
@pytest.mark.parametrize(
    ("wrong", "mend"),
    [
        (DIAGONAL, "got DiagonalNet; train it with gradient_flow or gradient_descent"),
        (NEURON, "got LinearNeuron; train it with gradient_flow or"),
        (TWO_LAYER, "got TwoLayerNet; train it with train_two_layer"),
        (MLP, r"got the class MLP; make a network of it first, MLP\(\.\.\.\)"),
        (None, "got NoneType; PyTorch nets have margin_flow"),
    ],
)
def test_a_trainer_of_nets_names_the_trainer_of_others(
    train: Callable, wrong: object, mend: str
) -> None:
    with pytest.raises(TypeError, match=mend):
        train(wrong, X, Y)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("train", [gradient_flow, gradient_descent, mirror_descent])
@pytest.mark.parametrize(
    ("wrong", "mend"),
    [
        (net(), r"got MLP; train it, with labels ±1 .* with margin_flow, descend or psi_flow"),
        (TWO_LAYER, "got TwoLayerNet; train it with train_two_layer"),
        (DiagonalNet, "got the class DiagonalNet; make a network of it first"),
        ([1.0, 2.0], "got list; PyTorch nets have"),
    ],
)
def test_a_trainer_of_regression_models_names_the_trainer_of_others(
    train: Callable, wrong: object, mend: str
) -> None:
    options = {} if train is gradient_flow else {"step_size": 0.1, "steps": 3}
    with pytest.raises(TypeError, match=mend):
        train(wrong, X, Y, **options)


# ------------------------------------------------------------------ what a run that fails says


@each
def test_contradicting_labels_are_named(name: str) -> None:
    twice = np.array([[1.0, 2.0], [3.0, 1.0], [1.0, 2.0]])
    message = go(name, 30, net(), twice, [1.0, 1.0, -1.0]).message
    assert "no net separates these data: rows 0 and 2 of X are the same" in message
    classes = go(name, 30, net(3), twice, [0, 1, 2], loss="cross_entropy").message
    assert "rows 0 and 2 of X are the same and have different labels" in classes


@each
def test_samples_that_a_net_cannot_separate_are_named(name: str) -> None:
    line = [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]
    message = go(name, 30, DeepLinear(2, 1, seed=0), line, [1.0, -1.0, 1.0]).message
    assert re.search(r"[12] of 3 samples are not on the right side of the net \(rows .*1", message)
    assert "not on the right side" not in go(name, 30).message


@each
def test_a_gradient_of_zero_is_told_with_a_mend(name: str) -> None:
    dead = MLP([2, 5, 1], "relu", seed=0)
    with torch.no_grad():
        dead.layers[0].weight.abs_().neg_()
    outside = np.abs(X) + 1.0
    shorter = {"step_size": 1e-3}
    usual: dict[str, list[dict[str, Any]]] = {
        "descend": [
            *({"schedule": s} for s in ("constant", "loss_based", "armijo")),
            *(
                {"schedule": s, "batch_size": 1, "seed": 0} | shorter
                for s in ("constant", "loss_based")
            ),
        ]
    }
    for options in usual.get(name, [{}]):
        message = go(name, 30, dead, outside, Y, **options).message
        assert message.startswith("the gradient is zero")
        assert message.endswith("start from other weights, or come here by shorter steps")
        assert "longer" not in message
        # It is followed to the letter.
        assert "active" not in go(name, 30, net(), outside, Y, **options).message
    # Of labels that contradict each other that is said instead.
    twice = np.array([[1.0, 2.0], [1.0, 2.0]])
    assert "rows 0 and 1 of X are the same" in go(name, 30, dead, twice, [1.0, -1.0]).message


@pytest.mark.parametrize("train", [margin_flow, descend])
def test_a_seed_is_looked_at_even_where_nothing_is_random(train: Callable) -> None:
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        train(net(), X, Y, seed=-1)


def test_a_step_beyond_single_precision_has_diverged() -> None:
    run = go("descend", 30, net().float(), 1e15 * X, Y, schedule="constant")
    assert not run.converged
    assert re.match(
        r"diverged after 0 updates with step 0\.033.*; .*rescale it, X \* ", run.message
    )


@each
@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1e8, 1e150])
def test_inputs_of_another_size_arrive_or_are_told_to_be_rescaled(name: str, scale: float) -> None:
    goal = {"until_psi": 30.0} if name == "psi_flow" else {"until_log10_loss": -13.0}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run = TRAINERS[name][0](net(), scale * X, Y, **{TRAINERS[name][1]: 60}, **goal)
    if told or not run.converged:
        assert {w.category for w in told} == {TrainingWarning}
        mend = re.search(r"rescale it, X \* ([\d.e+-]+)", str(told[0].message))
        assert mend
        # Followed to the letter, it helps.
        again = go(name, 3000, net(), float(mend[1]) * scale * X, Y, **goal)
        assert again.converged


def test_single_precision_is_named_where_a_run_gets_stuck() -> None:
    for problem_net, said in ((net().float(), True), (net(), False)):
        problem = Problem(problem_net, X, Y, "exponential")
        state = problem.evaluate()
        for stuck in (True, False):
            told = " ".join(hints(problem, state, stuck=stuck))
            assert ("in float32, whose rounding ends a run early: train net.double()" in told) == (
                said and stuck
            )
