"""Metrics: what is measured on predictors, on nets and on paths.

What looks into a PyTorch net needs PyTorch, imported when it is asked for.
"""

from typing import TYPE_CHECKING

from ibtools._lazy import lazily
from ibtools.metrics.alignment import LayerAlignment, layer_alignment
from ibtools.metrics.kkt_of_neurons import NeuronKKT, neuron_kkt
from ibtools.metrics.margins import (
    inverse_loss,
    layer_product_margin,
    loss_threshold,
    modified_descent_margin,
    normalized_margin,
    smoothed_margin,
)
from ibtools.metrics.modified_margin import modified_margin, separability_start
from ibtools.metrics.rank import margin_spread, stable_rank
from ibtools.metrics.regression import (
    mean_squared_error,
    population_error,
)

if TYPE_CHECKING:
    from ibtools.metrics.attack import Attack, l2_attack
    from ibtools.metrics.certificate import certified_radius, lipschitz_bound
    from ibtools.metrics.homogeneity_defect import (
        HomogeneityDefects,
        homogeneity_defects,
        worst_defect_ratio,
        worst_gap_ratio,
    )
    from ibtools.metrics.kkt_of_margins import MarginKKT, margin_kkt

__getattr__, __dir__ = lazily(
    __name__,
    {
        "homogeneity_defect": (
            "HomogeneityDefects",
            "homogeneity_defects",
            "worst_defect_ratio",
            "worst_gap_ratio",
        ),
        "kkt_of_margins": ("MarginKKT", "margin_kkt"),
        "attack": ("Attack", "l2_attack"),
        "certificate": ("certified_radius", "lipschitz_bound"),
    },
)

__all__ = [
    "Attack",
    "HomogeneityDefects",
    "LayerAlignment",
    "MarginKKT",
    "NeuronKKT",
    "certified_radius",
    "homogeneity_defects",
    "inverse_loss",
    "l2_attack",
    "layer_alignment",
    "layer_product_margin",
    "lipschitz_bound",
    "loss_threshold",
    "margin_kkt",
    "margin_spread",
    "mean_squared_error",
    "modified_descent_margin",
    "modified_margin",
    "neuron_kkt",
    "normalized_margin",
    "population_error",
    "separability_start",
    "smoothed_margin",
    "stable_rank",
    "worst_defect_ratio",
    "worst_gap_ratio",
]
