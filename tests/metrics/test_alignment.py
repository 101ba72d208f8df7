"""Layer alignment: closed cases, scales, and what flow does to deep linear nets."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.data import three_points
from ibtools.metrics.alignment import layer_alignment
from ibtools.models import DeepLinear
from ibtools.trainers import margin_flow


def test_layers_by_hand() -> None:
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = layer_alignment([np.diag([4.0, 3.0]), np.diag([12.0, 5.0]) @ turn, [[1.0, 0.0]]])
    np.testing.assert_allclose(found.rank_one, [4 / 5, 12 / 13, 1])
    # The first layer sends along e₁, the second listens along Rᵀe₁ and sends along e₁.
    np.testing.assert_allclose(found.adjacent, [np.cos(angle), 1])
    assert layer_alignment([[[1.0, 2.0]]]).adjacent.size == 0


def test_a_cosine_is_at_most_1_though_an_inner_product_rounds_to_more() -> None:
    line = np.array([[1.0, 3.0, 6.0, 9.0]])
    assert layer_alignment([line.T, line]).adjacent == [1.0]


@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(-200, 200))
def test_neither_depends_on_scale_or_sign(seed: int, depth: int, exponent: float) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 6, size=depth + 1)
    weights = [random.normal(size=(b, a)) for a, b in pairwise(sizes)]
    here = layer_alignment(weights)
    there = layer_alignment([-W * 10**exponent for W in weights])
    np.testing.assert_allclose(here.rank_one, there.rank_one, rtol=1e-9)
    np.testing.assert_allclose(here.adjacent, there.adjacent, atol=1e-7)
    assert np.all((here.rank_one > 0) & (here.rank_one <= 1))
    assert np.all((here.adjacent >= 0) & (here.adjacent <= 1))
    thin = [min(W.shape) == 1 for W in weights]
    np.testing.assert_allclose(here.rank_one[thin], 1, rtol=1e-12)


def test_flow_aligns_the_layers_of_a_deep_linear_net() -> None:
    X, y = three_points()
    run = margin_flow(DeepLinear(d=2, depth=3, width=4, seed=0), X, y, until_log10_loss=-1000)

    def off(net: DeepLinear) -> float:
        found = layer_alignment([p.detach().numpy() for p in net.parameters()])
        return 1 - min(found.rank_one.min(), found.adjacent.min())

    start, end = off(run.net_at(0)), off(run.net)
    assert start > 0.1
    assert end < 0.03
    # What is left of each layer beside its growing singular value stays; that grows like ρ ∝ t^1/3.
    further = margin_flow(run.net, X, y, until_log10_loss=-1e6)
    assert off(further.net) < 0.02 * end


@pytest.mark.usefixtures("as_a_user")
def test_unusable_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="weights is empty"):
        layer_alignment([])
    with pytest.raises(ValueError, match=r"weights\[1\] must not be zero"):
        layer_alignment([np.eye(2), np.zeros((1, 2))])
    with pytest.raises(ValueError, match=r"weights\[1\] must have 2 columns"):
        layer_alignment([np.eye(2), np.ones((1, 3))])
    with pytest.raises(ValueError, match=r"weights\[0\] must be finite"):
        layer_alignment([[[np.nan, 1.0]]])
    with pytest.raises(ValueError, match="axis/axes"):
        layer_alignment([np.ones(3)])
