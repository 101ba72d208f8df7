"""A real regression problem with more features than samples."""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ibtools._validation import count, generator

_COLUMNS = 64


class DiabetesInteractions(NamedTuple):
    """A split of the diabetes data; unpacks as ``X, y, X_test, y_test, names``."""

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    X_test: Float[np.ndarray, "m d"]
    y_test: Float[np.ndarray, " m"]
    names: tuple[str, ...]


def diabetes_interactions(*, n: int = 50, seed: int | np.random.Generator) -> DiabetesInteractions:
    """Split the diabetes data, with quadratic features, into few training rows and the rest.

    442 patients, ten measurements at the start and the disease progression a year later (Efron,
    Hastie, Johnstone and Tibshirani 2004), as shipped with scikit-learn: nothing is downloaded.
    The features are the ten measurements, their 45 products and nine squares (sex takes two
    values, so its square says nothing): d = 64.

    Every column has mean 0 and variance 1 over all 442 patients. Over the training rows alone it
    could not have: rows that sum to zero are linearly dependent, and theorems on interpolation need
    full row rank. The response is shifted and scaled by the mean and standard deviation of the
    *training* responses, so the test responses stay unseen.

    Parameters
    ----------
    n
        Training rows, from 2 to 63; the other 442 − n rows are for testing. From n = 64 on there
        would be no more features than samples.
    seed
        Which rows are for training: an int, or a generator to draw from.

    Returns
    -------
    DiabetesInteractions
        ``X`` (n, 64), ``y`` (n,), ``X_test`` (442 − n, 64), ``y_test`` (442 − n,) and the
        ``names`` of the columns.

    Raises
    ------
    ValueError
        If `n` is outside 2 … 63.

    Examples
    --------
    >>> from ibtools.data import diabetes_interactions
    >>> X, y, X_test, y_test, names = diabetes_interactions(n=50, seed=0)
    >>> X.shape, X_test.shape, names[0], names[-1]
    ((50, 64), (392, 64), 'age', 's6²')
    """
    # scikit-learn takes half a second to import, and only this function needs it.
    from sklearn.datasets import load_diabetes

    n = count("n", n, least=2)
    if n >= _COLUMNS:
        raise ValueError(
            f"n must be below {_COLUMNS}, the number of features, got {n}; with as many samples as "
            "features there is one interpolator at most, and no implicit bias to see"
        )
    random = generator(seed)
    bunch = load_diabetes(scaled=False)
    measured = _standardize(bunch.data)
    names = list(bunch.feature_names)
    columns = list(measured.T)
    for i, j in itertools.combinations_with_replacement(range(len(names)), 2):
        if i == j and bunch.feature_names[i] == "sex":
            continue
        columns.append(measured[:, i] * measured[:, j])
        names.append(f"{names[i]}²" if i == j else f"{names[i]}·{names[j]}")
    features = _standardize(np.stack(columns, axis=1))

    order = random.permutation(len(features))
    train, test = order[:n], order[n:]
    target = bunch.target
    centre, spread = target[train].mean(), target[train].std()
    if spread == 0:
        raise ValueError(
            f"all {n} training responses of this seed are equal, so they cannot be scaled; "
            "choose another seed or a larger n"
        )
    target = (target - centre) / spread
    return DiabetesInteractions(
        features[train], target[train], features[test], target[test], tuple(names)
    )


def _standardize(values: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    return (values - values.mean(axis=0)) / values.std(axis=0)
