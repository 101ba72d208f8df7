"""One run of an experiment that has a name: from its settings to the columns that are kept."""

import resource
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from ibtools.data import Classification, fashion_mnist, mnist
from ibtools.experiments.assessment import Assessment, assess
from ibtools.experiments.catalogue import Task
from ibtools.experiments.settings import SETTINGS
from ibtools.experiments.tasks import images
from ibtools.experiments.training import (
    Choice,
    InterruptedTrainingError,
    Trained,
    accuracy,
    gap_bound_of,
    margin_over_layers,
    train,
)
from ibtools.models import TwoLayerNet
from ibtools.trainers.margins.descent import descend
from ibtools.trainers.margins.implicit import margin_flow
from ibtools.trainers.margins.runs import MarginRun
from ibtools.trainers.two_layer.training import TwoLayerRun, train_two_layer
from ibtools.trainers.warning import TrainingWarning

_POINTS = 60  # of a curve that is kept
_RECORDS = 24  # of a two-layer network
_FEATURES = 784
_NEURONS = 10
_SLOPE = 0.1
# Of a net with more parameters than this the first steps are made on so few images.
_LARGE, _FEW = 1_000_000, 20
_PAIRS: Mapping[str, Any] = {"mnist": (mnist, (3, 8)), "fashion": (fashion_mnist, (3, 8))}

Columns = Mapping[str, Any]


def choice_of(task: Task) -> Choice:
    """Return what `train` is to do of a task with nets."""
    wanted = {key: task[key] for key in ("data", "schedule", "bias", "seed", "epochs", "dtype")}
    return Choice(**wanted, samples=task["samples"], log10_losses=tuple(task["log10_losses"]))


def nets_run(
    *, out: str, root: str | None, device: str, progress: bool, **task: Any
) -> dict[str, Any]:
    """Train a net of a named experiment, and return its columns.

    Parameters
    ----------
    out
        The folder of its checkpoints.
    root
        The folder of the data sets; ``None`` for the usual one.
    device
        "cpu" or a PyTorch device.
    progress
        Whether a bar counts the epochs.
    **task
        One of the experiment's tasks.
    """
    begun = time.process_time()
    choice = choice_of(task)
    train_on, test = images(choice.data, choice.dtype, root)
    try:
        trained = train(choice, *train_on, out, device=device, resume=True, progress=progress)
    except InterruptedTrainingError as error:  # it is no failure of the task, and stops the others
        raise KeyboardInterrupt(str(error)) from error
    run = trained.run
    if choice.schedule == "flow":  # it kept up the modified margin of a net that has one
        X = torch.as_tensor(train_on.X[: choice.samples])
        bound = gap_bound_of(run.net, X, SETTINGS[choice.data].input_shape)
        run = replace(run, near_homogeneity=bound)
    found: dict[str, Any] = dict(net_columns(run))
    found["test_accuracy"] = accuracy(trained.run.net, *test)
    found["ended"] = trained.run.message
    if task["attacked"]:
        few = slice(0, int(task["attacked"]))
        found |= _distances(trained, Classification(train_on.X[few], train_on.y[few]), "train")
        found |= _distances(trained, Classification(test.X[few], test.y[few]), "test")
    return {**found, "cpu_seconds": time.process_time() - begun, "memory": memory_held()}


def _distances(trained: Trained, attacked: Classification, split: str) -> Columns:
    found = assess(
        trained,
        *attacked,
        radii=SETTINGS[trained.choice.data].radii,
        seed=trained.choice.seed,
        device=next(trained.run.net.parameters()).device.type,
    )
    of_all = [_robustness(one) for one in found]
    columns = {f"{split}_{key}": np.array([one[key] for one in of_all]) for key in of_all[0]}
    columns["attacked_log10_loss"] = np.array([one.log10_loss for one in found])
    columns["attacked_margin"] = np.array([one.layer_product_margin for one in found])
    return columns


def _robustness(one: Assessment) -> Columns:
    about = asdict(one)
    return {key: about[key] for key in ("certified", "distance", "robust_accuracy")}


def net_columns(run: MarginRun) -> Columns:
    """Return the curves of a run, thinned, its ends kept; with a bound those of its theorem too."""
    count = len(run.steps)
    kept = np.unique(np.linspace(0, count - 1, min(count, _POINTS)).round().astype(int))
    columns: dict[str, Any] = {
        "steps": run.steps[kept],
        "evaluations": run.evaluations[kept],
        "log10_loss": -run.log10_inverse_loss[kept],
        "norm": run.norm[kept],
        "smoothed_margin": run.smoothed_margin[kept],
        "normalized_margin": run.normalized_margin[kept],
        "layer_product_margin": margin_over_layers(run)[kept],
        "step_size": run.step_size[kept],
    }
    if run.near_homogeneity is not None:
        columns["modified_margin"] = run.modified_margin[kept]
        columns["alignment"] = run.alignment[kept]
    return columns


def two_layer_run(
    *, out: str, root: str | None, device: str, progress: bool, **task: Any
) -> dict[str, Any]:
    """Train a two-layer network of a named experiment, and return its columns.

    Parameters
    ----------
    out, device, progress
        Taken for the sake of all; these runs take a second.
    root
        The folder of the data sets; ``None`` for the usual one.
    **task
        One of the experiment's tasks.
    """
    begun = time.process_time()
    found = two_layer_columns(two_layer_path(*pair(task, root), task))
    return {**found, "cpu_seconds": time.process_time() - begun, "memory": memory_held()}


def pair(task: Task, root: str | None) -> Classification:
    """Return the images of two classes that a task with a two-layer network is about."""
    load, classes = _PAIRS[task["data"]]
    drawn: Classification = load(
        split="train", classes=classes, per_class=task["samples"] // 2, seed=0, root=root
    )
    return drawn


def two_layer_path(X: np.ndarray, y: np.ndarray, task: Task) -> TwoLayerRun:
    """Train the network of a task on images, (n, 1, 28, 28), and their labels."""
    centred = X.reshape(len(X), -1) - X.reshape(len(X), -1).mean(axis=0)
    random = np.random.default_rng(task["seed"])
    noisy = centred + task["noise"] * random.standard_normal(centred.shape)
    net = TwoLayerNet.initialize(
        m=_NEURONS, d=_FEATURES, slope=_SLOPE, scale=task["scale"], seed=task["seed"]
    )
    step_size = 200 / np.sum(noisy**2, axis=1).max()
    return train_two_layer(
        net,
        noisy,
        y,
        step_size=step_size,
        steps=task["steps"],
        schedule="loss_based",
        record_count=_RECORDS,
    )


def two_layer_columns(run: TwoLayerRun) -> dict[str, Any]:
    """Return the curves of a run of a two-layer network."""
    later = slice(1, None)  # time is 0 at the start, and its logarithm nothing to draw
    return {
        "log_time": run.log_time[later],
        "stable_rank_plus": run.stable_rank_signed[later, 0],
        "stable_rank_minus": run.stable_rank_signed[later, 1],
        "margin_spread": run.margin_spread[later],
        "least_margin": run.normalized_margins[later].min(axis=1),
        "pattern_agreement": run.pattern_agreement[-1],
    }


RUNS = {"nets": nets_run, "two_layer": two_layer_run}


def first_steps(kind: str, task: Task, X: np.ndarray, y: np.ndarray) -> Columns:
    """Return where the first steps of a task lead on a few images.

    Parameters
    ----------
    kind, task
        Of the experiment.
    X, y
        The images, (n, 1, 28, 28), and their classes, (n,).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # it is stopped on purpose
        if kind == "two_layer":
            two = (y == 3) | (y == 8)
            signs = np.where(y[two] == 8, 1.0, -1.0)
            run = two_layer_path(X[two], signs, {**task, "steps": 30})
            columns: Columns = two_layer_columns(run)
        else:
            columns = net_columns(_first_of_net(choice_of({**task, "dtype": "float64"}), X, y))
    return {key: np.asarray(value, dtype=float).reshape(-1)[-2:] for key, value in columns.items()}


def _first_of_net(choice: Choice, X: np.ndarray, y: np.ndarray) -> MarginRun:
    setting, net = SETTINGS[choice.data], choice.new_net()
    if sum(p.numel() for p in net.parameters()) > _LARGE:
        X, y = X[:_FEW], y[:_FEW]
    rows = X.reshape(len(X), *setting.input_shape)
    flowing = choice.schedule == "flow"
    schedule = "constant" if flowing else choice.schedule
    rate = setting.rates[schedule]
    run = descend(
        net,
        rows,
        y,
        loss="cross_entropy",
        schedule=schedule,
        step_size=rate / len(y) if schedule == "constant" else rate,
        batch_size=len(y) // 5,
        seed=choice.seed,
        max_epochs=20 if flowing else 3,
    )
    if flowing:
        bound = gap_bound_of(run.net, torch.as_tensor(rows), setting.input_shape)
        run = margin_flow(
            run.net, rows, y, loss="cross_entropy", max_steps=2, near_homogeneity=bound
        )
    return run


def memory_held() -> float:
    """Return the most memory that this process has held, GB."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 1e9 if sys.platform == "darwin" else held / 1e6
