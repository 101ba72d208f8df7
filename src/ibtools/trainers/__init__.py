"""Trainers: what happens to a model when it is trained, and the record of it.

The trainers of nets for classification need PyTorch, imported when one of them is asked for.
"""

from typing import TYPE_CHECKING

from ibtools._lazy import lazily
from ibtools.trainers.flow.flows import (
    Predictor,
    gradient_descent,
    gradient_flow,
    metric_flow,
    mirror_flow,
)
from ibtools.trainers.flow.layers import Kink, LinearNetRun, NeuronRun
from ibtools.trainers.flow.mirror import mirror_descent
from ibtools.trainers.flow.runs import RegressionRun
from ibtools.trainers.flow.warped import WarpedRun, warped_flow, weighted_problem
from ibtools.trainers.two_layer import (
    TwoLayerBatch,
    TwoLayerRun,
    train_two_layer,
    train_two_layer_batch,
)
from ibtools.trainers.warning import TrainingWarning

if TYPE_CHECKING:
    from ibtools.trainers.margins.descent import descend
    from ibtools.trainers.margins.exact import ExactFlow, exact_flow
    from ibtools.trainers.margins.implicit import margin_flow
    from ibtools.trainers.margins.psi import psi_flow
    from ibtools.trainers.margins.runs import MarginRun, load_run

__getattr__, __dir__ = lazily(
    __name__,
    {
        "margins.descent": ("descend",),
        "margins.exact": ("ExactFlow", "exact_flow"),
        "margins.implicit": ("margin_flow",),
        "margins.runs": ("MarginRun", "load_run"),
        "margins.psi": ("psi_flow",),
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
