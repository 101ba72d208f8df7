"""Near-homogeneity of a net: its order, how far off it is, and what it looks like from afar.

Everything is derived by walking the net. What is known of a layer's output is a `Stream`; each kind
of layer has a rule that takes the stream before it to the one after it.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._validation import count, positive, records
from ibtools.models.attention import SoftmaxAttention
from ibtools.models.homogeneity import NotHomogeneousError
from ibtools.models.homogeneity_on_data import outputs_and_growth
from ibtools.models.layers import DifferenceOfSquares, Product, Residual, SquaredReLU, Sum
from ibtools.models.nets import Net
from ibtools.models.reading import Rules, private_copy, refuse_frozen, with_parameters
from ibtools.theory.activations import ActivationConstants, activation_constants
from ibtools.theory.block_polynomials import BlockPolynomial
from ibtools.theory.leading_terms import LeadingResidual, LeadingSum, WithoutBias

_MaxPool = nn.MaxPool1d | nn.MaxPool2d
# Inputs and norms ‖θ‖ at which what was derived is compared with the net.
_CHECKED = 4
_CHECKED_NORMS = (0.5, 5.0, 50.0)


class NotNearHomogeneousError(NotHomogeneousError):
    """A net that no homogeneous net approximates well enough from afar, and why."""


@dataclass(frozen=True, eq=False)
class NearHomogeneity:
    r"""How near a net is to its homogenization, for all inputs with ‖x‖ ≤ `radius`.

    Attributes
    ----------
    order
        M, the power with which the output f grows with the parameters θ.
    defect
        p′ of degree below M: :math:`|\langle\theta,h\rangle - M f| \le p'(\|\theta\|)` for every
        Clarke subgradient h of f in θ.
    gap
        p_a with coefficients :math:`p'_i/(M-i)`: :math:`|f - f_H| \le p_a(\|\theta\|)`.
    size
        q: :math:`|f| \le q(\|\theta\|)`.
    gradient
        q′: :math:`\|h\| \le q'(\|\theta\|)`. Not the derivative of `size`.
    homogenized
        :math:`f_H(\theta; x) = \lim_{c\to\infty} f(c\,\theta; x)/c^M` as a net. It shares the
        parameters of the net it came from, under the same names: where that is changed, this one
        follows. Trainers work on a copy: of a trained net derive it anew, from `run.net`. What does
        not enter f_H has gradient 0.
    radius
        Bound on ‖x‖.
    of_differences
        Whether the bounds are on differences of two outputs.

    Notes
    -----
    With several outputs the bounds are on Euclidean norms over them, so they hold for each; for the
    margins between two classes take `differences`.

    References
    ----------
    Cai et al. (2025), definition of near-homogeneity.

    Examples
    --------
    >>> from torch import nn
    >>> from ibtools.theory import near_homogeneity
    >>> neuron = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Softplus())
    >>> h = near_homogeneity(neuron, radius=1.0)
    >>> h.defect_bound([0.0, 5.0]), h.gap_bound(5.0)
    (array([0.69314718, 0.69314718]), array(0.69314718))
    >>> h.size_bound([0.0, 5.0]).round(3), h.gradient_bound([0.0, 5.0])
    (array([0.693, 5.693]), array([1., 1.]))
    """

    order: int
    defect: Polynomial
    gap: Polynomial
    size: Polynomial
    gradient: Polynomial
    homogenized: nn.Module
    radius: float
    of_differences: bool = False

    def defect_bound(self, r: ArrayLike | float) -> Float[np.ndarray, "*t"]:
        """Return p′(r), at norms r = ‖θ‖ ≥ 0 of any shape.

        Parameters
        ----------
        r
            Norms, at least 0, of any shape.
        """
        return _at(self.defect, r)

    def gap_bound(self, r: ArrayLike | float) -> Float[np.ndarray, "*t"]:
        """Return p_a(r), at norms r = ‖θ‖ ≥ 0 of any shape.

        Parameters
        ----------
        r
            Norms, at least 0, of any shape.
        """
        return _at(self.gap, r)

    def size_bound(self, r: ArrayLike | float) -> Float[np.ndarray, "*t"]:
        """Return q(r), at norms r = ‖θ‖ ≥ 0 of any shape.

        Parameters
        ----------
        r
            Norms, at least 0, of any shape.
        """
        return _at(self.size, r)

    def gradient_bound(self, r: ArrayLike | float) -> Float[np.ndarray, "*t"]:
        """Return q′(r), at norms r = ‖θ‖ ≥ 0 of any shape.

        Parameters
        ----------
        r
            Norms, at least 0, of any shape.
        """
        return _at(self.gradient, r)

    def differences(self) -> "NearHomogeneity":
        """Return the bounds for differences of two outputs, √2 times as large.

        The margins of a net with one output for each class are such differences. Bounds that are
        on differences already are returned as they are.
        """
        if self.of_differences:
            return self
        root = math.sqrt(2)
        return replace(
            self,
            defect=self.defect * root,
            gap=self.gap * root,
            size=self.size * root,
            gradient=self.gradient * root,
            of_differences=True,
        )

    def __repr__(self) -> str:
        """Write the order and the polynomials."""
        return (
            f"{type(self).__name__}(order={self.order}, defect={_written(self.defect)}, "
            f"gap={_written(self.gap)}, radius={self.radius:g})"
        )


def near_homogeneity(
    net: nn.Module, *, radius: float, input_shape: Sequence[int] | None = None
) -> NearHomogeneity:
    r"""Derive order, bounds and homogenization of a net from its layers.

    Linear layers and convolutions with or without bias, pooling, residual connections, sums,
    products, ReLU, leaky ReLU, its square, identity, GELU, SiLU and softplus have rules; register
    one for a layer of your own with ``ibtools.theory.homogeneity.stream_after``.

    Parameters
    ----------
    net
        The net. All its parameters count as θ, at any value.
    radius
        R, a bound on the Euclidean norm of an input, above 0.
    input_shape
        Shape of one input, (1, 28, 28), say. Needed where the first layer is not a linear one and
        the net has no attribute ``input_shape``.

    Returns
    -------
    NearHomogeneity
        M, p′, p_a, q, q′ and f_H.

    Raises
    ------
    NotNearHomogeneousError
        A `ValueError`: if a layer has no rule, with the reason (softmax attention, normalization,
        saturating activations).
    ValueError
        If the radius is not positive, sizes do not fit, the input's shape is needed and missing, or
        the net has no parameters or frozen ones.
    TypeError
        If `net` is not a PyTorch module.

    See Also
    --------
    ibtools.models.homogeneity_of : whether a net needs it.
    ibtools.trainers.margin_flow : takes it as ``near_homogeneity=``.
    ibtools.metrics.worst_gap_ratio : how much of the bound is used.

    Notes
    -----
    On f with order :math:`M_f`, defect p′ and size q: a sum of orders :math:`M_1 \le M_2` has
    :math:`p'_f + p'_g + (M_2 - M_1) q_f`, a product :math:`q_g p'_f + q_f p'_g`, an activation φ
    :math:`\sup|\varphi'|\, p'_f + M_f \kappa\sqrt k` on k neurons with
    :math:`\kappa = \sup|\varphi(z) - z\varphi'(z)|`; a layer Wf + b
    :math:`\|W\| p'_f + M_f \|b\|`. The norms of all blocks of θ are kept apart up to the end, where
    their polynomial is bounded on the sphere :math:`\sum_b \|\theta_b\|^2 = r^2`.

    References
    ----------
    Cai et al. (2025), closure rules and the bound of the gap; the constants are this book's.

    Examples
    --------
    >>> from ibtools.models import MLP
    >>> from ibtools.theory import near_homogeneity
    >>> net = MLP(widths=[2, 5, 1], activation="softplus", bias=True, seed=0)
    >>> h = near_homogeneity(net, radius=1.0)
    >>> h
    NearHomogeneity(order=2, defect=1.84452 r, gap=1.84452 r, radius=1)
    >>> h.gap_bound([1.0, 10.0]).round(4), h.homogenized.order
    (array([ 1.8445, 18.4452]), 2)
    """
    if not isinstance(net, nn.Module):
        raise TypeError(
            f"net must be a torch.nn.Module, got {type(net).__name__}; build one from "
            "ibtools.models or torch.nn"
        )
    positive("radius", radius)
    parameters = list(net.parameters())
    if not parameters:
        raise ValueError("net has no parameters; there is nothing to scale")
    refuse_frozen(net)
    shape = _shape_of_input(net) if input_shape is None else tuple(input_shape)
    for i, size in enumerate(shape):
        count(f"input_shape[{i}]", size)
    names = {id(p): name for name, p in net.named_parameters()}
    start = Stream(
        order=0,
        size=BlockPolynomial.constant(radius),
        defect=BlockPolynomial.constant(0.0),
        gradient=BlockPolynomial.constant(0.0),
        shape=shape,
        names=names,
    )
    end, homogenized = stream_after(net, start, "")
    defect = end.defect.on_sphere()
    coefficients = np.asarray(defect.coef, dtype=np.float64)
    powers = np.arange(len(coefficients))
    if not np.all(powers[coefficients > 0] < end.order):
        raise NotNearHomogeneousError(
            f"the defect grows like r^{powers[-1]} and the output like r^{end.order}: there is no "
            "homogenization; if this is a layer of your own, check the rule you registered"
        )
    coefficients = coefficients[: max(end.order, 1)]
    gap = coefficients / np.maximum(end.order - powers[: len(coefficients)], 1)
    found = NearHomogeneity(
        order=end.order,
        defect=Polynomial(coefficients, symbol="r"),
        gap=Polynomial(gap, symbol="r"),
        size=end.size.on_sphere(),
        gradient=end.gradient.on_sphere(),
        homogenized=homogenized,
        radius=float(radius),
    )
    _check(net, found, shape)
    return found


def _check(net: nn.Module, found: NearHomogeneity, shape: tuple[int, ...]) -> None:
    """Raise unless the net keeps to its bounds at a few parameters and inputs."""
    source = torch.Generator().manual_seed(0)  # any draw does: the bounds are for all
    X = torch.randn((_CHECKED, *shape), generator=source, dtype=torch.float64)
    X *= (found.radius / X.flatten(1).norm(dim=1)).view(-1, *[1] * len(shape))
    private = private_copy(net).double().cpu()
    outputs_with, limit_with = (
        with_parameters(private),
        with_parameters(
            private_copy(found.homogenized).double().cpu(),
            [name for name, _ in private.named_parameters()],
        ),
    )
    drawn = [
        torch.randn(p.shape, generator=source, dtype=torch.float64) for p in private.parameters()
    ]
    norm = float(torch.cat([p.reshape(-1) for p in drawn]).norm())
    for r in _CHECKED_NORMS:
        theta = [p * (r / norm) for p in drawn]

        def outputs_at(c: Tensor, theta: list[Tensor] = theta) -> Tensor:
            outputs: Tensor = outputs_with([c * p for p in theta], X)
            return outputs

        f, growth = outputs_and_growth(outputs_at)
        with torch.no_grad():
            limit = limit_with(theta, X).reshape(f.shape)
        f, growth = f.detach(), growth.detach()
        rounding = 1e-9 * float(f.abs().max())
        for what, value, bound in (
            ("|⟨θ, ∇f⟩ − M f|", growth - found.order * f, found.defect_bound(r)),
            ("|f|", f, found.size_bound(r)),
            ("|f − f_H|", f - limit, found.gap_bound(r)),
        ):
            worst = float(value.reshape(len(X), -1).norm(dim=1).max())
            if not worst <= float(bound) * (1 + 1e-9) + rounding:
                raise NotNearHomogeneousError(
                    f"the net ({type(net).__name__}) does not keep to what was derived from its "
                    f"layers: {what} = {worst:.6g} at ‖θ‖ = {r:g}, bounded by {float(bound):.6g}; "
                    "a module does something else than its class or its rule says: write what it "
                    "does as layers that have rules, or correct the rule that you registered for it"
                )


@dataclass(frozen=True, eq=False)
class Stream:
    """What is known of a tensor in the net, for one input, as a function of the parameters θ.

    Attributes
    ----------
    order
        M. Order 0 means that it is fixed: it depends on the input alone.
    size
        Bound on its Euclidean norm, in the norms of blocks of θ.
    defect
        Bound on the norm of ⟨θ, ∇s⟩ − M s.
    gradient
        Bound on the operator norm of ∂s/∂θ.
    shape
        Its shape, for one input.
    names
        Name of each parameter by its id; a parameter used twice is one block.
    """

    order: int
    size: BlockPolynomial
    defect: BlockPolynomial
    gradient: BlockPolynomial
    shape: tuple[int, ...]
    names: dict[int, str]

    @property
    def entries(self) -> int:
        """Number of entries for one input."""
        return math.prod(self.shape)

    def norm_of(self, parameter: Tensor) -> BlockPolynomial:
        """Return the norm of one parameter of the net as a polynomial."""
        return BlockPolynomial.block(self.names[id(parameter)])

    def through(self, lipschitz: float, shape: tuple[int, ...] | None = None) -> "Stream":
        """Return the stream after a positively homogeneous map with this Lipschitz constant."""
        return replace(
            self,
            size=self.size * lipschitz,
            defect=self.defect * lipschitz,
            gradient=self.gradient * lipschitz,
            shape=self.shape if shape is None else shape,
        )


@Rules
def stream_after(module: nn.Module, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    """Return the stream after a module, and the module's homogenization.

    Register the rule of a layer of your own: ``@stream_after.register``. `smooth_activation` and
    `Stream.through` cover the usual cases.

    Parameters
    ----------
    module
        The module.
    before
        What is known of its input.
    name
        The module's name in the net, for messages.

    Raises
    ------
    NotNearHomogeneousError
        If there is no rule for this module, or it does not do what its class does.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from ibtools.theory import near_homogeneity
    >>> from ibtools.theory.activations import suprema
    >>> from ibtools.theory.homogeneity import Stream, smooth_activation, stream_after
    >>> mish = suprema(  # z tanh(log(1 + eᶻ)) and its derivative
    ...     lambda z: z * np.tanh(np.logaddexp(0, z)),
    ...     lambda z: np.tanh(np.logaddexp(0, z))
    ...     + z / np.cosh(np.logaddexp(0, z)) ** 2 / (1 + np.exp(-z)),
    ... )
    >>> @stream_after.register
    ... def _(module: nn.Mish, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    ...     return smooth_activation(module, before, mish)
    >>> near_homogeneity(nn.Sequential(nn.Linear(2, 3), nn.Mish()), radius=1.0).order
    1
    """
    reason = stream_after.why_not(module) or next(
        (why for kinds, why in _OUTSIDE if isinstance(module, kinds)),
        "has no rule; put its layers in an nn.Sequential, with Residual, Sum and Product of "
        "ibtools.models where it branches: what is derived from them holds for the module too"
        if next(module.children(), None) is not None
        else "has no rule; leave it out, put a layer that has one in its place, or register a rule "
        "for it, as on the page Bring your own network",
    )
    raise NotNearHomogeneousError(f"{name or 'the net'} ({type(module).__name__}) {reason}")


_OUTSIDE: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    (
        (
            SoftmaxAttention,
            nn.MultiheadAttention,
            nn.TransformerEncoderLayer,
            nn.TransformerDecoderLayer,
        ),
        "weighs its values by a softmax of scores that grow with the parameters; where the scores "
        "are of size 1, the defect against order 1 is proportional to the norm of the values v, "
        "like the output itself, and not of lower degree (0.5997‖v‖ for one head on three tokens)",
    ),
    (
        (nn.Softmax, nn.LogSoftmax),
        "is outside: where its input is of size 1, the defect of what is behind it is proportional "
        "to that thing's own size, and not of lower degree",
    ),
    (
        (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase),
        "divides by the scale of its input; where that is about √ε, the defect against order 1 is "
        "proportional to the norm of the factors behind it (up to 0.385 times the output's norm "
        "for an input of order 1), like the output itself, and not of lower degree",
    ),
    (
        (nn.Tanh, nn.Sigmoid, nn.Softsign, nn.Hardtanh, nn.Hardsigmoid),
        "saturates; where its input is of size 1, the defect of what is behind it is proportional "
        "to that thing's own size, and not of lower degree",
    ),
)


@stream_after.register
def _(module: Net, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    after, layers = stream_after(module.layers, before, f"{name}.layers".lstrip("."))
    if after.shape and after.shape[-1] == 1:
        after = replace(after, shape=after.shape[:-1])
    homogenized = Net()
    homogenized.add_module("layers", layers)  # under the same names
    return after, homogenized


@stream_after.register
def _(module: nn.Sequential, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    children: OrderedDict[str, nn.Module] = OrderedDict()
    # Not named_children: it would skip a module that stands in two places.
    for child_name, child in module._modules.items():
        assert child is not None
        before, children[child_name] = stream_after(
            child, before, f"{name}.{child_name}".lstrip(".")
        )
    return before, nn.Sequential(children)


@stream_after.register(nn.Identity)
@stream_after.register(nn.ReLU)
def _(module: nn.Identity | nn.ReLU, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    return before, module


@stream_after.register
def _(module: nn.LeakyReLU, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    return before.through(max(1.0, abs(module.negative_slope))), module


@stream_after.register
def _(module: SquaredReLU, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    return _times(before, before), module


@stream_after.register
def _(module: nn.GELU, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    kind = "gelu" if module.approximate == "none" else "gelu_tanh"
    return smooth_activation(module, before, activation_constants(kind))


@stream_after.register
def _(module: nn.SiLU, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    return smooth_activation(module, before, activation_constants("silu"))


@stream_after.register
def _(module: nn.Softplus, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    one = activation_constants("softplus")
    sharp = one._replace(kappa=one.kappa / module.beta, excess=one.excess / module.beta)
    return smooth_activation(module, before, sharp)


def smooth_activation(
    module: nn.Module, before: Stream, constants: ActivationConstants
) -> tuple[Stream, nn.Module]:
    """Apply the rule of an activation, entry by entry, that is a ReLU from afar.

    Where its input is fixed there is no afar: it stays as it is.

    Parameters
    ----------
    module
        The activation.
    before
        What is known of its input.
    constants
        Its constants, of `activation_constants` or `suprema`.

    Raises
    ------
    NotNearHomogeneousError
        If far from 0 the activation is further from a ReLU than its constant κ allows.
    """
    _check_relu_from_afar(module, constants.kappa)
    after = before.through(constants.slope)
    root = math.sqrt(before.entries)
    return (
        replace(
            after,
            size=before.size + constants.excess * root,
            defect=after.defect + before.order * constants.kappa * root,
        ),
        nn.ReLU() if before.order else module,
    )


def _check_relu_from_afar(module: nn.Module, kappa: float) -> None:
    # |φ − φ_H| ≤ κ everywhere, as |f − f_H| ≤ p_a says of order 1.
    z = torch.tensor([-1e6, -1e3, 1e3, 1e6], dtype=torch.float64)
    with torch.no_grad():
        off = float((module(z) - z.clamp(min=0)).abs().max())
    if not off <= kappa + 1e-6:
        raise NotNearHomogeneousError(
            f"{type(module).__name__} is {off:.3g} away from a ReLU at |z| ≤ 10⁶, and the constant "
            f"κ = {kappa:g} allows no more than κ; if it is a multiple of a ReLU from afar, divide "
            "it by its slope and multiply the layer behind it"
        )


@stream_after.register(nn.Linear)
@stream_after.register(nn.Conv1d)
@stream_after.register(nn.Conv2d)
def _(
    module: nn.Linear | nn.Conv1d | nn.Conv2d, before: Stream, name: str
) -> tuple[Stream, nn.Module]:
    after = _times_weight(module, before, name)
    if module.bias is None:
        return after, module
    copies = math.sqrt(after.entries / module.bias.numel())
    bias = before.norm_of(module.bias) * copies
    return (
        replace(
            after,
            size=after.size + bias,
            defect=after.defect + before.order * bias,
            gradient=after.gradient + copies,
        ),
        WithoutBias(module) if before.order else module,
    )


def _times_weight(layer: nn.Linear | nn.Conv1d | nn.Conv2d, before: Stream, name: str) -> Stream:
    """Return the stream after a layer without its bias.

    A linear map by W has ‖Ws‖ ≤ ‖W‖‖s‖; where an entry of s lies in c windows of a convolution, it
    counts c times in the sum of squares.
    """
    where = f"{name or 'the net'} ({type(layer).__name__})"
    if isinstance(layer, nn.Linear):
        if before.shape[-1] != layer.in_features:
            raise ValueError(
                f"{where} takes {layer.in_features} features, and its input has shape "
                f"{before.shape}; check the layers before it or input_shape"
            )
        shape, copies = (*before.shape[:-1], layer.out_features), 1
    else:
        if layer.padding_mode != "zeros":
            raise NotNearHomogeneousError(
                f"{where} pads with copies ({layer.padding_mode}), which has no rule; use zeros"
            )
        shape = _shape_after(layer, before, name)
        copies = _windows(shape[1:], layer.kernel_size, layer.stride, layer.dilation)
    weight = before.norm_of(layer.weight) * math.sqrt(copies)
    return replace(
        before,
        order=before.order + 1,
        size=weight * before.size,
        defect=weight * before.defect,
        gradient=weight * before.gradient + math.sqrt(copies) * before.size,
        shape=shape,
    )


@stream_after.register(nn.MaxPool1d)
@stream_after.register(nn.MaxPool2d)
def _(module: _MaxPool, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    shape = _shape_after(module, before, name)
    copies = _windows(shape[1:], module.kernel_size, module.stride, module.dilation)
    return before.through(math.sqrt(copies), shape), module


@stream_after.register(nn.AvgPool1d)
@stream_after.register(nn.AvgPool2d)
@stream_after.register(nn.AdaptiveAvgPool1d)
@stream_after.register(nn.AdaptiveAvgPool2d)
def _(module: nn.Module, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    # Schur's test: ‖A‖₂² ≤ ‖A‖₁‖A‖∞. For A ≥ 0 the two are the largest sums over columns and rows.
    shape = _shape_after(module, before, name)
    ones = torch.ones((1, *before.shape), dtype=torch.float64, requires_grad=True)
    rows = module(ones)
    (columns,) = torch.autograd.grad(rows.sum(), ones)
    return before.through(math.sqrt(float(rows.detach().max() * columns.max())), shape), module


@stream_after.register
def _(module: nn.Flatten, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    return replace(before, shape=_shape_after(module, before, name)), module


@stream_after.register
def _(module: nn.Dropout, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    if module.training and module.p:
        raise NotNearHomogeneousError(
            f"{name or 'the net'} (Dropout) makes the net random; bounds are for the net in "
            "evaluation mode: call net.eval() first"
        )
    return before, module


@stream_after.register
def _(module: DifferenceOfSquares, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    u, v = before.norm_of(module.u), before.norm_of(module.v)
    squares = u * u + v * v
    return (
        replace(
            before,
            order=before.order + 2,
            size=squares * before.size,
            defect=squares * before.defect,
            gradient=squares * before.gradient + 2.0 * (u + v) * before.size,
            shape=(*before.shape[:-1], 1),
        ),
        module,
    )


@stream_after.register
def _(module: Residual, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    inner, homogenized = stream_after(module.inner, before, f"{name}.inner".lstrip("."))
    if inner.shape != before.shape:
        raise ValueError(
            f"{name or 'the net'} (Residual) adds {inner.shape} to {before.shape}; make the inner "
            "layers keep the shape"
        )
    after = _added([before, inner])
    keeps = (before.order == after.order, inner.order == after.order)
    if all(keeps):
        block = Residual()
        block.add_module("inner", homogenized)  # under the same names
        return after, block
    return after, LeadingResidual(homogenized, *keeps)


@stream_after.register
def _(module: Sum, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    streams, terms = _branches(module.terms, before, f"{name}.terms")
    after = _added(streams)
    return after, LeadingSum(*terms, keeps=[stream.order == after.order for stream in streams])


@stream_after.register
def _(module: Product, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    streams, factors = _branches(module.factors, before, f"{name}.factors")
    after = streams[0]
    for stream in streams[1:]:
        after = _times(after, stream)
    return after, Product(*factors)


def _branches(
    modules: nn.ModuleList, before: Stream, name: str
) -> tuple[list[Stream], list[nn.Module]]:
    if not len(modules):
        raise ValueError(f"{name.lstrip('.')} is empty; give at least one module")
    pairs = [
        stream_after(module, before, f"{name}.{i}".lstrip(".")) for i, module in enumerate(modules)
    ]
    return [stream for stream, _ in pairs], [module for _, module in pairs]


def _added(streams: list[Stream]) -> Stream:
    """Apply the rule of sums: a term of lower order is part of the defect."""
    shape = torch.broadcast_shapes(*(stream.shape for stream in streams))
    order = max(stream.order for stream in streams)
    zero = BlockPolynomial.constant(0.0)
    size = defect = gradient = zero
    for stream in streams:
        wide = stream.through(math.sqrt(math.prod(shape) / stream.entries))
        size = size + wide.size
        defect = defect + wide.defect + (order - stream.order) * wide.size
        gradient = gradient + wide.gradient
    return replace(
        streams[0], order=order, size=size, defect=defect, gradient=gradient, shape=tuple(shape)
    )


def _times(f: Stream, g: Stream) -> Stream:
    """Apply the rule of products, entry by entry: ‖f∘g‖ ≤ ‖f‖‖g‖, broadcast or not."""
    return replace(
        f,
        order=f.order + g.order,
        size=f.size * g.size,
        defect=f.defect * g.size + g.defect * f.size,
        gradient=f.gradient * g.size + g.gradient * f.size,
        shape=tuple(torch.broadcast_shapes(f.shape, g.shape)),
    )


@stream_after.register
def _(module: WithoutBias, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    return _times_weight(module.layer, before, name), module


@stream_after.register
def _(module: LeadingResidual, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    inner, homogenized = stream_after(module.inner, before, f"{name}.inner".lstrip("."))
    return _kept([before, inner], module.keeps), LeadingResidual(homogenized, *module.keeps)


@stream_after.register
def _(module: LeadingSum, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    streams, terms = _branches(module.terms, before, f"{name}.terms")
    return _kept(streams, module.keeps), LeadingSum(*terms, keeps=module.keeps)


def _kept(streams: list[Stream], keeps: Sequence[bool]) -> Stream:
    return _added([stream for stream, keep in zip(streams, keeps, strict=True) if keep])


def _shape_of_input(net: nn.Module) -> tuple[int, ...]:
    known = getattr(net, "input_shape", None)
    if known is not None:
        return tuple(known)
    first = next(
        module for module in net.modules() if any(True for _ in module.parameters(recurse=False))
    )
    if isinstance(first, nn.Linear):
        return (first.in_features,)
    if isinstance(first, DifferenceOfSquares):
        return (first.u.numel(),)
    raise ValueError(
        f"input_shape is needed for a net whose first layer is {type(first).__name__}, got None; "
        "give the shape of one input, input_shape=(1, 28, 28), say"
    )


def _shape_after(module: nn.Module, before: Stream, name: str) -> tuple[int, ...]:
    weight = next(module.parameters(), torch.zeros((), dtype=torch.float64))
    try:
        with torch.no_grad():
            output: Tensor = module(weight.new_zeros((1, *before.shape)))
    except RuntimeError as error:
        raise ValueError(
            f"{name or 'the net'} ({type(module).__name__}) does not take an input of shape "
            f"{before.shape}: {error}; check the layers before it or input_shape"
        ) from error
    return tuple(output.shape[1:])


def _windows(
    shape: Sequence[int],
    kernel: int | Sequence[int],
    stride: int | Sequence[int],
    dilation: int | Sequence[int],
) -> int:
    """Return in how many windows one entry can lie, for an output of this spatial shape."""
    axes = [
        (value,) * len(shape) if isinstance(value, int) else tuple(value)
        for value in (kernel, stride, dilation)
    ]
    # Offsets k·d that reach one place from windows at multiples of s agree modulo s.
    return math.prod(
        min(math.ceil(k / (s // math.gcd(s, d))), out)
        for out, k, s, d in zip(shape, *axes, strict=True)
    )


def _at(polynomial: Polynomial, r: ArrayLike | float) -> Float[np.ndarray, "*t"]:
    norms = records("r", r)
    if not np.all(norms >= 0):
        raise ValueError(f"r must be at least 0, got {norms.min():g}; it is a norm of parameters")
    return np.asarray(polynomial(norms))


def _written(polynomial: Polynomial) -> str:
    powers = "⁰¹²³⁴⁵⁶⁷⁸⁹"
    terms = []
    for i, c in enumerate(polynomial.coef):
        if c:
            power = "".join(powers[int(digit)] for digit in str(i)) if i > 1 else ""
            terms.append(f"{c:.6g}{' r' if i else ''}{power}")
    return " + ".join(terms) or "0"
