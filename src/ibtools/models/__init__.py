"""Models: what they compute, how their weights move, what they conserve.

The nets for classification are PyTorch modules; PyTorch is imported when one of them is asked for.
"""

from typing import TYPE_CHECKING

from ibtools._lazy import lazily
from ibtools.models.diagonal import DiagonalNet, TiedDiagonalNet
from ibtools.models.linear_net import LinearNet
from ibtools.models.neuron import LinearNeuron
from ibtools.models.protocol import DualModel, RegressionModel, RowSpaceModel
from ibtools.models.two_layer import TwoLayerNet

if TYPE_CHECKING:
    from ibtools.models.attention import SoftmaxAttention
    from ibtools.models.homogeneity import (
        Homogeneity,
        NotHomogeneousError,
        homogeneity_of,
        homogeneity_order,
    )
    from ibtools.models.homogeneity_on_data import euler_defect
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

__getattr__, __dir__ = lazily(
    __name__,
    {
        "attention": ("SoftmaxAttention",),
        "homogeneity": (
            "Homogeneity",
            "NotHomogeneousError",
            "homogeneity_of",
            "homogeneity_order",
        ),
        "homogeneity_on_data": ("euler_defect",),
        "layers": ("DifferenceOfSquares", "Product", "Residual", "SquaredReLU", "Sum"),
        "nets": (
            "MLP",
            "ConvNet",
            "DeepLinear",
            "DiagonalClassifier",
            "Net",
            "ResidualMLP",
            "mnist_cnn",
            "vgg16",
        ),
    },
)

__all__ = [
    "MLP",
    "ConvNet",
    "DeepLinear",
    "DiagonalClassifier",
    "DiagonalNet",
    "DifferenceOfSquares",
    "DualModel",
    "Homogeneity",
    "LinearNet",
    "LinearNeuron",
    "Net",
    "NotHomogeneousError",
    "Product",
    "RegressionModel",
    "Residual",
    "ResidualMLP",
    "RowSpaceModel",
    "SoftmaxAttention",
    "SquaredReLU",
    "Sum",
    "TiedDiagonalNet",
    "TwoLayerNet",
    "euler_defect",
    "homogeneity_of",
    "homogeneity_order",
    "mnist_cnn",
    "vgg16",
]
