"""The few images on which the first steps of an experiment are made again, to compare."""

from pathlib import Path

import numpy as np

from ibtools._files import made_folder, whole_file
from ibtools.data import Classification, fashion_mnist, mnist
from ibtools.experiments.results import folder_of_results

_COUNT = 100
_LOAD = {"mnist": mnist, "fashion": fashion_mnist}


def _file(data: str, folder: Path) -> Path:
    return folder / f"first-{data}.npz"


def keep_first_images(data: str, folder: Path, root: str | None) -> None:
    """Keep the first training images of a data set, if they are not kept yet.

    Parameters
    ----------
    data
        "mnist" or "fashion".
    folder
        Of results.
    root
        The folder of the data sets; ``None`` for the usual one.
    """
    path = _file(data, folder)
    if path.exists():
        return
    X, y = _LOAD[data](split="train", root=root)
    made_folder(folder)
    pixels = np.round(255 * X[:_COUNT]).astype(np.uint8)
    with whole_file(path) as file:
        np.savez_compressed(file, pixels=pixels, y=y[:_COUNT].astype(np.uint8))


def first_images(data: str, folder: Path | None = None) -> Classification:
    """Return the images that are kept, (n, 1, 28, 28), and their classes.

    Parameters
    ----------
    data
        "mnist" or "fashion".
    folder
        Of results; default those that come with the package.
    """
    with np.load(_file(data, folder_of_results() if folder is None else folder)) as file:
        return Classification(file["pixels"] / 255.0, file["y"].astype(np.int64))
