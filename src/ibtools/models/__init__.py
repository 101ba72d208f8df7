"""Models: what they compute, how their weights move, what they conserve."""

from ibtools.models.diagonal import DiagonalNet, TiedDiagonalNet
from ibtools.models.linear_net import LinearNet
from ibtools.models.neuron import LinearNeuron
from ibtools.models.protocol import DualModel, RegressionModel, RowSpaceModel

__all__ = [
    "DiagonalNet",
    "DualModel",
    "LinearNet",
    "LinearNeuron",
    "RegressionModel",
    "RowSpaceModel",
    "TiedDiagonalNet",
]
