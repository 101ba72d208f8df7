"""The settings of the experiments: one for each data set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike

import numpy as np
import torch
from numpy.typing import DTypeLike

from ibtools.data import Classification, cifar10, digits, fashion_mnist, mnist
from ibtools.models.nets import MLP, ConvNet, Net, ResidualMLP, mnist_cnn, vgg16

SCHEDULES = ("constant", "loss_based", "flow")
BIASES: Mapping[str, bool | str] = {"first": "first", "all": True, "none": False}

_EVERY_FIFTH = 5


@dataclass(frozen=True)
class Setting:
    """How a net is trained on a data set.

    Attributes
    ----------
    net
        The net, by ``bias``, ``seed`` and ``dtype``.
    load
        The images of a split, "train" or "test", by ``split``, ``dtype`` and ``root``.
    n, input_shape
        Number of training images, and the shape of one.
    batch_size
        Of a minibatch.
    rates
        Learning rate of the schedule "constant" on the *mean* loss, and the first α of
        "loss_based", by schedule.
    epochs
        Passes over the data, rejected ones included.
    flow_steps
        Largest number of steps of "flow".
    log10_loss
        At which training stops.
    log10_losses
        At which robustness is measured.
    radii
        At which robust accuracy is counted, in units of the inputs.
    checkpoint_every
        Epochs between checkpoints.
    """

    net: Callable[..., Net]
    load: Callable[..., Classification]
    n: int
    input_shape: tuple[int, ...]
    batch_size: int
    rates: Mapping[str, float]
    epochs: int
    flow_steps: int
    log10_loss: float
    log10_losses: tuple[float, ...]
    radii: tuple[float, ...]
    checkpoint_every: int


def _digits_net(
    *, bias: bool | str, seed: int | np.random.Generator, dtype: torch.dtype
) -> ConvNet:
    return ConvNet((1, 8, 8), [[8], [16]], outputs=10, bias=bias, seed=seed, dtype=dtype)


def _digits(
    *, split: str, dtype: DTypeLike = np.float64, root: str | PathLike[str] | None = None
) -> Classification:
    """Return every fifth image for testing, the others for training."""
    X, y = digits(as_images=True)
    test = np.arange(len(X)) % _EVERY_FIFTH == 0
    chosen = test if split == "test" else ~test
    return Classification(X[chosen].astype(dtype), y[chosen])


def _small_cnn(*, bias: bool | str, seed: int | np.random.Generator, dtype: torch.dtype) -> ConvNet:
    return ConvNet(
        (1, 28, 28), [[4], [8]], kernel=[5, 3], outputs=10, bias=bias, seed=seed, dtype=dtype
    )


def _mlp(activation: str) -> Callable[..., MLP]:
    def net(*, bias: bool | str, seed: int | np.random.Generator, dtype: torch.dtype) -> MLP:
        return MLP([784, 100, 10], activation, bias=bias, seed=seed, dtype=dtype)

    return net


def _residual(
    *, bias: bool | str, seed: int | np.random.Generator, dtype: torch.dtype
) -> ResidualMLP:
    return ResidualMLP(
        784, 784, hidden=100, outputs=10, embed=False, bias=bias, seed=seed, dtype=dtype
    )


def _as_rows(load: Callable[..., Classification]) -> Callable[..., Classification]:
    def rows(
        *, split: str, dtype: DTypeLike = np.float64, root: str | PathLike[str] | None = None
    ) -> Classification:
        X, y = load(split=split, dtype=dtype, root=root)
        return Classification(X.reshape(len(X), -1), y)

    return rows


def _small(
    load: Callable[..., Classification],
    net: Callable[..., Net],
    *,
    rate: float = 0.5,
    input_shape: tuple[int, ...] = (784,),
) -> Setting:
    """Return how a net is trained that one core trains in minutes."""
    return Setting(
        net=net,
        load=load,
        n=60_000,
        input_shape=input_shape,
        batch_size=100,
        rates={"constant": rate, "loss_based": 0.1},
        epochs=100,
        flow_steps=1000,
        log10_loss=-1000.0,
        log10_losses=(0.0, -1.0, -3.0, -10.0, -100.0, -1000.0),
        radii=(0.5, 1.0, 1.5),
        checkpoint_every=100,
    )


SETTINGS: Mapping[str, Setting] = {
    "digits": Setting(
        net=_digits_net,
        load=_digits,
        n=1437,
        input_shape=(1, 8, 8),
        batch_size=20,
        rates={"constant": 0.1, "loss_based": 0.1},
        epochs=60,
        flow_steps=1000,
        log10_loss=-100.0,
        log10_losses=(2.5, 2.0, 1.5, 1.0, 0.5),
        radii=(0.25, 0.5, 0.75),
        checkpoint_every=10,
    ),
    # Lyu & Li (2020), experiments.
    "mnist": Setting(
        net=mnist_cnn,
        load=mnist,
        n=60_000,
        input_shape=(1, 28, 28),
        batch_size=100,
        rates={"constant": 0.01, "loss_based": 0.1},
        epochs=10_000,
        flow_steps=1000,
        log10_loss=-800.0,
        log10_losses=(-10.0, -30.0, -100.0, -300.0, -882.0),
        radii=(1.0, 1.5, 2.0),
        checkpoint_every=10,
    ),
    "cifar10": Setting(
        net=vgg16,
        load=cifar10,
        n=50_000,
        input_shape=(3, 32, 32),
        batch_size=100,
        rates={"constant": 0.1, "loss_based": 0.1},
        epochs=10_000,
        flow_steps=1000,
        log10_loss=-800.0,
        log10_losses=(-10.0, -30.0, -100.0, -300.0),
        radii=(0.1, 0.25, 0.5),
        checkpoint_every=5,
    ),
    "mnist_mlp": _small(_as_rows(mnist), _mlp("relu")),
    "mnist_squared_mlp": _small(_as_rows(mnist), _mlp("squared_relu"), rate=0.1),
    "mnist_residual": _small(_as_rows(mnist), _residual, rate=0.1),
    "mnist_small_cnn": _small(mnist, _small_cnn, rate=0.1, input_shape=(1, 28, 28)),
    "fashion_mlp": _small(_as_rows(fashion_mnist), _mlp("relu"), rate=0.1),
    # At .1 the run is chaotic: 1e-13 at its start is a factor of four in the loss at its end.
    "fashion_squared_mlp": _small(_as_rows(fashion_mnist), _mlp("squared_relu"), rate=0.03),
}
"""What can be asked for by name: the data sets, each with its net and how that is trained."""
