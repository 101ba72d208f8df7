"""Trainers: what happens to a model when it is trained, and the record of it."""

from ibtools.trainers.flow import (
    Predictor,
    gradient_descent,
    gradient_flow,
    metric_flow,
    mirror_flow,
)
from ibtools.trainers.history import RegressionRun, TrainingWarning
from ibtools.trainers.layers import Kink, LinearNetRun, NeuronRun
from ibtools.trainers.warped import WarpedRun, warped_flow, weighted_problem

__all__ = [
    "Kink",
    "LinearNetRun",
    "NeuronRun",
    "Predictor",
    "RegressionRun",
    "TrainingWarning",
    "WarpedRun",
    "gradient_descent",
    "gradient_flow",
    "metric_flow",
    "mirror_flow",
    "warped_flow",
    "weighted_problem",
]
