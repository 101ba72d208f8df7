"""Gradient flow of a neuron by another clock, and with the samples weighted."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import array, count, increasing, of_kind, positive, regression_problem
from ibtools.models import LinearNeuron, RegressionModel
from ibtools.trainers.flow.layers import NeuronRun
from ibtools.trainers.flow.row_space import row_space_system
from ibtools.trainers.flow.systems import follow
from ibtools.trainers.warning import TrainingWarning


@dataclass(frozen=True, eq=False, repr=False)
class WarpedRun(NeuronRun):
    """The run of one neuron in the clock τ.

    ``times`` are in that clock.

    Attributes
    ----------
    natural_times
        The times t of gradient flow at which the records are passed, (t,).
    """

    natural_times: Float[np.ndarray, " t"] = field(kw_only=True)


def warped_flow(
    neuron: LinearNeuron,
    X: ArrayLike,
    y: ArrayLike,
    *,
    times: ArrayLike | None = None,
    tolerance: float = 1e-10,
    max_steps: int = 100_000,
) -> WarpedRun:
    r"""Integrate a linear neuron's gradient flow by the clock :math:`d\tau = \tfrac32|a|\,dt`.

    All weights are divided by the same factor of speed, so the path is that of `gradient_flow`; t
    is integrated along. In this clock, and in no use of a potential here, the predictor follows the
    mirror flow of Theorem 2.

    Parameters
    ----------
    neuron
        The neuron at τ = 0, with slope 1 and a ≠ 0.
    X, y
        The problem: (n, d) and (n,), finite.
    times
        Values of τ at which to record the path, increasing, ≥ 0. Without them the flow is followed
        to its limit.
    tolerance, max_steps
        As in `gradient_flow`.

    Returns
    -------
    WarpedRun
        As `gradient_flow`, with ``times`` in the clock τ and ``natural_times`` in t.

    Raises
    ------
    ValueError
        If the neuron is leaky or has a = 0, or as `gradient_flow`.

    Warns
    -----
    TrainingWarning
        If the run ends without what was asked. Where a changes its sign, the run ends at the last
        record before: with a = 0 the clock τ stands still, and beyond it another potential rules.

    References
    ----------
    Azulay et al. (2021), Theorem 2.

    Examples
    --------
    >>> from ibtools.models import LinearNeuron
    >>> from ibtools.trainers import warped_flow
    >>> neuron = LinearNeuron.from_scale_shape(scale=0.1, shape=0.0, direction=[0.6, 0.0, 0.8])
    >>> run = warped_flow(neuron, [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5])
    >>> run.w[-1].round(6)
    array([ 0.211492,  0.413053, -0.075197])
    """
    of_kind("neuron", neuron, LinearNeuron)
    X, y = regression_problem(X, y, columns=neuron.w.size)
    if neuron.slope != 1 or neuron.a == 0:
        raise ValueError(
            f"neuron must be linear with a ≠ 0, got slope={neuron.slope:g} and a={neuron.a:g}; "
            "the clock τ runs at 3|a|/2 and stands still at a = 0, and a leaky neuron's flow is "
            "stopped at kinks, for which use gradient_flow"
        )
    asked = None if times is None else increasing("times", times)
    positive("tolerance", tolerance)
    count("max_steps", max_steps)
    plain = row_space_system(neuron, X, y)

    def velocity(tau: float, state: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
        speed = 1.5 * abs(state[0])
        return np.append(plain.field(tau, state[:-1]), 1.0) / speed

    def jacobian(tau: float, state: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p p"]:
        assert plain.jacobian is not None
        speed = 1.5 * abs(state[0])
        result = np.zeros((state.size, state.size))
        result[:-1, :-1] = plain.jacobian(tau, state[:-1]) / speed
        result[:, 0] -= velocity(tau, state) / state[0]
        return result

    system = replace(
        plain,
        start=np.append(plain.start, 0.0),
        field=velocity,
        jacobian=None if plain.jacobian is None else jacobian,
        restore=partial(_without_clock, plain.restore),
        record=lambda states: plain.record(states[:, :-1]),
        remaining=lambda state: plain.remaining(state[:-1]),
    )
    run = follow(system, asked=asked, tolerance=tolerance, max_steps=max_steps)
    times, states, message = run.times, run._states, run.message
    before = int(np.sum(states[:, 0] * neuron.a > 0))
    if before < len(times):
        message = "the output weight changes its sign, and with a = 0 the clock stands still"
        warnings.warn(
            f"warped flow: {message}; the run ends before that, at τ={times[before - 1]:.6g}",
            TrainingWarning,
            stacklevel=2,
        )
        run = system.run(times[:before], states[:before], tolerance=tolerance, message=message)
        run = replace(run, converged=False)
    values = {entry.name: getattr(run, entry.name) for entry in fields(run)}
    return WarpedRun(**values, natural_times=run._states[:, -1].copy())


def _without_clock(
    restore: Callable[[Float[np.ndarray, " p"]], RegressionModel], state: Float[np.ndarray, " q"]
) -> RegressionModel:
    return restore(state[:-1])


def weighted_problem(
    X: ArrayLike, y: ArrayLike, weights: ArrayLike
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    r"""Return the problem whose squared loss is :math:`\tfrac12 r^\top\Omega r` of the given one.

    It is :math:`(\Omega^{1/2}X, \Omega^{1/2}y)`. Its interpolators and its row space are those of
    (X, y); only the residuals r that drive the flow become Ωr. A limit that a potential of the
    predictor alone determines cannot move with Ω, since :math:`X^\top\!\int\!\Omega r` lies in the
    row space as :math:`X^\top\!\int\! r` does. For linear predictors: a leaky neuron does not
    commute with mixing the samples.

    Parameters
    ----------
    X, y
        The problem: (n, d) and (n,), finite.
    weights
        Ω, (n, n), symmetric and positive definite.

    Raises
    ------
    ValueError
        If the problem is not acceptable, or Ω is not symmetric and positive definite.

    Examples
    --------
    >>> from ibtools.trainers import weighted_problem
    >>> weighted_problem([[1.0, 2.0]], [3.0], [[4.0]])
    (array([[2., 4.]]), array([6.]))
    """
    X, y = regression_problem(X, y)
    matrix = array("weights", weights, ndim=2)
    n = y.size
    if matrix.shape != (n, n) or not np.allclose(matrix, matrix.T, rtol=1e-12, atol=0):
        raise ValueError(
            f"weights must be a symmetric matrix of shape {(n, n)}, got shape {matrix.shape}"
            f"{'' if matrix.shape != (n, n) else ' and not symmetric'}; for one weight per sample "
            "pass numpy.diag(weights)"
        )
    spectrum, basis = np.linalg.eigh(matrix)
    if spectrum[0] <= 0:
        raise ValueError(
            f"weights must be positive definite, got smallest eigenvalue {spectrum[0]:.3g}; the "
            "loss would otherwise not see some residuals: add a multiple of the identity"
        )
    root = (basis * np.sqrt(spectrum)) @ basis.T
    return root @ X, root @ y
