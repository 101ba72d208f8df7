"""A masked array hides values; what would take them for data refuses them, and the mend works."""

import numpy as np
import pytest

from ibtools.models import MLP, DiagonalNet
from ibtools.theory import implicit_limit, max_margin, separation_constants
from ibtools.trainers import descend, gradient_flow, margin_flow

pytestmark = pytest.mark.usefixtures("as_a_user")

X = np.random.default_rng(0).normal(size=(6, 4)) + 3 * np.repeat([[1.0], [-1.0]], 3, axis=0)
Y = np.repeat([1.0, -1.0], 3)
MASK = np.zeros(X.shape, dtype=bool)
MASK[2, 1] = True


def diagonal() -> DiagonalNet:
    return DiagonalNet.from_scale_shape(scale=0.1, shape=0.5, d=4)


ASKED = {
    "max_margin": lambda X, y: max_margin(X, y).margin,
    "separation_constants": lambda X, y: separation_constants(X, y).margin,
    "implicit_limit": lambda X, y: implicit_limit(diagonal(), X[:3], y[:3]),
    "gradient_flow": lambda X, y: gradient_flow(diagonal(), X[:3], y[:3]).w[-1],
    "margin_flow": lambda X, y: margin_flow(
        MLP(widths=[4, 1], activation="relu", scale=1.0, seed=0), X, y, until_log10_loss=-1
    ),
    "descend": lambda X, y: descend(
        MLP(widths=[4, 1], activation="relu", scale=1.0, seed=0), X, y, step_size=0.1, max_epochs=1
    ),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.filterwarnings("ignore::ibtools.trainers.TrainingWarning")
def test_masked_values_are_refused_and_no_others(name: str) -> None:
    ask = ASKED[name]
    with pytest.raises(ValueError, match="X must not have masked values, got 1 of them"):
        ask(np.ma.masked_array(X, mask=MASK), Y)
    with pytest.raises(ValueError, match="y must not have masked values, got 1 of them"):
        ask(X, np.ma.masked_array(Y, mask=MASK[:, 1]))
    ask(np.ma.masked_array(X), Y)


def test_the_mend_works_to_the_letter() -> None:
    given = {"X": np.ma.masked_array(X, mask=MASK), "numpy": np}
    with pytest.raises(ValueError, match="masked") as refused:
        max_margin(given["X"], Y)
    kept, left = str(refused.value).split("each sample: ")[1].rsplit(", ", 1)
    exec(kept, given)
    exec(left, given)
    assert given["X"].shape == (5, 4)
    expected = max_margin(np.delete(X, 2, axis=0), np.delete(Y, 2)).margin
    assert max_margin(given["X"], Y[given["kept"]]).margin == expected


def test_what_float32_cannot_hold_is_not_called_infinite() -> None:
    net = MLP(widths=[4, 1], activation="relu", scale=1.0, seed=0).float()
    with pytest.raises(ValueError, match=r"X must fit into float32.*net\.double\(\)"):
        margin_flow(net, X * 1e39, Y)
