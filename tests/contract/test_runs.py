"""What every trainer keeps to, and every run, model and loader."""

import contextlib
import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from same import differing
from torch import nn
from walk import Call, example, functions, instance, named, properties, public

from ibtools.trainers import RegressionRun
from ibtools.trainers.two_layer import gram

pytestmark = [
    pytest.mark.usefixtures("as_a_user"),
    pytest.mark.filterwarnings("ignore::ibtools.trainers.TrainingWarning"),
    pytest.mark.filterwarnings("ignore::ibtools.theory.AccuracyWarning"),
]

TRAINERS = [n for n in functions("trainers") if n not in ("trainers.load_run",)]
RUNS = [n for n in TRAINERS if n != "trainers.weighted_problem"]
RESUMING = [n for n in RUNS if "resume" in inspect.signature(named(n)).parameters]
NETS = ["trainers.margin_flow", "trainers.psi_flow", "trainers.descend"]
# What says how far a run may go, the first that a trainer has.
_BUDGETS = ("max_epochs", "max_steps", "steps")


def _of_resuming(name: str) -> tuple[Call, str]:
    call = example(name)
    given = {**call.arguments, **call.variadic}
    return call, next(budget for budget in _BUDGETS if budget in given)


def _numbers(run: Any) -> dict[str, Any]:
    """Return what a run says of where it went, but not why it ended."""
    hidden = ("converged", "message", "net")
    return {
        n: v
        for n, v in vars(run).items()
        if not n.startswith("_") and n not in hidden and isinstance(v, np.ndarray)
    }


def _parts(run: Any) -> list[Any]:
    return list(run) if hasattr(run, "__len__") else [run]


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer_is_deterministic_and_leaves_what_it_is_given(name: str) -> None:
    call = example(name)
    given = {k: v for k, v in call.arguments.items() if not callable(v) or hasattr(v, "parameters")}
    before = copy.deepcopy(given)
    first = call()
    assert differing(call.arguments, {**call.arguments, **before}) == ""
    for key, value in before.items():
        if hasattr(value, "training"):
            assert call.arguments[key].training == value.training
    again = call()
    assert differing(again, first) == ""


@pytest.mark.parametrize("name", RUNS)
def test_a_run_travels_and_is_itself(name: str) -> None:
    run = example(name)()
    # A metric or a potential of the caller's own travels if the caller's function does.
    own = name in ("trainers.metric_flow", "trainers.mirror_flow")
    travelled = [] if own else [pickle.loads(pickle.dumps(run))]
    for other in (*travelled, copy.deepcopy(run)):
        assert differing(other, run) == ""
        for part, twin in zip(_parts(run), _parts(other), strict=True):
            assert part != twin  # no two runs are one, whatever they say
            if hasattr(part, "net_at"):
                assert differing(twin.net_at(-1), part.net_at(-1)) == ""
    assert run == run
    for part in _parts(run):
        assert len(repr(part)) < 400
        assert hash(part) == hash(part)
        assert "\n" not in repr(part)


@pytest.mark.parametrize("name", RESUMING)
def test_a_run_goes_on_as_if_it_had_not_stopped(name: str) -> None:
    call, budget = _of_resuming(name)
    whole = call()
    half = call(**{budget: 2}) if budget in call.arguments else _shortened(call, budget)
    on = call(resume=half)
    for one, other in zip(_parts(on), _parts(whole), strict=True):
        ends = [{k: v[-1:] for k, v in _numbers(r).items()} for r in (one, other)]
        assert differing(*ends) == ""


def _shortened(call: Call, budget: str) -> Any:
    short = copy.copy(call)
    short.variadic = {**call.variadic, budget: 2}
    return short()


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("at", [1, 2, 3, 5, 8, 13, 21])
def test_an_interruption_loses_nothing(name: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    call = example(name)
    whole, counted = call(), 0
    linear = nn.functional.linear

    def interrupting(*given: Any) -> torch.Tensor:
        nonlocal counted
        counted += 1
        if counted == at + 6:  # the first ones look at the net
            raise KeyboardInterrupt
        return linear(*given)

    with monkeypatch.context() as patch:
        patch.setattr(nn.functional, "linear", interrupting)
        run = None
        with contextlib.suppress(KeyboardInterrupt):  # before there was anything to keep
            run = call()
    assert run is not None or at <= 3
    if run is not None:
        assert len({len(column) for column in _numbers(run).values()}) == 1
        assert np.isfinite(run.log_loss).all()
        if counted >= at + 6:  # else the run was over
            assert run.message == "interrupted"
            assert not run.converged
            short = copy.copy(call)
            on = short(resume=run)
            assert differing(on.net, whole.net) == ""
            columns = [_numbers(r) for r in (on, whole)]
            for column in columns:
                column.pop("evaluations")
            assert differing(*columns) == ""


def test_a_two_layer_network_interrupted_before_its_first_record_has_nothing_to_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupting(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(gram, "log_loss_terms", interrupting)
    with pytest.raises(KeyboardInterrupt):
        example("trainers.train_two_layer")()


@pytest.mark.parametrize("method", ["gram", "weights"])
@pytest.mark.parametrize("at", [5, 40, 300, 700])
def test_an_interruption_of_a_two_layer_network_loses_nothing(
    method: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = example("trainers.train_two_layer")
    call.arguments |= {"steps": 700, "method": method}
    whole, counted, terms = call(), 0, gram.log_loss_terms

    def interrupting(*given: Any) -> Any:
        nonlocal counted
        counted += 1
        if counted == at:
            raise KeyboardInterrupt
        return terms(*given)

    with monkeypatch.context() as patch:
        patch.setattr(gram, "log_loss_terms", interrupting)
        run = call()
    assert not run.converged
    assert "interrupted" in run.message
    assert len({len(column) for column in _numbers(run).values()}) == 1
    assert at - 300 < run.steps[-1] < at
    on = call(resume=run)
    np.testing.assert_array_equal(on.net.W, whole.net.W)
    assert {k: v[-1].tolist() for k, v in _numbers(on).items()} == {
        k: v[-1].tolist() for k, v in _numbers(whole).items()
    }


def _models() -> list[str]:
    return [
        n
        for n, thing in public()
        if n.startswith("models.")
        and inspect.isclass(thing)
        and not issubclass(thing, BaseException)
        and not getattr(thing, "_is_protocol", False)
    ]


@pytest.mark.parametrize("name", _models())
def test_a_model_travels_and_is_compared(name: str) -> None:
    net = example(name)()
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert differing(other, net) == ""
        assert hash(net) == hash(net)
        if not isinstance(net, nn.Module):
            assert net == other
            assert net != object()
    if not isinstance(net, nn.Module):
        assert len(repr(net)) < 400


@pytest.mark.parametrize("name", properties("models", "trainers", "metrics", "theory", "show"))
def test_a_property_is_what_it_was_whatever_is_done_with_it(name: str) -> None:
    whose, _, own = name.rpartition(".")
    thing = instance(whose)
    seen = getattr(thing, own)
    kept = seen.copy() if isinstance(seen, np.ndarray) else seen
    if isinstance(seen, np.ndarray) and seen.flags.writeable:
        seen[...] = np.where(seen == 1, 0, 1)
    assert differing(getattr(thing, own), kept) == ""


@pytest.mark.parametrize(
    "name", [n for n in functions("data") if "seed" in inspect.signature(named(n)).parameters]
)
def test_data_are_those_of_their_seed(name: str) -> None:
    if name in ("data.mnist", "data.fashion_mnist", "data.cifar10"):
        pytest.skip("files of 60 000 images; their draws are those of digits")
    call = example(name)
    if "per_class" in inspect.signature(call.function).parameters:
        call.arguments["per_class"] = 4
    seeds = [call(seed=3), call(seed=3)]
    assert differing(*seeds) == ""
    seeds[0][0][...] = 0.0  # what one caller does to its data, no other sees
    assert differing(call(seed=3), seeds[1]) == ""


@pytest.mark.parametrize("package", ["data", "models", "trainers", "metrics", "theory", "claims"])
def test_every_public_name_is_listed(package: str) -> None:
    module = __import__(f"ibtools.{package}", fromlist=["_"])
    assert set(module.__all__) <= set(dir(module))
    assert sorted(module.__all__) == sorted(set(module.__all__))


def test_runs_of_regression_are_of_one_kind() -> None:
    for name in ("gradient_flow", "gradient_descent", "mirror_descent", "warped_flow"):
        assert isinstance(example(f"trainers.{name}")(), RegressionRun)
