"""Small problems are computed on one thread, and the threads are put back."""

from contextlib import contextmanager

import numpy as np
import pytest

from ibtools import _threads
from ibtools._threads import SMALL, one_thread
from ibtools.claims import claim
from ibtools.claims.claim import Comparison
from ibtools.models import DeepLinear, DiagonalNet, LinearNeuron, TwoLayerNet
from ibtools.trainers import (
    descend,
    exact_flow,
    gradient_descent,
    gradient_flow,
    margin_flow,
    metric_flow,
    mirror_descent,
    psi_flow,
    train_two_layer,
    warped_flow,
)

X, Y = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([1.0, -1.0])
NET = DiagonalNet.from_scale_shape(scale=1.0, shape=0.0, d=2)
NEURON = LinearNeuron.from_scale_shape(scale=0.1, shape=0.0, direction=[0.6, 0.8])


def net():
    return DeepLinear(d=2, depth=1, seed=0)


def small_claim():
    def compare():
        return Comparison("q", 1.0, 1.0, 0.0, "e", 1.0)

    return claim("c", title="t", source="s", statement="s")(compare).run()


SMALL_RUNS = {
    "gradient_flow": lambda: gradient_flow(NET, X, Y, times=[1e-3]),
    "gradient_descent": lambda: gradient_descent(NET, X, Y, step_size=1e-3, steps=2),
    "metric_flow": lambda: metric_flow(lambda w: np.eye(2), X, Y, start=[0, 0], times=[1e-3]),
    "mirror_descent": lambda: mirror_descent(NET, X, Y, step_size=1e-3, steps=2),
    "warped_flow": lambda: warped_flow(NEURON, X, Y, times=[1e-3]),
    "train_two_layer": lambda: train_two_layer(
        TwoLayerNet.initialize(m=4, d=2, slope=0.3, scale=0.1, seed=0),
        X,
        Y,
        step_size=1e-3,
        steps=2,
    ),
    "descend": lambda: descend(net(), X, Y, step_size=0.1, max_epochs=1),
    "margin_flow": lambda: margin_flow(net(), X, Y, max_steps=1),
    "psi_flow": lambda: psi_flow(net(), X, Y, max_steps=1),
    "exact_flow": lambda: exact_flow(net(), X, Y, until_log_loss=-1),
    "claim": small_claim,
}


@pytest.fixture
def limits(monkeypatch):
    """What is asked of the libraries, in order: so many threads, and None for the end of it."""
    asked = []

    class Libraries:
        @contextmanager
        def limit(self, *, limits, user_api):
            assert user_api == "blas"
            asked.append(limits)
            try:
                yield
            finally:
                asked.append(None)

    monkeypatch.setattr(_threads, "_controller", Libraries)
    return asked


@pytest.mark.filterwarnings("ignore::ibtools.trainers.TrainingWarning")
@pytest.mark.parametrize("name", SMALL_RUNS)
def test_a_small_problem_is_computed_on_one_thread(name, limits):
    SMALL_RUNS[name]()
    assert limits[:2] == [1, None]
    assert limits == [1, None] * (len(limits) // 2)


def test_blocks_in_blocks_ask_once_and_errors_put_the_threads_back(limits):
    def interrupted():
        with one_thread():
            with one_thread():
                pass
            assert limits == [1]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert limits == [1, None]


def test_large_matrices_have_all_threads(limits):
    with one_thread(SMALL + 1):
        pass
    assert limits == []


def test_the_libraries_know_of_it():
    def threads():
        return {
            each["num_threads"] for each in _threads._controller().select(user_api="blas").info()
        }

    before = threads()
    with one_thread():
        assert threads() <= {1}
    assert threads() == before
