"""A flow as an autonomous ODE, and how to follow it to its limit or to asked times."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.integrate import DOP853, LSODA, DenseOutput, OdeSolver
from tqdm.auto import tqdm

from ibtools._threads import one_thread
from ibtools._validation import quiet, unchecked
from ibtools.models import DualModel, RegressionModel
from ibtools.models.row_space import basis_of_rows, row_space
from ibtools.trainers.flow.endings import Ending
from ibtools.trainers.flow.layers import Kink, with_layers
from ibtools.trainers.flow.runs import RegressionRun
from ibtools.trainers.warning import TrainingWarning

State = Float[np.ndarray, " p"]

# Local errors per step. The limit hardly depends on them (`gradient_flow` says why), the path does.
_RELATIVE_ERROR = 1e-11
_ABSOLUTE_ERROR = 1e-14
# Below this many unknowns a Jacobian by differences is cheap, and an implicit solver, which needs
# it, is both faster and quieter near the limit than an explicit one at the edge of stability.
_SMALL = 500
# From so many entries of X on, evaluating the flow costs more than stepping, and its end is taken
# in few long steps.
_LARGE = 10_000
# The flow is nearly linear once no exponent has further to go than this.
_NEAR = 0.3
# A flow that gets there after more steps is so stiff that LSODA is implicit long since, and its
# backward differences cost less than linearizations that are renewed at every step.
_EARLY = 400
# Whether the limit is reached is asked at every so many steps: an answer costs as much as a step.
_LOOK_EVERY = 4
# The loss falls all along a flow; when it has not at so many looks, rounding is all that is left.
_PATIENCE = 50
# Nothing moves any more, yet the residual has not vanished: a flow with dead weights.
_NEVER = 1e100
# LSODA gives up, once in a while, in a corner of its order and step size that a fresh start leaves.
_FRESH_STARTS = 5
# An exponent of a weight that moves is below 1000, or the weight would overflow; one that is far
# beyond belongs to dead weights, and its rounding errors would soon drown the others.
_LARGEST_EXPONENT = 1e5


@dataclass(frozen=True, eq=False)
class System:
    """An autonomous ODE whose state determines a network."""

    start: State
    field: Callable[[float, State], State]
    jacobian: Callable[[float, State], Float[np.ndarray, "p p"]] | None
    restore: Callable[[State], RegressionModel]
    # Predictors (t, d) and residuals (t, n) at t states.
    record: Callable[
        [Float[np.ndarray, "t p"]], tuple[Float[np.ndarray, "t d"], Float[np.ndarray, "t n"]]
    ]
    remaining: Callable[[State], float]
    X: Float[np.ndarray, "n d"]
    # An orthonormal basis of the residuals that some predictor fits, (n, k).
    reachable: Callable[[], Float[np.ndarray, "n k"]]
    # The size below which differences of states do not matter at all, in the state's own unit.
    unit: float = 1.0
    # States beyond it no longer move the predictor.
    largest: float = np.inf
    # Whether the field bends at samples, where a solver may not get through.
    kinked: ClassVar[bool] = False

    def solver(self, horizon: float) -> OdeSolver:
        """Return a stepper from the start to `horizon`."""
        return self.smooth_solver(0.0, self.start, horizon)

    def smooth_solver(self, time: float, state: State, horizon: float) -> OdeSolver:
        """Return a stepper from `state` to `horizon`: implicit where a Jacobian can be had."""
        tolerances = {"rtol": _RELATIVE_ERROR, "atol": _ABSOLUTE_ERROR * self.unit}
        if self.jacobian is None and self.start.size > _SMALL:
            return DOP853(self.field, time, state, horizon, **tolerances)
        return LSODA(self.field, time, state, horizon, jac=self.jacobian, **tolerances)

    def run(
        self,
        times: Float[np.ndarray, " t"],
        states: Float[np.ndarray, "t p"],
        *,
        tolerance: float,
        message: str,
    ) -> RegressionRun:
        """Return the run that these states make, with the layers that its network has."""
        with np.errstate(over="ignore", invalid="ignore"):
            w, residuals = self.record(states)
            loss = 0.5 * np.sum(residuals**2, axis=1)
            remaining = self.remaining(states[-1]) if np.isfinite(loss[-1]) else np.inf
        run = RegressionRun(
            times=times,
            w=w,
            loss=loss,
            net=self.restore(states[-1]),
            converged=bool(remaining <= tolerance),
            remaining=remaining,
            message=message,
            _states=states,
            _restore=self.restore,
        )
        return with_layers(run, kinks=self.kinks_until(times[-1]))

    def kinks_until(self, time: float) -> tuple[Kink, ...]:
        """Return the kinks that the flow has met: none where it is smooth."""
        return ()


@dataclass(frozen=True, eq=False)
class DualSystem(System):
    """The flow of the accumulated gradient, whose end is taken in long steps on large data."""

    # The field of many states at once, (t, p) → (t, p).
    velocities: Callable[[Float[np.ndarray, "t p"]], Float[np.ndarray, "t p"]] = field(kw_only=True)
    # The Jacobian is −diag(scale) curvature diag(1/scale), and the curvature symmetric.
    curvature: Callable[[State], Float[np.ndarray, "p p"]] = field(kw_only=True)
    scale: State = field(kw_only=True)
    # How far exponents still have to go if the flow is linear from here on.
    to_go: Callable[[State], float] = field(kw_only=True)

    def smooth_solver(self, time: float, state: State, horizon: float) -> OdeSolver:
        """Return a stepper from `state` to `horizon`."""
        first = super().smooth_solver(time, state, horizon)
        large = self.X.size >= _LARGE and 0 < len(state) <= _SMALL
        return WithEnding(self, first) if large else first


class WithEnding(OdeSolver):
    """A stepper that hands over to `Ending` once the flow is nearly linear."""

    t: float
    y: State
    t_bound: float

    def __init__(self, system: DualSystem, first: OdeSolver) -> None:
        super().__init__(system.field, first.t, first.y, first.t_bound, vectorized=False)
        self._system, self._inner, self._stepped, self._taken = system, first, first, 0
        self._speed = self._pace(system.field(first.t, first.y))

    def _pace(self, velocity: State) -> float:
        """Return the norm of the residual's part that predictors can move."""
        return float(np.linalg.norm(velocity / self._system.scale))

    def _step_impl(self) -> tuple[bool, str | None]:
        before = self._inner.y.copy()
        message = self._inner.step()
        if self._inner.status == "failed" and isinstance(self._inner, Ending):
            # Not nearly linear after all, or not for floats: as if there were no shorter way.
            self._inner = System.smooth_solver(self._system, self.t, before, self.t_bound)
            self._speed = 0.0
            message = self._inner.step()
        if self._inner.status == "failed":
            return False, message
        self._stepped, step = self._inner, self._inner.t - self.t
        self.t, self.y = self._inner.t, self._inner.y
        self._taken += 1
        early = self._taken <= _EARLY and not isinstance(self._inner, Ending)
        if early and self._taken % _LOOK_EVERY == 0:
            self._look(self._pace(self.y - before) / step, step)
        return True, None

    def _look(self, speed: float, step: float) -> None:
        """Hand over if it is time; that is asked whenever the flow is three times slower."""
        if not speed < self._speed / 3:
            return
        self._speed = speed
        if self._system.to_go(self.y) < _NEAR:
            self._inner = Ending(
                self._system.velocities,
                self._system.curvature,
                self._system.scale,
                self.t,
                self.y,
                self.t_bound,
                first_step=8 * step,
                rtol=_RELATIVE_ERROR,
                atol=100 * _ABSOLUTE_ERROR * self._system.unit,
            )

    def _dense_output_impl(self) -> DenseOutput:
        return self._stepped.dense_output()


def dual_system(net: DualModel, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]) -> System:
    """Return the flow of P = ∫ Xᵀr dt in an orthonormal basis of the row space.

    That is at most n numbers, whatever the size of the network. Their unit is that of the exponents
    of the weights, so rows of very different sizes, or nearly dependent ones, make the flow stiff
    but leave every number of the state as accurate as its own size.
    """
    left, singular, rows = basis_of_rows(X)
    speeds = singular**2
    # The predictor's coordinates in the row space once the loss is least.
    target = (y @ left) / singular

    def velocity(state: State) -> State:
        return speeds * (target - rows @ net.predictor_after(state @ rows)[0])

    def velocities(states: Float[np.ndarray, "t p"]) -> Float[np.ndarray, "t p"]:
        return speeds * (target - net.predictor_after(states @ rows)[0] @ rows.T)

    def kernel(slope: Float[np.ndarray, " d"]) -> Float[np.ndarray, "p p"]:
        # A product of a matrix with its own transpose: half of the work of any other.
        half = rows * np.sqrt(slope)
        return half @ half.T

    def jacobian(_: float, state: State) -> Float[np.ndarray, "p p"]:
        return -speeds[:, None] * kernel(net.predictor_after(state @ rows)[1])

    def curvature(state: State) -> Float[np.ndarray, "p p"]:
        return singular[:, None] * kernel(net.predictor_after(state @ rows)[1]) * singular

    def ahead(state: State) -> tuple[State, Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
        w, slope = net.predictor_after(state @ rows)
        return _tail(kernel(slope), target - rows @ w), w, slope

    def to_go(state: State) -> float:
        return float(np.abs(ahead(state)[0] @ rows).max(initial=0.0))

    def record(
        states: Float[np.ndarray, "t p"],
    ) -> tuple[Float[np.ndarray, "t d"], Float[np.ndarray, "t n"]]:
        w = net.predictor_after(states @ rows)[0]
        return w, y - w @ X.T

    def remaining(state: State) -> float:
        tail, w, slope = ahead(state)
        return _relative(slope * (tail @ rows), w)

    start = np.zeros(len(target))
    # Exponents matter on the scale of 1, or of where they end, if that is less: in the kernel
    # regime, where the first linear prediction is right, they may end at 1e-100.
    # Not far below what rounding of the start's predictor leaves undecided, though.
    tail, w, slope = ahead(start)
    first = float(np.abs(tail).max(initial=0.0))
    left_over = _relative(slope * (tail @ rows), w)
    reach = first * max(1.0, np.finfo(float).eps / _ABSOLUTE_ERROR / max(left_over, 1e-300))
    return DualSystem(
        start=start,
        field=lambda _, state: velocity(state),
        jacobian=jacobian,
        restore=partial(_after, net, rows),
        record=record,
        remaining=remaining,
        X=X,
        reachable=lambda: left,
        unit=min(1.0, reach) if 0 < reach < np.inf else 1.0,
        largest=_LARGEST_EXPONENT,
        velocities=velocities,
        curvature=curvature,
        scale=singular,
        to_go=to_go,
    )


def _after(net: DualModel, rows: Float[np.ndarray, "k d"], state: State) -> RegressionModel:
    return net.after(state @ rows)


def parameter_system(
    net: RegressionModel, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
) -> System:
    """Return the flow of all the weights, which assumes nothing of the network."""
    replaced, moving, outputs = (unchecked(net, n) for n in ("replace", "velocity", "predict"))

    def velocity(_: float, state: State) -> State:
        current = replaced(net, state)
        return moving(current, X, y - outputs(current, X))

    def record(
        states: Float[np.ndarray, "t p"],
    ) -> tuple[Float[np.ndarray, "t d"], Float[np.ndarray, "t n"]]:
        nets = [replaced(net, state) for state in states]
        return np.stack([n.predictor for n in nets]), np.stack([y - outputs(n, X) for n in nets])

    def remaining(state: State) -> float:
        current = net.replace(state)
        tail = _tail(current.tangent_kernel(X), y - current.predict(X))
        ahead = net.replace(state + current.velocity(X, tail))
        return _relative(ahead.predictor - current.predictor, current.predictor)

    return System(
        start=net.parameters,
        field=velocity,
        jacobian=None,
        restore=net.replace,
        record=record,
        remaining=remaining,
        X=X,
        reachable=lambda: row_space(X).left,
    )


def _in_plain_words(complaint: str | None) -> str:
    """Return what a solver says; SciPy's own words speak of its code."""
    if complaint is None:
        return "the weights overflowed"
    ours = "istate" not in complaint and "step size" not in complaint
    return complaint if ours else "no step is short enough to be as accurate as asked"


def _contradiction(system: System) -> str:
    """Return what no predictor fits, with a mend; "" where nothing is known to be in the way."""
    X, residual = system.X, system.record(system.start[None])[1][0]
    # Where rows are the same, so are outputs, and labels differ as residuals do, but for rounding.
    allowed = 1e-9 * float(np.abs(residual).max())
    _, group = np.unique(X, axis=0, return_inverse=True)
    group = group.ravel()
    for i in range(len(X)):
        others = np.flatnonzero((group == group[i]) & (abs(residual - residual[i]) > allowed))
        if others.size:
            return (
                f"; rows {i} and {others[0]} of X are the same and have different labels, which no "
                "predictor fits both: leave one of them out, or correct its label"
            )
    rank = int(np.linalg.matrix_rank(X))
    if system.kinked and rank < len(X):
        return (
            f"; X has {len(X)} rows of rank {rank}, and labels that its predictors need not fit: "
            "a flow that ends on a kink no solver follows to its end; leave samples out"
        )
    return ""


def follow(
    system: System,
    *,
    asked: Float[np.ndarray, " t"] | None,
    tolerance: float,
    max_steps: int,
) -> RegressionRun:
    """Step through the asked times or, without them, to within `tolerance` of the limit."""
    times, states = [0.0], [system.start]
    settled = _Settled(system, tolerance)
    steps, failure, message = 0, "", f"within a relative {tolerance:g} of the limit"
    bar = tqdm(desc="gradient flow", unit=" steps", disable=quiet(), delay=1)
    square = system.start.size if system.jacobian is not None else system.X.shape[1]
    with one_thread(max(system.X.size, square**2)), bar, warnings.catch_warnings():
        # What LSODA complains of is in `complaint` as well.
        warnings.filterwarnings("ignore", "lsoda: ", UserWarning)
        try:
            horizon = 10 * _NEVER if asked is None else asked[-1]
            solver, fresh_starts, firm = system.solver(horizon), 0, 0.0
            while not (settled(times[-1], states[-1]) if asked is None else times[-1] >= asked[-1]):
                if steps == max_steps:
                    failure = f"gave up after max_steps={max_steps} steps"
                    break
                here = solver.t, solver.y.copy()
                with np.errstate(over="ignore", invalid="ignore"):
                    complaint = solver.step()
                steps += 1  # and not bar.n, which stands still where the bar is not shown
                bar.update()
                gave_up = solver.status == "failed" and isinstance(solver, LSODA | WithEnding)
                if gave_up and fresh_starts < _FRESH_STARTS and here[0] > firm:
                    solver, firm = system.smooth_solver(*here, horizon), here[0]
                    fresh_starts += 1
                    continue
                if solver.status == "failed" or not np.isfinite(solver.y).all():
                    failure = f"the solver failed: {_in_plain_words(complaint)}"
                    failure += _contradiction(system)
                    break
                if asked is None and settled.stalled:
                    failure = "the loss falls no further: the accuracy of the solver is reached"
                    failure += _contradiction(system)
                    break
                if asked is None and (
                    solver.t > _NEVER or np.abs(solver.y).max(initial=0.0) > system.largest
                ):
                    failure = (
                        "nothing moves any more, as when all the weights of a column are 0 or "
                        "rounding errors hide what is left"
                    ) + _contradiction(system)
                    break
                if asked is None:
                    reached, path = np.array([solver.t]), solver.y[:, None].copy()
                else:
                    reached = asked[(asked > solver.t_old) & (asked <= solver.t)]
                    path = solver.dense_output()(reached) if reached.size else np.empty((0, 0))
                times += reached.tolist()
                states += list(path.T)
        except KeyboardInterrupt:
            failure = "interrupted"
    if asked is not None:
        message = f"reached the last of {len(asked)} asked times"
        if asked[0] > 0 and len(times) > 1:
            del times[0], states[0]
    run = system.run(
        np.array(times), np.stack(states), tolerance=tolerance, message=failure or message
    )
    if failure:
        run = replace(run, converged=False)
        warnings.warn(
            f"flow: {failure}, at t={run.times[-1]:.6g} with loss {run.loss[-1]:.3g}; estimated "
            f"relative distance to the limit {run.remaining:.1e}, asked for {tolerance:g}"
            f"{_out_of_size(system.X)}",
            TrainingWarning,
            stacklevel=3,
        )
    return run


def _out_of_size(X: Float[np.ndarray, "n d"]) -> str:
    """Say what to rescale X by where the squares of its entries are beyond what a flow can sum."""
    size = float(np.abs(X).max())
    if size == 0 or 1e-50 < size < 1e50:
        return ""
    return (
        f"; the entries of X are as large as {size:.2g}: rescale them, X / {size:.2g}, which "
        f"multiplies w by {size:.2g}"
    )


class _Settled:
    """Whether the flow is within tolerance of its limit; asked after every step.

    The tail is summed only once the residual is small enough for the tail to be linear, and then
    again whenever the residual is a third of it, since a kernel costs more than a step; or whenever
    the time has doubled, since at the level of rounding errors residuals fall no more.
    """

    def __init__(self, system: System, tolerance: float) -> None:
        self._reachable = system.reachable()
        self._system, self._tolerance, X = system, tolerance, system.X
        # Where there is nothing to learn, rounding is all the residual there is from the start.
        fitted = X @ system.record(system.start[None])[0][0]
        rounding = 1e-15 * len(X[0]) * float(np.linalg.norm(fitted))
        self._small = max(1e-3 * self._gap(system.start), rounding)
        self._below, self._again = self._small, np.inf
        self._least, self._looks_since_least, self._calls = np.inf, 0, 0

    @property
    def stalled(self) -> bool:
        """Whether the residual has stopped falling."""
        return self._looks_since_least > _PATIENCE

    def _gap(self, state: State) -> float:
        # The part of the residual that no w can fit stays, and says nothing of the flow.
        residual = self._system.record(state[None])[1][0]
        return float(np.linalg.norm(residual @ self._reachable))

    def __call__(self, time: float, state: State) -> bool:
        self._calls += 1
        if self._calls % _LOOK_EVERY != 1:
            return False
        gap = self._gap(state)
        if gap < self._least:
            self._least, self._looks_since_least = gap, 0
        else:
            self._looks_since_least += 1
        early = gap > self._below and time < self._again and not self.stalled
        if early or gap > self._small:
            return False
        self._below, self._again = gap / 3, 2 * time
        return self._system.remaining(state) <= self._tolerance


def _tail(
    kernel: Float[np.ndarray, "n n"], residual: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Return ∫ r dt over the linear tail r' = −K r, within the directions that K can move."""
    if not (np.isfinite(kernel).all() and np.isfinite(residual).all()):
        return np.full_like(residual, np.inf)
    try:
        factor = scipy.linalg.cho_factor(kernel, check_finite=False)
        diagonal = np.abs(np.diag(factor[0]))
        if diagonal.min() > 1e-5 * diagonal.max():
            return scipy.linalg.cho_solve(factor, residual, check_finite=False)
    except np.linalg.LinAlgError:
        pass
    return np.linalg.lstsq(kernel, residual, rcond=None)[0]


def _relative(difference: Float[np.ndarray, " d"], reference: Float[np.ndarray, " d"]) -> float:
    distance, size = float(np.linalg.norm(difference)), float(np.linalg.norm(reference))
    return distance / size if size > 0 else (0.0 if distance == 0 else np.inf)
