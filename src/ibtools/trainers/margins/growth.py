"""How the margins of a net grow with its parameters: read, declared, or within a bound."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from ibtools.models.declared import known_order
from ibtools.models.homogeneity import Homogeneity, NotHomogeneousError, homogeneity_of
from ibtools.models.homogeneity_on_data import check_gap
from ibtools.trainers.margins.problem import Problem


@runtime_checkable
class GapBound(Protocol):
    """What is known of a net that is only nearly homogeneous: its order, and how far off it is.

    Where it has a ``radius``, it is for inputs of at most this norm.
    """

    @property
    def order(self) -> int:
        """M, the power with which outputs grow."""
        ...

    def gap_bound(self, r: Any) -> Any:
        """Return p_a(r), a bound on |f − f_H| at ‖θ‖ = r."""
        ...

    @property
    def of_differences(self) -> bool:
        """Whether the bound is on differences of two outputs, as margins between classes are."""
        ...


def order_of_run(
    problem: Problem,
    near_homogeneity: GapBound | None,
    declared: int | None = None,
    *,
    exact: bool = False,
) -> Homogeneity:
    """Return how the net's margins grow: as is read, as is declared, or within a bound.

    With `exact` a net must be homogeneous, or come with a bound: the trainer lets no margin fall,
    and which one that is depends on it.

    Raises
    ------
    ValueError
        If `near_homogeneity` bounds single outputs and the loss compares them, or is for shorter
        inputs, or an order is declared beside it.
    NotHomogeneousError
        If there is neither and the growth of the outputs is not known, or is not exact where it
        must be, or the outputs on the data are not as was read or as one of them says.
    """
    net, X = problem.net, problem.X
    if near_homogeneity is None:
        nearly = (
            "Where biases after the first layer, smooth activations or skip connections spoil the "
            f"power, put its layers in an nn.Sequential, layers, say, and give near_homogeneity="
            f"{_derived('layers', problem)}"
        )
        known = known_order(net, X, declared, nearly=nearly)
        if known.defect and exact:
            raise NotHomogeneousError(
                f"the net is not homogeneous: {known.defect}, and its smoothed margin may fall; "
                f"give near_homogeneity={_derived('net', problem)}, or train by descend or "
                "psi_flow, which enforce no margin"
            )
        return known
    if declared is not None:
        raise ValueError(
            f"order must be left out where near_homogeneity is given, got order={declared} and a "
            f"near_homogeneity of order {near_homogeneity.order}; a net that is only nearly "
            "homogeneous has that one"
        )
    if problem.loss == "cross_entropy" and not near_homogeneity.of_differences:
        raise ValueError(
            "near_homogeneity bounds each output by itself, but loss 'cross_entropy' compares two "
            "of them; pass its bounds on differences, near_homogeneity.differences()"
        )
    radius = getattr(near_homogeneity, "radius", math.inf)
    longest = longest_input(problem.X)
    if longest > radius * (1 + 1e-6):
        raise ValueError(
            f"near_homogeneity must be for all inputs, got radius={radius:g} and an input of norm "
            f"{longest:.6g}; derive it with {_derived('net', problem)}"
        )
    check_gap(
        net,
        X,
        order=near_homogeneity.order,
        gap_bound=near_homogeneity.gap_bound,
        of_differences=near_homogeneity.of_differences,
    )
    try:
        return replace(homogeneity_of(net), order=near_homogeneity.order)
    except NotHomogeneousError as error:
        return Homogeneity(near_homogeneity.order, defect=str(error))


def longest_input(X: Float[Tensor, "n ..."]) -> float:
    """Return the largest norm of a sample.

    Parameters
    ----------
    X
        Inputs, (n, …).
    """
    return float(X.flatten(1).double().norm(dim=1).max())


def _derived(name: str, problem: Problem) -> str:
    """Return the call that derives a bound for these data from layers of this name."""
    shape = tuple(problem.X.shape[1:])
    given = f", input_shape={shape}" if len(shape) > 1 else ""
    radius = f"{max(1.01 * longest_input(problem.X), 1e-300):.3g}"
    compared = ".differences()" if problem.loss == "cross_entropy" else ""
    return f"ibtools.theory.near_homogeneity({name}, radius={radius}{given}){compared}"


def exponents_of(order: Homogeneity, names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the power of each layer in `names`, or None where layers cannot be scaled alone."""
    if order.exponents is None or set(order.exponents) != set(names):
        return None
    return tuple(order.exponents[name] for name in names)
