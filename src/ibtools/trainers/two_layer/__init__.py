"""Gradient descent on two-layer networks through the Gram matrix of the data."""

from ibtools.trainers.two_layer.training import (
    TwoLayerBatch,
    TwoLayerRun,
    train_two_layer,
    train_two_layer_batch,
)

__all__ = ["TwoLayerBatch", "TwoLayerRun", "train_two_layer", "train_two_layer_batch"]
