"""How far inputs are at least from a net's decision boundary: what certifies it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional

from ibtools._validation import sizes
from ibtools.metrics.margins_of_nets import NetMargins
from ibtools.models.layers import DifferenceOfSquares, Residual, SquaredReLU
from ibtools.models.nets import Net
from ibtools.models.reading import Rules, as_outputs, number_of_outputs, private_copy

# Convolutions with at most this many inputs are written out as a matrix, whose norm is exact.
_WRITTEN_OUT = 2048
_SAMPLES = 256
# Radii are looked for up to the second, and from the first on it is asked whether they end.
_FAR, _TOP = 1e12, 1e150
_HALVINGS = 50


@dataclass(frozen=True, eq=False)
class _Reach:
    """Bounds on the change Δ of a signal: Δ = s∘w with ‖w‖ ≤ size, and |Δ| ≤ each.

    size (n,); s and each of the signal's shape, (n, …).
    """

    size: Float[Tensor, " n"]
    s: Float[Tensor, "n ..."]
    each: Float[Tensor, "n ..."]

    @property
    def norm(self) -> Float[Tensor, " n"]:
        """A bound on ‖Δ‖."""
        along = self.size * self.s.flatten(1).amax(1)
        return torch.minimum(along, self.each.flatten(1).norm(dim=1))


def _reach(size: Float[Tensor, " n"], each: Float[Tensor, "n ..."]) -> _Reach:
    size = torch.minimum(size, each.flatten(1).norm(dim=1))
    return _Reach(size, torch.ones_like(each), each)


Step = Callable[[_Reach], _Reach]


def certified_radius(
    net: nn.Module, X: ArrayLike | Tensor, y: ArrayLike, *, local: bool = True
) -> Float[np.ndarray, " n"]:
    r"""Return radii within which no change of an input can change its class, in the ℓ₂ norm.

    The global certificate is Lyu and Li's: a margin q that is K-Lipschitz in the input needs a
    change of :math:`q/K`. K is the product of the layers' operator norms, the last layer taken as
    the difference of its two rows.

    The local one bounds the change of each neuron within a ball: with input z changed by at most
    e, a ReLU changes by at most s = min(1, max(z + e, 0)/e) times that, a squared ReLU by at most
    s = 2z + e where z ≥ 0 and max(z + e, 0)²/e where z < 0, and the next layer by the norm of its
    weights times s. The radius is the largest for which no margin can reach 0. It is never smaller
    than the global one, and it exists for squared ReLUs, which have no global K.

    Parameters
    ----------
    net
        A net of linear layers, convolutions, poolings without overlap, residual blocks and
        activations; biases are allowed and homogeneity is not needed.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.
    local
        Whether the local certificate is asked for.

    Returns
    -------
    Float[np.ndarray, "n"]
        The radii; 0 for a sample that is not classified correctly, ∞ if nothing can change its
        class.

    Raises
    ------
    TypeError, ValueError
        If the data do not fit the net, something is not finite, a layer is of a kind that has no
        bound here, or a global bound is asked for a squared ReLU.

    References
    ----------
    Lyu & Li (2020), robustness; the local certificate is this book's derivation.

    Examples
    --------
    >>> import torch
    >>> from ibtools.metrics import certified_radius
    >>> from ibtools.models import DeepLinear
    >>> net = DeepLinear(d=2, depth=1, seed=0)
    >>> _ = net.layers[0].weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> certified_radius(net, [[1.0, 0.5], [-1.0, 0.0]], [1, 1]).round(9)
    array([1., 0.])
    """
    problem = NetMargins(net, X, y)
    radii = []
    with torch.no_grad():
        for i in range(0, len(problem.X), _SAMPLES):
            part = slice(i, i + _SAMPLES)
            x = problem.X[part]
            outputs = problem.outputs_at(x)
            _check_walk(problem.net, x, outputs)
            margins = problem.margins.of(outputs, part)
            change = _margin_change(problem, x, part, anywhere=not local)
            radii.append(_largest_radius(margins, change))
    return np.asarray(torch.cat(radii).cpu().numpy())


def lipschitz_bound(net: nn.Module, input_shape: tuple[int, ...]) -> float:
    r"""Return a Lipschitz constant, in the ℓ₂ norm of the input, of every margin of a net.

    Parameters
    ----------
    net
        As in `certified_radius`, without squared ReLUs.
    input_shape
        Shape of one input, (d,) or (channels, height, width).

    Raises
    ------
    TypeError, ValueError
        If a layer is of a kind that has no bound here, or has no Lipschitz constant.

    References
    ----------
    Lyu & Li (2020), robustness.

    Examples
    --------
    >>> import torch
    >>> from ibtools.metrics import lipschitz_bound
    >>> from ibtools.models import DeepLinear
    >>> net = DeepLinear(d=2, depth=1, seed=0)
    >>> _ = net.layers[0].weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> round(lipschitz_bound(net, (2,)), 9)
    5.0
    """
    lengths = sizes("input_shape", input_shape)
    X = torch.zeros(1, *lengths, dtype=torch.float64)
    classes = number_of_outputs(private_copy(net).double().cpu(), X)
    labels = np.ones(1) if classes == 1 else np.arange(classes)
    problem = NetMargins(net, X.expand(len(labels), *X.shape[1:]), labels)
    with torch.no_grad():
        source = torch.Generator().manual_seed(0)
        at = torch.randn(8, *lengths, generator=source, dtype=torch.float64)
        at = at.to(problem.X.device)
        _check_walk(problem.net, at, problem.outputs_at(at))
        change = _margin_change(problem, problem.X, slice(None), anywhere=True)
        return float(change(torch.ones_like(problem.X.flatten(1)[:, 0])).max())


def _largest_radius(
    margins: Float[Tensor, "n c"], change: Callable[[Tensor], Float[Tensor, "n c"]]
) -> Float[Tensor, " n"]:
    """Return the largest r, or just less, for which the margins can lose at most what they have."""

    def holds(r: Float[Tensor, " n"]) -> Bool[Tensor, " n"]:
        return (change(r) <= margins).all(dim=1)

    good = margins.amin(1) > 0
    high = torch.ones_like(margins[:, 0])
    low = torch.zeros_like(high)
    endless = torch.zeros_like(good)
    while bool((growing := good & ~endless & (high < _TOP) & holds(high)).any()):
        low = torch.where(growing, high, low)
        high = torch.where(growing, 8 * high, high)
        if bool((far := growing & (high >= _FAR)).any()):
            # How far is far depends on the inputs and the weights: endless is what stands still.
            endless |= far & holds(high) & (change(8 * high) == change(high)).all(dim=1)
    # The interval may still reach down to 0: halve its logarithm where that is quicker.
    while bool((small := good & ~endless & (low == 0) & ~holds(high / 8)).any()):
        high = torch.where(small, high / 8, high)
        if bool((high[small] < 1 / _TOP).any()):
            break
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fine = holds(middle)
        low, high = torch.where(fine, middle, low), torch.where(fine, high, middle)
    low = torch.where(endless, torch.inf, low)
    return torch.where(good, low, 0.0)


def _margin_change(
    problem: NetMargins, x: Float[Tensor, "n ..."], part: slice, *, anywhere: bool
) -> Callable[[Float[Tensor, " n"]], Float[Tensor, "n c"]]:
    """Return the function from radii to bounds on the change of each margin."""
    layers = _flattened(problem.net)
    last = layers[-1]
    # The last layer is linear, and a margin is a difference of its rows: sharper than each of them.
    split = last.weight.detach() if isinstance(last, nn.Linear) and problem.outputs > 1 else None
    z, steps = x, []
    for layer in layers[: None if split is None else -1]:
        steps.append(_step(layer, z, anywhere))
        z = layer(z)
    ones = torch.ones_like(x)

    def reach(r: Float[Tensor, " n"]) -> _Reach:
        found = _Reach(r, ones, r.view(-1, *[1] * (x.ndim - 1)) * ones)
        for step in steps:
            found = step(found)
        return found

    if split is None:

        def of_outputs(r: Float[Tensor, " n"]) -> Float[Tensor, "n c"]:
            found = reach(r)
            if problem.outputs == 1:
                return found.each.view(-1, 1)
            own = found.each.gather(1, problem.margins.labels[part][:, None])
            apart = own + found.each.gather(1, problem.margins.others[part])
            return torch.minimum(apart, 2**0.5 * found.norm[:, None])

        return of_outputs

    rows = split[problem.margins.labels[part]][:, None] - split[problem.margins.others[part]]

    def of_rows(r: Float[Tensor, " n"]) -> Float[Tensor, "n c"]:
        found = reach(r)
        along = (rows * found.s[:, None]).norm(dim=2) * found.size[:, None]
        return torch.minimum(along, (rows.abs() @ found.each[:, :, None])[:, :, 0])

    return of_rows


def _check_walk(net: nn.Module, x: Float[Tensor, "n ..."], outputs: Float[Tensor, "n *k"]) -> None:
    """Raise unless the layers, one after the other, give what the net gives."""
    walked = x
    for layer in _in_turn(net, ""):
        walked = layer(walked)
    off = float((as_outputs(walked, len(x)) - outputs).abs().max())
    if not off <= 1e-9 * float(outputs.abs().max()):
        raise ValueError(
            f"net gives outputs that differ by {off:.3g} from what its layers give one after the "
            "other: a module does something else than its class says; build the net of plain layers"
        )


def _flattened(module: nn.Module, name: str = "") -> list[nn.Module]:
    """Return the layers that a module applies one after the other; linear ones multiplied out."""
    found: list[nn.Module] = []
    for layer in _in_turn(module, name):
        if found and isinstance(layer, nn.Linear) and isinstance(found[-1], nn.Linear):
            found[-1] = _product(layer, found[-1])
        else:
            found.append(layer)
    return found


@Rules
def _in_turn(module: nn.Module, name: str) -> list[nn.Module]:
    """Return the modules with a step that a module applies one after the other."""
    what = f"{name or 'net'} ({type(module).__name__})"
    why = _in_turn.why_not(module)
    if not why and _step.kind(module) is not None:
        why = _step.why_not(module)
        if not why:
            return [module]
    if not why:
        why = (
            "is a layer for which no bound is known; build the net of linear layers, ungrouped "
            "convolutions, poolings whose stride is their kernel, residual blocks and the usual "
            "activations, in an nn.Sequential"
        )
    raise ValueError(f"{what} {why}")


@_in_turn.register
def _(module: Net, name: str) -> list[nn.Module]:
    return _in_turn(module.layers, f"{name}.layers".lstrip("."))


@_in_turn.register
def _(module: nn.Sequential, name: str) -> list[nn.Module]:
    return [
        layer
        for child_name, child in module._modules.items()
        if child is not None
        for layer in _in_turn(child, f"{name}.{child_name}".lstrip("."))
    ]


@_in_turn.register(nn.Identity)
@_in_turn.register(nn.Dropout)
def _(module: nn.Module, name: str) -> list[nn.Module]:
    return []  # in evaluation mode


def _product(second: nn.Linear, first: nn.Linear) -> nn.Linear:
    both = nn.Linear(1, 1, dtype=torch.float64)
    both.weight = nn.Parameter(second.weight @ first.weight)
    shift = torch.zeros_like(second.weight[:, 0]) if second.bias is None else second.bias
    both.bias = nn.Parameter(shift if first.bias is None else shift + second.weight @ first.bias)
    return both


@Rules
def _step(module: nn.Module, z: Float[Tensor, "n ..."], anywhere: bool) -> Step:
    """Return how a layer with input `z` passes bounds on; `anywhere`, whatever its input is."""
    raise AssertionError  # _in_turn has seen to it


@_step.register
def _(module: nn.Flatten, z: Tensor, anywhere: bool) -> Step:
    return lambda reach: _Reach(reach.size, module(reach.s), module(reach.each))


@_step.register
def _(module: nn.Linear, z: Tensor, anywhere: bool) -> Step:
    return _linear(module.weight.detach())


@_step.register
def _(module: DifferenceOfSquares, z: Tensor, anywhere: bool) -> Step:
    return _linear((module.u.square() - module.v.square()).detach()[None])


def _linear(W: Float[Tensor, "o i"]) -> Step:
    norm = torch.linalg.matrix_norm(W, 2)
    squares, absolute = W.square(), W.abs()

    def step(reach: _Reach) -> _Reach:
        weighted = reach.s.square()
        frobenius = (weighted @ squares.sum(0)).sqrt() * reach.size
        each = (weighted @ squares.T).sqrt() * reach.size[:, None]
        each = torch.minimum(each, reach.each @ absolute.T)
        return _reach(torch.minimum(norm * reach.norm, frobenius), each)

    return step


@_step.register
def _(module: nn.Conv2d, z: Tensor, anywhere: bool) -> Step:
    if module.groups != 1 or module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise ValueError(
            "net has a convolution with groups, other padding than zeros, or padding given by "
            "name; write it with groups=1 and padding as a number"
        )
    norm = convolution_norm(module, (int(z.shape[2]), int(z.shape[3])))
    kernel = module.weight.detach()

    def convolve(signal: Tensor, weights: Tensor) -> Tensor:
        return functional.conv2d(
            signal, weights, None, module.stride, module.padding, module.dilation
        )

    def step(reach: _Reach) -> _Reach:
        each = convolve(reach.s.square(), kernel.square()).clamp(min=0).sqrt()
        each = each * reach.size.view(-1, 1, 1, 1)
        each = torch.minimum(each, convolve(reach.each, kernel.abs()))
        return _reach(norm * reach.norm, each)

    return step


def convolution_norm(module: nn.Conv2d, size: tuple[int, int]) -> float:
    """Return the operator norm of a convolution on images of a size, or little more.

    Small ones are written out as a matrix: exact. For others the norm is that of the same kernel on
    a torus large enough to hold the padded image, of which the convolution is a part: the largest
    singular value of the kernel's Fourier transform over all frequencies. A power iteration, the
    common way, approaches the norm from below and certifies nothing.

    Parameters
    ----------
    module
        A convolution with groups=1 and zero padding.
    size
        Height and width of its inputs.

    References
    ----------
    Sedghi, Gupta & Long (2019) for the norm on a torus.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.metrics.certificate import convolution_norm
    >>> layer = nn.Conv2d(1, 1, 3, padding=1, bias=False, dtype=torch.float64)
    >>> _ = layer.weight.data.fill_(1.0)
    >>> round(convolution_norm(layer, (2, 2)), 9), 8.9 < convolution_norm(layer, (64, 64)) <= 9
    (4.0, True)
    """
    kernel = module.weight.detach().double()
    channels, (height, width) = kernel.shape[1], size
    inputs = channels * height * width
    if inputs <= _WRITTEN_OUT:
        units = torch.eye(inputs, dtype=torch.float64, device=kernel.device)
        images = functional.conv2d(
            units.view(inputs, channels, height, width),
            kernel,
            None,
            module.stride,
            module.padding,
            module.dilation,
        )
        return float(torch.linalg.matrix_norm(images.flatten(1), 2))
    spread = [1 + d * (k - 1) for d, k in zip(module.dilation, kernel.shape[2:], strict=True)]
    dilated = kernel.new_zeros(*kernel.shape[:2], *spread)
    dilated[:, :, :: module.dilation[0], :: module.dilation[1]] = kernel
    torus = (height + spread[0] - 1, width + spread[1] - 1)
    transform = torch.fft.rfft2(dilated, s=torus).flatten(2).permute(2, 0, 1)
    return float(torch.linalg.matrix_norm(transform, 2).max())


@_step.register
def _(module: nn.MaxPool2d, z: Tensor, anywhere: bool) -> Step:
    _without_overlap(module)
    return lambda reach: _Reach(reach.size, module(reach.s), module(reach.each))


@_step.register
def _(module: nn.AvgPool2d, z: Tensor, anywhere: bool) -> Step:
    _without_overlap(module)
    # A window of k entries, divided by m: as a row it has the norm √k/m, and rows do not overlap.
    # Inputs at an edge that fill no window are not seen.
    window = math.prod(_pair(module.kernel_size))
    norm = window**0.5 / (module.divisor_override or window)
    return lambda reach: _reach(reach.norm * norm, module(reach.each))


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _without_overlap(module: nn.MaxPool2d | nn.AvgPool2d) -> None:
    plain = _pair(getattr(module, "dilation", 1)) == (1, 1) and _pair(module.padding) == (0, 0)
    if _pair(module.kernel_size) != _pair(module.stride) or not plain or module.ceil_mode:
        raise ValueError(
            f"net has a pooling {module} whose windows overlap or are padded; only poolings with "
            "stride = kernel_size and no padding have a bound here"
        )


@_step.register
def _(module: Residual, z: Tensor, anywhere: bool) -> Step:
    steps, inside = [], z
    for layer in _flattened(module.inner, "inner"):
        steps.append(_step(layer, inside, anywhere))
        inside = layer(inside)

    def step(reach: _Reach) -> _Reach:
        added = reach
        for inner in steps:
            added = inner(added)
        return _reach(reach.norm + added.norm, reach.each + added.each)

    return step


@_step.register(nn.ReLU)
@_step.register(nn.LeakyReLU)
@_step.register(SquaredReLU)
@_step.register(nn.Softplus)
@_step.register(nn.Tanh)
@_step.register(nn.GELU)
@_step.register(nn.SiLU)
def _(module: nn.Module, z: Tensor, anywhere: bool) -> Step:
    if anywhere and isinstance(module, SquaredReLU):
        raise ValueError(
            "net has squared ReLUs, which have no Lipschitz constant on the whole space; ask for "
            "certified_radius(..., local=True)"
        )

    def step(reach: _Reach) -> _Reach:
        if anywhere:
            s = torch.full_like(z, _steepest(module))
        else:
            s = torch.where(reach.each > 0, _steepest_within(module, z, reach.each), 0.0)
        return _Reach(reach.norm, s, s * reach.each)

    return step


def _steepest(module: nn.Module) -> float:
    """Return the largest slope of an activation, rounded up in the last digit."""
    if isinstance(module, nn.GELU):
        return 1.1289044 if module.approximate == "none" else 1.1289931  # at √2, or near it
    if isinstance(module, nn.SiLU):
        return 1.0998394  # at 2.3994
    if isinstance(module, nn.LeakyReLU):
        return max(1.0, abs(module.negative_slope))
    return 1.0


def _steepest_within(
    module: nn.Module, z: Float[Tensor, "n ..."], e: Float[Tensor, "n ..."]
) -> Float[Tensor, "n ..."]:
    """Return the largest |φ(z + δ) − φ(z)|/|δ| over |δ| ≤ e, or more.

    For a convex φ that does not fall it is attained at δ = e.
    """
    top = (z + e).clamp(min=0)
    if isinstance(module, nn.ReLU):
        return torch.where(z >= 0, 1.0, (top / e).clamp(max=1.0))
    if isinstance(module, nn.LeakyReLU) and 0 <= module.negative_slope <= 1:
        below = module.negative_slope
        return torch.where(z >= 0, 1.0, below + (1 - below) * (top / e).clamp(max=1.0))
    if isinstance(module, SquaredReLU):
        return torch.where(z >= 0, 2 * z + e, top * (top / e))
    return torch.full_like(z, _steepest(module))
