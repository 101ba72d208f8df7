"""Classification problems ``(X, y)``: small ones of known truth, and how labels are chosen."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real

from ibtools._validation import count, generator, positive


class Classification(NamedTuple):
    """Samples with their classes; unpacks as ``X, y``.

    With two classes `y` holds −1.0 and +1.0, with more it holds the integers 0 … k − 1.
    """

    X: Float[np.ndarray, "n ..."]
    y: Real[np.ndarray, " n"]


def blobs(
    *,
    n: int,
    d: int,
    separation: float,
    margin: float | None = None,
    seed: int | np.random.Generator,
) -> Classification:
    r"""Draw two Gaussian blobs that a hyperplane through the origin separates.

    A unit direction u is drawn, then :math:`x_n = y_n \tfrac{\text{separation}}{2} u + \xi_n` with
    :math:`\xi_n \sim N(0, I_d)`. Gaussian blobs alone would overlap sooner or later, so a sample
    with :math:`y_n \langle x_n, u\rangle < \text{margin}` is drawn again: what is left is the
    Gaussian conditioned on its own side. Hence u separates every draw, and the greatest margin
    :math:`\max_{\|w\|=1} \min_n y_n \langle x_n, w\rangle` is at least `margin`.

    Parameters
    ----------
    n, d
        Samples and dimensions, at least 1. The first ⌈n/2⌉ samples have label +1, the others −1.
    separation
        Distance of the blobs' centres, before samples were drawn again, in standard deviations;
        above 0.
    margin
        What the margin is guaranteed to be, above 0 and at most ``separation / 2``; default
        ``separation / 4``.
    seed
        An int, or a generator to draw from.

    Returns
    -------
    Classification
        ``X`` (n, d) and ``y`` (n,) of ±1.

    Raises
    ------
    ValueError
        If a count is below 1, or `separation` or `margin` is outside its range.

    Examples
    --------
    >>> from ibtools.data import blobs
    >>> X, y = blobs(n=40, d=2, separation=6.0, seed=0)
    >>> X.shape, float(y.sum())
    ((40, 2), 0.0)
    """
    n, d = count("n", n), count("d", d)
    separation = positive("separation", separation)
    margin = separation / 4 if margin is None else positive("margin", margin)
    if margin > separation / 2:
        raise ValueError(
            f"margin must be at most separation / 2 = {separation / 2:g}, got {margin:g}; beyond "
            "the blobs' centres little is left to draw: lower margin or raise separation"
        )
    random = generator(seed)
    direction = random.standard_normal(d)
    direction /= np.linalg.norm(direction)
    y = balanced_labels(n)
    X = np.empty((n, d))
    missing = np.ones(n, dtype=bool)
    while missing.any():
        centres = y[missing, None] * (separation / 2 * direction)
        X[missing] = centres + random.standard_normal(centres.shape)
        missing = y * (X @ direction) < margin
    return Classification(X, y)


def xor() -> Classification:
    """Return the four points (±1, ±1), labelled by the product of their coordinates.

    No linear predictor separates them. A two-layer ReLU network does, with the normalized margin
    √2/8 at best (Chizat and Bach 2020).

    Returns
    -------
    Classification
        ``X`` (4, 2) and ``y`` (4,) of ±1.

    Examples
    --------
    >>> from ibtools.data import xor
    >>> X, y = xor()
    >>> bool((y == X[:, 0] * X[:, 1]).all())
    True
    """
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    return Classification(X, X.prod(axis=1))


def three_points() -> Classification:
    r"""Return three points of the plane whose margin, 7/√13, is known in closed form.

    The signed samples :math:`z_n = y_n x_n` are (3, −1), (1, 2) and (4, 4). The first two are the
    support vectors: :math:`\hat w = (3, 2)/7` has margin 1 on both and norm √13/7, and it is
    :math:`\tfrac{4}{49} z_1 + \tfrac{9}{49} z_2`; on the third its margin is 20/7.

    Returns
    -------
    Classification
        ``X`` (3, 2) and ``y`` = (1, −1, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.data import three_points
    >>> X, y = three_points()
    >>> (y * (7 * X @ np.array([3, 2]) / 7)).tolist()
    [7.0, 7.0, 20.0]
    """
    X = np.array([[3.0, -1.0], [-1.0, -2.0], [4.0, 4.0]])
    return Classification(X, np.array([1.0, -1.0, 1.0]))


def balanced_labels(n: int) -> Float[np.ndarray, " n"]:
    """Return ⌈n/2⌉ labels +1.0, then ⌊n/2⌋ labels −1.0."""
    return np.where(np.arange(n) < (n + 1) // 2, 1.0, -1.0)


def choose_classes(
    labels: Int[np.ndarray, " m"],
    *,
    classes: Sequence[int] | None,
    per_class: int | None,
    seed: int | np.random.Generator | None,
) -> tuple[Int[np.ndarray, " n"], Real[np.ndarray, " n"]]:
    """Return the rows that belong to `classes`, in their order, and what `y` is on them.

    `labels` holds 0 … 9. Two classes become −1.0 and +1.0, more become their place in `classes`.
    With `per_class`, that many rows of each class are drawn.
    """
    chosen = check_choice(classes=classes, per_class=per_class, seed=seed)
    if per_class is None or seed is None:
        rows = np.flatnonzero(np.isin(labels, chosen))
    else:
        random = generator(seed)
        drawn = []
        for label in chosen:
            members = np.flatnonzero(labels == label)
            if len(members) < per_class:
                raise ValueError(
                    f"per_class must be at most {len(members)}, the samples there are of class "
                    f"{label}, got {per_class}; lower per_class"
                )
            drawn.append(random.permutation(members)[:per_class])
        rows = np.sort(np.concatenate(drawn))
    place = np.empty(10, dtype=np.int64)
    place[list(chosen)] = np.arange(len(chosen))
    y = place[labels[rows]]
    return rows, 2.0 * y - 1.0 if len(chosen) == 2 else y


def check_choice(
    *,
    classes: Sequence[int] | None,
    per_class: int | None,
    seed: int | np.random.Generator | None,
) -> tuple[int, ...]:
    """Return the classes that are meant, if the arguments of `choose_classes` make sense."""
    if per_class is None and seed is not None:
        raise ValueError(
            f"seed must be left out without per_class, got seed={seed!r}; without per_class "
            "every sample is taken: say per_class=10, or drop seed"
        )
    if per_class is not None:
        count("per_class", per_class)
        if seed is None:
            raise TypeError(
                "seed must be given with per_class, which draws samples at random; "
                "randomness here is always explicit: pass seed=0, say"
            )
        generator(seed)
    if classes is None:
        return tuple(range(10))
    try:
        chosen = tuple(count("each of classes", label, least=0) for label in classes)
    except TypeError as error:
        raise TypeError(
            f"classes must be a sequence of ints, got {classes!r}; for example classes=(3, 8), or "
            "None for all ten"
        ) from error
    if len(chosen) < 2 or len(set(chosen)) < len(chosen) or max(chosen) > 9:
        raise ValueError(
            f"classes must be two or more different ones of 0 to 9, got {classes!r}; "
            "for example classes=(3, 8), or None for all ten"
        )
    return chosen
