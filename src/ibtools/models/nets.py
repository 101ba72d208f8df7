"""Nets for classification, in PyTorch: what they compute, and how they scale."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibtools._validation import array, count, generator, one_of, positive, sizes
from ibtools.models.homogeneity import (
    Homogeneity,
    NotHomogeneousError,
    homogeneity_after,
    homogeneity_of,
    homogeneity_order,
)
from ibtools.models.layers import (
    ACTIVATIONS,
    DifferenceOfSquares,
    Residual,
    activation_named,
    modules,
)


class Net(nn.Module):
    """A stack of layers with one output, or with one for each class.

    Parameters
    ----------
    *layers
        Modules in the order they are applied. A last axis of size 1 is dropped: a net with one
        output maps (n, …) to (n,), a net with k > 1 outputs to (n, k).

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models import Net
    >>> net = Net(nn.Linear(2, 1, bias=False, dtype=torch.float64))
    >>> net.order, net(torch.ones(5, 2, dtype=torch.float64)).shape
    (1, torch.Size([5]))
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*modules("layers", layers))

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n *k"]:
        """Return the outputs at inputs `x`: (n,) for one output, (n, k) for k classes.

        Parameters
        ----------
        x
            Inputs, one sample a row, (n, …).
        """
        outputs: Tensor = self.layers(x)
        return outputs.squeeze(-1) if outputs.shape[-1] == 1 else outputs

    @property
    def order(self) -> int:
        """The order of homogeneity L: Φ(cθ; x) = c^L Φ(θ; x).

        Raises
        ------
        NotHomogeneousError
            If there is none, with the reason.
        """
        return homogeneity_order(self)

    @property
    def is_homogeneous(self) -> bool:
        """Whether the net has an order of homogeneity."""
        try:
            return not homogeneity_of(self).defect
        except NotHomogeneousError:
            return False


@homogeneity_after.register
def _(module: Net, before: Homogeneity, name: str) -> Homogeneity:
    return homogeneity_after(module.layers, before, f"{name}.layers".lstrip("."))


class MLP(Net):
    """A fully connected net: linear layers with an activation between them.

    Weights start as He's normal draw, √(2/inputs)·scale, biases at 0.

    Parameters
    ----------
    widths
        Number of inputs, of neurons in each hidden layer, of outputs; at least two entries.
    activation
        Name of the activation: "relu", "leaky_relu", "squared_relu", "identity", "gelu", "silu",
        "softplus" or "tanh".
    bias
        False: none. "first": in the first layer only, which keeps the net homogeneous. True: in
        every layer.
    scale
        Factor of the starting weights, above 0.
    seed
        Of the draw: an int or a NumPy generator.
    dtype
        Of the parameters.

    Raises
    ------
    ValueError
        If a width or the scale is not positive, or the activation or bias is not one of those.
    TypeError
        If a width is not an integer or `bias` is neither a truth value nor "first".

    Examples
    --------
    >>> from ibtools.models import MLP
    >>> net = MLP(widths=[64, 20, 1], activation="squared_relu", bias=False, seed=0)
    >>> net.order
    3
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str = "relu",
        *,
        bias: bool | str = False,
        scale: float = 1.0,
        seed: int | np.random.Generator,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        numbers = sizes("widths", widths)
        if len(numbers) < 2:
            raise ValueError(
                f"widths must have at least two entries, got {widths!r}; give the number of inputs "
                "first, and that of outputs last"
            )
        one_of("activation", activation, ACTIVATIONS)
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise(numbers)):
            if layers:
                layers.append(activation_named(activation))
            layers.append(_linear(inputs, outputs, has_bias(bias, i), dtype))
        super().__init__(*layers)
        he_start(self, scale=scale, seed=seed)


class ResidualMLP(Net):
    """A fully connected net with skip connections: v·(h + W₂ φ(W₁h + b₁) + b₂) on h = Ux.

    Parameters
    ----------
    d
        Number of inputs.
    width
        Of the stream that the blocks add to, k. Equal to `d` with ``embed=False``.
    hidden
        Number of neurons in each block; default `width`.
    blocks
        Number of residual blocks.
    outputs
        Number of outputs.
    activation
        Name of the activation, as in `MLP`.
    bias
        Whether the layers have biases: False, "first" or True.
    embed
        Whether a linear layer U leads into the stream; without it the first block sees the input.
    scale, seed, dtype
        Of the start, as in `MLP`.

    Raises
    ------
    ValueError
        If a size or the scale is not positive, or ``embed=False`` and `width` differs from `d`.

    Examples
    --------
    >>> from ibtools.models import ResidualMLP, homogeneity_of
    >>> net = ResidualMLP(d=2, width=5, seed=0)
    >>> homogeneity_of(net).order, net.is_homogeneous
    (4, False)
    """

    def __init__(
        self,
        d: int,
        width: int,
        *,
        hidden: int | None = None,
        blocks: int = 1,
        outputs: int = 1,
        activation: str = "gelu",
        bias: bool | str = False,
        embed: bool = True,
        scale: float = 1.0,
        seed: int | np.random.Generator,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        count("d", d)
        count("width", width)
        count("blocks", blocks)
        inner = width if hidden is None else count("hidden", hidden)
        if not embed and width != d:
            raise ValueError(
                f"width must equal d={d} where embed=False, got {width}; the stream is the input"
            )
        pairs = [(d, width)] if embed else []
        pairs += [(width, inner), (inner, width)] * blocks + [(width, count("outputs", outputs))]
        linear = [
            _linear(i, o, has_bias(bias, number), dtype) for number, (i, o) in enumerate(pairs)
        ]
        layers: list[nn.Module] = [linear.pop(0)] if embed else []
        layers += [
            Residual(linear.pop(0), activation_named(activation), linear.pop(0))
            for _ in range(blocks)
        ]
        super().__init__(*layers, *linear)
        he_start(self, scale=scale, seed=seed)


class ConvNet(Net):
    """A convolutional net: blocks of same-size convolutions and ReLUs, each ending in a pooling.

    Parameters
    ----------
    input_shape
        Shape of an input, (channels, height, width).
    blocks
        For each block the channels of its convolutions.
    kernel
        Size of the kernels, odd; one for all blocks, or one for each.
    hidden
        Neurons of the fully connected layers before the last.
    outputs
        Number of outputs.
    activation
        Name of the activation, as in `MLP`.
    bias
        False: none. "first": in the first layer only; the net stays homogeneous. True: in all.
    scale, seed, dtype
        Of the start, as in `MLP`; He's draw counts the inputs of one kernel.

    Raises
    ------
    ValueError
        If a size is not positive, a kernel is even, or poolings leave no pixel.

    References
    ----------
    Lyu & Li (2020), experiments: see `mnist_cnn` and `vgg16`.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models import ConvNet
    >>> net = ConvNet((1, 8, 8), [[8], [16]], hidden=[], outputs=10, bias="first", seed=0)
    >>> net.order, net(torch.zeros(3, 1, 8, 8, dtype=torch.float64)).shape
    (3, torch.Size([3, 10]))
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        blocks: Sequence[Sequence[int]],
        *,
        kernel: int | Sequence[int] = 3,
        hidden: Sequence[int] = (),
        outputs: int = 1,
        activation: str = "relu",
        bias: bool | str = False,
        scale: float = 1.0,
        seed: int | np.random.Generator,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        whole = tuple(sizes("input_shape", input_shape))
        if len(whole) != 3:
            raise ValueError(
                f"input_shape must be (channels, height, width), got {whole}; give three numbers"
            )
        channels, height, width = whole
        if isinstance(blocks, str) or not isinstance(blocks, Sequence):
            raise TypeError(
                f"blocks must be a list of lists of channels, got {type(blocks).__name__}; give "
                "one list for each block, [[8], [16]], say"
            )
        channels_of = [sizes(f"blocks[{i}]", block) for i, block in enumerate(blocks)]
        hidden = sizes("hidden", hidden)
        kernels = (
            sizes("kernel", kernel)
            if isinstance(kernel, Sequence) and not isinstance(kernel, str)
            else [count("kernel", kernel)] * len(blocks)
        )
        if len(kernels) != len(blocks):
            raise ValueError(
                f"kernel must have one size for each of {len(blocks)} blocks, got {len(kernels)}; "
                "give one for all, or as many as there are blocks"
            )
        layers: list[nn.Module] = []
        number = 0
        for block, size in zip(channels_of, kernels, strict=True):
            if size % 2 == 0:
                raise ValueError(
                    f"kernel must be odd to keep the image's size, got {size}; take {size + 1}"
                )
            for after in block:
                layers.append(
                    _not_drawn(
                        nn.Conv2d,
                        channels,
                        after,
                        size,
                        padding=size // 2,
                        bias=has_bias(bias, number),
                        dtype=dtype,
                    )
                )
                layers.append(activation_named(activation))
                channels, number = after, number + 1
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
            if not height or not width:
                raise ValueError(
                    f"input_shape {whole} is halved by each of {len(blocks)} blocks and "
                    "nothing is left; use fewer blocks"
                )
        layers.append(nn.Flatten())
        inputs = channels * height * width
        for neurons in hidden:
            layers.append(_linear(inputs, neurons, has_bias(bias, number), dtype))
            layers.append(activation_named(activation))
            inputs, number = neurons, number + 1
        layers.append(_linear(inputs, count("outputs", outputs), has_bias(bias, number), dtype))
        super().__init__(*layers)
        self.input_shape = whole
        he_start(self, scale=scale, seed=seed)


def mnist_cnn(
    *,
    bias: bool | str = "first",
    seed: int | np.random.Generator,
    dtype: torch.dtype = torch.float64,
) -> ConvNet:
    """Return Lyu & Li's net for MNIST: conv32 5×5, pool, conv64 3×3, pool, fc1024, fc10.

    What the paper calls "without bias" keeps the first layer's: ``bias="first"``.

    Parameters
    ----------
    bias, seed, dtype
        As in `ConvNet`.

    References
    ----------
    Lyu & Li (2020), experiments.

    Examples
    --------
    >>> from ibtools.models import mnist_cnn
    >>> mnist_cnn(seed=0).order
    4
    """
    return ConvNet(
        (1, 28, 28),
        [[32], [64]],
        kernel=[5, 3],
        hidden=[1024],
        outputs=10,
        bias=bias,
        seed=seed,
        dtype=dtype,
    )


def vgg16(
    *,
    bias: bool | str = "first",
    seed: int | np.random.Generator,
    dtype: torch.dtype = torch.float64,
) -> ConvNet:
    """Return Lyu & Li's net for CIFAR-10: the 13 convolutions of VGG-16 and one fc10.

    Parameters
    ----------
    bias, seed, dtype
        As in `ConvNet`.

    References
    ----------
    Lyu & Li (2020), experiments.

    Examples
    --------
    >>> from ibtools.models import vgg16
    >>> vgg16(seed=0).order
    14
    """
    return ConvNet(
        (3, 32, 32),
        [[64, 64], [128, 128], [256] * 3, [512] * 3, [512] * 3],
        outputs=10,
        bias=bias,
        seed=seed,
        dtype=dtype,
    )


class DeepLinear(MLP):
    """A linear predictor as a product of matrices: order L = depth.

    Parameters
    ----------
    d
        Number of inputs.
    depth
        Number of layers; 1 is a linear model.
    width
        Of the hidden layers; default `d`.
    outputs, scale, seed, dtype
        As in `MLP`.

    Examples
    --------
    >>> from ibtools.models import DeepLinear
    >>> net = DeepLinear(d=2, depth=3, seed=0)
    >>> net.order, net.predictor.shape
    (3, (2,))
    """

    def __init__(
        self,
        d: int,
        depth: int,
        *,
        width: int | None = None,
        outputs: int = 1,
        scale: float = 1.0,
        seed: int | np.random.Generator,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        count("d", d)
        inner = [d if width is None else count("width", width)] * (count("depth", depth) - 1)
        count("outputs", outputs)
        super().__init__([d, *inner, outputs], "identity", scale=scale, seed=seed, dtype=dtype)

    @property
    def predictor(self) -> Float[np.ndarray, "*k d"]:
        """The product of the layers: (d,), or (k, d) for k outputs."""
        product = None
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                product = layer.weight if product is None else layer.weight @ product
        assert product is not None
        return product.detach().cpu().numpy().squeeze(0 if product.shape[0] == 1 else ())


class DiagonalClassifier(Net):
    """The classifier ⟨u² − v², x⟩ of order 2.

    Parameters
    ----------
    u, v
        The weights at the start, (d,) each, finite.

    Raises
    ------
    ValueError
        If the shapes do not agree or something is not finite.

    Examples
    --------
    >>> from ibtools.models import DiagonalClassifier
    >>> net = DiagonalClassifier([1.0, 0.0], [0.5, 0.5])
    >>> net.predictor, net.order
    (array([ 0.75, -0.25]), 2)
    """

    def __init__(self, u: np.typing.ArrayLike, v: np.typing.ArrayLike) -> None:
        first = array("u", u, ndim=1)
        second = array("v", v, ndim=1)
        if first.shape != second.shape:
            raise ValueError(
                f"u and v must have the same number of entries, got {first.size} and "
                f"{second.size}; give one of each for every input"
            )
        layer = DifferenceOfSquares(first.size)
        with torch.no_grad():
            layer.u.copy_(torch.tensor(first))
            layer.v.copy_(torch.tensor(second))
        super().__init__(layer)

    @property
    def predictor(self) -> Float[np.ndarray, " d"]:
        """The linear predictor u² − v², (d,)."""
        layer = self.layers[0]
        assert isinstance(layer, DifferenceOfSquares)
        return (layer.u.square() - layer.v.square()).detach().cpu().numpy()


def has_bias(bias: bool | str, number: int) -> bool:
    """Return whether layer `number` (from 0) has a bias under the rule False, "first" or True."""
    if isinstance(bias, str):
        one_of("bias", bias, ("first",))
        return number == 0
    if not isinstance(bias, bool):
        raise TypeError(f'bias must be False, "first" or True, got {bias!r}; choose one')
    return bias


def _linear(inputs: int, outputs: int, bias: bool, dtype: torch.dtype) -> nn.Module:
    return _not_drawn(nn.Linear, inputs, outputs, bias=bias, dtype=dtype)


def _not_drawn(kind: type[nn.Module], *sizes: int, **options: Any) -> nn.Module:
    """Return a layer whose parameters have no values yet.

    PyTorch's own start would draw them from the global generator. `torch.nn.utils.skip_init` does
    not, but loads 500 modules at its first call, which takes longer than to load PyTorch.
    """
    layer = kind(*sizes, device="meta", **options)
    for name, parameter in list(layer.named_parameters(recurse=False)):
        values = torch.empty(parameter.shape, dtype=parameter.dtype, device="cpu")
        setattr(layer, name, nn.Parameter(values))
    return layer


def torch_generator(seed: int | np.random.Generator) -> torch.Generator:
    """Return PyTorch's generator for `seed`; a NumPy generator gives the seed by a draw."""
    drawn = generator(seed)
    if isinstance(seed, np.random.Generator):
        return torch.Generator().manual_seed(int(drawn.integers(2**63)))
    return torch.Generator().manual_seed(int(seed))


def he_start(net: nn.Module, *, scale: float, seed: int | np.random.Generator) -> None:
    """Draw every weight from N(0, 2·scale²/inputs), in the order of the layers; biases are 0."""
    scale = positive("scale", scale)
    source = torch_generator(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 1:
                parameter.zero_()
                continue
            inputs = parameter[0].numel()
            drawn = torch.randn(parameter.shape, generator=source, dtype=parameter.dtype)
            parameter.copy_(drawn * (math.sqrt(2 / inputs) * scale))
