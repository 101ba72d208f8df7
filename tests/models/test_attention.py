"""Softmax attention: against its formula, batched or not."""

import numpy as np
import pytest
import torch

from ibtools.models.attention import SoftmaxAttention


def test_against_the_formula() -> None:
    rng = np.random.default_rng(0)
    net = SoftmaxAttention(3)
    query, key, value = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    with torch.no_grad():
        for parameter, entries in zip(net.parameters(), (query, key, value), strict=True):
            parameter.copy_(torch.tensor(entries))
    x = rng.normal(size=(2, 5, 3))
    for i in range(2):
        scores = np.array([(query.T @ x[i, 0]) @ (key.T @ token) for token in x[i]])
        p = np.exp(scores) / np.exp(scores).sum()
        assert net(torch.tensor(x))[i].item() == pytest.approx(p @ (x[i] @ value), rel=1e-12, abs=0)


@pytest.mark.usefixtures("as_a_user")
def test_bad_size() -> None:
    with pytest.raises(ValueError, match=r"d must be at least 1"):
        SoftmaxAttention(0)
