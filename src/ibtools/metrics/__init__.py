"""Metrics: what is measured on predictors and on paths."""

from ibtools.metrics.kkt import NeuronKKT, neuron_kkt
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
    "mean_squared_error",
    "neuron_kkt",
    "path_distance",
    "population_error",
    "support_recovery",
    "training_loss",
]
