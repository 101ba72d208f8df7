"""Modules of homogenized nets: what is left of a layer where only its leading terms are kept."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibtools.models.homogeneity import Homogeneity, homogeneity_after


class WithoutBias(nn.Module):
    """A linear layer or convolution whose bias is dropped, but stays a parameter (of gradient 0).

    Parameters
    ----------
    layer
        The layer, with a bias; its parameters are shared.
    """

    def __init__(self, layer: nn.Linear | nn.Conv1d | nn.Conv2d) -> None:
        super().__init__()
        self.weight = layer.weight
        self.bias = layer.bias
        # In a list, the layer itself is no child: its parameters would have a second name.
        self._layer = [layer]

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the layer's output at `x` less its bias."""
        assert self.bias is not None
        # Times 0, not left out: so gradients by all parameters have all their entries.
        parameters = {"weight": self.weight, "bias": 0.0 * self.bias}
        output: Tensor = torch.func.functional_call(self.layer, parameters, (x,))
        return output

    @property
    def layer(self) -> nn.Linear | nn.Conv1d | nn.Conv2d:
        """The layer, with its bias."""
        return self._layer[0]

    def extra_repr(self) -> str:
        """Name the layer."""
        return str(self.layer)


class LeadingResidual(nn.Module):
    """A block with a skip connection of which only the terms of highest order are left.

    Parameters
    ----------
    inner
        What is added to the input.
    keeps_input, keeps_inner
        Which of the two terms are left.
    """

    def __init__(self, inner: nn.Module, keeps_input: bool, keeps_inner: bool) -> None:
        super().__init__()
        self.inner = inner
        self.keeps = (keeps_input, keeps_inner)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return what is left of x + inner(x)."""
        return _leading([x, self.inner(x)], self.keeps)


class LeadingSum(nn.Module):
    """A sum of which only the terms of highest order are left.

    Parameters
    ----------
    *terms
        All terms.
    keeps
        Which of them are left.
    """

    def __init__(self, *terms: nn.Module, keeps: Sequence[bool]) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)
        self.keeps = tuple(keeps)

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the sum of what is left at `x`."""
        return _leading([term(x) for term in self.terms], self.keeps)


def _leading(terms: list[Tensor], keeps: Sequence[bool]) -> Tensor:
    # A dropped term has the factor 0 for the same reason as a dropped bias.
    kept = [term if keep else 0.0 * term for term, keep in zip(terms, keeps, strict=True)]
    return torch.stack(torch.broadcast_tensors(*kept)).sum(0)


@homogeneity_after.register
def _(module: WithoutBias, before: Homogeneity, name: str) -> Homogeneity:
    exponents = None if before.exponents is None else {**before.exponents, name: 1}
    return Homogeneity(before.order + 1, before.defect, exponents)


@homogeneity_after.register
def _(module: LeadingResidual, before: Homogeneity, name: str) -> Homogeneity:
    inner = homogeneity_after(module.inner, before, f"{name}.inner".lstrip("."))
    kept = [term for term, keep in zip((before, inner), module.keeps, strict=True) if keep]
    return kept[0] if len(kept) == 1 else Homogeneity(kept[0].order, kept[0].defect, None)


@homogeneity_after.register
def _(module: LeadingSum, before: Homogeneity, name: str) -> Homogeneity:
    terms = [
        homogeneity_after(term, before, f"{name}.terms.{i}") for i, term in enumerate(module.terms)
    ]
    kept = [term for term, keep in zip(terms, module.keeps, strict=True) if keep]
    defect = "; ".join(dict.fromkeys(term.defect for term in kept if term.defect))
    return Homogeneity(kept[0].order, defect, None)
