"""How robust nets are that were trained to one loss and another."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ibtools.experiments.training import Trained, margin_over_layers
from ibtools.metrics.attack import l2_attack
from ibtools.metrics.certificate import certified_radius
from ibtools.trainers.margins.runs import load_run


@dataclass(frozen=True)
class Assessment:
    """The robustness of one net.

    Attributes
    ----------
    log10_loss
        log₁₀ 𝓛 on the training images.
    layer_product_margin
        Their margin over the product of the layers' norms; NaN where a skip ties these.
    accuracy
        Share of the attacked images that are classified correctly.
    certified
        Mean radius within which, provably, no class changes.
    distance
        Mean distance at which the attack changed the class.
    robust_accuracy
        Share of images that the attack could not change within each radius.
    """

    log10_loss: float
    layer_product_margin: float
    accuracy: float
    certified: float
    distance: float
    robust_accuracy: tuple[float, ...]


def assess(
    trained: Trained,
    X: np.ndarray | Tensor,
    y: np.ndarray,
    *,
    radii: tuple[float, ...],
    seed: int | np.random.Generator,
    device: str = "cpu",
) -> list[Assessment]:
    """Attack the nets that a run kept at its losses.

    Parameters
    ----------
    trained
        The run.
    X, y
        Images to attack, (n, channels, height, width), and their classes, (n,).
    radii
        At which robust accuracy is counted.
    seed
        Of the attack's random starts.
    device
        "cpu" or a PyTorch device such as "cuda".
    """
    found = []
    for path in trained.snapshots.values():
        run = load_run(path, trained.choice.new_net(device=device))
        attack = l2_attack(run.net, X, y, seed=seed)
        found.append(
            Assessment(
                log10_loss=-float(run.log10_inverse_loss[-1]),
                layer_product_margin=float(margin_over_layers(run)[-1]),
                accuracy=float((attack.distance > 0).mean()),
                certified=float(certified_radius(run.net, X, y).mean()),
                distance=float(attack.distance.mean()),
                robust_accuracy=tuple(float((attack.distance > r).mean()) for r in radii),
            )
        )
    return found
