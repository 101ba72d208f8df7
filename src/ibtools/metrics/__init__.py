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
from ibtools.metrics.modified_margin import modified_margin, separability_start, strong_separability
from ibtools.metrics.rank import margin_spread, stable_rank, stable_rank_gram
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
    "margin_spread",
    "mean_squared_error",
    "modified_descent_margin",
    "modified_margin",
    "neuron_kkt",
    "normalized_margin",
    "path_distance",
    "population_error",
    "separability_start",
    "smoothed_margin",
    "stable_rank",
    "stable_rank_gram",
    "strong_separability",
    "support_recovery",
    "training_loss",
]
