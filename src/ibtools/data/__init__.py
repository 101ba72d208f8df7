"""Problems ``(X, y)``, synthetic ones with their truth and real ones."""

from ibtools.data.synthetic import SparseRegression, sparse_regression
from ibtools.data.tabular import DiabetesInteractions, diabetes_interactions

__all__ = ["DiabetesInteractions", "SparseRegression", "diabetes_interactions", "sparse_regression"]
