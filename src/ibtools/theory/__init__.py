"""Theory: potentials and constrained minimizers. Nothing here trains anything."""

from ibtools.theory.interpolation import AccuracyWarning, Interpolator
from ibtools.theory.metric import hessian_map_defect
from ibtools.theory.optima import (
    bregman_projection,
    implicit_limit,
    minimum_l1_interpolator,
    minimum_norm_interpolator,
)
from ibtools.theory.potentials import HypentropyPotential, implicit_potential

__all__ = [
    "AccuracyWarning",
    "HypentropyPotential",
    "Interpolator",
    "bregman_projection",
    "hessian_map_defect",
    "implicit_limit",
    "implicit_potential",
    "minimum_l1_interpolator",
    "minimum_norm_interpolator",
]
