"""What a net does on data when its parameters are scaled, held against what is said of it."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._autograd import pulled_back
from ibtools._validation import real
from ibtools.models.homogeneity import Homogeneity, NotHomogeneousError
from ibtools.models.reading import (
    as_outputs,
    number_of_outputs,
    refuse_frozen,
    refuse_gradient_hooks,
    refuse_meta,
    refuse_no_net,
    refuse_parameters,
    refuse_wrapped,
    with_parameters,
)
from ibtools.models.samples import finite_inputs

# Data on which a reading is compared with what the net does.
_SAMPLES = 256
_UNLIKE_ITS_RULE = (
    "a module does something else than its class or its rule says; write what it does as layers "
    "that are read, or correct the rule that you registered for it"
)
# From here on a net that bends somewhere looks as it does from afar.
_FAR = 2.0**20


def check_order(
    net: nn.Module, X: Float[Tensor, "n ..."], homogeneity: Homogeneity, *, declared: bool = False
) -> None:
    """Raise unless a net's outputs scale on data as was read off its layers.

    At the net's parameters and at others drawn around them (a bias may start at 0 and hide), on
    256 of the inputs at most: Φ(2θ) = 2^L Φ(θ), where an order was read. Where only its growth was,
    outputs may not grow faster from afar.

    Parameters
    ----------
    net
        The net, in evaluation mode.
    X
        Inputs, (n, …), of the net's type and on its device.
    homogeneity
        What was read.
    declared
        Whether it was not read, but declared by the net's author.

    Raises
    ------
    NotHomogeneousError
        If they do not.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models import Homogeneity
    >>> from ibtools.models.homogeneity_on_data import check_order
    >>> net = nn.Linear(2, 1, dtype=torch.float64)
    >>> X = torch.ones(3, 2, dtype=torch.float64)
    >>> check_order(net, X, Homogeneity(1))
    >>> check_order(net, X, Homogeneity(2))
    Traceback (most recent call last):
        ...
    ibtools.models.homogeneity.NotHomogeneousError: the net (Linear) was read as homogeneous of ...
    """
    for at in _scalings(net, X):
        here = at(1.0)
        if not bool(torch.isfinite(here).all()):
            continue
        if homogeneity.defect:
            _check_growth(net, at, homogeneity.order)
            continue
        # Doubling is exact in floating point: for the layers of this package so is the law.
        c, there = 2.0, at(2.0)
        if not bool(torch.isfinite(there).all()):
            c, there = 0.5, at(0.5)
        expected = c**homogeneity.order * here
        off = (there - expected).abs()
        allowed = torch.finfo(X.dtype).eps ** 0.5 * float(expected.abs().max())
        if not float(off.max()) <= allowed:
            place = int(off.reshape(-1).argmax())
            raise NotHomogeneousError(
                f"the net ({type(net).__name__}) was {'declared' if declared else 'read as'} "
                f"homogeneous of order {homogeneity.order}, "
                f"but an output {float(here.reshape(-1)[place]):.6g} becomes "
                f"{float(there.reshape(-1)[place]):.6g} where the parameters are multiplied by "
                f"{c:g}, and should become {float(expected.reshape(-1)[place]):.6g}: "
                + ("declare the order that it has, if it has one" if declared else _UNLIKE_ITS_RULE)
            )


def _check_growth(net: nn.Module, at: Callable[[float], Tensor], order: int) -> None:
    near, far = at(_FAR), at(2 * _FAR)
    if not bool(torch.isfinite(far).all()) or not bool(near.any()):
        return  # too large to be written, or nothing to see
    grown = float(far.norm() / near.norm())
    # The order is an integer: half of one leaves room for what is not quite far enough.
    if grown > 2.0 ** (order + 0.5):
        raise NotHomogeneousError(
            f"the net ({type(net).__name__}) was read as of order {order}, but far away its "
            f"outputs grow {grown:.6g}-fold where the parameters are doubled, and should grow "
            f"{2.0**order:g}-fold: {_UNLIKE_ITS_RULE}"
        )


def check_gap(
    net: nn.Module,
    X: Float[Tensor, "n ..."],
    *,
    order: int,
    gap_bound: Callable[[float], float],
    of_differences: bool,
) -> None:
    r"""Raise unless a net is as near on data to a homogeneous one as a bound says.

    With :math:`|f-f_H|\le p_a(\|\theta\|)` and f_H of order M,

    .. math:: |f(c\theta) - c^M f(\theta)| \le p_a(c\|\theta\|) + c^M p_a(\|\theta\|)

    for every c > 0, which needs no f_H. It is looked at for c from 1/16 to 2²⁰, where `check_order`
    looks.

    Parameters
    ----------
    net, X
        As in `check_order`.
    order
        M.
    gap_bound
        p_a.
    of_differences
        Whether p_a is a bound on differences of two outputs, and not on each.

    Raises
    ------
    NotHomogeneousError
        If it is not.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models.homogeneity_on_data import check_gap
    >>> net = nn.Linear(2, 1, dtype=torch.float64)
    >>> X = torch.ones(3, 2, dtype=torch.float64)
    >>> check_gap(net, X, order=1, gap_bound=lambda r: 0.0, of_differences=False)
    >>> check_gap(net, X, order=2, gap_bound=lambda r: 0.0, of_differences=False)
    Traceback (most recent call last):
        ...
    ibtools.models.homogeneity.NotHomogeneousError: the net (Linear) is not within the bound ...
    """
    eps = torch.finfo(X.dtype).eps ** 0.5
    for at in _scalings(net, X):
        here = at(1.0)
        rho = at.norm
        for c in (0.0625, 0.5, 2.0, 16.0, 1024.0, _FAR):
            there = at(c)
            allowed = float(gap_bound(c * rho)) + c**order * float(gap_bound(rho))
            off = there - c**order * here
            if of_differences and off.ndim == 2:
                off = off - off[:, :1]
            rounding = eps * c**order * float(here.abs().max())
            finite = bool(torch.isfinite(there).all()) and np.isfinite(allowed + rounding)
            if finite and not float(off.abs().max()) <= allowed + rounding:
                raise NotHomogeneousError(
                    f"the net ({type(net).__name__}) is not within the bound p_a that is given: "
                    f"|f(cθ) − c^M f(θ)| = {float(off.abs().max()):.6g} at c = {c:g}, "
                    f"M = {order}, ‖θ‖ = {rho:.6g}, and may be {allowed:.6g}; derive p_a "
                    "from this net, ibtools.theory.near_homogeneity(net, radius=...)"
                )


def outputs_and_growth(outputs_at: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Return the outputs and their derivative in the factor c of the parameters, at c = 1.

    Parameters
    ----------
    outputs_at
        The outputs as a function of c, a tensor without axes.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models.homogeneity_on_data import outputs_and_growth
    >>> outputs, growth = outputs_and_growth(lambda c: c**3 * torch.tensor([2.0]))
    >>> outputs.item(), growth.item()
    (2.0, 6.0)
    """
    # The pull-back of u is linear in u: its derivative in u is the push-forward.
    one = torch.ones((), dtype=torch.float64)
    outputs, pull, *_ = torch.func.vjp(outputs_at, one)
    growth: Tensor = torch.func.grad(lambda u: pull(u)[0])(torch.zeros_like(outputs))
    return outputs, growth


class _Scaling:
    """The outputs at multiples of one parameter vector."""

    def __init__(
        self, outputs: Callable[..., object], values: list[Tensor], X: Float[Tensor, "n ..."]
    ) -> None:
        self._outputs, self._values, self._X = outputs, values, X
        self.norm = float(torch.cat([v.reshape(-1) for v in values]).double().norm())

    def __call__(self, c: float) -> Float[Tensor, "n *k"]:
        """Return the outputs at c times the parameters, in double precision."""
        with torch.no_grad():
            outputs = self._outputs([c * v for v in self._values], self._X)
        return as_outputs(outputs, len(self._X)).double()


def _scalings(net: nn.Module, X: Float[Tensor, "n ..."]) -> Iterator[_Scaling]:
    X = some_samples(X)
    outputs = with_parameters(net)
    for values in two_points(net):
        yield _Scaling(outputs, values, X)


def some_samples(X: Float[Tensor, "n ..."]) -> Float[Tensor, "m ..."]:
    """Return the inputs on which a net is compared with what is said of it, 256 at most.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models.homogeneity_on_data import some_samples
    >>> some_samples(torch.arange(1000.0)[:, None]).shape
    torch.Size([256, 1])
    """
    if len(X) <= _SAMPLES:
        return X
    return X[torch.linspace(0, len(X) - 1, _SAMPLES).long().to(X.device)]


def two_points(net: nn.Module) -> Iterator[list[Tensor]]:
    """Give a net's parameters and others drawn around them, where no bias hides at 0.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.models.homogeneity_on_data import two_points
    >>> layer = nn.utils.skip_init(nn.Linear, 1, 1)
    >>> _ = nn.init.zeros_(layer.bias)
    >>> here, drawn = two_points(layer)
    >>> bool(here[1] == 0), bool(drawn[1] == 0)
    (True, False)
    """
    values = [p.detach() for p in net.parameters()]
    yield values
    whole = torch.cat([v.reshape(-1) for v in values]).square().mean().sqrt()
    source = torch.Generator().manual_seed(0)  # any draw does: the law is for all parameters
    drawn = []
    for v in values:
        size = v.square().mean().sqrt()
        noise = torch.randn(v.shape, generator=source, dtype=torch.float64).to(v)
        drawn.append(v + noise * (size if size > 0 else whole if whole > 0 else 1.0))
    yield drawn


def euler_defect(net: nn.Module, X: ArrayLike | Tensor, *, order: float) -> float:
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

    Raises
    ------
    TypeError, ValueError
        If `X` does not fit the net, or something is not finite.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models import euler_defect
    >>> net = nn.Linear(2, 1, dtype=torch.float64)
    >>> euler_defect(net, torch.ones(3, 2, dtype=torch.float64), order=1.0)
    0.0
    """
    refuse_no_net(net)
    refuse_wrapped(net)
    refuse_meta(net)
    order = real("order", order)
    refuse_gradient_hooks(net)
    weights = list(net.parameters())
    refuse_parameters(weights)
    refuse_frozen(net)
    inputs = finite_inputs(X, dtype=weights[0].dtype, device=weights[0].device)
    number_of_outputs(net, inputs)
    outputs = as_outputs(net(inputs), len(inputs))
    # Jᵀv is linear in v, so the derivative of ⟨θ, Jᵀv⟩ in v is Jθ: one reverse pass more.
    v = torch.zeros_like(outputs, requires_grad=True)
    pulled = pulled_back([outputs], [v], weights, create_graph=True, materialize_grads=True)
    (growth,) = pulled_back(pulled, [w.detach() for w in weights], [v])
    scale = float(outputs.detach().abs().max())
    return float((growth - order * outputs).detach().abs().max()) / scale if scale else 0.0
