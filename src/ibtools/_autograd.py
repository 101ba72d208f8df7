"""Products with a Jacobian, without what PyTorch loads for them."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def pulled_back(
    outputs: Sequence[Float[Tensor, "..."]],
    vectors: Sequence[Float[Tensor, "..."]],
    inputs: Sequence[Tensor],
    **options: Any,
) -> tuple[Any, ...]:
    """Return Jᵀv, what `torch.autograd.grad` returns of outputs and vectors.

    At its first call with vectors that function loads 500 modules, SymPy among them, which takes
    longer than to load PyTorch. Of a number it needs none.

    Parameters
    ----------
    outputs, vectors
        Of equal shapes, in pairs.
    inputs
        What the outputs are functions of.
    **options
        Of `torch.autograd.grad`.
    """
    products = [(o * v).sum() for o, v in zip(outputs, vectors, strict=True)]
    value = products[0] if len(products) == 1 else torch.stack(products).sum()
    return torch.autograd.grad(value, inputs, **options)
