"""Runs of networks with two layers, which show the path of each layer."""

from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeVar, cast

import numpy as np
from jaxtyping import Float

from ibtools.models import LinearNet, LinearNeuron, RegressionModel
from ibtools.trainers.flow.runs import RegressionRun


class Kink(NamedTuple):
    """A moment at which a leaky neuron meets, slides along or leaves a kink.

    Attributes
    ----------
    time
        When.
    sample
        Row of X for which wᵀx = 0.
    event
        ``"crosses"``, ``"slides"`` (wᵀx stays 0 from here on) or ``"leaves"``.
    """

    time: float
    sample: int
    event: str


@dataclass(frozen=True, eq=False, repr=False)
class NeuronRun(RegressionRun[LinearNeuron]):
    """The run of one neuron: a `RegressionRun` that also has the layers.

    Attributes
    ----------
    kinks
        The kinks of a leaky neuron, in the order in which gradient flow met them.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.models import LinearNeuron
    >>> from ibtools.trainers import gradient_flow
    >>> run = gradient_flow(LinearNeuron(1.0, [0.5, 0.5]), [[1.0, 2.0]], [3.0])
    >>> bool(np.allclose(run.a[:, None] * run.w_layer, run.w))
    True
    """

    kinks: tuple[Kink, ...] = field(default=())

    @property
    def a(self) -> Float[np.ndarray, " t"]:
        """The output weight at each time, (t,)."""
        return np.array([self.net_at(i).a for i in range(len(self.times))])

    @property
    def w_layer(self) -> Float[np.ndarray, "t d"]:
        """The input weights at each time, (t, d)."""
        return np.stack([self.net_at(i).w for i in range(len(self.times))])


@dataclass(frozen=True, eq=False, repr=False)
class LinearNetRun(RegressionRun[LinearNet]):
    """The run of a fully connected network: a `RegressionRun` that also has the layers.

    Examples
    --------
    >>> from ibtools.models import LinearNet
    >>> from ibtools.trainers import gradient_flow
    >>> net = LinearNet([1.0, 0.5], [[0.5, 0.5], [0.1, -0.2]])
    >>> run = gradient_flow(net, [[1.0, 2.0]], [3.0])
    >>> run.a.shape[1:], run.w_layer.shape[1:]
    ((2,), (2, 2))
    """

    @property
    def a(self) -> Float[np.ndarray, "t m"]:
        """The output weights at each time, (t, m)."""
        return np.stack([self.net_at(i).a for i in range(len(self.times))])

    @property
    def w_layer(self) -> Float[np.ndarray, "t m d"]:
        """The input weights W at each time, (t, m, d)."""
        return np.stack([self.net_at(i).W for i in range(len(self.times))])


Net = TypeVar("Net", bound=RegressionModel)


def with_layers(run: RegressionRun[Net], *, kinks: tuple[Kink, ...] = ()) -> RegressionRun[Net]:
    """Return `run` as the run of its kind of network; as it is where it has no layers to show."""
    values = {entry.name: getattr(run, entry.name) for entry in fields(run)}
    if isinstance(run.net, LinearNeuron):
        return cast("RegressionRun[Net]", NeuronRun(**{"kinks": kinks, **values}))
    if isinstance(run.net, LinearNet):
        return cast("RegressionRun[Net]", LinearNetRun(**values))
    return run
