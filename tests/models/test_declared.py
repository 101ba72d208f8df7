"""An order that is declared holds on the data, or the net is refused with the order that does."""

import pytest
import torch
from torch import Tensor, nn

from ibtools.metrics import margin_kkt
from ibtools.models import MLP, NotHomogeneousError, homogeneity_of
from ibtools.models.declared import declared_order, known_order
from ibtools.theory import kkt_point

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class TwiceThrough(nn.Module):
    """Keeps its layers as a plain net does, and goes through the last one and a scale besides."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 1, False))
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) * self.scale


class BilinearAttention(nn.Module):
    """Attention whose scores are not put through a softmax: order 4 with what reads it out."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(1, 2, bias=False) for _ in range(3))
        self.out = nn.Linear(2, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x[:, :, None]
        scores = self.q(tokens) @ self.k(tokens).transpose(1, 2)
        return self.out((scores @ self.v(tokens)).sum(1))


class CutOff(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.detach(), self.bias)


class SinglePrecision(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x.float(), self.weight.float())


def _seeded(make):
    torch.manual_seed(0)
    return make().double()


@pytest.mark.parametrize(
    ("make", "order"), [(TwiceThrough, 3), (BilinearAttention, 4), (lambda: nn.Linear(3, 2), 1)]
)
def test_the_right_order_is_taken_and_a_wrong_one_is_put_right(make, order: int) -> None:
    net = _seeded(make)
    for wrong in (order + 1, order + 3):
        with pytest.raises(NotHomogeneousError, match=f"order={wrong} was.*give order={order}$"):
            declared_order(net, X, wrong)
    assert declared_order(net, X, order).order == order
    assert known_order(net, X, order).order == order


def test_an_order_is_found_in_whatever_type_the_net_computes() -> None:
    net = _seeded(TwiceThrough).float()
    assert declared_order(net, X.float(), 3).order == 3
    assert next(net.parameters()).dtype == torch.float32
    assert declared_order(SinglePrecision(3, 1, bias=False), X.float(), 1).order == 1


def test_what_cannot_be_read_is_refused_and_the_message_followed() -> None:
    net = _seeded(TwiceThrough)
    with pytest.raises(NotHomogeneousError, match=r"TwiceThrough.*order=L: it") as refused:
        known_order(net, X)
    assert "declare it" in str(refused.value)
    assert known_order(net, X, 3).exponents is None


def test_layers_that_can_be_read_give_their_powers() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1, bias=False)).double()
    assert declared_order(net, X, 2) == homogeneity_of(net)


NOT_HOMOGENEOUS = {
    "a later bias that starts at 0": lambda: _zero_bias(nn.Sequential(nn.Linear(3, 3), nn.ReLU())),
    "a smooth activation": lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)),
    "a normalization's ε": lambda: nn.Sequential(
        nn.Linear(3, 4, bias=False), nn.LayerNorm(4, elementwise_affine=False), nn.Linear(4, 1)
    ),
    "statistics that are no parameters": lambda: nn.Sequential(
        nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, 1, bias=False)
    ).eval(),
    "a weight cut off from its gradient": lambda: CutOff(3, 1),
}


def _zero_bias(net: nn.Sequential) -> nn.Sequential:
    last = nn.Linear(3, 1)
    nn.init.zeros_(last.bias)
    return net.append(last)


@pytest.mark.parametrize("kind", NOT_HOMOGENEOUS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_no_order_fits_what_has_none(kind: str, order: int) -> None:
    with pytest.raises(NotHomogeneousError):
        declared_order(_seeded(NOT_HOMOGENEOUS[kind]), X, order)


def test_outputs_without_gradients_are_told() -> None:
    net = _seeded(lambda: nn.Linear(3, 1))
    plain = net.forward
    net.forward = lambda x: plain(x).detach()
    with pytest.raises(NotHomogeneousError, match=r"no_grad or detach"):
        declared_order(net, X, 1)


@pytest.mark.parametrize(("order", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_an_order_is_a_whole_number(order, error, as_a_user) -> None:
    with pytest.raises(error, match="order must be"):
        declared_order(nn.Linear(3, 1), X.float(), order)


class Wrapped(nn.Module):
    """Does what a net does and says nothing about it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.inside = net

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x)


@pytest.mark.parametrize(
    "ask",
    [
        lambda *given, **order: margin_kkt(*given, **order).relative_stationarity,
        lambda *given, **order: kkt_point(*given, tolerance=1e-8, **order).margin,
    ],
    ids=["margin_kkt", "kkt_point"],
)
def test_who_needs_the_order_takes_it(ask) -> None:
    plain = MLP([3, 4, 1], "squared_relu", seed=0)
    samples = X[:5]
    y = plain(samples).detach().sign().numpy()
    expected = ask(plain, samples.numpy(), y)
    assert ask(Wrapped(plain), samples.numpy(), y, order=3) == expected
    with pytest.raises(NotHomogeneousError, match="declare it"):
        ask(Wrapped(plain), samples.numpy(), y)
    with pytest.raises(NotHomogeneousError, match="give order=3"):
        ask(plain, samples.numpy(), y, order=2)
