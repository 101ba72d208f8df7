"""What a margin is: the one definition, from a net's outputs and labels."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


class Margins:
    r"""The margins of samples, as functions of a net's outputs on them.

    With one output and labels ±1 a sample has the margin :math:`y\Phi`; with k outputs and classes
    0 … k−1 it has k − 1 of them, :math:`\Phi_y-\Phi_j` for each other class j, in order. So margins
    are an (n, c) table, c = 1 or k − 1, linear in the outputs.

    Parameters
    ----------
    labels
        One for each sample, (n,): ±1.0 for one output, integers from 0 for several.
    outputs
        Number of outputs, at least 1.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models.margins import Margins
    >>> signs = Margins(torch.tensor([1.0, -1.0]), 1)
    >>> signs.of(torch.tensor([2.0, 3.0]))
    tensor([[ 2.],
            [-3.]])
    >>> classes = Margins(torch.tensor([1]), 3)
    >>> classes.of(torch.tensor([[5.0, 7.0, 6.0]]))
    tensor([[2., 1.]])
    """

    def __init__(self, labels: Tensor, outputs: int) -> None:
        self.labels = labels
        self.outputs = outputs
        #: c, the number of margins of a sample.
        self.each = max(outputs - 1, 1)
        if outputs > 1:
            classes = torch.arange(outputs, device=labels.device)
            others = classes[None, :] != labels[:, None]
            #: The class j of each margin, (n, k − 1).
            self.others = classes.expand(len(labels), -1)[others].view(len(labels), -1)

    def of(
        self, outputs: Float[Tensor, "m *k"], samples: Tensor | slice = slice(None)
    ) -> Float[Tensor, "m c"]:
        """Return the margins that the outputs of some samples give.

        Parameters
        ----------
        outputs
            (m,) for one output, (m, k) for k.
        samples
            Which samples these are; default all of them.
        """
        labels = self.labels[samples]
        if self.outputs == 1:
            return (labels * outputs)[:, None]
        own = outputs.gather(1, labels[:, None])
        return own - outputs.gather(1, self.others[samples])

    def pulled(
        self, weights: Float[Tensor, "m c"], samples: Tensor | slice = slice(None)
    ) -> Float[Tensor, "m *k"]:
        """Return the derivative of Σ v s in the outputs, for weights v of all margins s of samples.

        Examples
        --------
        >>> import torch
        >>> from ibtools.models.margins import Margins
        >>> Margins(torch.tensor([1]), 3).pulled(torch.tensor([[2.0, 3.0]]))
        tensor([[-2.,  5., -3.]])
        """
        labels = self.labels[samples]
        if self.outputs == 1:
            return weights[:, 0] * labels
        seed = weights.new_zeros(len(weights), self.outputs)
        seed.scatter_(1, self.others[samples], -weights)
        return seed.scatter_add_(1, labels[:, None], weights.sum(1, keepdim=True))

    def directions(
        self, samples: Int[Tensor, " m"], columns: Int[Tensor, " m"]
    ) -> Float[Tensor, "m *k"]:
        """Return the derivative of one margin of each sample in its outputs, in double precision.

        Parameters
        ----------
        samples, columns
            Rows and columns of the table of margins, (m,) each.

        Examples
        --------
        >>> import torch
        >>> from ibtools.models.margins import Margins
        >>> Margins(torch.tensor([1]), 2).directions(torch.tensor([0]), torch.tensor([0]))
        tensor([[-1.,  1.]], dtype=torch.float64)
        """
        weights = torch.zeros(
            len(samples), self.each, dtype=torch.float64, device=self.labels.device
        )
        return self.pulled(weights.scatter_(1, columns[:, None], 1.0), samples)

    def per_class(self, table: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n *k"]:
        """Return a table on the margins as (n,), or as (n, k) with 0 for a sample's own class.

        Examples
        --------
        >>> import numpy as np
        >>> import torch
        >>> from ibtools.models.margins import Margins
        >>> Margins(torch.tensor([1]), 3).per_class(np.array([[2.0, 3.0]]))
        array([[2., 0., 3.]])
        """
        if self.outputs == 1:
            return table[:, 0]
        full = np.zeros((len(table), self.outputs))
        np.put_along_axis(full, self.others.cpu().numpy(), table, axis=1)
        return full
