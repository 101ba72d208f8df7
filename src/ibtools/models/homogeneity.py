"""The order of homogeneity of a net, computed from its layers."""

from dataclasses import dataclass
from functools import singledispatch

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibtools.models.layers import DifferenceOfSquares, Product, Residual, SquaredReLU, Sum

Exponents = dict[str, int]

_KEEPS_ORDER = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.Identity,
    nn.Flatten,
    nn.Dropout,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
)
_NEARLY_LINEAR = (nn.GELU, nn.SiLU, nn.Softplus)


class NotHomogeneousError(ValueError):
    """A net that no power of the scale of its parameters comes out of, and why."""


@dataclass(frozen=True)
class Order:
    """How an output scales with the parameters, Φ(cθ) = c^L Φ(θ).

    Attributes
    ----------
    degree
        The power of c with which the output grows for large c.
    defect
        Why the power law is not exact; empty where it is.
    exponents
        The power for each layer by itself, by the layer's name, where layers can be scaled one by
        one; ``None`` where they cannot (a skip connection ties them together).
    """

    degree: int
    defect: str = ""
    exponents: Exponents | None = None


@singledispatch
def order_after(module: nn.Module, before: Order, name: str) -> Order:
    """Return the order of a module's output, given that of its input.

    Register your own layers: ``@order_after.register``.

    Parameters
    ----------
    module
        The module.
    before
        The order of what comes in.
    name
        The module's name in the net, for messages.

    Raises
    ------
    NotHomogeneousError
        If the module is of a kind that has no order that we know.
    """
    if isinstance(module, _KEEPS_ORDER):
        return before
    if before.degree == 0 and next(module.parameters(), None) is None:
        return before  # what no parameter has touched is a feature of the input
    if isinstance(module, _NEARLY_LINEAR):
        what = f"{name} ({type(module).__name__})"
        return _spoiled(before, f"{what} bends at a scale of its own")
    layers = getattr(module, "layers", None)
    if isinstance(layers, nn.Module):
        return order_after(layers, before, f"{name}.layers".lstrip("."))
    raise NotHomogeneousError(
        f"{name or 'the net'} ({type(module).__name__}) has no order of homogeneity that is known; "
        "if it has one, register it with ibtools.models.homogeneity.order_after"
    )


def _spoiled(order: Order, why: str) -> Order:
    return Order(order.degree, "; ".join(filter(None, (order.defect, why))), order.exponents)


@order_after.register(nn.Sequential)
def _(module: nn.Sequential, before: Order, name: str) -> Order:
    # Unlike named_children, which names a module once however often it stands in the sequence.
    for child_name, child in module._modules.items():
        assert child is not None
        before = order_after(child, before, f"{name}.{child_name}".lstrip("."))
    return before


@order_after.register(nn.Linear)
@order_after.register(nn.Conv1d)
@order_after.register(nn.Conv2d)
def _(module: nn.Linear | nn.Conv1d | nn.Conv2d, before: Order, name: str) -> Order:
    exponents = None if before.exponents is None else {**before.exponents, name: 1}
    after = Order(before.degree + 1, before.defect, exponents)
    if module.bias is None or before.degree == 0:
        return after
    return _spoiled(after, f"the bias of {name} does not scale with the layers before it")


@order_after.register
def _(module: SquaredReLU, before: Order, name: str) -> Order:
    exponents = before.exponents and {layer: 2 * k for layer, k in before.exponents.items()}
    return Order(2 * before.degree, before.defect, exponents)


@order_after.register
def _(module: DifferenceOfSquares, before: Order, name: str) -> Order:
    exponents = None if before.exponents is None else {**before.exponents, name: 2}
    return Order(before.degree + 2, before.defect, exponents)


@order_after.register
def _(module: Residual, before: Order, name: str) -> Order:
    inner = order_after(module.inner, before, f"{name}.inner".lstrip("."))
    return _sum([before, inner], name)


@order_after.register
def _(module: Sum, before: Order, name: str) -> Order:
    terms = [
        order_after(term, before, f"{name}.terms.{i}".lstrip("."))
        for i, term in enumerate(module.terms)
    ]
    return _sum(terms, name)


@order_after.register
def _(module: Product, before: Order, name: str) -> Order:
    factors = [
        order_after(factor, before, f"{name}.factors.{i}".lstrip("."))
        for i, factor in enumerate(module.factors)
    ]
    defect = "; ".join(dict.fromkeys(factor.defect for factor in factors if factor.defect))
    return Order(sum(factor.degree for factor in factors), defect, None)


def _sum(terms: list[Order], name: str) -> Order:
    defect = "; ".join(dict.fromkeys(term.defect for term in terms if term.defect))
    total = Order(max(term.degree for term in terms), defect, None)
    degrees = sorted({term.degree for term in terms})
    if len(degrees) == 1:
        return total
    what = name or "the net"
    return _spoiled(total, f"{what} adds terms of orders {' and '.join(map(str, degrees))}")


def order_of(net: nn.Module) -> Order:
    """Return how the outputs of `net` scale with its parameters.

    Linear and convolutional layers add 1, the square of a ReLU doubles, ReLU and pooling keep the
    order. A bias keeps it in the first layer only: it grows like c, and so does that layer's
    output. What spoils the power law is named in ``defect``.

    Raises
    ------
    NotHomogeneousError
        If a module has no order that we know (softmax attention, layer normalization).

    References
    ----------
    Lyu & Li (2020), assumption of homogeneity.

    Examples
    --------
    >>> order_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False)))
    Order(degree=2, defect='', exponents={'0': 1, '2': 1})
    >>> order_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))).defect
    'the bias of 2 does not scale with the layers before it'
    """
    return order_after(net, Order(0, "", {}), "")


def homogeneity_order(net: nn.Module) -> int:
    """Return L with Φ(cθ; x) = c^L Φ(θ; x) for all c > 0.

    Raises
    ------
    NotHomogeneousError
        If there is none, with the reason.

    Examples
    --------
    >>> homogeneity_order(nn.Sequential(nn.Linear(2, 3, bias=False), SquaredReLU()))
    2
    """
    order = order_of(net)
    if order.defect:
        raise NotHomogeneousError(
            f"the net is not homogeneous: {order.defect}; drop biases after the first layer and "
            "smooth activations, or use what is made for non-homogeneous nets"
        )
    return order.degree


def euler_defect(net: nn.Module, X: Float[Tensor, "n ..."], *, order: float | int) -> float:
    """Return how far Euler's identity ⟨θ, ∇Φ⟩ = L Φ is from true, relative to max |Φ|.

    An L-homogeneous function satisfies it wherever it has a gradient, and by the chain rule at
    kinks as well. Zero parameters prove nothing: draw all of them, biases too, at random first.

    Parameters
    ----------
    net
        The net, at the parameters where the identity is checked.
    X
        Inputs, (n, …).
    order
        L.

    Examples
    --------
    >>> net = nn.Linear(2, 1, dtype=torch.float64)
    >>> euler_defect(net, torch.ones(3, 2, dtype=torch.float64), order=1.0)
    0.0
    """
    outputs = net(X)
    weights = list(net.parameters())
    # Jᵀv is linear in v, so the derivative of ⟨θ, Jᵀv⟩ in v is Jθ: one reverse pass more.
    v = torch.zeros_like(outputs, requires_grad=True)
    pulled = torch.autograd.grad(outputs, weights, v, create_graph=True, materialize_grads=True)
    inner = torch.stack(
        [(w.detach() * p).sum() for w, p in zip(weights, pulled, strict=True)]
    ).sum()
    (growth,) = torch.autograd.grad(inner, v)
    scale = float(outputs.detach().abs().max())
    return float((growth - order * outputs).detach().abs().max()) / scale if scale else 0.0
