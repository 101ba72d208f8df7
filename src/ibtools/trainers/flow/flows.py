"""Gradient flow on the squared loss, as an ordinary differential equation."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, overload, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from ibtools._threads import one_thread
from ibtools._validation import (
    checked,
    count,
    function,
    increasing,
    offering,
    one_of,
    positive,
    quiet,
    regression_problem,
    unchecked,
    vector,
)
from ibtools.models import DualModel, LinearNet, LinearNeuron, RegressionModel, RowSpaceModel
from ibtools.models.protocol import speaks_for
from ibtools.trainers.flow.kinks import has_kinks
from ibtools.trainers.flow.layers import LinearNetRun, NeuronRun
from ibtools.trainers.flow.row_space import row_space_system
from ibtools.trainers.flow.runs import RegressionRun
from ibtools.trainers.flow.systems import System, dual_system, follow, parameter_system
from ibtools.trainers.kinds import require_regression_model
from ibtools.trainers.warning import TrainingWarning

Net = TypeVar("Net", bound=RegressionModel)


@runtime_checkable
class Mirror(Protocol):
    """What mirror flow asks of a potential."""

    def hessian(self, w: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d d"]:
        """Return the Hessian at `w`, (d, d), positive definite."""
        ...


@dataclass(frozen=True, eq=False)
class Predictor:
    """A bare linear predictor that moves in a metric: w' = H(w)⁻¹Xᵀr.

    It is what the runs of `metric_flow` and `mirror_flow` have for a network.

    Parameters
    ----------
    predictor
        w, (d,); it is copied.
    metric
        H, called with a weight vector (d,); it returns a matrix (d, d).

    Raises
    ------
    TypeError
        If `metric` is no function.
    ValueError
        If `predictor` is no finite vector.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.trainers import Predictor
    >>> net = Predictor(np.array([1.0, 2.0]), lambda w: 2 * np.eye(2))
    >>> net.velocity(np.eye(2), np.array([2.0, 4.0]))
    array([1., 2.])
    """

    predictor: Float[np.ndarray, " d"]
    metric: Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, "d d"]]

    def __init__(
        self,
        predictor: ArrayLike,
        metric: Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, "d d"]],
    ) -> None:
        function("metric", metric, of="w that returns the matrix H(w)")
        own = vector("predictor", predictor).copy()
        own.flags.writeable = False
        object.__setattr__(self, "predictor", own)
        object.__setattr__(self, "metric", metric)

    @property
    def parameters(self) -> Float[np.ndarray, " d"]:
        """The predictor itself, (d,)."""
        return self.predictor

    @checked
    def replace(self, parameters: Float[np.ndarray, " d"]) -> "Predictor":
        """Return the predictor `parameters`, (d,), in the same metric.

        Parameters
        ----------
        parameters
            w, (d,).
        """
        moved = object.__new__(Predictor)
        object.__setattr__(moved, "predictor", parameters)
        object.__setattr__(moved, "metric", self.metric)
        return moved

    @checked
    def predict(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """Return the outputs on the rows of `X`, (n,).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        return X @ self.predictor

    @checked
    def velocity(
        self, X: Float[np.ndarray, "n d"], residual: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " d"]:
        """Return H⁻¹Xᵀr, (d,).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        residual
            r, (n,); labels minus outputs.
        """
        pull = X.T @ residual
        return np.linalg.solve(self.metric(self.predictor), pull)

    @checked
    def tangent_kernel(self, X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
        """Return X H⁻¹ Xᵀ, (n, n).

        Parameters
        ----------
        X
            Inputs in rows, (n, d).
        """
        return X @ np.linalg.solve(self.metric(self.predictor), X.T)


@overload
def gradient_flow(
    net: LinearNeuron,
    X: ArrayLike,
    y: ArrayLike,
    *,
    times: ArrayLike | None = None,
    method: str = "auto",
    tolerance: float = 1e-10,
    max_steps: int = 100_000,
) -> NeuronRun: ...


@overload
def gradient_flow(
    net: LinearNet,
    X: ArrayLike,
    y: ArrayLike,
    *,
    times: ArrayLike | None = None,
    method: str = "auto",
    tolerance: float = 1e-10,
    max_steps: int = 100_000,
) -> LinearNetRun: ...


@overload
def gradient_flow(
    net: Net,
    X: ArrayLike,
    y: ArrayLike,
    *,
    times: ArrayLike | None = None,
    method: str = "auto",
    tolerance: float = 1e-10,
    max_steps: int = 100_000,
) -> RegressionRun[Net]: ...


def gradient_flow(
    net: Net,
    X: ArrayLike,
    y: ArrayLike,
    *,
    times: ArrayLike | None = None,
    method: str = "auto",
    tolerance: float = 1e-10,
    max_steps: int = 100_000,
) -> RegressionRun[Net]:
    r"""Integrate gradient flow of :math:`L = \frac12\|Xw(\theta) - y\|^2` on the parameters.

    Parameters
    ----------
    net
        The network at t = 0. Flow moves its parameters: θ' = −∂L/∂θ.
    X, y
        The problem: (n, d) and (n,), finite.
    times
        Times at which to record the path, increasing, ≥ 0. Without them the flow is followed to its
        limit and the solver's own steps are recorded.

    Returns
    -------
    RegressionRun
        ``times``, ``w``, ``loss``, final ``net``, ``converged``, ``remaining``, ``message``. With
        asked times, ``converged`` says whether the last of them is already within tolerance. For
        one neuron it is a `NeuronRun`, with ``a``, ``w_layer`` and ``kinks``; for a fully connected
        network a `LinearNetRun`, with ``a`` and ``w_layer``.

    Other Parameters
    ----------------
    method
        ``"dual"``: integrate the n numbers :math:`\nu = \int r\,dt` by LSODA with their exact
        Jacobian, and read the weights off :math:`P = X^\top\nu`; for networks whose weights are a
        function of P (`DualModel`). ``"reduced"``: integrate the weights' coordinates in the row
        space of X, for neurons and fully connected networks, whose weights move nowhere else
        (`RowSpaceModel`). ``"parameters"``: integrate all weights, which assumes nothing; slow
        where the network is large or its scale tiny. ``"auto"``: the first that exists. A leaky
        neuron is stopped at each of its kinks and started anew, whatever the method.
    tolerance
        Distance to the limit, relative to the norm of the predictor, at which to stop. It is
        estimated by summing the flow's linear tail, so it bounds the distance in w, not the loss.
    max_steps
        Steps after which to give up.

    Raises
    ------
    ValueError
        If the problem is not finite, its shapes do not fit the network, `times` do not increase
        from 0 on, or `method` is unknown or not available for this network.

    Warns
    -----
    TrainingWarning
        If the run ends without what was asked: too many steps, a failing solver, or an
        interruption (Ctrl-C). It returns what it has, with ``converged=False``.

    See Also
    --------
    gradient_descent : with steps.
    mirror_flow : from a potential in place of a network.
    metric_flow : from a metric in place of a network.
    warped_flow : of one neuron, in the clock in which it is a mirror flow.
    ibtools.theory.implicit_limit : where it ends, without following it.

    Notes
    -----
    Where samples outnumber dimensions, or rows depend on each other, the loss need not reach 0;
    "converged" then speaks of the part of the residual that the columns of X can reach.

    The dual's limit is a zero of :math:`y - Xw(X^\top\nu)`: an error made early on the way changes
    the path, not the limit. This is why the limit is more accurate than the path.

    References
    ----------
    Azulay et al. (2021), Appendix A, for the diagonal network.

    Examples
    --------
    >>> from ibtools.models import DiagonalNet
    >>> from ibtools.trainers import gradient_flow
    >>> net = DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=3)
    >>> run = gradient_flow(net, [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5])
    >>> run.converged, run.w[-1].round(6)
    (True, array([ 0.037056,  0.484766, -0.013175]))
    """
    require_regression_model(net)
    X, y = regression_problem(X, y, columns=net.predictor.size)
    one_of("method", method, ("auto", "dual", "reduced", "parameters"))
    asked = None if times is None else increasing("times", times)
    positive("tolerance", tolerance)
    count("max_steps", max_steps)
    system: System
    if method in ("auto", "dual") and isinstance(net, DualModel) and speaks_for(net, "after"):
        system = dual_system(net, X, y)
    elif (
        method in ("auto", "reduced")
        and isinstance(net, RowSpaceModel)
        and speaks_for(net, "compressed")
    ):
        system = row_space_system(net, X, y)
    elif method == "parameters" and has_kinks(net) and speaks_for(net, "compressed"):
        system = row_space_system(net, X, y, reduced=False)
    elif method in ("auto", "parameters"):
        system = parameter_system(net, X, y)
    else:
        needed = {
            "dual": "a network whose weights are a function of the accumulated gradient",
            "reduced": "a network whose input weights move in the row space of X only",
        }
        raise ValueError(
            f"method={method!r} needs {needed[method]}, and {type(net).__name__} is not one; use "
            "method='auto' or method='parameters'"
        )
    return follow(system, asked=asked, tolerance=tolerance, max_steps=max_steps)


def metric_flow(
    metric: Callable[[Float[np.ndarray, " d"]], Float[np.ndarray, "d d"]],
    X: ArrayLike,
    y: ArrayLike,
    *,
    start: ArrayLike,
    times: ArrayLike | None = None,
    tolerance: float = 1e-10,
    max_steps: int = 100_000,
) -> RegressionRun[Predictor]:
    r"""Integrate :math:`\dot w = H(w)^{-1} X^\top(y - Xw)` for any metric tensor H.

    Parameters
    ----------
    metric
        H as a function of w: (d,) → (d, d), positive definite. It need not be a Hessian.
    X, y
        The problem: (n, d) and (n,), finite.
    start
        w at t = 0, (d,).
    times, tolerance, max_steps
        As in `gradient_flow`.

    Returns
    -------
    RegressionRun
        As `gradient_flow`; its ``net`` is the bare predictor.

    Raises
    ------
    ValueError
        As `gradient_flow`.

    Notes
    -----
    One linear system in d unknowns is solved at each evaluation, so this is for small d.

    References
    ----------
    Gunasekar, Woodworth and Srebro (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.trainers import metric_flow
    >>> run = metric_flow(lambda w: np.eye(2), [[3.0, 4.0]], [25.0], start=[0.0, 0.0])
    >>> run.w[-1].round(8)
    array([3., 4.])
    """
    function("metric", metric, of="w that returns the matrix H(w)")
    X, y = regression_problem(X, y)
    predictor = Predictor(vector("start", start, size=X.shape[1]), metric)
    asked = None if times is None else increasing("times", times)
    positive("tolerance", tolerance)
    count("max_steps", max_steps)
    system = parameter_system(predictor, X, y)
    return follow(system, asked=asked, tolerance=tolerance, max_steps=max_steps)


def mirror_flow(
    potential: Mirror,
    X: ArrayLike,
    y: ArrayLike,
    *,
    start: ArrayLike,
    times: ArrayLike | None = None,
    tolerance: float = 1e-10,
    max_steps: int = 100_000,
) -> RegressionRun[Predictor]:
    r"""Integrate mirror flow :math:`\frac{d}{dt}\nabla q(w) = X^\top(y - Xw)` of a potential q.

    It is `metric_flow` in the metric that is the potential's Hessian; all else is as there.

    Parameters
    ----------
    potential
        Anything with ``hessian(w) -> (d, d)``, positive definite.
    X, y, start, times, tolerance, max_steps
        As in `metric_flow`.

    Returns
    -------
    RegressionRun
        As in `metric_flow`.

    Raises
    ------
    ValueError
        As `metric_flow`.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.trainers import mirror_flow
    >>> class Entropy:
    ...     def hessian(self, w):
    ...         return np.diag(1 / w)
    >>> run = mirror_flow(Entropy(), [[1.0, 1.0]], [3.0], start=[0.1, 0.2])
    >>> run.w[-1].round(8)
    array([1., 2.])
    """
    offering("potential", potential, "hessian", mend="take ibtools.theory.implicit_potential(net)")
    return metric_flow(
        potential.hessian,
        X,
        y,
        start=start,
        times=times,
        tolerance=tolerance,
        max_steps=max_steps,
    )


def gradient_descent(
    net: Net,
    X: ArrayLike,
    y: ArrayLike,
    *,
    step_size: float,
    steps: int,
    record_every: int = 1,
) -> RegressionRun[Net]:
    r"""Run gradient descent, :math:`\theta \leftarrow \theta - \eta\,\partial L/\partial\theta`.

    Gradient flow's discretization with a fixed step, for seeing how far it strays from the flow.

    Parameters
    ----------
    net
        The network at the start.
    X, y
        The problem: (n, d) and (n,), finite.
    step_size
        η > 0.
    steps
        Number of steps, at least 1.
    record_every
        Steps between records; the start and the last step are always recorded.

    Returns
    -------
    RegressionRun
        ``times`` are η × step. ``converged`` says whether the estimated distance to the limit is
        below 1e-8 of the predictor's norm.

    Raises
    ------
    ValueError
        If the problem, `step_size`, `steps` or `record_every` is not acceptable.

    Warns
    -----
    TrainingWarning
        If the weights overflow; the run ends at the last finite step.

    Examples
    --------
    >>> from ibtools.models import DiagonalNet
    >>> from ibtools.trainers import gradient_descent
    >>> net = DiagonalNet.from_scale_shape(scale=1.0, shape=0.0, d=2)
    >>> run = gradient_descent(net, [[1.0, 2.0]], [1.0], step_size=0.01, steps=2000)
    >>> run.converged, float(run.loss[-1]) < 1e-20
    (True, True)
    """
    require_regression_model(net)
    X, y = regression_problem(X, y, columns=net.predictor.size)
    positive("step_size", step_size)
    count("steps", steps)
    count("record_every", record_every)
    replaced, moving, outputs = (unchecked(net, n) for n in ("replace", "velocity", "predict"))
    state = net.parameters
    records, states = [0], [state]
    message = f"took the {steps} steps asked for"
    with (
        one_thread(X.size),
        tqdm(total=steps, desc="gradient descent", disable=quiet(), delay=1) as bar,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        try:
            for step in range(1, steps + 1):
                current = replaced(net, state)
                following = state + step_size * moving(current, X, y - outputs(current, X))
                if not np.isfinite(following).all():
                    message = (
                        f"the weights overflowed at step {step} (t={step_size * step:.4g}): "
                        f"step_size={step_size:g} is too large here, lower it"
                    )
                    warnings.warn(f"gradient descent: {message}", TrainingWarning, stacklevel=2)
                    break
                state = following
                if step % record_every == 0 or step == steps:
                    records.append(step)
                    states.append(state)
                bar.update()
        except KeyboardInterrupt:
            message = f"interrupted at step {step}"
            warnings.warn(f"gradient descent: {message}", TrainingWarning, stacklevel=2)
    return parameter_system(net, X, y).run(
        step_size * np.array(records), np.stack(states), tolerance=1e-8, message=message
    )
