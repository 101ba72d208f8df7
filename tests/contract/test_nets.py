"""Whatever takes a net takes any, or says what is wrong and a mend that it has itself.

Every public function whose example is called with a net, every kind of net that a user may bring.
"""

import importlib
import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from walk import example, functions

from ibtools.data import three_points
from ibtools.models import NotHomogeneousError, Residual
from ibtools.theory import near_homogeneity
from ibtools.trainers import descend, margin_flow, psi_flow

pytestmark = pytest.mark.usefixtures("as_a_user")

_DOWNLOADS = {"data.mnist", "data.fashion_mnist", "data.cifar10", "trainers.load_run"}
TAKERS = [
    name
    for name in functions("models", "trainers", "metrics", "theory")
    if name not in _DOWNLOADS
    and any(isinstance(value, nn.Module) for value in example(name).arguments.values())
]


class Own(nn.Module):
    """Two layers with a ReLU between them, in a forward of its own."""

    def __init__(self, d: int, *, bias: bool) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(d, 3, bias=bias), nn.Linear(3, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)))


class Branching(nn.Module):
    """A net that looks at its numbers, which PyTorch's vmap does not allow."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.only = nn.Linear(d, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.only(x) if float(x.detach().sum()) < 1e9 else 2 * self.only(x)


def _two(d: int, *between: nn.Module, bias: bool = False) -> nn.Sequential:
    return nn.Sequential(nn.Linear(d, 3, bias=bias), *between, nn.Linear(3, 1, bias=bias))


def _hooked(d: int) -> nn.Module:
    net = nn.Linear(d, 1)
    net.register_forward_hook(lambda _, __, outputs: 2 * outputs)
    return net


def _frozen(d: int) -> nn.Module:
    net = _two(d, nn.ReLU())
    net[0].weight.requires_grad_(False)
    return net


NETS: dict[str, Callable[[int], nn.Module]] = {
    "own forward": lambda d: Own(d, bias=False),
    "own forward, biases": lambda d: Own(d, bias=True),
    "branching on numbers": Branching,
    "biases": lambda d: _two(d, nn.ReLU(), bias=True),
    "smooth": lambda d: _two(d, nn.GELU()),
    "residual": lambda d: nn.Sequential(Residual(nn.Linear(d, d), nn.ReLU()), nn.Linear(d, 1)),
    "saturating": lambda d: _two(d, nn.Tanh()),
    "layer norm": lambda d: _two(d, nn.LayerNorm(3)),
    "batch norm": lambda d: _two(d, nn.BatchNorm1d(3)),
    "dropout": lambda d: _two(d, nn.ReLU(), nn.Dropout(0.5)),
    "embedding": lambda d: nn.Sequential(
        nn.Embedding(9, 2), nn.Flatten(), nn.Linear(2 * d, 1, bias=False)
    ),
    "two inputs": lambda d: nn.Bilinear(d, d, 1),
    "not one number": lambda d: nn.Unflatten(1, (1, d)),
    "hooked": _hooked,
    "frozen": _frozen,
    "half precision": lambda d: nn.Linear(d, 1).bfloat16(),
    "compiled": lambda d: torch.jit.trace(nn.Linear(d, 1), torch.ones(1, d)),
    "parallel": lambda d: nn.DataParallel(nn.Linear(d, 1)),
    "lazy": lambda d: nn.LazyLinear(1),
    "infinite": lambda d: nn.utils.skip_init(nn.Linear, d, 1).requires_grad_(),
}


def _not_its_own(told: str, parameters: set[str]) -> list[str]:
    """Return the arguments that the mend of a message names and the function has not."""
    mend = told.partition(";")[2]
    while (inner := re.sub(r"\([^()]*\)", "", mend)) != mend:
        mend = inner
    return [
        name for name in re.findall(r"(?<![\w.])([a-z_]+)=(?=\S)", mend) if name not in parameters
    ]


def _not_public(told: str) -> list[str]:
    """Return the names in a message that no package gives out."""
    return [
        f"ibtools.{package}.{name}"
        for package, name in re.findall(r"\bibtools\.(\w+)\.(\w+)", told)
        if name not in importlib.import_module(f"ibtools.{package}").__all__
    ]


def _inputs(given: dict[str, Any]) -> int:
    if "X" in given:
        return int(np.shape(given["X"])[1])
    return int(given["input_shape"][0]) if "input_shape" in given else 2


@pytest.mark.parametrize("name", TAKERS)
def test_any_net_is_taken_or_refused_with_a_mend_that_the_function_has(name: str) -> None:
    call, wrong = example(name), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, make in NETS.items():
            torch.manual_seed(0)
            net = make(_inputs(call.arguments))
            if kind == "infinite":
                net.weight.data.fill_(torch.inf)
            changed: dict[str, Any] = {"net": net}
            if "parameters" in call.arguments and kind != "lazy":
                changed["parameters"] = np.ones((1, sum(p.numel() for p in net.parameters())))
            if "homogenized" in call.arguments:
                changed["homogenized"] = net
            try:
                call(**changed)
            except (TypeError, ValueError, RuntimeError) as error:
                told = f"{kind}: {type(error).__name__}: {error}"
            else:
                continue
            if ";" not in told:
                wrong.append(f"no mend: {told}")
            if names := _not_its_own(told, set(inspect.signature(call.function).parameters)):
                wrong.append(f"has no argument {names}: {told}")
            if names := _not_public(told):
                wrong.append(f"{names} not public: {told}")
    assert not wrong, "\n".join(wrong)


def _refusal(call: Callable[[], Any]) -> str:
    with pytest.raises((ValueError, TypeError)) as refused:
        call()
    return str(refused.value)


@pytest.mark.parametrize("loss", ["exponential", "cross_entropy"])
def test_what_a_net_with_biases_is_told_to_give_is_taken(loss: str) -> None:
    torch.manual_seed(0)
    X, y = three_points()
    outputs = 1 if loss == "exponential" else 2
    y = y if outputs == 1 else (y > 0).astype(int)
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, outputs)).double()
    options: dict[str, Any] = {"loss": loss, "until_log10_loss": -2}
    told = _refusal(lambda: margin_flow(net, X, y, **options))
    code = re.search(r"give near_homogeneity=(\S+\(net, .*?\)(?:\.differences\(\))?), or", told)
    assert code, told
    bounds = eval(code[1], {"ibtools": importlib.import_module("ibtools"), "net": net})
    run = margin_flow(net, X, y, near_homogeneity=bounds, **options)
    assert run.converged
    assert run.modified_margin.shape == run.steps.shape
    # What enforces no margin takes the net as it is.
    assert descend(net, X, y, loss=loss, max_epochs=10_000, until_log10_loss=-1).converged
    assert psi_flow(net, X, y, loss=loss, until_psi=3.0).converged


def test_a_forward_of_its_own_is_bounded_by_its_layers_written_out() -> None:
    torch.manual_seed(0)
    X, y = three_points()
    net = Own(2, bias=True).double()
    told = _refusal(lambda: margin_flow(net, X, y))
    code = re.search(r"layers, say, and give near_homogeneity=(\S+\(layers, .*\))$", told)
    assert code, told
    layers = nn.Sequential(net.first, nn.ReLU(), net.last)
    bounds = eval(code[1], {"ibtools": importlib.import_module("ibtools"), "layers": layers})
    run = margin_flow(net, X, y, near_homogeneity=bounds, until_log10_loss=-2)
    assert run.converged
    assert type(run.net) is Own
    # Bounds of other layers are held against what the net does.
    narrow = near_homogeneity(nn.Sequential(net.first, nn.ReLU()), radius=10.0)
    with pytest.raises(NotHomogeneousError, match="not within the bound"):
        margin_flow(net, X, y, near_homogeneity=narrow)


def test_an_embedding_is_a_linear_layer_of_rows_with_a_single_one() -> None:
    torch.manual_seed(0)
    tokens = np.array([[0, 3], [2, 1], [4, 0]])
    net = nn.Sequential(nn.Embedding(5, 2), nn.Flatten(), nn.Linear(4, 1, bias=False)).double()
    told = _refusal(lambda: margin_flow(net, tokens, [1, -1, 1]))
    layer, rows = re.findall(r"torch\.nn\.[A-Z]\w+\(.*?\)|torch\.nn\.functional.*\)$", told)
    linear = eval(layer, {"torch": torch}).double()
    linear.weight.data = net[0].weight.detach().T.clone()
    X = eval(rows, {"torch": torch, "X": tokens})
    same = nn.Sequential(linear, *net[1:])
    assert torch.equal(same(X.double()), net(torch.tensor(tokens)))
    assert margin_flow(same, X, [1, -1, 1], until_log10_loss=-2).converged
