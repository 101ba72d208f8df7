"""Inputs and labels that fit a net for classification, and what is said of those that do not."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from ibtools._validation import entries, plain, refuse_unreadable_tensor


def finite_inputs(
    X: ArrayLike | Tensor,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | None = None,
) -> Float[Tensor, "n ..."]:
    """Return finite inputs, samples along the first axis, of this type on this device.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If there are none, they have one axis only, or one of them is not finite.

    Examples
    --------
    >>> from ibtools.models.samples import finite_inputs
    >>> finite_inputs([[1, 2], [3, 4]]).shape
    torch.Size([2, 2])
    """
    if isinstance(X, Tensor):
        refuse_unreadable_tensor("X", X)
    given = X.detach() if isinstance(X, Tensor) and not X.is_complex() else _as_tensor("X", X)
    value = given.to(dtype=dtype, device=device)
    if value.ndim < 2 or value.numel() == 0:
        raise ValueError(
            f"X must have samples along its first axis and at least one of them, got shape "
            f"{tuple(value.shape)}; one sample x is X = x[None]"
        )
    finite = torch.isfinite(value)
    if not bool(finite.all()) and bool(torch.isfinite(given).all()):
        raise ValueError(
            f"X must fit into {str(dtype).removeprefix('torch.')}, the type of the net's weights, "
            f"got entries up to {float(given.abs().max()):g}; train net.double(), or rescale X"
        )
    if not bool(finite.all()):
        where = tuple(int(i) for i in torch.nonzero(~finite)[0])
        raise ValueError(
            f"X must be finite, got {float(value[where])} at index {where} "
            f"({int((~finite).sum())} such entries); remove or impute them"
        )
    return value


def _as_tensor(name: str, value: object) -> Tensor:
    found = plain(name, value)
    # PyTorch has not all of NumPy's types; images of bytes and single precision stay small.
    kept = found.dtype in (np.uint8, np.float32)
    return torch.tensor(found if kept else found.astype(np.float64, copy=False))


def fitting_labels(y: ArrayLike, *, n: int, outputs: int) -> np.ndarray:
    """Return labels that fit a net: ±1.0 for one output, integers 0 … k−1 for k.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If there is not one for each of `n` samples, or one of them is not among those.

    Examples
    --------
    >>> from ibtools.models.samples import fitting_labels
    >>> fitting_labels([1, -1], n=2, outputs=1), fitting_labels([0.0, 2.0], n=2, outputs=3)
    (array([ 1., -1.]), array([0, 2]))
    """
    value = entries("y", y)
    if value.shape != (n,):
        column = "; a column of shape (n, 1) is not a vector of shape (n,): give y.ravel()"
        raise ValueError(
            f"y must have one label for each of {n} samples, got shape {value.shape}"
            f"{column if value.shape == (n, 1) else '; give as many labels as X has rows'}"
        )
    if outputs == 1:
        if not np.all(np.abs(value) == 1):
            raise ValueError(
                f"y must be ±1 for a net with one output, got {value[np.abs(value) != 1][0]:g}; "
                "relabel, for instance with numpy.where(y == positive_class, 1, -1)"
            )
        return value
    if not np.all((value == np.round(value)) & (value >= 0) & (value < outputs)):
        raise ValueError(
            f"y must be classes 0 … {outputs - 1} for a net with {outputs} outputs, got labels "
            f"from {value.min():g} to {value.max():g}; number the classes from 0"
        )
    return value.astype(np.int64)
