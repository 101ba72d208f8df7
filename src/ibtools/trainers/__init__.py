"""Trainers: what happens to a model when it is trained, and the record of it.

The trainers of nets for classification need PyTorch, imported when one of them is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from ibtools.trainers.descent import descend
    from ibtools.trainers.implicit_flow import margin_flow
    from ibtools.trainers.margin_history import MarginRun, load_run

_NEED_TORCH = {
    "descend": "descent",
    "margin_flow": "implicit_flow",
    "MarginRun": "margin_history",
    "load_run": "margin_history",
}

__all__ = [
    "Kink",
    "LinearNetRun",
    "MarginRun",
    "NeuronRun",
    "Predictor",
    "RegressionRun",
    "TrainingWarning",
    "WarpedRun",
    "descend",
    "gradient_descent",
    "gradient_flow",
    "load_run",
    "margin_flow",
    "metric_flow",
    "mirror_flow",
    "warped_flow",
    "weighted_problem",
]


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)
