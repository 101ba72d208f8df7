"""Softmax attention, the smallest net that no homogeneous one resembles from afar."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ibtools._validation import count


class SoftmaxAttention(nn.Module):
    r"""One head of attention, read off at the first token by a vector of values.

    .. math:: f(x) = \sum_j p_j \langle v, x_j\rangle, \qquad
        p = \operatorname{softmax}_j \langle W_q^\top x_1, W_k^\top x_j\rangle.

    Starts with :math:`W_q = W_k = I` and v = (1, 0, …).

    Parameters
    ----------
    d
        Size of a token.

    Raises
    ------
    ValueError
        If `d` is not positive.

    Examples
    --------
    >>> import torch
    >>> from ibtools.models import SoftmaxAttention
    >>> tokens = torch.tensor([[[1.0, 0.0], [0.2, 0.9], [-0.5, 0.4]]], dtype=torch.float64)
    >>> SoftmaxAttention(2)(tokens).detach().numpy().round(6)
    array([0.584947])
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        count("d", d)
        self.query = nn.Parameter(torch.eye(d, dtype=torch.float64))
        self.key = nn.Parameter(torch.eye(d, dtype=torch.float64))
        self.value = nn.Parameter(torch.eye(d, dtype=torch.float64)[0])

    def forward(self, x: Float[Tensor, "n tokens d"]) -> Float[Tensor, " n"]:
        """Return the outputs, one for each row of tokens.

        Parameters
        ----------
        x
            Tokens in rows, (n, tokens, d).
        """
        scores = ((x @ self.key) @ (x[:, 0] @ self.query).unsqueeze(-1)).squeeze(-1)
        return (torch.softmax(scores, dim=1) * (x @ self.value)).sum(1)
