"""Theory: potentials and constrained minimizers. Nothing here trains anything."""

from ibtools.theory.interpolation import AccuracyWarning, Interpolator
from ibtools.theory.metric import hessian_map_defect
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
from ibtools.theory.sign_flip import SignDecision, final_sign, sign_flip_bracket
from ibtools.theory.warping import WarpedPotential, neuron_metric_defect, warp

__all__ = [
    "AccuracyWarning",
    "HypentropyPotential",
    "Interpolator",
    "NeuronLimit",
    "SignDecision",
    "WarpedPotential",
    "bregman_projection",
    "explicit_limit",
    "final_sign",
    "hessian_map_defect",
    "implicit_limit",
    "implicit_potential",
    "interpolation_targets",
    "kernel_limit",
    "kernel_regime_gap",
    "minimum_l1_interpolator",
    "minimum_norm_interpolator",
    "neuron_metric_defect",
    "sign_flip_bracket",
    "small_start_bound",
    "warp",
    "warped_projection",
]
