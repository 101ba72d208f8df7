"""What an experiment will take on this machine, from its first steps and not from a table."""

import math
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ibtools.data import Classification
from ibtools.experiments.catalogue import Experiment, Task
from ibtools.experiments.named_runs import choice_of, memory_held, pair, two_layer_path
from ibtools.experiments.settings import SETTINGS
from ibtools.experiments.tasks import images
from ibtools.experiments.training import (
    Choice,
    flows_from_start,
    gap_bound_of,
    seconds_per_epoch,
)
from ibtools.metrics.attack import l2_attack
from ibtools.trainers.margins.descent import descend
from ibtools.trainers.margins.implicit import ROWS, margin_flow
from ibtools.trainers.margins.problem import Problem
from ibtools.trainers.margins.runs import MarginRun
from ibtools.trainers.warning import TrainingWarning

# Epochs of minibatches of a flow of which no run is kept; those that are had 18 and 64, where the
# flow has minibatches of its own. And its steps, over the logarithm of log(1/𝓛) in the end: each
# makes the parameters longer by a few percent. Those that are kept had 2.5 to 5 times that, and of
# nets that are not homogeneous 7.6 and 8.4.
_FIRST_EPOCHS = 60
_STEPS, _STEPS_OF_OTHERS = 5, 8
# What a step among very many margins consists of, about: gradients of all data, Gram matrices of
# the rows that vary one by one, and factorizations of one. An epoch of Adam is that of plain
# descent, and its moments.
_PASSES, _GRAMS, _FACTORS = 8, 2, 6
_OF_ADAM = 1.5
# A flow's first steps are not like the others, before the loss is small: of so many the last half
# is measured, or of those that can be made in the seconds of a start.
_EARLY = 10
_TIMES = 3
_STARTED = 20.0  # seconds
_TRIED = 3  # images that are attacked to see how long it takes
_RECORDS_APART = 1.02  # as `descend` has it

Lengths = tuple[int, int]
"""How many epochs of minibatches of its own a flow began with, and how many steps came after."""


@dataclass(frozen=True)
class Budget:
    """What all runs of an experiment take.

    Attributes
    ----------
    seconds
        Of all runs one after another, extrapolated from first steps made here.
    memory
        What a run holds, GB: what this process held when its first steps were made.
    disk
        What checkpoints take at most, GB.
    """

    seconds: float
    memory: float
    disk: float

    @property
    def words(self) -> str:
        """The three in words."""
        disk = f"at most {self.disk:.2g} GB" if self.disk > 0 else "next to nothing"
        return (
            f"about {in_words(self.seconds)} of computing, {self.memory:.1f} GB of memory for each "
            f"run at a time, and {disk} of disk"
        )


def in_words(seconds: float) -> str:
    """Return a time as one says it."""
    for unit, size in (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= size:
            return counted(f"{seconds / size:.2g}", unit)
    return counted(math.ceil(seconds), "second")


def counted(number: float | str, noun: str) -> str:
    """Return so many of something as one says it.

    Parameters
    ----------
    number
        As it is to be written.
    noun
        One of them.
    """
    return f"{number} {noun}" if str(number) == "1" else f"{number} {noun}s"


def measured(
    experiment: Experiment, *, device: str, root: str | None, kept: Lengths | None
) -> Budget:
    """Make the first steps of an experiment, and return what the whole will take.

    Parameters
    ----------
    experiment
        What is to be run.
    device
        "cpu" or a PyTorch device.
    root
        The folder of the data sets; ``None`` for the usual one.
    kept
        How long the flow takes, from a run that is kept, if one is.
    """
    seconds = disk = 0.0
    known: dict[tuple[object, ...], float] = {}
    for task in experiment.tasks:
        # Runs that differ in their seeds or schedules alone take as long.
        alike = tuple(task.get(k) for k in ("data", "bias", "samples", "dtype", "attacked"))
        alike += (task.get("schedule") == "flow",)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)  # it is stopped on purpose
            if experiment.kind == "two_layer":
                if alike not in known:
                    known[alike] = _two_layer_step(task, root)
                seconds += known[alike] * task["steps"]
            else:
                if alike not in known:
                    known[alike] = _net(task, device, root, kept)
                seconds += known[alike]
                disk += _disk(task)
    return Budget(seconds, memory_held(), disk)


def _two_layer_step(task: Task, root: str | None) -> float:
    X, y = pair(task, root)

    def taken(steps: int) -> float:
        begun = time.perf_counter()
        two_layer_path(X, y, {**task, "steps": steps})
        return time.perf_counter() - begun

    taken(2)
    return max(taken(60) - taken(10), 0.0) / 50


def _net(task: Task, device: str, root: str | None, kept: Lengths | None) -> float:
    choice = choice_of(task)
    train_on, test = images(choice.data, choice.dtype, root)
    epoch = seconds_per_epoch(choice, device=device, times=_TIMES)
    net = choice.new_net(device=device)
    if choice.schedule == "flow":
        total = _flow(choice, net, train_on, epoch, kept)
    else:
        total = epoch * choice.epochs
    if task["attacked"]:
        begun = time.perf_counter()
        l2_attack(net, test.X[:_TRIED], _guessed(net, test.X[:_TRIED]), seed=0)
        each = (time.perf_counter() - begun) / _TRIED
        total += 2 * each * task["attacked"] * len(task["log10_losses"])
    return total


def _flow(
    choice: Choice, net: nn.Module, data: Classification, epoch: float, kept: Lengths | None
) -> float:
    """Return what the minibatches before a flow take, and its steps."""
    X, y = data.X[: choice.samples], data.y[: choice.samples]
    setting = SETTINGS[choice.data]
    bound = gap_bound_of(net, torch.as_tensor(X), setting.input_shape)
    own, steps = kept or (_FIRST_EPOCHS, _steps(choice, homogeneous=bound is None))
    if flows_from_start(net, torch.as_tensor(X[:1]).to(next(net.parameters())), len(y)):
        return own * epoch * _OF_ADAM + steps * _many_margins_step(net, X, y)
    started = descend(
        net,
        X,
        y,
        loss="cross_entropy",
        step_size=setting.rates["constant"] / len(y),
        batch_size=min(setting.batch_size, len(y)),
        seed=0,
        until_log10_loss=0.0,
        max_epochs=max(1, min(choice.epochs, int(_STARTED / max(epoch, 1e-9)))),
    )

    def flow(steps: int, before: MarginRun | None) -> MarginRun:
        return margin_flow(
            started.net,
            X,
            y,
            loss="cross_entropy",
            max_steps=steps,
            near_homogeneity=bound,
            first_phase=False,
            resume=before,
        )

    taken: list[float] = []
    run = None
    while len(taken) < _EARLY and sum(taken) < _STARTED:
        begun = time.perf_counter()
        run = flow(len(taken) + 1, run)
        taken.append(time.perf_counter() - begun)
    step = float(np.mean(taken[len(taken) // 2 :]))
    an_epoch = math.ceil(len(y) / setting.batch_size)  # in updates
    epochs = float(started.steps[-1]) / an_epoch if started.converged else choice.epochs
    return epochs * epoch + steps * step


def _steps(choice: Choice, *, homogeneous: bool) -> int:
    """Return about how many steps a flow takes to its last loss."""
    nats = math.log(10) * max(1.0, -min(choice.log10_losses))
    return math.ceil((_STEPS if homogeneous else _STEPS_OF_OTHERS) * max(1.0, math.log(nats)))


def _many_margins_step(net: nn.Module, X: np.ndarray, y: np.ndarray) -> float:
    """Return what a step takes among very many margins, by what it consists of.

    At a random start none can be made that is like those that follow.
    """
    problem = Problem(net, X, y, "cross_entropy")
    state = problem.evaluate()
    rows = min(ROWS, state.margins.numel())
    chosen = torch.linspace(0, state.margins.numel() - 1, rows).long().to(problem.X.device)
    width = state.margins.shape[1]
    tangents = problem.tangents(torch.div(chosen, width, rounding_mode="floor"), chosen % width)
    system = tangents.gram()
    system.diagonal().add_(float(system.diagonal().max()))
    parts = (
        (_PASSES, lambda: problem.pulled(state.weights)),
        (_GRAMS, lambda: tangents.gram()),
        (_FACTORS, lambda: torch.linalg.cholesky(system)),
    )
    total = 0.0
    for count, part in parts:
        begun = time.perf_counter()
        float(part().sum())  # a GPU is waited for
        total += count * (time.perf_counter() - begun)
    return total


def _guessed(net: nn.Module, X: np.ndarray) -> np.ndarray:
    """Return the classes that a net at its start gives, so that there is something to attack."""
    with torch.no_grad():
        weight = next(net.parameters())
        return np.asarray(net(torch.as_tensor(X).to(weight)).argmax(1).cpu().numpy())


def _disk(task: Task) -> float:
    """Return what a run's checkpoints take: its records, once and for each of the losses."""
    choice = choice_of(task)
    parameters = sum(p.numel() for p in choice.new_net().parameters())
    # One record an epoch until the growth is more than one.
    every = 1 / (_RECORDS_APART - 1)
    steps = choice.epochs if choice.schedule != "flow" else SETTINGS[choice.data].flow_steps
    records = min(steps, every) + max(math.log(steps / every), 0.0) / math.log(_RECORDS_APART)
    size = 4 if choice.dtype == "float32" else 8
    return records * parameters * size * (1 + len(choice.log10_losses)) / 1e9


def memory_available() -> float:
    """Return the memory that is free for programs, GB; ∞ where the system does not tell."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return math.inf
    lines = [line.split() for line in text.splitlines() if line.startswith("MemAvailable:")]
    return float(lines[0][1]) / 1e6 if lines else math.inf


def disk_free(folder: Path) -> float:
    """Return the room on the disk of a folder that need not be there yet, GB."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free / 1e9
