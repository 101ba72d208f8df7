"""Models: what they compute, how their weights move, what they conserve."""

from ibtools.models.diagonal import DiagonalNet
from ibtools.models.protocol import DualModel, RegressionModel

__all__ = ["DiagonalNet", "DualModel", "RegressionModel"]
