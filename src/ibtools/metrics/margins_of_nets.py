"""The margins of a net on its data, and their gradients, in double precision."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ibtools._autograd import pulled_back
from ibtools.metrics.kinks_of_nets import forced_branches
from ibtools.models.margins import Margins
from ibtools.models.reading import (
    as_outputs,
    gradients_of_each,
    number_of_outputs,
    private_copy,
    with_parameters,
)
from ibtools.models.samples import finite_inputs, fitting_labels

# Numbers that the gradients of one chunk may take: 128 MB.
_CHUNK = 1 << 24
_SAMPLES = 1024


class NetMargins:
    """A private copy of a net in double precision, with data and labels that fit it.

    What its margins are, `Margins` says.

    Parameters
    ----------
    net
        The net; it is copied and put into evaluation mode.
    X, y
        Inputs, (n, …), and labels, (n,): ±1 for a net with one output, 0 … k−1 for one with k.

    Raises
    ------
    TypeError, ValueError
        If something is not finite, or the labels do not fit the net.
    """

    def __init__(self, net: nn.Module, X: ArrayLike | Tensor, y: ArrayLike) -> None:
        self.net = private_copy(net).double()
        self._outputs_with = with_parameters(self.net)
        self.parameters = [p.requires_grad_(True) for p in self.net.parameters()]
        if not self.parameters:
            raise ValueError("net has no parameters; give one that can be trained")
        if not all(bool(torch.isfinite(p).all()) for p in self.parameters):
            raise ValueError("net has parameters that are not finite; restore an earlier one")
        self.X = finite_inputs(X, device=self.parameters[0].device)
        self.outputs = number_of_outputs(self.net, self.X)
        labels = fitting_labels(y, n=len(self.X), outputs=self.outputs)
        self.margins = Margins(torch.tensor(labels, device=self.X.device), self.outputs)

    @property
    def flat(self) -> Float[Tensor, " p"]:
        """The parameters as one vector, (p,)."""
        return torch.cat([p.detach().reshape(-1) for p in self.parameters])

    def outputs_at(self, inputs: Float[Tensor, "m ..."]) -> Float[Tensor, "m *k"]:
        """Return the outputs at inputs: (m,) for one output, (m, k) for k classes."""
        return as_outputs(self.net(inputs), len(inputs))

    def scale_parameters(self, factor: float) -> None:
        """Multiply all parameters by `factor`."""
        with torch.no_grad():
            for p in self.parameters:
                p.mul_(factor)

    def values(self, X: Tensor | None = None) -> Float[Tensor, "n c"]:
        """Return all margins, at other inputs `X` if given, without a gradient."""
        inputs = self.X if X is None else X
        with torch.no_grad():
            return torch.cat(
                [
                    self.margins.of(
                        self.outputs_at(inputs[i : i + _SAMPLES]), slice(i, i + _SAMPLES)
                    )
                    for i in range(0, len(inputs), _SAMPLES)
                ]
            )

    def combination(self, weights: Float[Tensor, "n c"]) -> Float[Tensor, " p"]:
        """Return Σ w∇s over all margins s, a flat vector."""
        total = torch.zeros_like(self.flat)
        for i in range(0, len(self.X), _SAMPLES):
            part = slice(i, i + _SAMPLES)
            margins = self.margins.of(self.outputs_at(self.X[part]), part)
            pieces = pulled_back(
                [margins],
                [weights[part]],
                self.parameters,
                allow_unused=True,
                materialize_grads=True,
            )
            total += torch.cat([piece.reshape(-1) for piece in pieces])
        return total

    def gradients(
        self,
        samples: Int[Tensor, " m"],
        columns: Int[Tensor, " m"],
        branches: Sequence[Bool[Tensor, "m ..."]] | None = None,
    ) -> Float[Tensor, "m p"]:
        """Return the gradients of chosen margins, one row each.

        Parameters
        ----------
        samples, columns
            Which margins, (m,) each.
        branches
            For each call of a ReLU in the order of the net, which entries take the upper branch;
            as the inputs say where left out.
        """
        values = [p.detach() for p in self.parameters]
        directions = self.margins.directions(samples, columns)

        def margin(
            parameters: list[Tensor], x: Tensor, v: Tensor, upper: tuple[Tensor, ...]
        ) -> Tensor:
            with forced_branches(self.net, [u[None] for u in upper]):
                outputs = as_outputs(self._outputs_with(parameters, x[None]), 1)
            return (outputs[0] * v).sum()

        size = max(1, _CHUNK // self.flat.numel())
        rows = []
        for i in range(0, len(samples), size):
            part = slice(i, i + size)
            upper = tuple(branch[part] for branch in branches or ())
            found = gradients_of_each(
                margin, values, self.X[samples[part]], directions[part], upper
            )
            rows.append(torch.cat([piece.flatten(1) for piece in found], dim=1))
        return torch.cat(rows)
