"""What reads a network looks at what its modules do: it reads them right, or refuses by name."""

import copy
import importlib
import inspect
import random
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from torch import nn
from torch.nn.utils import parametrizations, prune

from ibtools.metrics import (
    certified_radius,
    homogeneity_defects,
    l2_attack,
    lipschitz_bound,
    margin_kkt,
    worst_defect_ratio,
    worst_gap_ratio,
)
from ibtools.models import (
    MLP,
    DiagonalNet,
    DifferenceOfSquares,
    LinearNet,
    LinearNeuron,
    Net,
    NotHomogeneousError,
    Product,
    Residual,
    SquaredReLU,
    Sum,
    TwoLayerNet,
    euler_defect,
    homogeneity_of,
    homogeneity_order,
)
from ibtools.models.homogeneity import Homogeneity, homogeneity_after
from ibtools.theory import (
    explicit_limit,
    final_sign,
    first_step_slack,
    frozen_limit,
    implicit_limit,
    implicit_potential,
    kernel_limit,
    kkt_point,
    near_homogeneity,
    own_pattern_limit,
    signed_rank_constants,
    sliding_limit,
    small_start_bound,
    two_layer_limit,
)
from ibtools.theory.homogeneity import Stream, stream_after
from ibtools.trainers import (
    TrainingWarning,
    descend,
    exact_flow,
    gradient_flow,
    margin_flow,
    mirror_descent,
    psi_flow,
    train_two_layer,
    train_two_layer_batch,
    warped_flow,
)

X = np.array([[1.0, 0.2, -0.3], [0.4, 1.0, 0.5], [-0.2, 0.7, 1.1], [-1.0, -0.4, -0.9]])
D = X.shape[1]


def linear(inputs: int, outputs: int, *, bias: bool = False, kind: type = nn.Linear) -> nn.Linear:
    layer = kind(inputs, outputs, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.cos(torch.arange(p.numel()) * 2.3 + outputs).view_as(p))
    return layer


def honest() -> Net:
    """Return the net that the liars are made of: 3 → 4 → 1, ReLU, order 2."""
    return Net(linear(D, 4), nn.ReLU(), linear(4, 1))


def labels(net: nn.Module) -> np.ndarray:
    """Return the labels that a net gives itself, or ones that fit where it gives none."""
    mode = net.training
    outputs = net.eval()(torch.tensor(X)).detach().numpy().reshape(len(X))
    net.train(mode)
    return np.where(outputs >= 0, 1.0, -1.0)


# Every public function that is given a network, and what it needs beside it.
def quick(run: Callable[..., object], net: nn.Module, **options: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return run(net, X, labels(net), **options)


SEARCH = {"radius": 1.0, "input_shape": (D,), "starts": 2, "steps": 2, "seed": 0}
# Those that go through a net's layers with a rule for each.
WALKS: dict[str, Callable[[nn.Module], object]] = {
    "models.homogeneity_order": homogeneity_order,
    "models.homogeneity_of": lambda net: homogeneity_of(net).order,
    "theory.near_homogeneity": lambda net: near_homogeneity(net, radius=1.0, input_shape=(D,)),
    "metrics.certified_radius": lambda net: certified_radius(net, X, labels(net)),
    "metrics.lipschitz_bound": lambda net: lipschitz_bound(net, (D,)),
    "metrics.margin_kkt": lambda net: margin_kkt(net, X, labels(net)),
    "theory.kkt_point": lambda net: kkt_point(net, X, labels(net), tolerance=0.5),
    "trainers.descend": lambda net: quick(descend, net, max_epochs=1),
    "trainers.psi_flow": lambda net: quick(psi_flow, net, max_steps=1),
    "trainers.margin_flow": lambda net: quick(margin_flow, net, max_steps=1),
}
# Those that look at the outputs and their gradients only: what they say is true of any net.
MEASURE: dict[str, Callable[[nn.Module], object]] = {
    "models.euler_defect": lambda net: euler_defect(net, torch.tensor(X), order=2),
    "metrics.homogeneity_defects": lambda net: homogeneity_defects(
        net, theta(net)[None], X, order=2
    ),
    "metrics.worst_defect_ratio": lambda net: worst_defect_ratio(
        net, Polynomial([1.0]), order=2, **SEARCH
    ),
    "metrics.worst_gap_ratio": lambda net: worst_gap_ratio(
        net, copy.deepcopy(net), Polynomial([1.0]), **SEARCH
    ),
    "metrics.l2_attack": lambda net: l2_attack(net, X, labels(net), steps=2, seed=0),
    "trainers.exact_flow": lambda net: exact_flow(net, X, labels(net), until_log_loss=1.2),
}
# A file's net is a container: nothing is read off it. The others take models of regression or of
# two layers in NumPy, whose own tests are below.
NO_WALK = {"trainers.load_run"}
NUMPY = {
    "theory.explicit_limit", "theory.final_sign", "theory.first_step_slack", "theory.frozen_limit",
    "theory.implicit_limit", "theory.implicit_potential", "theory.kernel_limit",
    "theory.own_pattern_limit", "theory.signed_rank_constants", "theory.sliding_limit",
    "theory.small_start_bound",
    "theory.two_layer_limit", "trainers.gradient_descent", "trainers.gradient_flow",
    "trainers.mirror_descent",
    "trainers.train_two_layer", "trainers.train_two_layer_batch", "trainers.warped_flow",
}  # fmt: skip
DERIVATIVES = {
    "trainers.exact_flow",
    "models.euler_defect", "metrics.margin_kkt", "theory.kkt_point", "trainers.descend",
    "trainers.psi_flow", "trainers.margin_flow", "metrics.l2_attack", "metrics.certified_radius",
    "metrics.lipschitz_bound",
}  # fmt: skip


def theta(net: nn.Module) -> np.ndarray:
    return torch.cat([p.detach().reshape(-1) for p in net.parameters()]).double().numpy()


def test_the_table_of_functions_is_complete() -> None:
    found = set()
    for package in ("models", "metrics", "theory", "trainers"):
        module = importlib.import_module(f"ibtools.{package}")
        for name in module.__all__:
            function = getattr(module, name)
            if not inspect.isfunction(function):
                continue
            if {"net", "nets", "neuron"} & inspect.signature(function).parameters.keys():
                found.add(f"{package}.{name}")
    assert found == WALKS.keys() | MEASURE.keys() | NO_WALK | NUMPY


# Liars: what they are made of, what is said of them, and how what is said is followed.
class OwnForward(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(super().forward(x))


class OwnLayers(nn.Module):
    """Its layers say order 2, and it has order 3."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 10 * (self.layers(x) * self.layers[0].weight.sum()).squeeze(-1)


class OwnNet(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) ** 3


class OwnSequence(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + 1.0


class OwnWeight(nn.Linear):
    @property
    def weight(self) -> torch.Tensor:
        return self._weight**2

    @weight.setter
    def weight(self, value: nn.Parameter) -> None:
        self.register_parameter("_weight", value)


class OwnCall(nn.Linear):
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return super().__call__(x) ** 2


class OwnConvolution(nn.Conv1d):
    def _conv_forward(self, x, weight, bias):
        return super()._conv_forward(x, weight**2, bias)


class OwnReLU(nn.ReLU):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x - 1)


class Mixed(OwnReLU, nn.LeakyReLU):
    """Its own forward comes from beside, not from below."""


class Liar(NamedTuple):
    make: Callable[[], nn.Module]
    place: str
    says: str


def with_layer(place: int, change: Callable[[nn.Module], object]) -> Net:
    net = honest()
    change(net.layers[place])
    return net


def doubled(module: nn.Module, inputs: object, outputs: torch.Tensor) -> torch.Tensor:
    return outputs * outputs


def shifted(module: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0] + 1,)


def old_weight_norm(module: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.nn.utils.weight_norm(module)


def forward_of_its_own(module: nn.Module) -> None:
    inside = module.forward
    module.forward = lambda x: inside(x) ** 2


def fixed_weight(module: nn.Module) -> None:
    weight = module.weight.detach()
    del module.weight
    module.register_buffer("weight", weight)


LIARS = {
    "subclass": Liar(
        lambda: Net(linear(D, 4, kind=OwnForward), nn.ReLU(), linear(4, 1)),
        "layers.0", r"\(OwnForward\) is a Linear with its own forward",
    ),
    "own layers": Liar(
        lambda: OwnLayers(linear(D, 4), nn.ReLU(), linear(4, 1)),
        "net", r"\(OwnLayers\) (has no|is)",
    ),
    "net": Liar(
        lambda: OwnNet(linear(D, 4), nn.ReLU(), linear(4, 1)),
        "net", r"\(OwnNet\) is a Net with its own forward",
    ),
    "sequence": Liar(
        lambda: Net(OwnSequence(linear(D, 4), nn.ReLU()), linear(4, 1)),
        "layers.0", r"\(OwnSequence\) is a Sequential with its own forward",
    ),
    "weight": Liar(
        lambda: Net(linear(D, 4), nn.ReLU(), linear(4, 1, kind=OwnWeight)),
        "layers.2", r"\(OwnWeight\) is a Linear with its own weight",
    ),
    "call": Liar(
        lambda: Net(linear(D, 4), nn.ReLU(), linear(4, 1, kind=OwnCall)),
        "layers.2", r"\(OwnCall\) has its own __call__",
    ),
    "activation": Liar(
        lambda: Net(linear(D, 4), OwnReLU(), linear(4, 1)),
        "layers.1", r"\(OwnReLU\) is a ReLU with its own forward",
    ),
    "mixed": Liar(
        lambda: Net(linear(D, 4), Mixed(), linear(4, 1)),
        "layers.1", r"\(Mixed\) is a ReLU with its own forward",
    ),
    "patched": Liar(
        lambda: with_layer(1, forward_of_its_own),
        "layers.1", r"\(ReLU\) has a forward of its own, set on the object",
    ),
    "buffer": Liar(
        lambda: with_layer(2, fixed_weight),
        "layers.2", r"\(Linear\) has a weight that is no parameter",
    ),
    "hook": Liar(
        lambda: with_layer(1, lambda m: m.register_forward_hook(doubled)),
        "layers.1", r"\(ReLU\) has a forward hook",
    ),
    "pre-hook": Liar(
        lambda: with_layer(1, lambda m: m.register_forward_pre_hook(shifted)),
        "layers.1", r"\(ReLU\) has a forward pre-hook",
    ),
    "weight norm": Liar(
        lambda: with_layer(0, parametrizations.weight_norm),
        "layers.0", r"\(ParametrizedLinear\) has a parametrization of weight",
    ),
    "spectral norm": Liar(
        lambda: with_layer(0, parametrizations.spectral_norm),
        "layers.0", r"\(ParametrizedLinear\) has a parametrization of weight",
    ),
    "old weight norm": Liar(
        lambda: with_layer(0, old_weight_norm),
        "layers.0", r"\(Linear\) has a forward pre-hook",
    ),
    "old spectral norm": Liar(
        lambda: with_layer(0, torch.nn.utils.spectral_norm),
        "layers.0", r"\(Linear\) has a forward pre-hook",
    ),
    "pruned": Liar(
        lambda: with_layer(0, lambda m: prune.l1_unstructured(m, "weight", 0.5)),
        "layers.0", r"\(Linear\) has a forward pre-hook",
    ),
    "softplus below 0": Liar(
        lambda: Net(linear(D, 4), nn.Softplus(beta=-1.0), linear(4, 1)),
        "layers.1", r"\(Softplus\) has beta=-1",
    ),
    "softplus with a jump": Liar(
        lambda: Net(linear(D, 4), nn.Softplus(threshold=0.0), linear(4, 1)),
        "layers.1", r"\(Softplus\) has threshold=0, where it jumps by 0.69",
    ),
    "layer norm": Liar(
        lambda: Net(linear(D, 4), nn.LayerNorm(4, dtype=torch.float64), linear(4, 1)),
        "layers.1", r"\(LayerNorm\)",
    ),
    "batch norm": Liar(
        lambda: Net(linear(D, 4), nn.BatchNorm1d(4, dtype=torch.float64), linear(4, 1)),
        "layers.1", r"\(BatchNorm1d\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("function", WALKS)
@pytest.mark.parametrize("liar", LIARS)
def test_a_liar_is_refused_by_name(liar: str, function: str) -> None:
    net = LIARS[liar].make()
    place = "(the )?net" if LIARS[liar].place == "net" else re.escape(LIARS[liar].place)
    with pytest.raises(ValueError, match=f"{place} {LIARS[liar].says}"):
        WALKS[function](net)


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "torch.compile": partial(torch.compile, backend="eager"),
    "torch.jit": lambda net: torch.jit.trace(net, torch.tensor(X)),
    "DataParallel": nn.DataParallel,
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_is_taken_off_as_told(wrapper: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = honest().eval()
    wrapped, own = WRAPPERS[wrapper](net), labels(net)
    # A compiled net that is called takes seconds to get ready.
    monkeypatch.setitem(globals(), "labels", lambda net: own)
    for name, function in (WALKS | MEASURE).items():
        with pytest.raises((TypeError, ValueError), match=r"(the net|net) \(") as caught:
            function(wrapped)
        told = re.search(r"give the (net|module).*$", str(caught.value))
        assert told, (name, caught.value)
        attribute = re.search(r"its \.(\w+)$", told[0])
        assert getattr(wrapped, attribute[1]) is net if attribute else wrapper == "torch.jit"


class Branching(Net):
    """What it does depends on a number: PyTorch's vmap refuses it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = super().forward(x)
        return outputs if outputs.sum().item() > -1e9 else 0 * outputs


def test_a_net_that_branches_is_differentiated_one_sample_at_a_time() -> None:
    branching, straight = Branching(*honest().layers), honest()
    for ask in ("metrics.margin_kkt", "trainers.margin_flow"):
        with pytest.raises(NotHomogeneousError, match="Branching"):
            WALKS[ask](branching)
    for ask in MEASURE:
        MEASURE[ask](branching)
    runs = [quick(margin_flow, net, order=2, max_steps=2) for net in (branching, straight)]
    assert np.allclose(runs[0].states[-1], runs[1].states[-1], rtol=1e-9)


def test_a_convolution_is_looked_into() -> None:
    net = Net(OwnConvolution(1, 2, 3, dtype=torch.float64), nn.Flatten(), linear(2, 1))
    with pytest.raises(NotHomogeneousError, match=r"is a Conv1d with its own _conv_forward"):
        homogeneity_order(net)
    assert homogeneity_order(Net(nn.Conv1d(1, 2, 3), nn.Flatten(), linear(2, 1))) == 2


def said_of(net: nn.Module) -> str:
    with pytest.raises(NotHomogeneousError) as refused:
        homogeneity_order(net)
    return str(refused.value)


PYTORCHS_OWN = ["weight norm", "spectral norm", "old weight norm", "old spectral norm", "pruned"]


@pytest.mark.parametrize("liar", PYTORCHS_OWN)
def test_what_pytorch_put_on_is_taken_off_as_told(liar: str) -> None:
    net = LIARS[liar].make().eval()
    before = net(torch.tensor(X)).detach()
    (call,) = re.findall(r"(torch\.nn\.utils\.[\w.]+\(module, '\w+'\))", said_of(net))
    eval(call, {"torch": torch, "module": net.layers[0]})
    assert homogeneity_order(net) == 2
    # Taking it off changes nothing in what the net computes.
    torch.testing.assert_close(net(torch.tensor(X)), before, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "register",
    [
        lambda m: m.register_forward_hook(doubled),
        lambda m: m.register_forward_pre_hook(shifted),
        lambda m: nn.modules.module.register_module_forward_hook(doubled),
        lambda m: nn.modules.module.register_module_forward_pre_hook(shifted),
    ],
)
def test_a_hook_is_removed_as_told(register: Callable) -> None:
    net = honest()
    handle = register(net.layers[1])
    try:
        assert "call remove() on the handle that registering it returned" in said_of(net)
    finally:
        handle.remove()
    assert homogeneity_order(net) == 2


def test_what_was_set_on_an_object_is_deleted_as_told() -> None:
    net = LIARS["patched"].make()
    assert "delete it (del module.forward)" in said_of(net)
    module = net.layers[1]
    del module.forward
    assert homogeneity_order(net) == 2


def test_a_buffer_is_made_a_parameter_as_told() -> None:
    net = LIARS["buffer"].make()
    assert "make it one (module.weight = torch.nn.Parameter(...))" in said_of(net)
    module, weight = net.layers[2], net.layers[2].weight
    del module.weight
    module.weight = torch.nn.Parameter(weight)
    assert homogeneity_order(net) == 2


def test_softplus_is_turned_round_as_told() -> None:
    net = Net(linear(D, 4, bias=True), nn.Softplus(beta=-2.0), linear(4, 1))
    assert "take nn.Softplus(beta=2) and change the signs of the weights" in said_of(net)
    mended = copy.deepcopy(net)
    mended.layers[1] = nn.Softplus(beta=2.0)
    with torch.no_grad():
        for p in (*mended.layers[0].parameters(), mended.layers[2].weight):
            p.neg_()
    torch.testing.assert_close(mended(torch.tensor(X)), net(torch.tensor(X)), rtol=1e-12, atol=0)
    assert near_homogeneity(mended, radius=2.0).order == 2
    jumps = LIARS["softplus with a jump"].make()
    assert "set module.threshold = 40" in said_of(jumps)
    jumps.layers[1].threshold = 40
    assert near_homogeneity(jumps, radius=2.0).order == 2


def test_a_rule_for_a_layer_of_ones_own_is_registered_as_told() -> None:
    class Halved(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) / 2

    net = Net(linear(D, 4, kind=Halved), nn.ReLU(), linear(4, 1))
    assert "register a rule for Halved" in said_of(net)

    @homogeneity_after.register
    def _(module: Halved, before: Homogeneity, name: str) -> Homogeneity:
        return Homogeneity(before.order + 1, before.defect, None)

    assert homogeneity_order(net) == 2
    assert quick(descend, net, max_epochs=1).order == 2


@contextmanager
def hooked(net: nn.Module, where: str) -> Iterator[None]:
    def zero(*gradients: object) -> object:
        last = gradients[-1]
        return tuple(g if g is None else 0 * g for g in last) if isinstance(last, tuple) else None

    layer = net.layers[0]
    handle = {
        "parameter": lambda: layer.weight.register_hook(lambda g: 0 * g),
        "accumulated": lambda: layer.weight.register_post_accumulate_grad_hook(lambda p: None),
        "module": lambda: layer.register_full_backward_hook(zero),
        "module before": lambda: layer.register_full_backward_pre_hook(zero),
    }[where]()
    yield
    handle.remove()


@pytest.mark.parametrize("function", sorted(DERIVATIVES))
@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("parameter", "hook on the gradient of layers.0.weight"),
        ("accumulated", "hook on the gradient of layers.0.weight"),
        ("module", r"backward hook on layers.0 \(Linear\)"),
        ("module before", r"backward pre-hook on layers.0 \(Linear\)"),
    ],
)
def test_hooks_on_gradients_are_refused(function: str, where: str, named: str) -> None:
    net = honest()
    call = {**WALKS, **MEASURE}[function]
    with hooked(net, where), pytest.raises(ValueError, match=f"net has a {named}"):
        call(net)
    call(net)


class Cube(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x**3


@homogeneity_after.register
def _(module: Cube, before: Homogeneity, name: str) -> Homogeneity:
    return Homogeneity(before.order, before.defect, before.exponents)  # wrong: it triples


@stream_after.register
def _(module: Cube, before: Stream, name: str) -> tuple[Stream, nn.Module]:
    return before, module


class Feature(nn.Module):
    """Has no parameters, it says, and takes those of a layer."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.taken = [layer]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.taken[0].weight.norm()


class LateBias(nn.Module):
    """A bias that is 0 at the start, in a layer that is said to have none."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.bias


@homogeneity_after.register
def _(module: LateBias, before: Homogeneity, name: str) -> Homogeneity:
    return before


def taken() -> Net:
    net = honest()
    net.layers.insert(0, Feature(net.layers[0]))
    return net


CAUGHT_ON_DATA = {
    "a wrong rule": lambda: Net(linear(D, 4), Cube(), linear(4, 1)),
    "a wrong rule, smooth": lambda: Net(linear(D, 4), nn.GELU(), Cube(), linear(4, 1)),
    "a hidden bias": lambda: Net(linear(D, 4), nn.ReLU(), linear(4, 1), LateBias()),
    "parameters of others": taken,
}
DATA = ["metrics.margin_kkt", "theory.kkt_point", "trainers.descend", "trainers.psi_flow"]
DATA += ["trainers.margin_flow"]


@pytest.mark.parametrize("function", DATA)
@pytest.mark.parametrize("kind", CAUGHT_ON_DATA)
def test_what_was_read_is_looked_at_on_the_data(kind: str, function: str) -> None:
    net = CAUGHT_ON_DATA[kind]()
    read = "is not homogeneous|was read as (homogeneous of order|of order) [23]"
    with pytest.raises(NotHomogeneousError, match=read):
        WALKS[function](net)


def test_a_wrong_rule_for_near_homogeneity_is_seen() -> None:
    with pytest.raises(NotHomogeneousError, match=r"\(Net\) does not keep to what was derived"):
        near_homogeneity(CAUGHT_ON_DATA["a wrong rule"](), radius=1.0)


def test_a_near_homogeneity_has_to_be_of_the_net_and_the_data() -> None:
    net = MLP([D, 4, 4, 1], "gelu", scale=3.0, seed=0)
    near = near_homogeneity(net, radius=2.0)
    assert quick(descend, net, max_epochs=1, near_homogeneity=near).order == 3
    other = near_homogeneity(MLP([D, 4, 1], "gelu", seed=0), radius=2.0)
    with pytest.raises(NotHomogeneousError, match="is not within the bound p_a that is given"):
        quick(descend, net, max_epochs=1, near_homogeneity=other)
    small = near_homogeneity(net, radius=0.5)
    with pytest.raises(ValueError, match=r"got radius=0.5 and an input of norm") as refused:
        quick(descend, net, max_epochs=1, near_homogeneity=small)
    (told,) = re.findall(r"near_homogeneity\(net, radius=([\d.]+)\)", str(refused.value))
    mended = near_homogeneity(net, radius=float(told))
    assert quick(descend, net, max_epochs=1, near_homogeneity=mended).order == 3


# What is unusual and honest is read right.
class Plain(nn.Linear):
    def __init__(self, *sizes: int, **options: object) -> None:
        super().__init__(*sizes, **options)
        self.note = "a name"

    def extra_repr(self) -> str:
        return self.note


def twice() -> Net:
    layer = linear(D, D)
    return Net(layer, nn.LeakyReLU(0.3), layer, nn.LeakyReLU(0.3), linear(D, 1))


def tied() -> Net:
    net = Net(linear(D, D), nn.LeakyReLU(0.3), linear(D, D), nn.LeakyReLU(0.3), linear(D, 1))
    net.layers[2].weight = net.layers[0].weight
    return net


def dropping() -> Net:
    return Net(linear(D, 4), nn.ReLU(), nn.Dropout(0.9), linear(4, 1)).train()


HONEST = {
    "a plain subclass": (lambda: Net(linear(D, 4, kind=Plain), nn.ReLU(), linear(4, 1)), honest, 2),
    "a module twice": (twice, tied, 3),
    "a parameter twice": (tied, twice, 3),
    "dropout in training": (
        dropping, lambda: Net(linear(D, 4), nn.ReLU(), nn.Identity(), linear(4, 1)), 2
    ),
    "a column": (lambda: nn.Sequential(*honest().layers), honest, 2),
}  # fmt: skip


@pytest.mark.parametrize("kind", HONEST)
def test_what_is_honest_is_read_right(kind: str) -> None:
    make, same, order = HONEST[kind]
    net, other = make(), same()
    assert homogeneity_order(net) == order
    assert euler_defect(net, torch.tensor(X), order=order) < 1e-13
    y = labels(other)
    before = copy.deepcopy(net.state_dict())
    pairs: list[Callable[[nn.Module], object]] = [
        lambda net: certified_radius(net, X, y),
        lambda net: l2_attack(net, X, y, steps=3, seed=0).distance,
        lambda net: margin_kkt(net, X, y, slack=10.0).multipliers,
        lambda net: margin_kkt(net, X, y, kink_tolerance=0.1).relative_stationarity,
        lambda net: homogeneity_defects(net, theta(net)[None], X, order=order).outputs,
        lambda net: quick(descend, net, max_epochs=3).states,
        lambda net: quick(margin_flow, net, max_steps=3).minimum_margin,
        lambda net: quick(psi_flow, net, max_steps=3).minimum_margin,
    ]
    for read in pairs:
        np.testing.assert_allclose(read(net), read(other), rtol=1e-9, atol=1e-14)
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in before.items())


@pytest.mark.parametrize("kind", ["a module twice", "a parameter twice"])
def test_what_stands_in_two_places_cannot_be_scaled_in_one(kind: str) -> None:
    net = HONEST[kind][0]()
    assert homogeneity_of(net).exponents is None
    assert quick(descend, net, max_epochs=1).exponents is None
    h = near_homogeneity(net, radius=2.0)
    names = [name for name, _ in net.named_parameters()]
    assert [name for name, _ in h.homogenized.named_parameters()] == names
    assert h.order == 3


def test_tied_weights_have_the_gradients_they_have() -> None:
    for kind in ("a module twice", "a parameter twice"):
        net = HONEST[kind][0]()
        y = labels(net)
        q = net(torch.tensor(X)) * torch.tensor(y)
        rows = [
            torch.cat([g.reshape(-1) for g in torch.autograd.grad(one, list(net.parameters()),
                                                                  retain_graph=True)])
            for one in q
        ]  # fmt: skip
        J = torch.stack(rows).numpy()
        kkt = margin_kkt(net, X, y, slack=1e6)
        unit = theta(net) / np.linalg.norm(theta(net))
        scale = np.linalg.norm(theta(net)) ** 2
        margin = float(q.detach().min()) / np.linalg.norm(theta(net)) ** 3
        mu = kkt.multipliers / margin ** (1 - 2 / 3)
        left = np.linalg.norm(unit - mu @ (J / scale))
        assert kkt.relative_stationarity == pytest.approx(left, rel=1e-9, abs=1e-14)
        run = quick(margin_flow, net, max_steps=2)
        assert run.minimum_margin[-1] > 0
        # Both places have moved together.
        assert len(theta(run.net)) == len(theta(net))


LOOK_AT_OUTPUTS: dict[str, Callable] = {
    "metrics.certified_radius": certified_radius,
    "metrics.lipschitz_bound": lambda net, X, y: lipschitz_bound(net, X.shape[1:]),
    "metrics.margin_kkt": margin_kkt,
    "metrics.l2_attack": lambda net, X, y: l2_attack(net, X, y, seed=0),
    "metrics.homogeneity_defects": lambda net, X, y: homogeneity_defects(
        net, theta(net)[None], X, order=1
    ),
    "models.euler_defect": lambda net, X, y: euler_defect(net, torch.tensor(X), order=1),
    "theory.kkt_point": lambda net, X, y: kkt_point(net, X, y, tolerance=0.5),
    "trainers.descend": lambda net, X, y: descend(net, X, y, max_epochs=2),
    "trainers.psi_flow": lambda net, X, y: psi_flow(net, X, y, max_steps=2),
    "trainers.margin_flow": lambda net, X, y: margin_flow(net, X, y, max_steps=2),
    "trainers.exact_flow": lambda net, X, y: exact_flow(net, X, y, until_log_loss=1.0),
}


@pytest.mark.parametrize("function", LOOK_AT_OUTPUTS)
@pytest.mark.parametrize(
    ("net", "inputs"),
    [
        (nn.Sequential(linear(D, 1)), X[:, None]),  # (n, 1, 1)
        (nn.Sequential(linear(D, 2), nn.Flatten(0)), X),  # (2n,)
    ],
)
def test_outputs_of_other_shapes_are_refused(function: str, net: nn.Module, inputs) -> None:
    with pytest.raises(ValueError, match=r"must map inputs .* \(n,\), \(n, 1\) or \(n, k\), got"):
        LOOK_AT_OUTPUTS[function](net, inputs, np.ones(len(X)))


@pytest.mark.parametrize("function", LOOK_AT_OUTPUTS)
def test_a_column_is_one_output(function: str) -> None:
    net = nn.Sequential(*honest().layers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        found = [LOOK_AT_OUTPUTS[function](n, X, labels(n)) for n in (net, honest())]
    if function.startswith("trainers"):
        found = [run.states for run in found]
    if function == "theory.kkt_point":
        found = [point.direction for point in found]
    for one, other in zip(*(f if isinstance(f, tuple) else (f,) for f in found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-14)


# Random nets of known layers.
def block(draw: Callable, depth: int) -> nn.Module:
    """Return a random module from 3 numbers to 3."""
    kinds = ["linear", "relu", "leaky", "squared", "identity", "gelu", "silu", "softplus"]
    kind = draw(st.sampled_from(kinds + ["residual", "sum", "product", "stack"] * (depth > 0)))
    if kind == "linear":
        return linear(D, D, bias=draw(st.booleans()))
    if kind == "leaky":
        return nn.LeakyReLU(draw(st.sampled_from([-1.0, 0.3, 2.0])))
    if kind == "softplus":
        return nn.Softplus(beta=draw(st.sampled_from([0.5, 1.0, 3.0])), threshold=40)
    simple = {
        "relu": nn.ReLU, "squared": SquaredReLU, "identity": nn.Identity, "gelu": nn.GELU,
        "silu": nn.SiLU,
    }  # fmt: skip
    if kind in simple:
        return simple[kind]()
    inner = [block(draw, depth - 1) for _ in range(2)]
    several = {"residual": Residual, "sum": Sum, "product": Product, "stack": nn.Sequential}
    return several[kind](*inner)


@st.composite
def random_nets(draw: Callable) -> Net:
    before = random.getstate()  # beartype looks at an item of a list that chance picks
    layers = [block(draw, 2) for _ in range(draw(st.integers(1, 3)))]
    if draw(st.booleans()):
        layers.append(layers[0])  # the same once more
    end = DifferenceOfSquares(D) if draw(st.booleans()) else linear(D, 1, bias=draw(st.booleans()))
    net = Net(*layers, end)
    source = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=source, dtype=p.dtype))
    random.setstate(before)
    return net


def times(net: nn.Module, c: float) -> torch.Tensor:
    other = copy.deepcopy(net)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(c)
        return other(torch.tensor(X))


@settings(max_examples=60)
@given(random_nets())
def test_the_order_that_is_read_is_the_order_that_is_measured(net: Net) -> None:
    found = homogeneity_of(net)
    assume(found.order <= 30)
    here, there = times(net, 1.0), times(net, 2.0)
    assume(bool(here.any()))
    if not found.defect:
        torch.testing.assert_close(there, 2.0**found.order * here, rtol=1e-12, atol=0)
        assert euler_defect(net, torch.tensor(X), order=found.order) < 1e-9
    far = times(net, 2.0**21) / 2.0 ** (21 * found.order)
    farther = times(net, 2.0**22) / 2.0 ** (22 * found.order)
    # Both are f_H, to order 2⁻²¹.
    scale = max(float(far.abs().max()), 1.0)
    torch.testing.assert_close(farther, far, rtol=0, atol=1e-4 * scale)
    h = near_homogeneity(net, radius=2.0)
    assert h.order == found.order
    r = float(np.linalg.norm(theta(net)))
    defect = homogeneity_defects(net, theta(net)[None], X, order=h.order).defects
    assert np.abs(defect).max() <= h.defect_bound(r) + 1e-9 * float(here.abs().max())


# Networks in NumPy: a class that descends from one of ours is not it.
class OwnNeuron(LinearNeuron):
    def predict(self, X: np.ndarray) -> np.ndarray:
        return super().predict(X) ** 3


class OwnLinearNet(LinearNet):
    @property
    def predictor(self) -> np.ndarray:
        return 2 * super().predictor


class OwnDiagonal(DiagonalNet):
    def predict(self, X: np.ndarray) -> np.ndarray:
        return super().predict(X) ** 3


class OwnTwoLayer(TwoLayerNet):
    @property
    def signs(self) -> np.ndarray:
        return -super().signs


NEURON = OwnNeuron(0.1, [1.0, -0.5, 0.2])
LINEAR = OwnLinearNet([0.1, 0.2], np.ones((2, 3)))
DIAGONAL = OwnDiagonal.from_scale_shape(scale=0.01, shape=0.0, d=3)
TWO_LAYER = OwnTwoLayer(np.ones((4, 3)), slope=0.5)
ROWS, TARGETS = [[1, 2, 0.5], [0.3, -1, 2]], [1, -0.5]
REFUSE: dict[str, Callable[[], object]] = {
    "theory.explicit_limit": lambda: explicit_limit(NEURON, ROWS, TARGETS),
    "theory.final_sign": lambda: final_sign(NEURON, ROWS, TARGETS),
    "theory.first_step_slack": lambda: first_step_slack(
        TWO_LAYER, np.eye(3), [1, 1, -1], step_size=1.0
    ),
    "theory.frozen_limit": lambda: frozen_limit(TWO_LAYER, np.eye(3), [1, 1, -1]),
    "theory.implicit_limit": lambda: implicit_limit(DIAGONAL, ROWS, TARGETS),
    "theory.implicit_potential": lambda: implicit_potential(LINEAR),
    "theory.kernel_limit": lambda: kernel_limit(LINEAR, ROWS, TARGETS),
    "theory.own_pattern_limit": lambda: own_pattern_limit(TWO_LAYER, np.eye(3), [1, 1, -1]),
    "theory.signed_rank_constants": lambda: signed_rank_constants(TWO_LAYER, np.eye(3), [1, 1, -1]),
    "theory.sliding_limit": lambda: sliding_limit(TWO_LAYER, np.eye(3), [1, 1, -1]),
    "theory.small_start_bound": lambda: small_start_bound(NEURON, ROWS, TARGETS),
    "theory.two_layer_limit": lambda: two_layer_limit(TWO_LAYER, np.eye(3), [1, 1, -1]),
    "trainers.train_two_layer": lambda: train_two_layer(
        TWO_LAYER, np.eye(3), [1, 1, -1], step_size=0.1, steps=1
    ),
    "trainers.train_two_layer_batch": lambda: train_two_layer_batch(
        [TWO_LAYER], np.eye(3), [1, 1, -1], step_size=0.1, steps=1
    ),
    "trainers.warped_flow": lambda: warped_flow(NEURON, ROWS, TARGETS),
}


# These go by what a network does, without shortcuts that were not written for it.
SHORTCUTS = {"trainers.gradient_flow", "trainers.gradient_descent", "trainers.mirror_descent"}


def test_the_table_of_functions_for_numpy_is_complete() -> None:
    assert REFUSE.keys() | SHORTCUTS == NUMPY


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("function", REFUSE)
def test_a_liar_in_numpy_is_refused_by_name(function: str) -> None:
    with pytest.raises(
        TypeError, match=r"(net|neuron|nets\[0\]) must be a plain .* got Own\w+, a \w+ with its own"
    ):
        REFUSE[function]()


@pytest.mark.usefixtures("as_a_user")
def test_a_flow_takes_no_shortcut_that_was_written_for_another_net() -> None:
    class Doubled(DiagonalNet):
        """Has twice the outputs, and moves accordingly."""

        @property
        def predictor(self) -> np.ndarray:
            return 2 * super().predictor

        def predict(self, X: np.ndarray) -> np.ndarray:
            return 2 * super().predict(X)

        def velocity(self, X: np.ndarray, residual: np.ndarray) -> np.ndarray:
            return 2 * super().velocity(X, residual)

    net = Doubled.from_scale_shape(scale=0.3, shape=0.0, d=3)
    run = gradient_flow(net, ROWS, TARGETS)
    np.testing.assert_allclose(np.array(ROWS) @ run.w[-1], TARGETS, rtol=1e-6)
    with pytest.raises(ValueError, match="and Doubled is not one; use method='auto'"):
        gradient_flow(net, ROWS, TARGETS, method="dual")
    with pytest.raises((TypeError, ValueError), match="Doubled"):
        mirror_descent(net, ROWS, TARGETS, step_size=0.1, steps=2)
