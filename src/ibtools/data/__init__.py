"""Problems ``(X, y)``: synthetic ones, with their truth where there is one, and real ones."""

from ibtools.data.classification import Classification, blobs, three_points, xor
from ibtools.data.downloads import DataError
from ibtools.data.fans import opposed_fans
from ibtools.data.images import cifar10, digits, fashion_mnist, mnist
from ibtools.data.orthogonal import nearly_orthogonal, noisy_digits, orthogonality
from ibtools.data.synthetic import SparseRegression, sparse_regression
from ibtools.data.tabular import DiabetesInteractions, diabetes_interactions

__all__ = [
    "Classification",
    "DataError",
    "DiabetesInteractions",
    "SparseRegression",
    "blobs",
    "cifar10",
    "diabetes_interactions",
    "digits",
    "fashion_mnist",
    "mnist",
    "nearly_orthogonal",
    "noisy_digits",
    "opposed_fans",
    "orthogonality",
    "sparse_regression",
    "three_points",
    "xor",
]
