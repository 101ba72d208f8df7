"""Trainers: what happens to a model when it is trained, and the record of it.

The trainers of nets for classification need PyTorch, imported when one of them is asked for.
"""

from typing import TYPE_CHECKING

from ibtools._lazy import lazily
from ibtools.trainers.flow import (
    Predictor,
    gradient_descent,
    gradient_flow,
    metric_flow,
    mirror_flow,
)
from ibtools.trainers.history import RegressionRun, TrainingWarning
from ibtools.trainers.layers import Kink, LinearNetRun, NeuronRun
from ibtools.trainers.mirror import mirror_descent
from ibtools.trainers.two_layer import (
    TwoLayerBatch,
    TwoLayerRun,
    train_two_layer,
    train_two_layer_batch,
)
from ibtools.trainers.warped import WarpedRun, warped_flow, weighted_problem

if TYPE_CHECKING:
    from ibtools.trainers.descent import descend
    from ibtools.trainers.implicit_flow import margin_flow
    from ibtools.trainers.margin_history import MarginRun, load_run
    from ibtools.trainers.ode_flow import ExactFlow, exact_flow
    from ibtools.trainers.psi_clock import psi_flow

__getattr__, __dir__ = lazily(
    __name__,
    {
        "descent": ("descend",),
        "ode_flow": ("ExactFlow", "exact_flow"),
        "implicit_flow": ("margin_flow",),
        "margin_history": ("MarginRun", "load_run"),
        "psi_clock": ("psi_flow",),
    },
)

__all__ = [
    "ExactFlow",
    "Kink",
    "LinearNetRun",
    "MarginRun",
    "NeuronRun",
    "Predictor",
    "RegressionRun",
    "TrainingWarning",
    "TwoLayerBatch",
    "TwoLayerRun",
    "WarpedRun",
    "descend",
    "exact_flow",
    "gradient_descent",
    "gradient_flow",
    "load_run",
    "margin_flow",
    "metric_flow",
    "mirror_descent",
    "mirror_flow",
    "psi_flow",
    "train_two_layer",
    "train_two_layer_batch",
    "warped_flow",
    "weighted_problem",
]
