"""The order of homogeneity of a net that nobody can read: declared by its author, held to the data.

Whoever takes an ``order=`` asks `known_order`.
"""

import copy
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibtools._autograd import pulled_back
from ibtools._validation import count
from ibtools.models.homogeneity import (
    Homogeneity,
    NotHomogeneousError,
    homogeneity_of,
    homogeneity_order,
)
from ibtools.models.homogeneity_on_data import check_order, some_samples, two_points
from ibtools.models.reading import as_outputs, refuse_gradient_hooks, with_parameters, wrapping

# Random sums of outputs in which Euler's identity is looked at; one would do, but for chance.
_SUMS = 4


def known_order(
    net: nn.Module, X: Float[Tensor, "n ..."], order: int | None = None, *, nearly: str = ""
) -> Homogeneity:
    """Return how a net's outputs scale with its parameters, as declared or else as read.

    Either is held against what the net does on the data.

    Parameters
    ----------
    net
        The net, in evaluation mode.
    X
        Inputs, (n, …), of the net's type and on its device.
    order
        The order L that its author declares; ``None`` to read it off the layers.
    nearly
        For messages: what a net that is only nearly homogeneous needs, where the caller takes it.

    Raises
    ------
    NotHomogeneousError
        If the order is not declared and cannot be read, or on the data it is another.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models.declared import known_order
    >>> known_order(nn.Linear(2, 1), torch.ones(3, 2))
    Homogeneity(order=1, defect='', exponents={'': 1})
    """
    if order is not None:
        return declared_order(net, X, order, nearly=nearly)
    read = _read(net, nearly)
    check_order(net, X, read)
    return read


def stated_order(net: nn.Module, order: int | None) -> int:
    """Return the order that is declared or else read, before there are data to hold it against.

    Raises
    ------
    NotHomogeneousError
        If there is none.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.declared import stated_order
    >>> stated_order(nn.Linear(2, 1), None)
    1
    """
    if order is not None:
        return count("order", order)
    _read(net, "")
    return homogeneity_order(net)


def _read(net: nn.Module, nearly: str) -> Homogeneity:
    try:
        return homogeneity_of(net)
    except NotHomogeneousError as error:
        if wrapping(net):
            raise
        power = (
            ". Or, if all outputs grow with one power L of its parameters, declare it, order=L: it "
            "is held against the data"
        )
        raise NotHomogeneousError(f"{error}{power}{nearly and f'. {nearly}'}") from None


def declared_order(
    net: nn.Module, X: Float[Tensor, "n ..."], order: int, *, nearly: str = ""
) -> Homogeneity:
    r"""Return a declared order, once the net has kept to it on the data.

    Asked for, at the net's parameters and at others drawn around them, on 256 inputs at most, are

    .. math:: \sum_i \theta_i\,\partial f/\partial\theta_i = L f \quad\text{(Euler)}, \qquad
        f(2\theta) = 2^L f(\theta).

    The first takes the gradients that training will take: whatever is cut off from them, by
    ``detach``, say, shows there. A net that computes in single precision by choice is looked at in
    double, if it lets itself be converted.

    Parameters
    ----------
    net, X, nearly
        As in `known_order`.
    order
        L, at least 1.

    Returns
    -------
    Homogeneity
        With the power for each layer by itself, where the layers can be read and agree.

    Raises
    ------
    TypeError
        If `order` is not an integer.
    ValueError
        If it is below 1.
    NotHomogeneousError
        If the net does not keep to it; where it keeps to another order, with that.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models.declared import declared_order
    >>> class Cubed(nn.Linear):
    ...     def forward(self, x):
    ...         return super().forward(x) ** 3
    >>> net, X = Cubed(2, 1), torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    >>> declared_order(net, X, 3).order
    3
    >>> declared_order(net, X, 2)
    Traceback (most recent call last):
        ...
    ibtools.models.homogeneity.NotHomogeneousError: order=2 was declared, but the net (Cubed) is ...
    """
    order = count("order", order)
    _check_euler(net, X, order, nearly)
    check_order(net, X, Homogeneity(order), declared=True)
    try:
        read = homogeneity_of(net)
    except NotHomogeneousError:
        return Homogeneity(order)
    return read if (read.order, read.defect) == (order, "") else Homogeneity(order)


def _check_euler(net: nn.Module, X: Float[Tensor, "n ..."], order: int, nearly: str) -> None:
    refuse_gradient_hooks(net)
    net, X = _in_double(net, some_samples(X))
    outputs_with = with_parameters(net)
    source = torch.Generator().manual_seed(0)
    seen: list[tuple[float, float, float]] = []
    for point in two_points(net):
        values = [v.clone().requires_grad_() for v in point]
        outputs = as_outputs(outputs_with(values, X), len(X))
        if not bool(torch.isfinite(outputs).all()):
            continue
        if not outputs.requires_grad:
            raise NotHomogeneousError(
                f"the net ({type(net).__name__}) has outputs without a gradient by its parameters "
                "(torch.no_grad or detach in its forward?); compute them with gradients"
            )
        sums = torch.randn((_SUMS, *outputs.shape), generator=source, dtype=torch.float64)
        f = outputs.detach().double()
        size = float(f.abs().max())
        eps = torch.finfo(outputs.dtype).eps
        allowed = eps**0.5 * order * size * math.sqrt(f.numel())
        for v in sums.to(f):
            pulled = pulled_back(
                [outputs], [v.to(outputs)], values, retain_graph=True, allow_unused=True
            )
            growth = math.fsum(
                float((p.detach().double() * g.double()).sum())
                for p, g in zip(values, pulled, strict=True)
                if g is not None
            )
            seen.append((growth, float((v * f).sum()), allowed))
    if not _holds(seen, order):
        raise NotHomogeneousError(_contradicted(net, order, seen, nearly))


def _holds(seen: list[tuple[float, float, float]], order: int) -> bool:
    return all(abs(growth - order * total) <= allowed for growth, total, allowed in seen)


def _contradicted(
    net: nn.Module, order: int, seen: list[tuple[float, float, float]], nearly: str
) -> str:
    what = f"order={order} was declared, but the net ({type(net).__name__}) is"
    ratios = sorted(growth / total for growth, total, _ in seen if total)
    middle = ratios[len(ratios) // 2] if ratios else 0.0
    other = round(middle) if math.isfinite(middle) else 0
    if other >= 1 and _holds(seen, other):
        return (
            f"{what} homogeneous of order {other} on the data: Euler's identity "
            f"Σθ∂f/∂θ = L f holds there with L = {other}; give order={other}"
        )
    seen_at = f" (Σθ∂f/∂θ over f is from {ratios[0]:.4g} to {ratios[-1]:.4g})" if ratios else ""
    return (
        f"{what} homogeneous of no order: Euler's identity Σθ∂f/∂θ = L f fails on the data"
        f"{seen_at}; "
        "drop biases after the first layer, normalizations with an ε and smooth activations, or "
        f"hold what is not trained as buffers{nearly and f'. {nearly}, in place of order'}"
    )


def _in_double(
    net: nn.Module, X: Float[Tensor, "n ..."]
) -> tuple[nn.Module, Float[Tensor, "n ..."]]:
    if X.dtype == torch.float64:
        return net, X
    try:
        double = copy.deepcopy(net).double()
        with torch.no_grad():
            double(X.double())
    except RuntimeError:
        return net, X  # a type is written into its forward
    return double, X.double()
