"""Mirror descent with steps that are not infinitely small."""

import warnings
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._threads import one_thread
from ibtools._validation import count, positive, regression_problem
from ibtools.models import DualModel
from ibtools.models.protocol import speaks_for
from ibtools.trainers.flow.runs import RegressionRun
from ibtools.trainers.flow.systems import dual_system
from ibtools.trainers.kinds import require_regression_model
from ibtools.trainers.warning import TrainingWarning

Net = TypeVar("Net", bound=DualModel)


def mirror_descent(
    net: Net,
    X: ArrayLike,
    y: ArrayLike,
    *,
    step_size: float,
    steps: int,
    record_every: int = 1,
) -> RegressionRun[Net]:
    r"""Run mirror descent in the mirror of a network, :math:`P \leftarrow P + \eta X^\top r`.

    For networks whose weights are a function of the accumulated gradient P (`DualModel`): each
    step adds to P what a step of length η would, and sets the weights to what gradient *flow* makes
    of that P. For the diagonal network they are multiplied by :math:`e^{\pm\eta X^\top r}`, where
    `gradient_descent` has the factors :math:`1 \pm \eta X^\top r`. No potential is used.

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
    TypeError
        If the network is no `DualModel`.

    Warns
    -----
    TrainingWarning
        If the predictor overflows; the run ends at the last finite step.

    See Also
    --------
    gradient_descent : the same step on the weights.
    ibtools.theory.mirror_descent_step_bound : a step that is certain to arrive.

    References
    ----------
    Beck and Teboulle (2003), mirror descent.

    Examples
    --------
    >>> from ibtools.models import DiagonalNet
    >>> from ibtools.trainers import mirror_descent
    >>> net = DiagonalNet.from_scale_shape(scale=0.01, shape=0.0, d=3)
    >>> data = [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5]
    >>> run = mirror_descent(net, *data, step_size=0.1, steps=2000)
    >>> run.converged, run.w[-1].round(6)
    (True, array([ 0.037056,  0.484766, -0.013175]))
    """
    require_regression_model(net)
    X, y = regression_problem(X, y, columns=net.predictor.size)
    positive("step_size", step_size)
    count("steps", steps)
    count("record_every", record_every)
    if not (isinstance(net, DualModel) and speaks_for(net, "after")):
        raise TypeError(
            f"net must be a network whose weights are a function of the accumulated gradient, got "
            f"{type(net).__name__}; allowed: DiagonalNet. Others have gradient_descent"
        )
    system = dual_system(net, X, y)
    state = system.start
    records: list[int] = [0]
    states: list[Float[np.ndarray, " r"]] = [state]
    message = f"took the {steps} steps asked for"
    with one_thread(X.size):
        for step in range(1, steps + 1):
            with np.errstate(over="ignore", invalid="ignore"):
                state = state + step_size * system.field(0.0, state)
            if not np.abs(state).max(initial=0.0) < system.largest:
                message = (
                    f"the predictor overflowed at step {step} (t={step_size * step:.4g}): "
                    f"step_size={step_size:g} is too large here, lower it"
                )
                warnings.warn(f"mirror descent: {message}", TrainingWarning, stacklevel=2)
                break
            if step % record_every == 0 or step == steps:
                records.append(step)
                states.append(state)
    return system.run(
        step_size * np.array(records), np.stack(states), tolerance=1e-8, message=message
    )
