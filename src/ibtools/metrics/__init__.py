"""Metrics: what is measured on predictors and on paths."""

from ibtools.metrics.kkt import NeuronKKT, neuron_kkt
from ibtools.metrics.margins import (
    inverse_loss,
    layer_product_margin,
    loss_threshold,
    modified_descent_margin,
    normalized_margin,
    smoothed_margin,
)
from ibtools.metrics.regression import (
    excess_l1_norm,
    mean_squared_error,
    path_distance,
    population_error,
    support_recovery,
    training_loss,
)

__all__ = [
    "NeuronKKT",
    "excess_l1_norm",
    "inverse_loss",
    "layer_product_margin",
    "loss_threshold",
    "mean_squared_error",
    "modified_descent_margin",
    "neuron_kkt",
    "normalized_margin",
    "path_distance",
    "population_error",
    "smoothed_margin",
    "support_recovery",
    "training_loss",
]
