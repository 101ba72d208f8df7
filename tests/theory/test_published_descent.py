"""A run of descent that someone else made and printed is what theory and trainer say."""

import random

import numpy as np
import pytest
import torch

from ibtools.models import DeepLinear
from ibtools.theory import predicted_log_loss, separation_constants
from ibtools.trainers import TrainingWarning, descend

# github.com/EgroegCai/Empirical-Study-of-Implicit-Bias-in-Gradient-Methods (2018), data/LR:
# steps: norm of w without bias, its angle to (1, 1), |√2 − margin|, loss.
PRINTED = {
    1: (1.877445, 2.424831e-2, 1.756021e-2, 3.818075e-1),
    10: (2.257708, 2.208452e-2, 1.595970e-2, 2.086186e-1),
    100: (3.316691, 1.589935e-2, 1.142081e-2, 4.146601e-2),
    1000: (4.765069, 9.156602e-3, 6.533890e-3, 4.968746e-3),
    10046: (6.336455, 4.751044e-3, 3.375444e-3, 5.223670e-4),
    99540: (7.937141, 2.391351e-3, 1.694983e-3, 5.370458e-5),
    986279: (9.551307, 1.195900e-3, 8.466397e-4, 5.455580e-6),
}
STEP = 0.09258335955620166


def problem() -> tuple[np.ndarray, np.ndarray]:
    source = random.Random(42)
    rows = [(0.5, 1.5, 1), (1.5, 0.5, 1), (-0.5, -1.5, -1), (-1.5, -0.5, -1)]
    for i in range(4, 16):
        a = source.uniform(1, 3) if i % 2 else source.uniform(-3, -1)
        b = source.uniform(-0.5, 0.5)
        rows.append((a - b, a + b, 1 if i % 2 else -1))
    table = np.array(rows)
    return np.column_stack([table[:, :2], np.ones(16)]), table[:, 2]


def test_the_step_is_one_over_the_largest_singular_value() -> None:
    assert 1 / np.linalg.norm(problem()[0], 2) == pytest.approx(STEP, rel=1e-14, abs=0)


def test_the_first_hundred_steps() -> None:
    X, y = problem()
    net = DeepLinear(d=3, depth=1, seed=0)
    with torch.no_grad():
        net.layers[0].weight.zero_()
    with pytest.warns(TrainingWarning, match="max_epochs=100 reached"):
        run = descend(net, X, y, loss="logistic", step_size=STEP, max_epochs=100, record_growth=1)
    for t in (1, 10, 100):
        w = run.states[t][:2]
        size = np.linalg.norm(w)
        angle = np.arccos(w.sum() / size / 2**0.5)
        margin = abs(2**0.5 - np.abs(X[:, :2] @ w).min() / size)
        found = (size, angle, margin, np.exp(run.log_loss[t]))
        np.testing.assert_allclose(found, PRINTED[t], rtol=3e-7, err_msg=f"{t} steps")


def test_a_million_steps_by_the_theorem() -> None:
    constants = separation_constants(*problem())
    assert constants.margin == pytest.approx(2**0.5, rel=1e-14, abs=0)
    times = np.log(STEP * np.array(list(PRINTED)[2:]))
    norms = np.linalg.norm((np.outer(times, constants.w) + constants.offset)[:, :2], axis=1)
    printed = np.array(list(PRINTED.values()))[2:]
    apart = printed[:, 0] - norms
    np.testing.assert_allclose(apart, [0.27262, 0.09283, 0.03279, 0.01181, 0.00431], atol=6e-6)
    predicted = np.exp(predicted_log_loss(times, margin=constants.margin, order=1))
    ratios = printed[:, 3] / predicted
    np.testing.assert_allclose(ratios, [0.76781, 0.92005, 0.97170, 0.98986, 0.99633], atol=6e-6)
