"""What counts as a ReLU, what comes into it, and the net with its ReLUs on chosen branches."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from ibtools.metrics.kinks_of_nets import forced_branches, inputs_of_kinks
from ibtools.models import SquaredReLU

Map = Callable[[torch.Tensor], torch.Tensor]


class Written(nn.Module):
    """A net whose forward is a function."""

    def __init__(self, function: Map) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def overwritten(change: Map) -> Map:
    """Return a map that changes its input in place and passes the input on."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        z = 1.0 * x
        change(z)
        return z

    return forward


# What is z above 0, and below it a multiple of z: which.
SLOPES = {
    "relu": (torch.relu, 0.0),
    "functional.relu": (functional.relu, 0.0),
    "relu by name": (lambda z: functional.relu(input=z), 0.0),
    "method": (lambda z: z.relu(), 0.0),
    "relu in place": (overwritten(lambda z: functional.relu(z, inplace=True)), 0.0),
    "relu in place by position": (overwritten(lambda z: functional.relu(z, True)), 0.0),
    "relu_": (overwritten(torch.relu_), 0.0),
    "method relu_": (overwritten(lambda z: z.relu_()), 0.0),
    "leaky": (functional.leaky_relu, 0.01),
    "leaky by position": (lambda z: functional.leaky_relu(z, 0.3), 0.3),
    "leaky by name": (lambda z: functional.leaky_relu(z, negative_slope=0.3), 0.3),
    "leaky module": (nn.LeakyReLU(0.3), 0.3),
    "leaky in place": (overwritten(nn.LeakyReLU(0.3, inplace=True)), 0.3),
    "leaky_": (overwritten(lambda z: functional.leaky_relu_(z, 0.3)), 0.3),
    "leaky_ by default": (overwritten(functional.leaky_relu_), 0.01),
    "abs": (torch.abs, -1.0),
    "built-in abs": (abs, -1.0),
    "abs_": (overwritten(lambda z: z.abs_()), -1.0),
    "clamp": (lambda z: torch.clamp(z, 0), 0.0),
    "clamp by name": (lambda z: torch.clamp(z, min=0, max=None), 0.0),
    "clamp, both ends": (lambda z: z.clamp(0.0, None), 0.0),
    "clamp_": (overwritten(lambda z: z.clamp_(min=0)), 0.0),
    "clamp_min": (lambda z: z.clamp_min(min=0), 0.0),
    "clamp_min_": (overwritten(lambda z: z.clamp_min_(0)), 0.0),
}


@pytest.mark.parametrize("name", SLOPES)
def test_each_relu_has_two_branches(name: str) -> None:
    relu, below = SLOPES[name]
    x = torch.tensor([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]])
    # What comes in is used again afterwards: a ReLU changes it in place only if it says so.
    net = Written(lambda x: 10 * relu(x) + x)
    torch.testing.assert_close(net(x), 10 * torch.where(x > 0, x, below * x) + x)
    (seen,) = inputs_of_kinks(net, x)
    torch.testing.assert_close(seen, x)
    upper = torch.tensor([[True, False, False], [True, False, True]])
    with forced_branches(net, [upper]):
        forced = net(x)
    torch.testing.assert_close(forced, 10 * torch.where(upper, x, below * x) + x)
    # Nothing is forced without branches, or any longer.
    with forced_branches(net, []):
        torch.testing.assert_close(net(x), 10 * relu(x) + x)


REFUSED = {
    "torch.maximum": lambda z: torch.maximum(z, 0 * z),
    "torch.clamp": lambda z: torch.clamp(z, 0, 1),
    "torch.Tensor.clamp": lambda z: z.clamp(1),
    "torch.Tensor.clip": lambda z: z.clip(max=0),
    "torch.clip": lambda z: torch.clip(z, None, 0),
    "torch.Tensor.clamp_min": lambda z: z.clamp_min(-1.0),
    "torch.clamp_min": lambda z: torch.clamp_min(z, torch.zeros(1)),
    "torch.nn.functional.hardtanh": nn.Hardtanh(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_kinks_elsewhere_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"got one that calls {name};"):
        inputs_of_kinks(Written(REFUSED[name]), torch.ones(2, 3))


def test_a_squared_relu_is_passed_over_and_what_comes_after_it_is_not() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, -4.0]])
    net = nn.Sequential(SquaredReLU(), nn.ReLU(), SquaredReLU(), nn.LeakyReLU(0.5))
    before = inputs_of_kinks(net, x)
    torch.testing.assert_close(torch.stack(before), torch.stack([x.relu() ** 2, x.relu() ** 4]))
    upper = torch.tensor([[False, True], [True, True]])
    with forced_branches(net, [upper, ~upper]):
        forced = net(x)
    torch.testing.assert_close(forced, torch.tensor([[0.0, 8.0], [40.5, 0.0]]))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in net)


def test_relus_of_something_else_than_one_row_a_sample_are_refused() -> None:
    x = torch.ones(3, 2)
    weights = torch.ones(3, 2)
    for wrong in (
        lambda x: torch.relu(x.T).T,
        # As many rows as samples, but for one sample as many again.
        lambda x: x * torch.relu(weights)[: len(x)],
        # One row for one sample, and for all of them.
        lambda x: torch.relu(x.reshape(1, -1)).reshape(x.shape),
    ):
        with pytest.raises(ValueError, match=r"without an axis of samples in front.* 3 samples"):
            inputs_of_kinks(Written(wrong), x)
