"""Theory: potentials, constrained minimizers, margins, orders. Nothing here trains anything.

What walks a PyTorch net needs PyTorch, imported when it is asked for.
"""

from typing import TYPE_CHECKING

from ibtools._lazy import lazily
from ibtools.theory.blocks import KinkLimit, block_margin_ratio, block_norms, kink_limit
from ibtools.theory.guaranteed_descent import DescentGuarantee, descent_guarantee
from ibtools.theory.interpolation import AccuracyWarning, Interpolator
from ibtools.theory.loss_rates import loss_rate_constant, predicted_log_loss
from ibtools.theory.loss_tails import (
    complementarity_bound,
    growth_cap,
    kkt_log_loss,
    kkt_visit_bound,
    log_time_bracket,
    margin_bracket,
    norm_bound,
    tail_growth,
    tail_inverse,
)
from ibtools.theory.max_margin import MaxMargin, max_margin
from ibtools.theory.metric import hessian_map_defect
from ibtools.theory.mirror_steps import mirror_descent_step_bound
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
from ibtools.theory.sign_flip import (
    SignDecision,
    final_sign,
    sign_flip_bracket,
    sign_flip_threshold,
)
from ibtools.theory.step_condition import (
    SphereBounds,
    deep_linear_bounds,
    diagonal_bounds,
    log_descent_step_bound,
    two_layer_bounds,
)
from ibtools.theory.two_layer import (
    InconsistentPatternError,
    TwoLayerLimit,
    balanced_stable_rank,
    consistency_statistic,
    first_step_slack,
    frozen_limit,
    linear_margin_bound,
    nearly_orthogonal_rank_bound,
    own_pattern_limit,
    relu_gap_bound,
    relu_loss_bound,
    relu_rank_bound,
    relu_share_bound,
    signed_rank_constants,
    sliding_limit,
    start_input_bound,
    two_layer_limit,
    wide_relu_stable_rank,
)
from ibtools.theory.warpability import Warpability, log_warp, metric_limit, warpability
from ibtools.theory.warping import WarpedPotential, neuron_metric_defect, warp

if TYPE_CHECKING:
    from ibtools.theory.homogeneity import (
        NearHomogeneity,
        NotNearHomogeneousError,
        near_homogeneity,
    )
    from ibtools.theory.polishing import KKTPoint, kkt_point

__getattr__, __dir__ = lazily(
    __name__,
    {
        "homogeneity": ("NearHomogeneity", "NotNearHomogeneousError", "near_homogeneity"),
        "polishing": ("KKTPoint", "kkt_point"),
    },
)

__all__ = [
    "AccuracyWarning",
    "DescentGuarantee",
    "HypentropyPotential",
    "InconsistentPatternError",
    "Interpolator",
    "KKTPoint",
    "KinkLimit",
    "MaxMargin",
    "NearHomogeneity",
    "NeuronLimit",
    "NotNearHomogeneousError",
    "SeparationConstants",
    "SignDecision",
    "SphereBounds",
    "TwoLayerLimit",
    "TwoLayerMargin",
    "Warpability",
    "WarpedPotential",
    "balanced_stable_rank",
    "block_margin_ratio",
    "block_norms",
    "bregman_projection",
    "complementarity_bound",
    "consistency_statistic",
    "deep_linear_bounds",
    "deep_linear_gap",
    "deep_linear_margin",
    "descent_guarantee",
    "diagonal_bounds",
    "diagonal_margin",
    "explicit_limit",
    "final_sign",
    "first_step_slack",
    "frozen_limit",
    "growth_cap",
    "hessian_map_defect",
    "implicit_limit",
    "implicit_potential",
    "interpolation_targets",
    "kernel_limit",
    "kernel_regime_gap",
    "kink_limit",
    "kkt_log_loss",
    "kkt_point",
    "kkt_visit_bound",
    "linear_margin_bound",
    "log_descent_step_bound",
    "log_time_bracket",
    "log_warp",
    "loss_rate_constant",
    "margin_bracket",
    "max_margin",
    "metric_limit",
    "minimum_l1_interpolator",
    "minimum_norm_interpolator",
    "mirror_descent_step_bound",
    "near_homogeneity",
    "nearly_orthogonal_rank_bound",
    "neuron_metric_defect",
    "norm_bound",
    "own_pattern_limit",
    "predicted_log_loss",
    "relu_gap_bound",
    "relu_loss_bound",
    "relu_rank_bound",
    "relu_share_bound",
    "separation_constants",
    "sign_flip_bracket",
    "sign_flip_threshold",
    "signed_rank_constants",
    "sliding_limit",
    "small_start_bound",
    "start_input_bound",
    "tail_growth",
    "tail_inverse",
    "two_layer_bounds",
    "two_layer_limit",
    "two_layer_margin",
    "warp",
    "warpability",
    "warped_projection",
    "wide_relu_stable_rank",
]
