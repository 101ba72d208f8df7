"""Models: what they compute, how their weights move, what they conserve.

The nets for classification are PyTorch modules; PyTorch is imported when one of them is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ibtools.models.diagonal import DiagonalNet, TiedDiagonalNet
from ibtools.models.linear_net import LinearNet
from ibtools.models.neuron import LinearNeuron
from ibtools.models.protocol import DualModel, RegressionModel, RowSpaceModel

if TYPE_CHECKING:
    from ibtools.models.homogeneity import (
        NotHomogeneousError,
        Order,
        euler_defect,
        homogeneity_order,
        order_of,
    )
    from ibtools.models.layers import (
        DifferenceOfSquares,
        Product,
        Residual,
        SquaredReLU,
        Sum,
    )
    from ibtools.models.nets import (
        MLP,
        ConvNet,
        DeepLinear,
        DiagonalClassifier,
        Net,
        ResidualMLP,
        mnist_cnn,
        vgg16,
    )

_NEED_TORCH = {
    **dict.fromkeys(
        ("NotHomogeneousError", "Order", "euler_defect", "homogeneity_order", "order_of"),
        "homogeneity",
    ),
    **dict.fromkeys(("DifferenceOfSquares", "Product", "Residual", "SquaredReLU", "Sum"), "layers"),
    **dict.fromkeys(
        (
            "MLP",
            "ConvNet",
            "DeepLinear",
            "DiagonalClassifier",
            "Net",
            "ResidualMLP",
            "mnist_cnn",
            "vgg16",
        ),
        "nets",
    ),
}

__all__ = [
    "MLP",
    "ConvNet",
    "DeepLinear",
    "DiagonalClassifier",
    "DiagonalNet",
    "DifferenceOfSquares",
    "DualModel",
    "LinearNet",
    "LinearNeuron",
    "Net",
    "NotHomogeneousError",
    "Order",
    "Product",
    "RegressionModel",
    "Residual",
    "ResidualMLP",
    "RowSpaceModel",
    "SquaredReLU",
    "Sum",
    "TiedDiagonalNet",
    "euler_defect",
    "homogeneity_order",
    "mnist_cnn",
    "order_of",
    "vgg16",
]


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)
