"""Long training that can be stopped at any time and goes on as if it had not been."""

import csv
import hashlib
import io
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ibtools._console import read_record
from ibtools._files import made_folder, write_whole
from ibtools._validation import count, one_of, quiet, real
from ibtools.experiments.settings import BIASES, SCHEDULES, SETTINGS
from ibtools.models.homogeneity import homogeneity_of
from ibtools.theory.homogeneity import NearHomogeneity, near_homogeneity
from ibtools.trainers.margins.descent import descend
from ibtools.trainers.margins.growth import longest_input
from ibtools.trainers.margins.implicit import MANY, margin_flow
from ibtools.trainers.margins.runs import MarginRun, load_run
from ibtools.trainers.warning import TrainingWarning

# Flow starts where minibatches have brought the summed loss below this: full steps from a random
# start freeze in a poor direction.
_FLOW_STARTS = 0.0
_FLOW_STEPS_BETWEEN_CHECKPOINTS = 20
_BATCH = 1000

# What a history file holds of each record.
_COLUMNS: dict[str, Callable[[MarginRun], Any]] = {
    "steps": lambda run: run.steps,
    "evaluations": lambda run: run.evaluations,
    "log_time": lambda run: run.log_time,
    "log10_loss": lambda run: -run.log10_inverse_loss,
    "norm": lambda run: run.norm,
    "minimum_margin": lambda run: run.minimum_margin,
    "normalized_margin": lambda run: run.normalized_margin,
    "smoothed_margin": lambda run: run.smoothed_margin,
    "layer_product_margin": lambda run: margin_over_layers(run),
    "alignment": lambda run: run.alignment,
    "stationarity": lambda run: run.stationarity,
    "step_size": lambda run: run.step_size,
}


def margin_over_layers(run: MarginRun) -> np.ndarray:
    """Return the margin over the product of the layers' norms, (t,); NaN where a skip ties them.

    Parameters
    ----------
    run
        A run.
    """
    return np.full(len(run.steps), np.nan) if run.exponents is None else run.layer_product_margin


class InterruptedTrainingError(RuntimeError):
    """Training was interrupted; the last checkpoint is kept."""


@dataclass(frozen=True)
class Choice:
    """What is trained, and how.

    Attributes
    ----------
    data
        "digits", "mnist" or "cifar10".
    schedule
        "constant", "loss_based" or "flow", which begins with minibatches until the summed loss is
        below 1.
    bias
        Which layers have one: "first", "all" or "none".
    seed
        Of the start and of the order of the samples.
    epochs
        Passes over the data, rejected ones included.
    log10_losses
        At which the net is kept, falling; training stops at the last.
    samples
        How many of the training images are used, the first ones; ``None`` for all.
    dtype
        "float64" or "float32".

    Raises
    ------
    TypeError, ValueError
        If a word is not one of those, a count is not one, or the losses do not fall.
    """

    data: str
    schedule: str
    bias: str
    seed: int
    epochs: int
    log10_losses: tuple[float, ...]
    samples: int | None = None
    dtype: str = "float64"

    def __post_init__(self) -> None:
        """Check what was chosen."""
        one_of("data", self.data, SETTINGS)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("bias", self.bias, BIASES)
        one_of("dtype", self.dtype, ("float64", "float32"))
        count("seed", self.seed, least=0)
        count("epochs", self.epochs)
        if self.samples is not None:
            count("samples", self.samples)
        for loss in self.log10_losses:
            real("each of log10_losses", loss)
        falling = all(a > b for a, b in zip(self.log10_losses, self.log10_losses[1:], strict=False))
        if not self.log10_losses or not falling:
            raise ValueError(
                f"log10_losses must be one or more numbers that fall, got {self.log10_losses}; "
                "for example (-1.0, -10.0, -100.0)"
            )

    @property
    def name(self) -> str:
        """The name of the subfolder in which the run is kept."""
        return f"{self.data}-{self.schedule}-bias_{self.bias}-seed{self.seed}"

    def new_net(self, *, device: str = "cpu") -> nn.Module:
        """Return the net at its start.

        Parameters
        ----------
        device
            Of PyTorch: where its parameters lie.
        """
        net = SETTINGS[self.data].net(
            bias=BIASES[self.bias], seed=self.seed, dtype=getattr(torch, self.dtype)
        )
        return net.to(device)


@dataclass(frozen=True)
class Trained:
    """A run that came to its end, or as far as its epochs allowed.

    Attributes
    ----------
    choice
        What was trained.
    run
        The run; for "flow" without the minibatches before it.
    snapshots
        Files of the runs when each of the losses was reached, by log₁₀ 𝓛.
    epochs
        Epochs asked for so far: for "flow" those before it.
    seconds
        Wall time spent training, all sessions together.
    """

    choice: Choice
    run: MarginRun
    snapshots: dict[float, Path]
    epochs: int
    seconds: float


def train(
    choice: Choice,
    X: np.ndarray | Tensor,
    y: np.ndarray,
    folder: str | os.PathLike[str],
    *,
    device: str = "cpu",
    resume: bool = False,
    progress: bool = True,
) -> Trained:
    """Train a net, with a checkpoint every few epochs.

    The subfolder ``choice.name`` of `folder` receives ``settings.json``, ``run.npz`` (the
    checkpoint; `ibtools.trainers.load_run` reads it), ``history.csv`` (one line for each record)
    and ``at_….npz`` for each of the losses, all with the first checkpoint. What was done since the
    last checkpoint is lost when training is interrupted; what comes after it does not depend on
    the interruption. So the same call again goes on, or finds that nothing is left to do.

    Parameters
    ----------
    choice
        What is trained.
    X, y
        The training images, (n, channels, height, width), and their classes, (n,).
    folder
        Where runs are kept.
    device
        "cpu" or a PyTorch device such as "cuda".
    resume
        Whether a run that is there may be gone on with to other epochs or losses.
    progress
        Whether a bar counts the epochs, where a terminal shows it.

    Raises
    ------
    FileExistsError
        If there is a run to other epochs or losses and `resume` is false.
    ValueError
        If the run that is there was trained otherwise.
    OSError
        If a file of the run that is there is damaged, or one cannot be written.
    InterruptedTrainingError
        On Ctrl-C.
    """
    place = Path(folder) / choice.name
    files = _Files(place, _digest(X[: choice.samples], y[: choice.samples]))
    files.check(choice, resume=resume)
    return _Training(choice, X, y, files, device).run_to_end(progress=progress)


class _Files:
    """The subfolder of one run."""

    def __init__(self, place: Path, images: str) -> None:
        self.place = place
        self.images = images
        self.settings = place / "settings.json"
        self.state = place / "state.json"
        self.start = place / "start.npz"
        self.run = place / "run.npz"
        self.history = place / "history.csv"

    def snapshot(self, log10_loss: float) -> Path:
        return self.place / f"at_1e{log10_loss:g}.npz"

    @property
    def mend(self) -> str:
        return f"delete the folder {self.place} and train again"

    def check(self, choice: Choice, *, resume: bool) -> None:
        """Refuse a run that is there and is not a part of this one."""
        # The state comes last: without one no checkpoint was finished.
        if not self.state.exists():
            return
        wanted = _plain(choice)
        found = read_record(self.settings, self.mend)
        # More epochs, or a lower last loss, are what one resumes for.
        free = {"epochs", "log10_losses"}
        differing = [name for name in wanted if found.get(name) != wanted[name]]
        told = ", ".join(f"{k}={found.get(k)!r} and not {wanted[k]!r}" for k in differing)
        if set(differing) - free:
            raise ValueError(
                f"{self.place} holds a run with {told}; resume it with the same choices, or "
                "name another folder"
            )
        if read_record(self.state, self.mend).get("images", self.images) != self.images:
            raise ValueError(
                f"{self.place} holds a run on other images; give it the same ones, or name "
                "another folder"
            )
        if differing and not resume:
            raise FileExistsError(
                f"{self.place} holds a run already, with {told}; go on with it (--resume), name "
                "another folder, or delete it"
            )

    def start_anew(self) -> None:
        """Remove what an interruption before the first whole checkpoint left."""
        for path in (self.run, self.start, self.history, *self.place.glob("at_*.npz")):
            path.unlink(missing_ok=True)

    def keep_settings(self, choice: Choice) -> None:
        made_folder(self.place)
        write_whole(self.settings, json.dumps(_plain(choice), indent=1))


def flows_from_start(net: nn.Module, one: Tensor, n: int) -> bool:
    """Return whether `margin_flow` has minibatches of its own to begin with, for so many margins.

    Parameters
    ----------
    net
        A net with one output or k.
    one
        An input, (1, …), where the net is.
    n
        Number of samples.
    """
    with torch.no_grad():
        outputs = net(one).numel()
    return n * max(outputs - 1, 1) > MANY


def gap_bound_of(net: nn.Module, X: Tensor, input_shape: tuple[int, ...]) -> NearHomogeneity | None:
    """Return how far differences of outputs are from homogeneous; `None` for a homogeneous net.

    Parameters
    ----------
    net
        Of classes, at any parameters.
    X
        Inputs, (n, …): the bound is for all that are no longer than these.
    input_shape
        Of one input.
    """
    if not homogeneity_of(net).defect:
        return None
    # A little longer, so that rounding leaves none outside.
    radius = 1.01 * longest_input(X)
    return near_homogeneity(net, radius=radius, input_shape=input_shape).differences()


class _Training:
    """A run in chunks of a few epochs; "flow" has two stages where minibatches come before it."""

    def __init__(
        self,
        choice: Choice,
        X: np.ndarray | Tensor,
        y: np.ndarray,
        files: _Files,
        device: str,
    ) -> None:
        self.choice = choice
        self.setting = SETTINGS[choice.data]
        self.files = files
        net = choice.new_net(device=device)
        weight = next(net.parameters())
        # On the device once, and not once for each chunk.
        self.X = torch.as_tensor(X[: choice.samples]).to(dtype=weight.dtype, device=weight.device)
        self.y = y[: choice.samples]
        self.net = net
        self.run: MarginRun | None = None
        self.bound: NearHomogeneity | None = None
        self.stage = choice.schedule
        if choice.schedule == "flow" and not flows_from_start(net, self.X[:1], len(self.X)):
            self.stage = "minibatches"
        self.chunks = 0
        self.epochs = 0
        self.seconds = 0.0
        if files.state.exists():
            self._restore(read_record(files.state, files.mend))
            files.keep_settings(choice)
        else:
            files.start_anew()

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.stage, self.chunks = str(state["stage"]), int(state["chunks"])
            self.epochs, self.seconds = int(state["epochs"]), float(state["seconds"])
            records = bool(state["records"])
        except (KeyError, TypeError, ValueError) as error:
            raise OSError(
                f"{self.files.state} does not hold the state of a run ({error!r}); "
                f"{self.files.mend}"
            ) from error
        if self.stage == "flow":
            self.net = self._load(self.files.start).net
        if records:
            self.run = self._load(self._file())

    def _load(self, path: Path) -> MarginRun:
        try:
            return load_run(path, self.net)
        except FileNotFoundError as error:
            raise OSError(
                f"{path} is missing, and {self.files.state.name} says that the run is in it; "
                f"{self.files.mend}"
            ) from error
        except ValueError as error:
            raise OSError(f"{path} cannot be used ({error}); {self.files.mend}") from error

    def _file(self) -> Path:
        return self.files.start if self.stage == "minibatches" else self.files.run

    def run_to_end(self, *, progress: bool) -> Trained:
        losses = self.choice.log10_losses
        reached = {loss: self.files.snapshot(loss) for loss in losses}
        ended = False
        bar = tqdm(
            desc=self.choice.name,
            unit="epoch",
            total=self.choice.epochs,
            initial=self.epochs,
            disable=quiet() or not progress,
        )
        with bar:
            while not ended:
                wanted = [loss for loss in losses if not reached[loss].exists()]
                if self.run is not None and (not wanted or self._spent()):
                    break
                target = _FLOW_STARTS if self.stage == "minibatches" else wanted[0]
                ended = self._chunk(target)
                bar.update(self.epochs - bar.n)
                assert self.run is not None
                bar.set_postfix_str(f"log10 loss {-self.run.log10_inverse_loss[-1]:.4g}")
                if self.stage == "minibatches" and (self.run.converged or ended):
                    # If the epochs did not suffice, flow has to make do with what they brought.
                    self.net, self.run = self.run.net, None
                    self.stage, self.chunks, ended = "flow", 0, False
                    self._keep_state()
                elif self.run.converged and self.stage != "minibatches":
                    self.run.save(reached[target])
        assert self.run is not None
        there = {loss: path for loss, path in reached.items() if path.exists()}
        return Trained(self.choice, self.run, there, self.epochs, self.seconds)

    def _spent(self) -> bool:
        """Whether an earlier call came to the end of its epochs or steps."""
        if self.stage == "flow":
            return self.chunks * _FLOW_STEPS_BETWEEN_CHECKPOINTS >= self.setting.flow_steps
        return self.stage != "minibatches" and self.epochs >= self.choice.epochs

    def _chunk(self, target: float) -> bool:
        """Train to the next checkpoint; return whether nothing more is to be done."""
        begun = time.monotonic()
        flowing = self.stage == "flow"
        most = self.setting.flow_steps if flowing else self.choice.epochs
        every = _FLOW_STEPS_BETWEEN_CHECKPOINTS if flowing else self.setting.checkpoint_every
        limit = min(most, every * (self.chunks + 1))
        with warnings.catch_warnings():
            # Why a run ended stands in the table.
            warnings.simplefilter("ignore", TrainingWarning)
            run = self._flow(target, limit) if flowing else self._descend(target, limit)
        if run.message == "interrupted":
            raise InterruptedTrainingError(
                f"interrupted; {self.files.place} has the run up to epoch {self.epochs}: the same "
                "command goes on, with or without --resume"
            )
        self.run = run
        self.seconds += time.monotonic() - begun
        ended = False
        if not run.converged:
            ended = limit >= most or not run.message.startswith("max_")
            self.chunks += 1
            self.epochs = self.epochs if flowing else limit
        if not self.files.settings.exists():
            self.files.keep_settings(self.choice)
        run.save(self._file())
        _write_history(self.files.history, run)
        self._keep_state()
        return ended

    def _descend(self, target: float, limit: int) -> MarginRun:
        n = len(self.X)
        constant = self.stage != "loss_based"
        rate = self.setting.rates["constant" if constant else "loss_based"]
        return descend(
            self.net,
            self.X,
            self.y,
            loss="cross_entropy",
            schedule="constant" if constant else "loss_based",
            # The papers' rate is on the mean loss, ours on the sum. The growing rate is over the
            # loss, so that there the two are the same.
            step_size=rate / n if constant else rate,
            batch_size=min(self.setting.batch_size, n),
            seed=self.choice.seed,
            until_log10_loss=target,
            max_epochs=limit,
            resume=self.run,
        )

    def _flow(self, target: float, limit: int) -> MarginRun:
        run = margin_flow(
            self.net,
            self.X,
            self.y,
            loss="cross_entropy",
            until_log10_loss=target,
            max_steps=limit,
            near_homogeneity=self._bound(),
            seed=self.choice.seed,
            resume=self.run,
        )
        # The bound is derived anew where it is needed; the file is read without.
        return replace(run, near_homogeneity=None)

    def _bound(self) -> NearHomogeneity | None:
        """Return how far a net that is not homogeneous is from it; derived once."""
        if self.bound is None:
            self.bound = gap_bound_of(self.net, self.X, self.setting.input_shape)
        return self.bound

    def _keep_state(self) -> None:
        state = {
            "stage": self.stage,
            "chunks": self.chunks,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "records": self.run is not None,
            "images": self.files.images,
        }
        write_whole(self.files.state, json.dumps(state))


def accuracy(net: nn.Module, X: np.ndarray | Tensor, y: np.ndarray) -> float:
    """Return which share of images a net classifies correctly."""
    weight = next(net.parameters())
    right = 0
    with torch.no_grad():
        for i in range(0, len(X), _BATCH):
            images = torch.as_tensor(X[i : i + _BATCH]).to(weight)
            classes = net(images).argmax(1).cpu().numpy()
            right += int((classes == y[i : i + _BATCH]).sum())
    return right / len(X)


def seconds_per_epoch(choice: Choice, *, device: str, batches: int = 5, times: int = 1) -> float:
    """Return what an epoch costs, extrapolated from a few batches of random images.

    An epoch counts its updates and the evaluation of all samples after it.

    Parameters
    ----------
    choice
        What would be trained.
    device
        On what.
    batches
        How many batches to measure.
    times
        How often: the quickest count, as other programs take time away and give none.
    """
    setting = SETTINGS[choice.data]
    n = setting.batch_size * batches
    random = np.random.default_rng(choice.seed)
    X = torch.as_tensor(random.random((n, *setting.input_shape)))
    y = random.integers(10, size=n)
    net = choice.new_net(device=device)

    def epochs(number: int) -> float:
        begun = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)
            descend(
                net,
                X,
                y,
                loss="cross_entropy",
                step_size=1e-9,
                batch_size=setting.batch_size,
                seed=0,
                max_epochs=number,
                record_growth=1e9,
            )
        return time.monotonic() - begun

    epochs(1)  # the first batch on a device is slow
    # Of each by itself: a difference of two is too small where the first was held up.
    few, many = (min(epochs(number) for _ in range(times)) for number in (1, 3))
    images = setting.n if choice.samples is None else choice.samples
    return max(many - few, 0.0) / 2 * images / n


def _write_history(path: Path, run: MarginRun) -> None:
    columns = [column(run).tolist() for column in _COLUMNS.values()]
    write_table(path, [tuple(_COLUMNS), *zip(*columns, strict=True)])


def write_table(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file, whole or not at all."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_whole(path, text.getvalue())


def _plain(choice: Choice) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(choice)))
    return plain


def _digest(X: np.ndarray | Tensor, y: np.ndarray) -> str:
    """Return what tells one set of images from another."""
    sha = hashlib.sha256()
    for values in (X, y):
        array = np.ascontiguousarray(torch.as_tensor(values).cpu().numpy())
        sha.update(f"{array.shape} {array.dtype}".encode())
        sha.update(array.data)
    return sha.hexdigest()[:16]
