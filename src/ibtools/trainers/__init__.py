"""Trainers: what happens to a model when it is trained, and the record of it."""

from ibtools.trainers.flow import (
    Predictor,
    gradient_descent,
    gradient_flow,
    metric_flow,
    mirror_flow,
)
from ibtools.trainers.history import RegressionRun, TrainingWarning

__all__ = [
    "Predictor",
    "RegressionRun",
    "TrainingWarning",
    "gradient_descent",
    "gradient_flow",
    "metric_flow",
    "mirror_flow",
]
