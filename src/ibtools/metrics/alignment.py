"""How far the layers of a deep linear net have aligned."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import array, offering


class LayerAlignment(NamedTuple):
    """How nearly each layer has rank one, and hands on what the layer before it sends.

    Attributes
    ----------
    rank_one
        σ₁/‖W_i‖_F of each layer, (L,), in (0, 1]; 1 where the layer has rank one.
    adjacent
        |⟨u_i, v_{i+1}⟩| of each layer's first left singular vector with the next layer's first
        right one, (L−1,), from 0 to 1; 1 where they are aligned.
    """

    rank_one: Float[np.ndarray, " L"]
    adjacent: Float[np.ndarray, " pairs"]


def layer_alignment(weights: Sequence[ArrayLike]) -> LayerAlignment:
    r"""Return how far the layers of a deep linear net :math:`W_L\cdots W_1x` have aligned.

    Gradient flow on separable data sends both to 1: each layer tends to rank one, and the product
    of the layers to the product of their largest singular values.

    Parameters
    ----------
    weights
        W₁ … W_L, in the order they are applied, none of them zero; of a net made of linear layers,
        ``[p.detach().numpy() for p in net.parameters()]``.

    Raises
    ------
    TypeError, ValueError
        If something is no finite matrix, a matrix is zero, or the shapes do not multiply.

    Notes
    -----
    Where a layer's largest singular value is not simple its singular vectors are not unique, and
    ``adjacent`` is that of one choice.

    References
    ----------
    Ji & Telgarsky (2019).

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.metrics import layer_alignment
    >>> found = layer_alignment([np.diag([3.0, 4.0]), [[0.0, 2.0]]])
    >>> found.rank_one, found.adjacent
    (array([0.8, 1. ]), array([1.]))
    """
    offering("weights", weights, "__len__", mend="give a list of matrices, one for each layer")
    if not len(weights):
        raise ValueError("weights is empty; give at least one matrix")
    matrices = [array(f"weights[{i}]", W, ndim=2) for i, W in enumerate(weights)]
    rank_one, left, right = [], [], []
    for i, W in enumerate(matrices):
        largest = float(np.abs(W).max())
        if largest == 0:
            raise ValueError(
                f"weights[{i}] must not be zero, got zeros of shape {W.shape}; a layer of zeros "
                "has no direction"
            )
        if i and W.shape[1] != matrices[i - 1].shape[0]:
            raise ValueError(
                f"weights[{i}] must have {matrices[i - 1].shape[0]} columns, one for each row of "
                f"the layer before it, got shape {W.shape}; list the layers in the order they are "
                "applied"
            )
        # Scaled, so that squares neither overflow nor underflow.
        U, values, Vt = np.linalg.svd(W / largest, full_matrices=False)
        rank_one.append(values[0] / np.sqrt(np.sum(values**2)))
        left.append(U[:, 0])
        right.append(Vt[0])
    cosines = [abs(float(u @ v)) for u, v in zip(left[:-1], right[1:], strict=True)]
    return LayerAlignment(np.minimum(rank_one, 1.0), np.minimum(np.array(cosines), 1.0))
