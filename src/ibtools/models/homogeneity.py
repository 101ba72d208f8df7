"""The order of homogeneity of a net, computed from its layers."""

from dataclasses import dataclass, field, replace
from itertools import combinations

from torch import nn

from ibtools.models.layers import (
    DifferenceOfSquares,
    Product,
    Residual,
    SquaredReLU,
    Sum,
    parameter_layers,
)
from ibtools.models.reading import Rules, refuse_no_net

Exponents = dict[str, int]


class NotHomogeneousError(ValueError):
    """A net that no power of the scale of its parameters comes out of, and why."""


@dataclass(frozen=True)
class Homogeneity:
    """How an output scales with the parameters, Φ(cθ) = c^L Φ(θ).

    Attributes
    ----------
    order
        The power of c with which the output grows for large c.
    defect
        Why the power law is not exact; empty where it is.
    exponents
        The power for each layer by itself, by the layer's name, where layers can be scaled one by
        one; ``None`` where they cannot (a skip connection ties them together).

    Examples
    --------
    >>> from ibtools.models import Homogeneity
    >>> Homogeneity(2, exponents={"0": 1, "2": 1}).order
    2
    """

    order: int
    defect: str = ""
    exponents: Exponents | None = field(default=None, hash=False)


@Rules
def homogeneity_after(module: nn.Module, before: Homogeneity, name: str) -> Homogeneity:
    """Return the order of a module's output, given that of its input.

    Register your own layers: ``@homogeneity_after.register``; the page *Bring your own network*
    shows one.

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
        If the module is of a kind that has no order that we know, or does not do what its kind
        does.
    """
    what = f"{name or 'the net'} ({type(module).__name__})"
    if why := homogeneity_after.why_not(module):
        raise NotHomogeneousError(f"{what} {why}")
    if before.order == 0 and next(module.parameters(), None) is None:
        return before  # what no parameter has touched is a feature of the input
    if next(module.children(), None) is None and type(module).__module__.startswith("torch."):
        raise NotHomogeneousError(
            f"{what} has no order of homogeneity that is known; leave it out, put a layer that has "
            "one in its place, or register a rule for it, as on the page Bring your own network"
        )
    raise NotHomogeneousError(
        f"{what} has no order of homogeneity that is known, since a forward of its own cannot be "
        "read; put its layers in an nn.Sequential, with Residual, Sum and Product of "
        "ibtools.models where it branches"
    )


def _spoiled(found: Homogeneity, why: str) -> Homogeneity:
    return Homogeneity(found.order, "; ".join(filter(None, (found.defect, why))), found.exponents)


@homogeneity_after.register(nn.ReLU)
@homogeneity_after.register(nn.LeakyReLU)
@homogeneity_after.register(nn.Identity)
@homogeneity_after.register(nn.Flatten)
@homogeneity_after.register(nn.Dropout)
@homogeneity_after.register(nn.MaxPool1d)
@homogeneity_after.register(nn.MaxPool2d)
@homogeneity_after.register(nn.AvgPool1d)
@homogeneity_after.register(nn.AvgPool2d)
@homogeneity_after.register(nn.AdaptiveAvgPool1d)
@homogeneity_after.register(nn.AdaptiveAvgPool2d)
def _(module: nn.Module, before: Homogeneity, name: str) -> Homogeneity:
    return before


@homogeneity_after.register(nn.GELU)
@homogeneity_after.register(nn.SiLU)
@homogeneity_after.register(nn.Softplus)
def _(module: nn.Module, before: Homogeneity, name: str) -> Homogeneity:
    if before.order == 0:
        return before
    return _spoiled(before, f"{name} ({type(module).__name__}) bends at a scale of its own")


@homogeneity_after.register(nn.Sequential)
def _(module: nn.Sequential, before: Homogeneity, name: str) -> Homogeneity:
    # Unlike named_children, which names a module once however often it stands in the sequence.
    for child_name, child in module._modules.items():
        assert child is not None
        before = homogeneity_after(child, before, f"{name}.{child_name}".lstrip("."))
    return before


@homogeneity_after.register(nn.Linear)
@homogeneity_after.register(nn.Conv1d)
@homogeneity_after.register(nn.Conv2d)
def _(module: nn.Linear | nn.Conv1d | nn.Conv2d, before: Homogeneity, name: str) -> Homogeneity:
    exponents = None if before.exponents is None else {**before.exponents, name: 1}
    after = Homogeneity(before.order + 1, before.defect, exponents)
    if module.bias is None or before.order == 0:
        return after
    return _spoiled(after, f"the bias of {name} does not scale with the layers before it")


@homogeneity_after.register
def _(module: SquaredReLU, before: Homogeneity, name: str) -> Homogeneity:
    exponents = before.exponents and {layer: 2 * k for layer, k in before.exponents.items()}
    return Homogeneity(2 * before.order, before.defect, exponents)


@homogeneity_after.register
def _(module: DifferenceOfSquares, before: Homogeneity, name: str) -> Homogeneity:
    exponents = None if before.exponents is None else {**before.exponents, name: 2}
    return Homogeneity(before.order + 2, before.defect, exponents)


@homogeneity_after.register
def _(module: Residual, before: Homogeneity, name: str) -> Homogeneity:
    inner = homogeneity_after(module.inner, before, f"{name}.inner".lstrip("."))
    return _sum([before, inner], name)


@homogeneity_after.register
def _(module: Sum, before: Homogeneity, name: str) -> Homogeneity:
    terms = [
        homogeneity_after(term, before, f"{name}.terms.{i}".lstrip("."))
        for i, term in enumerate(module.terms)
    ]
    return _sum(terms, name)


@homogeneity_after.register
def _(module: Product, before: Homogeneity, name: str) -> Homogeneity:
    factors = [
        homogeneity_after(factor, before, f"{name}.factors.{i}".lstrip("."))
        for i, factor in enumerate(module.factors)
    ]
    defect = "; ".join(dict.fromkeys(factor.defect for factor in factors if factor.defect))
    return Homogeneity(sum(factor.order for factor in factors), defect, None)


def _sum(terms: list[Homogeneity], name: str) -> Homogeneity:
    defect = "; ".join(dict.fromkeys(term.defect for term in terms if term.defect))
    total = Homogeneity(max(term.order for term in terms), defect, None)
    orders = sorted({term.order for term in terms})
    if len(orders) == 1:
        return total
    what = name or "the net"
    return _spoiled(total, f"{what} adds terms of orders {' and '.join(map(str, orders))}")


def homogeneity_of(net: nn.Module) -> Homogeneity:
    """Return how the outputs of `net` scale with its parameters.

    Linear and convolutional layers add 1, the square of a ReLU doubles, ReLU and pooling keep the
    order. A bias keeps it in the first layer only: it grows like c, and so does that layer's
    output. What spoils the power law is named in ``defect``. A layer that stands in two places
    counts in both, and cannot be scaled in one of them alone. Dropout is read as in evaluation
    mode.

    Parameters
    ----------
    net
        Any net made of modules that are known; it is not run.

    Returns
    -------
    Homogeneity
        ``order``, the power of all parameters together; ``exponents``, that of each layer by
        itself; ``defect``, empty where the power law is exact.

    Raises
    ------
    NotHomogeneousError
        If a module has no order that we know (softmax attention, layer normalization), or does
        something else than its class (a ``forward`` of its own, a hook, a parametrization).

    See Also
    --------
    euler_defect : the same asked of the data, where layers cannot be read.
    ibtools.theory.near_homogeneity : how far a net with a ``defect`` is from homogeneous.

    References
    ----------
    Lyu & Li (2020), assumption of homogeneity.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models import homogeneity_of
    >>> homogeneity_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False)))
    Homogeneity(order=2, defect='', exponents={'0': 1, '2': 1})
    >>> homogeneity_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))).defect
    'the bias of 2 does not scale with the layers before it'
    """
    refuse_no_net(net)
    found = homogeneity_after(net, Homogeneity(0, "", {}), "")
    layers = parameter_layers(net)
    owned = [{id(p) for p in layer.parameters(recurse=False)} for _, layer in layers]
    shared = any(one & other for one, other in combinations(owned, 2))
    twice = found.exponents is not None and not found.exponents.keys() <= {n for n, _ in layers}
    return replace(found, exponents=None) if shared or twice else found


def homogeneity_order(net: nn.Module) -> int:
    """Return L with Φ(cθ; x) = c^L Φ(θ; x) for all c > 0.

    Parameters
    ----------
    net
        Any net made of modules that are known; it is not run.

    Raises
    ------
    NotHomogeneousError
        If there is none, with the reason.

    See Also
    --------
    homogeneity_of : the same with the powers of the layers, and with what spoils it.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models import SquaredReLU, homogeneity_order
    >>> homogeneity_order(nn.Sequential(nn.Linear(2, 3, bias=False), SquaredReLU()))
    2
    """
    found = homogeneity_of(net)
    if found.defect:
        raise NotHomogeneousError(
            f"the net is not homogeneous: {found.defect}; drop biases after the first layer, "
            "smooth activations and skip connections, or take the net that it is from afar, "
            "ibtools.theory.near_homogeneity(net, radius=1.0).homogenized"
        )
    return found.order
