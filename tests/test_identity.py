"""Networks and runs can be compared, hashed, and written to a file."""

import dataclasses
import importlib
import pickle
import pkgutil
import warnings
from collections.abc import Callable

import numpy as np
import pytest

import ibtools
from ibtools.models import MLP, DiagonalNet, LinearNet, LinearNeuron, TwoLayerNet
from ibtools.theory.homogeneity import near_homogeneity
from ibtools.trainers import (
    TrainingWarning,
    descend,
    gradient_descent,
    gradient_flow,
    margin_flow,
    metric_flow,
    mirror_descent,
    psi_flow,
    train_two_layer,
    train_two_layer_batch,
    warped_flow,
)

X, Y = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]]), np.array([1.0, -0.5])
SIGNS = np.array([1.0, -1.0])
DIAGONAL = DiagonalNet.from_scale_shape(scale=0.1, shape=0.0, d=3)
NEURON = LinearNeuron(0.5, [0.3, 0.2, 0.1])
LEAKY = LinearNeuron(0.5, [0.3, 0.2, 0.1], slope=0.5)
LINEAR = LinearNet([0.5, 0.2], [[0.3, 0.2, 0.1], [0.1, 0.0, 0.2]])
TWO = TwoLayerNet([[1e-3, 2e-3, 0.0], [3e-3, -1e-3, 1e-3]], slope=0.5)
GELU = MLP([3, 3, 1], "gelu", bias=True, seed=0)


def test_no_dataclass_compares_arrays_by_a_generated_method() -> None:
    """A generated ``==`` of arrays raises, and a generated hash of them as well."""
    wrong = []
    for module in pkgutil.walk_packages(ibtools.__path__, "ibtools."):
        if module.name.endswith("__main__"):
            continue
        for name, kind in vars(importlib.import_module(module.name)).items():
            if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
                continue
            held = [repr(f.type) + str(f.type) for f in dataclasses.fields(kind)]
            arrays = any("ndarray" in of or "Tensor" in of or "Float[" in of for of in held)
            if arrays and "__eq__" in vars(kind):
                wrong.append(f"{module.name}.{name}")
    assert wrong == []


@pytest.mark.parametrize("net", [DIAGONAL, NEURON, LINEAR, TWO], ids=lambda net: type(net).__name__)
def test_a_network_is_what_its_weights_are(net: object) -> None:
    again = pickle.loads(pickle.dumps(net))
    assert net == net
    assert {net: 1}[again] == 1
    assert net != net.replace(2 * net.parameters)
    assert {net: 1}[net] == 1
    np.testing.assert_array_equal(again.parameters, net.parameters)


RUNS: dict[str, Callable[[], object]] = {
    "dual": lambda: gradient_flow(DIAGONAL, X, Y),
    "all parameters": lambda: gradient_flow(DIAGONAL, X, Y, method="parameters"),
    "neuron": lambda: gradient_flow(NEURON, X, Y),
    "leaky neuron": lambda: gradient_flow(LEAKY, X, Y),
    "linear net": lambda: gradient_flow(LINEAR, X, Y),
    "descent": lambda: gradient_descent(DIAGONAL, X, Y, step_size=0.1, steps=5),
    "mirror": lambda: mirror_descent(DIAGONAL, X, Y, step_size=0.1, steps=5),
    "metric": lambda: metric_flow(np.diag, X, Y, start=[1.0, 1.0, 1.0], max_steps=5),
    "warped": lambda: warped_flow(NEURON, X, Y),
    "margin_flow": lambda: margin_flow(MLP([3, 4, 1], "relu", seed=0), X, SIGNS, max_steps=3),
    "near homogeneity": lambda: margin_flow(
        GELU, X, SIGNS, max_steps=3, near_homogeneity=near_homogeneity(GELU, radius=10.0)
    ),
    "descend": lambda: descend(MLP([3, 4, 1], "relu", seed=0), X, SIGNS, max_epochs=3),
    "psi_flow": lambda: psi_flow(MLP([3, 4, 1], "relu", seed=0), X, SIGNS, max_steps=3),
    "two layers": lambda: train_two_layer(TWO, X, SIGNS, step_size=1.0, steps=5),
    "batch": lambda: train_two_layer_batch([TWO, TWO], X, SIGNS, step_size=1.0, steps=5)[0],
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_can_be_written_and_read(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        run = RUNS[kind]()
    again = pickle.loads(pickle.dumps(run))
    assert run == run
    assert hash(run) == hash(run)
    assert repr(again) == repr(run)
    last, same = run.net_at(-1).parameters, again.net_at(-1).parameters
    if callable(last):
        last, same = ([p.detach().numpy() for p in of()] for of in (last, same))
    for one, other in zip(last, same, strict=True):
        np.testing.assert_array_equal(one, other)
