"""Metrics: what is measured on predictors and on paths."""

from ibtools.metrics.regression import (
    excess_l1_norm,
    mean_squared_error,
    path_distance,
    population_error,
    support_recovery,
    training_loss,
)

__all__ = [
    "excess_l1_norm",
    "mean_squared_error",
    "path_distance",
    "population_error",
    "support_recovery",
    "training_loss",
]
