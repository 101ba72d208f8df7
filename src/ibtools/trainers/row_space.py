"""The flow of networks whose input weights move in the row space of the data only."""

from typing import cast

import numpy as np
from jaxtyping import Float

from ibtools.models import LinearNeuron, RowSpaceModel
from ibtools.trainers._ode import _SMALL, System, _relative, _tail
from ibtools.trainers.kinks import KinkedSystem


def row_space_system(
    net: RowSpaceModel,
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    *,
    reduced: bool = True,
) -> System:
    """Return the flow of the weights; if `reduced`, of their coordinates in the row space.

    The reduction is exact: the data are XQᵀ in those coordinates, and the weights' part outside the
    row space does not move. One neuron is then at most n + 1 numbers, whatever d.
    """
    rows = np.eye(X.shape[1])
    data = X
    if reduced:
        left, singular, rows = np.linalg.svd(X, full_matrices=False)
        kept = singular > singular[0] * max(X.shape) * np.finfo(float).eps
        rows, data = rows[kept], left[:, kept] * singular[kept]
    small, restore = net.compressed(rows)

    def residual(state: Float[np.ndarray, " p"]) -> Float[np.ndarray, " n"]:
        return y - small.replace(state).predict(data)

    def remaining(state: Float[np.ndarray, " p"]) -> float:
        current = small.replace(state)
        ahead = current.velocity(data, _tail(current.tangent_kernel(data), residual(state)))
        here, there = (restore(small.replace(at)).predictor for at in (state, state + ahead))
        return _relative(there - here, here)

    def jacobian(_: float, state: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p p"]:
        return cast("RowSpaceModel", small.replace(state)).velocity_jacobian(data, y)

    start = small.parameters
    size = float(np.abs(start).max())
    # An implicit solver pays as long as the Jacobian is small.
    few = start.size <= _SMALL
    system = System(
        start=start,
        field=lambda _, state: small.replace(state).velocity(data, residual(state)),
        jacobian=jacobian if few else None,
        restore=lambda state: restore(small.replace(state)),
        predictor=lambda state: restore(small.replace(state)).predictor,
        residual=residual,
        remaining=remaining,
        # Weights leave a small start as they leave a saddle point: errors count by its size.
        unit=min(1.0, size) if size > 0 else 1.0,
    )
    if isinstance(small, LinearNeuron) and small.slope < 1:
        return KinkedSystem(**vars(system), neuron=small, X=data, y=y)
    return system
