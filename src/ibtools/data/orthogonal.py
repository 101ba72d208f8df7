"""Classification problems whose samples are nearly orthogonal, and how nearly they are."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from ibtools._validation import array, count, generator, real
from ibtools.data.classification import Classification, balanced_labels
from ibtools.data.images import digits

# Inner products held at once: 128 MiB of them.
_AT_ONCE = 2**24


def nearly_orthogonal(
    *, n: int, d: int, balanced: bool = True, seed: int | np.random.Generator
) -> Classification:
    r"""Draw Gaussian samples, nearly orthogonal when d is large, with labels that mean nothing.

    :math:`x_n \sim N(0, I_d)` has squared norm d, up to a few √(2d), and inner products with the
    others of size √d: so :func:`orthogonality` grows as √d / (n√(log n)). The setting of Kou, Chen
    and Gu (2023).

    Parameters
    ----------
    n, d
        Samples and dimensions, at least 1.
    balanced
        Whether the first ⌈n/2⌉ labels are +1 and the others −1; else every label is a fair coin,
        and all may agree. The samples do not depend on it.
    seed
        An int, or a generator to draw from.

    Returns
    -------
    Classification
        ``X`` (n, d) and ``y`` (n,) of ±1.

    Raises
    ------
    ValueError
        If a count is below 1.

    Examples
    --------
    >>> from ibtools.data import nearly_orthogonal, orthogonality
    >>> X, y = nearly_orthogonal(n=20, d=2000, seed=0)
    >>> X.shape, float(y.sum()), round(orthogonality(X), 2)
    ((20, 2000), 0.0, 0.53)
    """
    n, d = count("n", n), count("d", d)
    if not isinstance(balanced, bool | np.bool_):
        raise TypeError(f"balanced must be True or False, got {balanced!r}; give a bool")
    random = generator(seed)
    X = random.standard_normal((n, d))
    y = balanced_labels(n) if balanced else 2.0 * random.integers(2, size=n) - 1.0
    return Classification(X, y)


def orthogonality(X: ArrayLike) -> float:
    r"""Return how nearly orthogonal the samples are: the constant C of the assumption.

    The largest C with :math:`\|x_i\|^2 \ge C\,n\max_{k\ne i}|\langle x_i,x_k\rangle|` for every
    sample i, n their number. Kou, Chen and Gu (2023) assume that it exceeds some constant. It does
    not depend on the samples' common scale.

    Parameters
    ----------
    X
        Samples (n, d). Images are flattened first: ``X.reshape(len(X), -1)``.

    Returns
    -------
    float
        C ≥ 0; infinite if no inner product can be told from 0 in floating point, or if there is
        one sample only; 0 if some sample is zero, because it has no direction that could be
        orthogonal to others.

    Raises
    ------
    ValueError
        If `X` is empty, not finite, or not of two axes.

    Examples
    --------
    >>> from ibtools.data import orthogonality
    >>> orthogonality([[2.0, 0.0], [1.0, 3.0]])
    1.0
    >>> orthogonality([[2.0, 0.0], [0.0, 3.0]])
    inf
    """
    X = array("X", X, ndim=2)
    n = len(X)
    sizes = np.abs(X).max(axis=1)
    if not sizes.all():
        return 0.0
    # Rows are scaled by powers of two, which rounds nothing, so that no square overflows.
    exponents = np.frexp(sizes)[1].astype(np.int64)
    rows = np.ldexp(X, -exponents[:, None])
    norms = np.einsum("ij,ij->i", rows, rows)
    least, least_log = np.inf, np.inf
    # What a sum of d products may be off by, relative to the sum of their absolute values.
    rounding = X.shape[1] * np.finfo(float).eps
    height = max(1, _AT_ONCE // n)
    for start in range(0, n, height):
        block = slice(start, start + height)
        products = np.abs(rows[block] @ rows.T)
        products[products <= rounding * (np.abs(rows[block]) @ np.abs(rows).T)] = 0.0
        products[np.arange(len(products)), np.arange(start, start + len(products))] = 0.0
        with np.errstate(divide="ignore"):
            logs = np.log2(norms[block, None] / products) + exponents[block, None] - exponents
        i, k = np.unravel_index(int(np.argmin(logs)), logs.shape)
        if logs[i, k] < least_log:
            least_log = float(logs[i, k])
            shift = int(exponents[start + i] - exponents[k])
            with np.errstate(over="ignore"):
                least = float(np.ldexp(norms[start + i] / products[i, k] / n, shift))
    return least


def noisy_digits(
    *,
    n: int = 20,
    classes: Sequence[int] = (3, 8),
    d: int = 784,
    noise: float = 0.1,
    seed: int | np.random.Generator,
) -> Classification:
    r"""Draw real images in many dimensions, with noise that makes them more nearly orthogonal.

    n/2 images of each class from :func:`digits`, less the mean of these n, zero-padded from 64 to
    d dimensions; then :math:`N(0, \text{noise}^2)` is added to every coordinate. Images of digits
    are far from orthogonal (`orthogonality` is about a twentieth); the noise adds about
    d·noise² to every squared norm, and much less to inner products.

    Parameters
    ----------
    n
        Samples, even, from 2 to twice the images of the rarer class: 348 for 3 and 8.
    classes
        Two digits; the first gets label −1, the second +1.
    d
        Dimensions, at least 64.
    noise
        Standard deviation of the noise, at least 0. The images do not depend on it.
    seed
        Which images, and what noise: an int, or a generator to draw from.

    Returns
    -------
    Classification
        ``X`` (n, d) and ``y`` (n,) of ±1.

    Raises
    ------
    ValueError
        If `n` is odd or too large, `classes` are not two different digits, `d` is below 64, or
        `noise` is negative or not finite.

    Examples
    --------
    >>> from ibtools.data import noisy_digits, orthogonality
    >>> for noise in (0.0, 0.1, 0.3):
    ...     X, y = noisy_digits(noise=noise, seed=0)
    ...     print(round(orthogonality(X), 3))
    0.054
    0.222
    0.498
    """
    n, d = count("n", n, least=2), count("d", d, least=64)
    if n % 2:
        raise ValueError(f"n must be even, got {n}; n/2 samples are drawn of each class")
    noise = real("noise", noise)
    if noise < 0:
        raise ValueError(f"noise must be at least 0, got {noise:g}; give a standard deviation")
    if classes is None or len(classes) != 2:
        raise ValueError(f"classes must be two digits, got {classes!r}; for example (3, 8)")
    random = generator(seed)
    most = 2 * int(np.unique(digits(classes=classes).y, return_counts=True)[1].min())
    if n > most:
        raise ValueError(
            f"n must be at most {most} for the classes {tuple(classes)}, got {n}; n/2 images of "
            "each are drawn and there are no more: lower n"
        )
    images, y = digits(classes=classes, per_class=n // 2, centred=True, seed=random)
    X: Float[np.ndarray, "n d"] = np.zeros((n, d))
    X[:, :64] = images
    return Classification(X + noise * random.standard_normal((n, d)), y)
