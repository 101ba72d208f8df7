r"""Margins that are the least of several linear functions: what a step sees of a kink.

Where the flow slides along a kink of a ReLU net, a margin is linear on either side, and on the
kink the least of both. The linearization at the start of a step knows one side, and promises what
no step keeps, however short. Where a step led, the margin and its gradient there give another
linear function, a *cut*; with it the margin is modelled by the least of both, concave as the margin
is there. What is least with ‖d‖²/2h then has the direction of a mean of gradients from both sides,
an element of Clarke's subdifferential as the step gets short: the flow's direction on a kink.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ibtools.trainers.margins.problem import Tangents


@dataclass(frozen=True, eq=False)
class Cuts:
    """Linear functions of the displacement d, each an upper bound of one margin.

    Attributes
    ----------
    owners
        The margin of each, as an index into all, (k,).
    values
        Its value at d = 0, (k,).
    tangents
        Its gradient.
    """

    owners: Int[Tensor, " k"]
    values: Float[Tensor, " k"]
    tangents: Tangents

    def joined(self, others: "Cuts") -> "Cuts":
        """Return these and others."""
        return Cuts(
            torch.cat([self.owners, others.owners]),
            torch.cat([self.values, others.values]),
            self.tangents.joined(others.tangents),
        )

    def along(self, d: Float[Tensor, " p"]) -> Float[Tensor, " k"]:
        """Return the change of each along d."""
        return self.tangents.along(d)

    def least(
        self, margins: Float[Tensor, " m"], moved: Float[Tensor, " k"], sharpness: float
    ) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"], Float[Tensor, " k"]]:
        """Return the margins, cut, and the share of the own function and of each cut in them.

        Parameters
        ----------
        margins
            By their own linear function, (m,).
        moved
            The change of each cut, (k,).
        sharpness
            p of the soft least −log(Σe^(−ps))/p.
        """
        own, at = torch.unique(self.owners, return_inverse=True)
        cut = self.values + moved
        low = margins[own].scatter_reduce(0, at, cut, "amin")
        uncut = (-sharpness * (margins[own] - low)).exp()
        parts = (-sharpness * (cut - low[at])).exp()
        total = uncut.index_add(0, at, parts)
        shares = torch.ones_like(margins)
        shares[own] = uncut / total
        least = margins.clone()
        least[own] = low - total.log() / sharpness
        return least, shares, parts / total[at]
