"""The layers that nets are built of, beside PyTorch's own."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibtools._validation import count, one_of


class SquaredReLU(nn.Module):
    """The square of the positive part, max(z, 0)²: twice differentiable almost, of order 2.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models import SquaredReLU
    >>> SquaredReLU()(torch.tensor([-1.0, 3.0]))
    tensor([0., 9.])
    """

    def forward(self, z: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return max(z, 0)², of the shape of `z`.

        Parameters
        ----------
        z
            Inputs, of any shape.
        """
        return torch.relu(z).square()


def modules(name: str, given: Sequence[nn.Module]) -> Sequence[nn.Module]:
    """Return modules, or say which is none."""
    for module in given:
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"{name} must be torch.nn.Modules, got {type(module).__name__}; a function of the "
                "input is put in by the forward of a module of your own"
            )
    return given


class Residual(nn.Module):
    """A block with a skip connection: x + inner(x).

    Parameters
    ----------
    *inner
        What is added to the input, in the order it is applied; its output has the input's shape.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models import Residual
    >>> Residual(nn.ReLU())(torch.tensor([-1.0, 3.0]))
    tensor([-1.,  6.])
    """

    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*modules("inner", inner))

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return x + inner(x), of the shape of `x`.

        Parameters
        ----------
        x
            What the branch gets, and what is added to its output.

        Raises
        ------
        ValueError
            If the branch does not keep the shape of `x`.
        """
        added: Tensor = self.inner(x)
        if added.shape != x.shape:
            raise ValueError(
                f"inner must keep the shape of its input, got {tuple(x.shape)} in and "
                f"{tuple(added.shape)} out; make its last layer as wide as its input"
            )
        return x + added


class Sum(nn.Module):
    """The sum of several modules' outputs on one input.

    Parameters
    ----------
    *terms
        The modules, one or more; their outputs are broadcast against each other.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models import SquaredReLU, Sum
    >>> Sum(nn.Identity(), SquaredReLU())(torch.tensor([2.0]))
    tensor([6.])
    """

    def __init__(self, *terms: nn.Module) -> None:
        super().__init__()
        self.terms = nn.ModuleList(modules("terms", terms))

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the sum of all terms at `x`.

        Parameters
        ----------
        x
            What every term gets.
        """
        outputs = [term(x) for term in self.terms]
        return torch.stack(torch.broadcast_tensors(*outputs)).sum(0)


class Product(nn.Module):
    """The product, entry by entry, of several modules' outputs on one input.

    Parameters
    ----------
    *factors
        The modules, one or more; their outputs are broadcast against each other.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from ibtools.models import Product, SquaredReLU
    >>> Product(nn.Identity(), SquaredReLU())(torch.tensor([2.0]))
    tensor([8.])
    """

    def __init__(self, *factors: nn.Module) -> None:
        super().__init__()
        self.factors = nn.ModuleList(modules("factors", factors))

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the product of all factors at `x`.

        Parameters
        ----------
        x
            What every factor gets.
        """
        outputs = [factor(x) for factor in self.factors]
        return torch.stack(torch.broadcast_tensors(*outputs)).prod(0)


class DifferenceOfSquares(nn.Module):
    """A linear predictor whose weights are u² − v²: order 2, and a margin in the ℓ₁ norm.

    Parameters
    ----------
    d
        Number of features. All of u and v start at 1, so that all weights start at 0.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models import DifferenceOfSquares
    >>> DifferenceOfSquares(2)(torch.ones(3, 2, dtype=torch.float64)).shape
    torch.Size([3, 1])
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        count("d", d)
        self.u = nn.Parameter(torch.ones(d, dtype=torch.float64))
        self.v = nn.Parameter(torch.ones(d, dtype=torch.float64))

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch 1"]:
        """Return ⟨u² − v², x⟩, with an axis of its own as any layer with one output.

        Parameters
        ----------
        x
            Inputs, (…, d).
        """
        return (x @ (self.u.square() - self.v.square())).unsqueeze(-1)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "squared_relu": SquaredReLU,
    "identity": nn.Identity,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    # Beyond its threshold PyTorch returns the input itself: at 20 that is a jump of 2e-9.
    "softplus": partial(nn.Softplus, threshold=40),
    "tanh": nn.Tanh,
}


def activation_named(name: str) -> nn.Module:
    """Return a new activation layer, one of `ACTIVATIONS`.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> from ibtools.models.layers import activation_named
    >>> activation_named("squared_relu")
    SquaredReLU()
    """
    return ACTIVATIONS[one_of("activation", name, ACTIVATIONS)]()


def parameter_layers(net: nn.Module) -> Sequence[tuple[str, nn.Module]]:
    """Return the modules of `net` that own parameters themselves, with their names, in order."""
    return [
        (name, module)
        for name, module in net.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
