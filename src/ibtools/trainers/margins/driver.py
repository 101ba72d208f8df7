"""One driver for all that trains nets for classification; a stepper says what a step is.

The driver begins, records, shows progress, stops, warns, goes on from a run, and comes back whole
from an interruption at any moment.
"""

import copy
import math
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from ibtools._validation import quiet
from ibtools.metrics.margins import inverse_loss, loss_threshold
from ibtools.models.homogeneity import Homogeneity
from ibtools.trainers.margins.growth import GapBound, exponents_of
from ibtools.trainers.margins.hints import hints, scale_hint
from ibtools.trainers.margins.problem import Problem, State, few_threads, full_precision
from ibtools.trainers.margins.records import Recorder
from ibtools.trainers.margins.runs import MarginRun, flat_parameters, made_run
from ibtools.trainers.warning import TrainingWarning

Net = TypeVar("Net", bound=nn.Module)

# Of the logarithm of a margin: rounding.
_ALLOWED = math.log1p(-8 * np.finfo(np.float64).eps)
# A run that ends so many times as far as asked was not steered.
_BEYOND = 10.0


@dataclass(eq=False)
class Position:
    """Where a run is, beside its parameters: what its records show and its next step starts from.

    Attributes
    ----------
    state
        Margins and loss.
    gradient
        Of log 𝓛; ``None`` until it is asked for.
    steps, log_time, effective_time, step_size, drops
        As in `MarginRun`.
    """

    state: State
    gradient: Tensor | None
    steps: int = 0
    log_time: float = -np.inf
    effective_time: float = 0.0
    step_size: float = np.nan
    drops: int = 0

    def advance(self, log_duration: float, effective: float, step_size: float) -> None:
        """Count one more update, of this duration in either time."""
        self.log_time = float(np.logaddexp(self.log_time, log_duration))
        self.effective_time += effective
        self.step_size = step_size
        self.steps += 1


class Stepper(ABC):
    """What takes the steps of one trainer: it moves the problem's parameters and its position."""

    #: The trainer's name, what its limit counts and is called, and what its warnings speak of.
    name: ClassVar[str]
    limit_name: ClassVar[str]
    goal: ClassVar[str]

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.at: Position
        self.trouble = ""

    @abstractmethod
    def step(self, start: Float[Tensor, " p"]) -> bool:
        """Take one step from `start`, where the parameters are, or say in `trouble` why not."""

    @property
    def taken(self) -> int:
        """What `limit` limits."""
        return self.at.steps

    @property
    def reading(self) -> float:
        """What the spacing of records is measured in."""
        return float(self.at.steps)

    @property
    def height(self) -> float:
        """What rises to the target."""
        return -self.at.state.log_loss

    @abstractmethod
    def memory(self) -> dict[str, Any]:
        """Return what the next step depends on beside parameters and position.

        A word is an option, which must be the same where a run is gone on with.
        """

    @abstractmethod
    def recall(self, memory: dict[str, Any]) -> None:
        """Take up what `memory` returned."""

    def look(self) -> tuple[State, Tensor | None]:
        """Evaluate the present parameters."""
        return self.problem.descend_from()

    def gradient(self) -> Float[Tensor, " p"]:
        """Return the gradient of log 𝓛 at the present parameters."""
        if self.at.gradient is None:
            self.at.gradient = -self.problem.pulled(self.at.state.weights)
        return self.at.gradient


class Plan(NamedTuple):
    """Where a run is to go, and which points of it are recorded.

    Attributes
    ----------
    target
        Height to reach; a run that is nearer to it than `slack` is there.
    limit
        Largest number of steps, or whatever the stepper counts.
    asked
        The target in the user's words.
    growth, least
        Points are recorded whose reading has grown by this factor, and by this much.
    """

    target: float
    limit: int
    asked: str
    slack: float = 0.0
    growth: float = 1.0
    least: float = 0.0


class _Checkpoint(NamedTuple):
    """All that an interrupted step may have spoilt, as it was before it."""

    flat: Tensor
    position: Position
    memory: dict[str, Any]
    evaluations: int
    records: int
    recorded: float


def drive(
    net: Net,
    stepper: Stepper,
    facts: Homogeneity,
    plan: Plan,
    *,
    near_homogeneity: GapBound | None,
    resume: MarginRun[Net] | None,
) -> MarginRun[Net]:
    """Follow a plan with a stepper, and return the run.

    Parameters
    ----------
    net
        The net at its start, of which the stepper's problem has a copy.
    stepper
        What takes the steps.
    facts
        How the net's margins grow.
    plan
        How far to go, and what to record.
    near_homogeneity
        For a net that is nearly homogeneous.
    resume
        A run of the same trainer to go on from.

    Raises
    ------
    ValueError
        If `resume` is the run of something else, or the start has outputs that are not finite.

    Warns
    -----
    TrainingWarning
        If the target is not reached, but for an interruption; if the steps are so long for inputs
        of this size that it is left far behind.
    """
    problem, recorder = stepper.problem, Recorder(resume)
    message, converged = f"{stepper.limit_name}={plan.limit} reached", False
    stuck = False
    total = max(0, round(min(plan.target, 1e18)))
    bar = tqdm(total=total, desc=stepper.name, unit="nat", disable=quiet(), leave=False)
    device = problem.flat.device
    with few_threads(problem.n * problem.flat.numel()), full_precision(device), bar:
        recorded = _begin(stepper, facts.order, recorder, resume)
        safe = _checkpoint(stepper, recorder, recorded)
        try:
            while True:
                if stepper.height >= plan.target - plan.slack:
                    message, converged = f"the asked {stepper.goal} is reached", True
                    break
                if stepper.taken >= plan.limit:
                    break
                before = stepper.at.state
                if not stepper.step(safe.flat):
                    message, stuck = stepper.trouble, True
                    break
                after = stepper.at.state
                if after is not before:
                    stepper.at.drops += _fell(problem, before, safe.flat, after, order=facts.order)
                if stepper.reading >= max(recorded + plan.least, recorded * plan.growth):
                    _record(stepper, recorder)
                    recorded = stepper.reading
                safe = _checkpoint(stepper, recorder, recorded)
                bar.update(max(0, round(stepper.height) - bar.n))
        except KeyboardInterrupt:
            message, converged = "interrupted", False
            recorded = _return_to(safe, stepper, recorder)
        if recorder.last("steps") != stepper.at.steps:
            _record(stepper, recorder)
    if not converged and message != "interrupted":
        still = bool(problem.flat.any()) and not bool(stepper.gradient().any())
        if still and stuck:
            message = "the gradient is zero"
        # What comes with its own mend, after a semicolon, needs but the size of the inputs.
        if stuck and ";" in message:
            more = [scale_hint(problem)]
        else:
            more = hints(problem, stepper.at.state, stuck=stuck, still=still)
        message = "; ".join([message, *filter(None, more)])
    run = made_run(
        net,
        problem.flat.cpu().numpy(),
        recorder.columns(),
        facts,
        exponents_of(facts, problem.layer_names),
        loss=problem.loss,
        converged=converged,
        message=message,
        near_homogeneity=near_homogeneity,
        progress={"trainer": stepper.name, "recorded": recorded, **stepper.memory()},
    )
    if not converged and message != "interrupted":
        came = run.log_loss[-1] / np.log(10) if stepper.goal == "loss" else stepper.height
        what = "log10 loss" if stepper.goal == "loss" else stepper.goal
        warnings.warn(
            f"{stepper.name} stopped at {what} {came:.6g}, asked for {plan.asked}: {message}",
            TrainingWarning,
            stacklevel=3,
        )
    if converged and stepper.at.steps and stepper.height > _BEYOND * max(plan.target, 1.0):
        too_far = scale_hint(problem)
        if too_far:
            warnings.warn(
                f"{stepper.name} went far beyond the asked {stepper.goal}: {too_far}",
                TrainingWarning,
                stacklevel=3,
            )
    return run


def _begin(stepper: Stepper, order: int, recorder: Recorder, resume: MarginRun | None) -> float:
    """Go to the start or to where a run ended; return the reading of the last planned record."""
    if resume is None:
        stepper.at = Position(*stepper.look())
        _refuse_infinite(stepper.at.state)
        _record(stepper, recorder)
        return stepper.reading
    problem = stepper.problem
    _check_resumed(resume, stepper, order)
    problem.flat.copy_(flat_parameters(resume.net))
    memory = resume._progress
    stepper.recall(memory)
    stepper.at = Position(
        *stepper.look(),
        steps=int(resume.steps[-1]),
        log_time=float(resume.log_time[-1]),
        effective_time=float(resume.effective_time[-1]),
        step_size=float(resume.step_size[-1]),
        drops=int(resume.smoothed_margin_drops[-1]),
    )
    problem.evaluations = int(resume.evaluations[-1])
    _refuse_infinite(stepper.at.state)
    _check_same_point(resume, stepper.at.state.log_loss)
    return float(memory.get("recorded", stepper.reading))


def _refuse_infinite(state: State) -> None:
    if not np.isfinite(state.log_loss):
        raise ValueError(
            "net has outputs that are not finite at its start; start it from smaller weights"
        )


def _check_resumed(run: MarginRun, stepper: Stepper, order: int) -> None:
    """Refuse to continue a run of another trainer, with another loss, order or schedule."""
    name, was = stepper.name, run._progress
    if was.get("trainer") != name:
        raise ValueError(
            f"resume must be a run of {name}, got one of {was.get('trainer')}; hand its net to "
            f"{name} instead"
        )
    problem = stepper.problem
    if (run.loss, run.order) != (problem.loss, order):
        raise ValueError(
            f"resume must be a run with the same loss and order, {problem.loss!r} and {order}, got "
            f"{run.loss!r} and {run.order}; hand its net to {name} to go on otherwise"
        )
    size = sum(p.numel() for p in run.net.parameters())
    if size != problem.flat.numel():
        raise ValueError(
            f"resume must be a run of the same architecture, of {problem.flat.numel()} parameters, "
            f"got one of {size}; hand its net to {name} to go on with that"
        )
    for option, value in stepper.memory().items():
        if isinstance(value, str) and was.get(option, value) != value:
            raise ValueError(
                f"resume must be a run with {option}={value!r}, got one with "
                f"{option}={was[option]!r}; hand its net to {name} to go on otherwise"
            )


def _check_same_point(run: MarginRun, log_loss: float) -> None:
    """Refuse to continue a run on other data: there its last point has another loss."""
    was = float(run.log_loss[-1])
    if not abs(log_loss - was) <= 1e-6 * max(1.0, abs(was)):
        raise ValueError(
            f"resume must be a run on the same data; its last log loss was {was:.9g}, here it is "
            f"{log_loss:.9g}; hand its net over instead, to go on with other data"
        )


def _checkpoint(stepper: Stepper, recorder: Recorder, recorded: float) -> _Checkpoint:
    return _Checkpoint(
        stepper.problem.flat.clone(),
        copy.copy(stepper.at),
        stepper.memory(),
        stepper.problem.evaluations,
        len(recorder),
        recorded,
    )


def _return_to(safe: _Checkpoint, stepper: Stepper, recorder: Recorder) -> float:
    """Be as if the interrupted step had not been begun."""
    stepper.problem.flat.copy_(safe.flat)
    stepper.at = copy.copy(safe.position)
    stepper.recall(safe.memory)
    stepper.problem.evaluations = safe.evaluations
    recorder.cut(safe.records)
    return safe.recorded


def _fell(problem: Problem, before: State, start: Tensor, after: State, *, order: int) -> bool:
    """Return whether the smoothed margin fell by more than rounding, where it should not."""
    if not before.log_loss < loss_threshold(problem.loss):
        return False
    psi, new_psi = (float(inverse_loss(s.log_loss, problem.loss)) for s in (before, after))
    rho, new_rho = float(start.norm()), float(problem.flat.norm())
    return margin_fell((psi, rho), (new_psi, new_rho), order)


def margin_fell(before: tuple[float, float], after: tuple[float, float], order: int) -> bool:
    """Return whether ψ/ρ^L fell by more than rounding, given (ψ, ρ) twice, the first ψ above 0.

    Ratios have logarithms where the powers of the norms may be no floats.
    """
    (psi, rho), (new_psi, new_rho) = before, after
    if not new_psi > 0:
        return True
    if not (rho > 0 and new_rho > 0):
        return False
    return math.log(new_psi / psi) < order * math.log(new_rho / rho) + _ALLOWED


def _record(stepper: Stepper, recorder: Recorder) -> None:
    problem, at = stepper.problem, stepper.at
    flat, gradient = problem.flat, stepper.gradient()
    rho, size = float(flat.norm()), float(gradient.norm())
    recorder.add(
        flat.detach().cpu().numpy().copy(),
        problem.layer_norms(),
        steps=at.steps,
        evaluations=problem.evaluations,
        log_time=at.log_time,
        effective_time=at.effective_time,
        log_loss=at.state.log_loss,
        norm=rho,
        minimum_margin=at.state.minimum_margin,
        gradient_alignment=-float(flat @ gradient) / (rho * size) if rho * size else np.nan,
        gradient_norm=size,
        slack=at.state.slack,
        step_size=at.step_size,
        smoothed_margin_drops=at.drops,
    )
