"""The flow of networks whose input weights move in the row space of the data only."""

from collections.abc import Callable
from typing import cast

import numpy as np
from jaxtyping import Float

from ibtools._validation import unchecked
from ibtools.models import LinearNeuron, RowSpaceModel
from ibtools.models.row_space import row_space
from ibtools.trainers.flow.kinks import has_kinks, with_kinks
from ibtools.trainers.flow.systems import _SMALL, System, _relative, _tail


class _Restorer:
    """The whole network of a state, as a function that can be written to a file."""

    def __init__(self, net: RowSpaceModel, rows: Float[np.ndarray, "k d"]) -> None:
        self._net, self._rows = net, rows
        self._small, self._whole = net.compressed(rows)

    def __call__(self, state: Float[np.ndarray, " p"]) -> RowSpaceModel:
        return self._whole(self._small.replace(state))

    def __reduce__(self) -> tuple[type["_Restorer"], tuple[object, ...]]:
        return type(self), (self._net, self._rows)


def _neuron_field(
    pull_at_zero: Float[np.ndarray, " k"], squares: Float[np.ndarray, " k"]
) -> Callable[[float, Float[np.ndarray, " p"]], Float[np.ndarray, " p"]]:
    """Return the velocity of a linear neuron in singular coordinates, where XᵀX is diag(σ²).

    No product with X is left: the pull is Xᵀr = Xᵀy − σ²∘(aw), entry by entry.
    """

    def velocity(_: float, state: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
        a, w = state[0], state[1:]
        pull = pull_at_zero - (a * squares) * w
        moved = np.empty_like(state)
        moved[0] = w @ pull
        np.multiply(pull, a, out=moved[1:])
        return moved

    return velocity


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
    left, singular, rows = row_space(X)
    data = left * singular
    if not reduced:
        data, rows = X, np.eye(X.shape[1])
    small, restore = net.compressed(rows)
    replaced, moving, outputs, bending = (
        unchecked(small, n) for n in ("replace", "velocity", "predict", "velocity_jacobian")
    )
    smooth = not has_kinks(net)

    def residual(state: Float[np.ndarray, " p"]) -> Float[np.ndarray, " n"]:
        return y - outputs(replaced(small, state), data)

    def remaining(state: Float[np.ndarray, " p"]) -> float:
        current, gap = small.replace(state), residual(state)
        kernel = current.tangent_kernel(data)
        rest = _tail(kernel, gap)
        # At a saddle point the weights can move nothing, though some w would fit better.
        stuck = np.linalg.norm((gap - kernel @ rest) @ left)
        noise = 1e-12 * np.linalg.norm(gap)
        if smooth and stuck > 1e-6 * np.linalg.norm(gap @ left) + noise:
            return np.inf
        ahead = current.velocity(data, rest)
        here, there = (restore(replaced(small, at)).predictor for at in (state, state + ahead))
        return _relative(there - here, here)

    def jacobian(_: float, state: Float[np.ndarray, " p"]) -> Float[np.ndarray, "p p"]:
        return cast("np.ndarray", bending(replaced(small, state), data, y))

    def record(
        states: Float[np.ndarray, "t p"],
    ) -> tuple[Float[np.ndarray, "t d"], Float[np.ndarray, "t n"]]:
        w = np.stack([restore(replaced(small, state)).predictor for state in states])
        return w, np.stack([residual(state) for state in states])

    def velocity(_: float, state: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
        return cast("np.ndarray", moving(replaced(small, state), data, residual(state)))

    start = small.parameters
    size = float(np.abs(start).max())
    # An implicit solver pays as long as the Jacobian is small.
    few = start.size <= _SMALL
    system = System(
        start=start,
        field=_neuron_field(y @ left * singular, singular**2)
        if reduced and smooth and isinstance(net, LinearNeuron)
        else velocity,
        jacobian=jacobian if few else None,
        restore=_Restorer(net, rows),
        record=record,
        remaining=remaining,
        X=X,
        reachable=lambda: left,
        # Weights leave a small start as they leave a saddle point: errors count by its size.
        unit=min(1.0, size) if size > 0 else 1.0,
    )
    return with_kinks(system, small, data, y) if has_kinks(small) else system
