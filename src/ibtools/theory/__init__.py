"""Theory: potentials and constrained minimizers. Nothing here trains anything."""

from ibtools.theory.interpolation import AccuracyWarning, Interpolator
from ibtools.theory.loss_rates import loss_rate_constant, predicted_log_loss
from ibtools.theory.max_margin import MaxMargin, max_margin
from ibtools.theory.metric import hessian_map_defect
from ibtools.theory.network_margins import (
    TwoLayerMargin,
    deep_linear_gap,
    deep_linear_margin,
    diagonal_margin,
    two_layer_margin,
)
from ibtools.theory.neuron_limits import (
    NeuronLimit,
    explicit_limit,
    interpolation_targets,
    kernel_limit,
    kernel_regime_gap,
    small_start_bound,
    warped_projection,
)
from ibtools.theory.optima import (
    bregman_projection,
    implicit_limit,
    minimum_l1_interpolator,
    minimum_norm_interpolator,
)
from ibtools.theory.potentials import HypentropyPotential, implicit_potential
from ibtools.theory.separation import SeparationConstants, separation_constants
from ibtools.theory.sign_flip import SignDecision, final_sign, sign_flip_bracket
from ibtools.theory.step_condition import (
    SphereBounds,
    deep_linear_bounds,
    descent_step_bound,
    diagonal_bounds,
    log_descent_step_bound,
    polynomial_bounds,
    two_layer_bounds,
)
from ibtools.theory.warping import WarpedPotential, neuron_metric_defect, warp

__all__ = [
    "AccuracyWarning",
    "HypentropyPotential",
    "Interpolator",
    "MaxMargin",
    "NeuronLimit",
    "SeparationConstants",
    "SignDecision",
    "SphereBounds",
    "TwoLayerMargin",
    "WarpedPotential",
    "bregman_projection",
    "deep_linear_bounds",
    "deep_linear_gap",
    "deep_linear_margin",
    "descent_step_bound",
    "diagonal_bounds",
    "diagonal_margin",
    "explicit_limit",
    "final_sign",
    "hessian_map_defect",
    "implicit_limit",
    "implicit_potential",
    "interpolation_targets",
    "kernel_limit",
    "kernel_regime_gap",
    "log_descent_step_bound",
    "loss_rate_constant",
    "max_margin",
    "minimum_l1_interpolator",
    "minimum_norm_interpolator",
    "neuron_metric_defect",
    "polynomial_bounds",
    "predicted_log_loss",
    "separation_constants",
    "sign_flip_bracket",
    "small_start_bound",
    "two_layer_bounds",
    "two_layer_margin",
    "warp",
    "warped_projection",
]
