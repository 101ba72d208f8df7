"""The flow of a leaky neuron across its kinks, each located and passed exactly."""

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, TypeGuard, cast

import numpy as np
from jaxtyping import Float, Int
from scipy.integrate import DOP853, LSODA, DenseOutput, OdeSolver
from scipy.optimize import brentq, lsq_linear

from ibtools._validation import unchecked
from ibtools.models import LinearNeuron, RegressionModel
from ibtools.trainers.flow.layers import Kink
from ibtools.trainers.flow.systems import _ABSOLUTE_ERROR, _RELATIVE_ERROR, System

State = Float[np.ndarray, " p"]

# A kink is met once wᵀx lies beyond it by this share of ‖w‖‖x‖: more than rounding, and less than
# anything that shows.
_BEYOND = 1e-13
# Points within a step at which kinks are looked for.
_LOOKS = np.linspace(0.0, 1.0, 7)[1:]
# Steps without a kink after which a phase is taken to be the last, and stiff.
_LONG_PHASE = 60


def has_kinks(net: RegressionModel) -> TypeGuard[LinearNeuron]:
    """Return whether a network's flow is smooth only between kinks: that of a leaky neuron."""
    return isinstance(net, LinearNeuron) and net.slope < 1


def with_kinks(
    smooth: System,
    neuron: LinearNeuron,
    data: Float[np.ndarray, "n k"],
    y: Float[np.ndarray, " n"],
) -> System:
    """Return the flow of a leaky `neuron` on `data` in its own coordinates, kinks and all."""
    return KinkedSystem(**vars(smooth), neuron=neuron, data=data, y=y)


@dataclass(frozen=True, eq=False)
class KinkedSystem(System):
    """The flow of a leaky neuron, smooth between kinks."""

    kinked: ClassVar[bool] = True
    neuron: LinearNeuron = field(kw_only=True)
    data: Float[np.ndarray, "n k"] = field(kw_only=True)
    y: Float[np.ndarray, " n"] = field(kw_only=True)
    kinks: list[Kink] = field(default_factory=list, kw_only=True)

    def solver(self, horizon: float) -> OdeSolver:
        """Return a stepper from the start to `horizon` that stops at every kink."""
        return _KinkSolver(self, horizon)

    def kinks_until(self, time: float) -> tuple[Kink, ...]:
        """Return the kinks that the flow has met."""
        return tuple(kink for kink in self.kinks if kink.time <= time)


@dataclass(frozen=True, eq=False)
class _Phase:
    r"""A stretch of the flow on which it is smooth, and that of a *linear* neuron.

    A sample with wᵀx > 0 enters with slope 1, one with wᵀx < 0 with slope ρ, as if its row of X
    were multiplied by that. A sample that slides (wᵀx = 0) keeps all motion orthogonal to its x, as
    if it were absent and x projected out of the other rows.
    """

    side: Float[np.ndarray, " n"]  # 1, −1, or 0 for a sample that slides
    X: Float[np.ndarray, "n k"]
    y: Float[np.ndarray, " n"]
    # The slopes of the sliding samples are the affine function of the residuals of the others that
    # holds wᵀx at 0.
    holding: Float[np.ndarray, "s n"]

    @property
    def sliding(self) -> Int[np.ndarray, " s"]:
        """The samples that slide, (s,)."""
        return np.flatnonzero(self.side == 0)


class _KinkSolver(OdeSolver):
    """A stepper through the phases of a leaky neuron's flow."""

    t: float
    y: State
    _steps: int
    # Kinks met one after the other without any time passing.
    _standing: int = 0

    def __init__(self, system: KinkedSystem, horizon: float) -> None:
        self._system = system
        linear = LinearNeuron(0.0, np.zeros(system.data.shape[1]))
        self._linear = partial(unchecked(linear, "replace"), linear)
        self._velocity, self._outputs, self._jacobian = (
            unchecked(linear, n) for n in ("velocity", "predict", "velocity_jacobian")
        )
        self._tolerances = {"rtol": _RELATIVE_ERROR, "atol": _ABSOLUTE_ERROR * system.unit}
        self._lengths = np.linalg.norm(system.data, axis=1)
        super().__init__(system.field, 0.0, system.start, horizon, vectorized=False)
        system.kinks.clear()
        self._enter(self._initial_sides())

    def _step_impl(self) -> tuple[bool, str | None]:
        start = self.t
        message = self._inner.step()
        if self._inner.status == "failed":
            return False, message
        self._steps += 1
        path = self._inner.dense_output()
        self._path = path
        earlier = start
        for look in _LOOKS:
            later = start + look * (self._inner.t - start)
            point = path(later) if look < 1 else self._inner.y
            gaps = self._gaps(point)
            if gaps.min() < 0:
                return self._meet(earlier, later, gaps, path)
            earlier = later
        self.t, self.y = self._inner.t, self._inner.y
        if self._steps == _LONG_PHASE and isinstance(self._inner, DOP853):
            self._continue()
        return True, None

    def _dense_output_impl(self) -> DenseOutput:
        return self._path

    def _gaps(self, state: State) -> Float[np.ndarray, " n_gaps"]:
        """Return what must stay ≥ 0 in this phase.

        One per sample; then the other bound of each that slides; then the output weight, if any do.
        """
        phase, slope = self._phase, self._system.neuron.slope
        beyond = _BEYOND * self._lengths * np.linalg.norm(state[1:])
        gaps = phase.side * (self._system.data @ state[1:]) + beyond
        sliding = phase.sliding
        if not sliding.size:
            return gaps
        slopes = self._sliding_slopes(state)
        gaps[sliding] = 1 - slopes + _BEYOND
        return np.concatenate([gaps, slopes - slope + _BEYOND, [self._output_sign * state[0]]])

    def _sliding_slopes(self, state: State) -> Float[np.ndarray, " s"]:
        phase = self._phase
        residual = phase.y - state[0] * (phase.X @ state[1:])
        return phase.holding @ residual

    def _meet(
        self,
        earlier: float,
        later: float,
        gaps: Float[np.ndarray, " n_gaps"],
        path: DenseOutput,
    ) -> tuple[bool, str | None]:
        """Stop at the first kink between the two times and enter the next phase."""
        first, which = later, int(np.argmin(gaps))
        for index in np.flatnonzero(gaps < 0):
            opening = self._gaps(path(earlier))[index]
            if opening <= 0:
                first, which = earlier, int(index)
                break
            root = brentq(
                lambda time, index=index: self._gaps(path(time))[index],
                earlier,
                later,
                xtol=1e-15 * max(later, 1e-300),
                rtol=8.9e-16,
            )
            if root <= first:
                first, which = root, int(index)
        self._standing = self._standing + 1 if first <= self.t else 0
        if self._standing > 2 * len(self._lengths):
            return (
                False,
                f"kinks accumulate at t={first:.6g}, where no side of row {which} is stable",
            )
        self.t, self.y = first, np.array(path(first))
        sides, n = self._phase.side.copy(), len(self._lengths)
        if which >= n + self._phase.sliding.size:
            return False, (
                "the output weight vanishes while the neuron slides along a kink, and from there "
                "on gradient flow is not unique"
            )
        if which >= n:
            sample = int(self._phase.sliding[which - n])
            sides[sample] = -1.0
            self._note(sample, "leaves")
        elif sides[which] == 0:
            sample, sides[which] = which, 1.0
            self._note(sample, "leaves")
        else:
            sample = which
            sides = self._after_meeting(sample, sides)
        self._enter(sides)
        return True, None

    def _note(self, sample: int, event: str) -> None:
        self._system.kinks.append(Kink(float(self.t), sample, event))

    def _after_meeting(
        self, sample: int, sides: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """Return the sides after `sample` has met its kink: across, or along it."""
        before = sides.copy()
        sides[sample] = -sides[sample]
        on_kink = before == 0
        # For a·y < 0 the loss has a valley along the kink, otherwise a ridge, which is crossed.
        on_kink[sample] = self.y[0] * self._system.y[sample] < 0
        sides = self._settle(sides, np.flatnonzero(on_kink), self.y)
        self._note(sample, "slides" if sides[sample] == 0 else "crosses")
        for other in np.flatnonzero((before == 0) & (sides != 0)):
            self._note(int(other), "leaves")
        return sides

    def _settle(
        self, sides: Float[np.ndarray, " n"], on_kink: Int[np.ndarray, " v"], state: State
    ) -> Float[np.ndarray, " n"]:
        """Choose the sides of samples in valleys, by the least velocity their slopes allow.

        With slopes u between ρ and 1, w moves along Xᵀ(slope·r); at the u that makes this shortest,
        wᵀx rises where u = 1, falls where u = ρ, and rests in between.
        """
        if not len(on_kink):
            return sides
        system, slope = self._system, self._system.neuron.slope
        slopes = np.where(sides >= 0, 1.0, slope)
        slopes[on_kink] = 0.0
        residual = system.y - state[0] * slopes * (system.data @ state[1:])
        others = (slopes * residual) @ system.data
        valleys = system.data[on_kink].T * system.y[on_kink]
        if len(on_kink) == 1:
            column = valleys[:, 0]
            chosen = np.clip([-(column @ others) / (column @ column)], slope, 1.0)
        else:
            chosen = lsq_linear(valleys, -others, bounds=(slope, 1.0), method="bvls").x
        sides = sides.copy()
        sides[on_kink] = np.where(
            chosen >= 1 - 1e-9, 1.0, np.where(chosen <= slope + 1e-9 * slope, -1.0, 0.0)
        )
        return sides

    def _initial_sides(self) -> Float[np.ndarray, " n"]:
        """Return the sides at the start, for a neuron that may stand on kinks."""
        system, state = self._system, self._system.start
        inputs = system.data @ state[1:]
        beyond = _BEYOND * self._lengths * np.linalg.norm(state[1:])
        on_kink = np.abs(inputs) <= beyond
        sides = np.where(inputs >= 0, 1.0, -1.0)
        slopes = np.where(sides > 0, 1.0, system.neuron.slope)
        residual = system.y - state[0] * slopes * inputs
        push = np.sign(state[0]) or np.sign((slopes * inputs) @ residual)
        valley = on_kink & (push * system.y < 0)
        ridge = on_kink & (push * system.y > 0)
        kernel = system.data @ system.data.T
        middle = np.where(on_kink, (1 + system.neuron.slope) / 2, slopes) * residual
        spread = np.where(on_kink, (1 - system.neuron.slope) / 2 * np.abs(residual), 0.0)
        speed, doubt = push * (kernel @ middle), np.abs(kernel) @ spread
        for sample in np.flatnonzero(ridge):
            if abs(speed[sample]) <= doubt[sample]:
                raise ValueError(
                    f"net must not start on a ridge of the loss, got wᵀx = 0 at row {sample} of X: "
                    "gradient flow may leave to either side and is not unique; move w a little"
                )
            sides[sample] = np.sign(speed[sample])
        return self._settle(sides, np.flatnonzero(valley), state)

    def _enter(self, sides: Float[np.ndarray, " n"]) -> None:
        """Begin a phase now, with the state put exactly on the kinks that it slides along."""
        system = self._system
        slopes = np.where(sides > 0, 1.0, np.where(sides < 0, system.neuron.slope, 0.0))
        data, sliding = slopes[:, None] * system.data, np.flatnonzero(sides == 0)
        holding = np.zeros((sliding.size, len(sides)))
        if sliding.size:
            fixed = system.data[sliding]
            # Slopes u hold wᵀx if X_S(X_Sᵀ(u∘y_S) + Xᵀ(slope·r)) = 0.
            weights = np.linalg.lstsq(fixed.T, data.T, rcond=None)[0]
            holding = -weights / system.y[sliding, None]
            data = data - weights.T @ fixed
            data[sliding] = 0.0
            y = self.y.copy()
            y[1:] -= np.linalg.lstsq(fixed, fixed @ y[1:], rcond=None)[0]
            self.y = y
        self._phase = _Phase(sides, data, np.where(sides == 0, 0.0, system.y), holding)
        self._output_sign = np.sign(self.y[0])
        self._steps = 0
        self._inner: OdeSolver = DOP853(
            self._field, self.t, self.y, self.t_bound, **self._tolerances
        )

    def _continue(self) -> None:
        """Go on with an implicit method, as the end of a flow is stiff."""
        if self._system.jacobian is not None:
            self._inner = LSODA(
                self._field,
                self.t,
                self.y,
                self.t_bound,
                jac=lambda _, state: self._jacobian(
                    self._linear(state), self._phase.X, self._phase.y
                ),
                **self._tolerances,
            )

    def _field(self, _: float, state: State) -> State:
        phase, neuron = self._phase, self._linear(state)
        velocity = self._velocity(neuron, phase.X, phase.y - self._outputs(neuron, phase.X))
        return cast("State", velocity)
