"""Real images to classify: the small digits that are shipped, MNIST, Fashion-MNIST, CIFAR-10."""

import hashlib
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy.typing import DTypeLike

from ibtools._validation import one_of
from ibtools.data.classification import Classification, check_choice, choose_classes
from ibtools.data.downloads import DataError, RemoteFile, folder_of_all, local_file
from ibtools.data.image_files import find_idx, read_cifar10, read_idx

# The page of Yann LeCun, where these files were published, no longer gives them out; the checksums
# are those of the files it gave.
_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_MNIST = {
    "train": (
        RemoteFile("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        RemoteFile("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    ),
    "test": (
        RemoteFile("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        RemoteFile("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
}
# Zalando's table gives the checksums of the files.
_FASHION_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
_FASHION = {
    "train": (
        RemoteFile("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        RemoteFile("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    ),
    "test": (
        RemoteFile("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        RemoteFile("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
}
# The checksum of what each file holds, by that of the file. Everyone packs them anew.
_CONTENTS = {
    "f68b3c2dcbeaaa9fbdd348bbdeb94873": "6bbc9ace898e44ae57da46a324031adb",
    "d53e105ee54ea40749a09fcbcd1e9432": "a25bea736e30d166cdddb491f175f624",
    "9fb629c4189551a2d022fa330f9573f3": "2646ac647ad5339dbf082846283269ea",
    "ec29112dd5afa0611ce80d1b7f02629c": "27ae3e4e09519cfbb04c329615203637",
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "25c81989df183df01b3e8a0aad5dffbe": "9018921c3c673c538a1fc5bad174d6f9",
    "bef4ecab320f06d8554ea6380940ec79": "8181f5470baa50b63fa0f6fddb340f0a",
    "bb300cfdad3c16e7a12a480ee83cd310": "15d484375f8d13e6eb1aabb0c3f46965",
}


class _IdxSet(NamedTuple):
    """A data set in the format of MNIST: where it lies, here and elsewhere, and who reads it."""

    title: str
    loader: str
    files: dict[str, tuple[RemoteFile, RemoteFile]]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    keras: str


_MNIST_SET = _IdxSet(
    "MNIST",
    "mnist()",
    _MNIST,
    _MNIST_MIRRORS,
    # Ours, torchvision's (its root, its own folder, the one with the files), and by hand.
    ("mnist", "MNIST/raw", "MNIST", "raw", ""),
    "mnist.npz",
)
_FASHION_SET = _IdxSet(
    "Fashion-MNIST",
    "fashion_mnist()",
    _FASHION,
    _FASHION_MIRRORS,
    (
        *("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST", "raw", ""),
        "/usr/share/datasets/fashion-mnist",  # Debian's package dataset-fashion-mnist
    ),
    "fashion-mnist.npz",
)
# The version "suitable for C programs" holds the same images as the one for Python, which is made
# of pickles: opening those runs whatever they say.
_CIFAR10_MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
_CIFAR10 = RemoteFile("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")
_CIFAR10_BATCHES = {
    "train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
    "test": ("test_batch.bin",),
}


def digits(
    *,
    classes: Sequence[int] | None = None,
    per_class: int | None = None,
    as_images: bool = False,
    centred: bool = False,
    seed: int | np.random.Generator | None = None,
) -> Classification:
    """Return the 8×8 handwritten digits that come with scikit-learn: nothing is downloaded.

    1797 images, 174 to 183 of each digit (Alpaydin and Kaynak 1998). Pixels are whole numbers from
    0 to 16; `X` holds them divided by 16.

    Parameters
    ----------
    classes
        Which digits, two or more; default all ten.
    per_class
        How many images of each class to draw; default all of them.
    as_images
        Whether `X` has shape (n, 1, 8, 8), as convolutional networks take it, instead of (n, 64).
    centred
        Whether to subtract the mean of the returned images from each of them. The rows of `X` then
        sum to zero.
    seed
        Which images `per_class` draws: an int, or a generator to draw from. To be given with
        `per_class`, and only then.

    Returns
    -------
    Classification
        ``X`` as above and ``y`` (n,): with two classes −1.0 for the first one listed and +1.0 for
        the second; with more, each class's place in `classes`. The images keep their order.

    Raises
    ------
    TypeError
        If `seed` is missing with `per_class`, or an argument is of another type.
    ValueError
        If `classes` are not two or more different digits, `per_class` exceeds what there is, or
        `seed` comes without `per_class`.

    Examples
    --------
    >>> from ibtools.data import digits
    >>> X, y = digits(classes=(3, 8))
    >>> X.shape, int((y == -1).sum()), int((y == 1).sum())
    ((357, 64), 183, 174)
    >>> X, y = digits(as_images=True)
    >>> X.shape, y[:5].tolist()
    ((1797, 1, 8, 8), [0, 1, 2, 3, 4])
    """
    # scikit-learn takes half a second to import, and only this function needs it.
    from sklearn.datasets import load_digits

    _flag("as_images", as_images)
    _flag("centred", centred)
    bunch = load_digits()
    rows, y = choose_classes(bunch.target, classes=classes, per_class=per_class, seed=seed)
    X = bunch.data[rows] / 16
    if centred:
        X -= X.mean(axis=0)
    return Classification(X.reshape(-1, 1, 8, 8) if as_images else X, y)


def mnist(
    *,
    split: str = "train",
    classes: Sequence[int] | None = None,
    per_class: int | None = None,
    seed: int | np.random.Generator | None = None,
    dtype: DTypeLike = np.float64,
    root: str | PathLike[str] | None = None,
    mirrors: Sequence[str] | None = None,
    download: bool = True,
) -> Classification:
    """Return MNIST, 28×28 handwritten digits, from the standard files.

    60 000 images for training and 10 000 for testing (LeCun, Bottou, Bengio and Haffner 1998).
    Pixels are whole numbers from 0 to 255; `X` holds them divided by 255. The first call downloads
    10 MB for training or 2 MB for testing; later ones read the files it kept. Files that are there
    already are read as they are, packed or unpacked, also in torchvision's folders. Every call
    checks what they hold.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    classes
        Which digits, two or more; default all ten.
    per_class
        How many images of each class to draw; default all of them.
    seed
        Which images `per_class` draws: an int, or a generator to draw from. To be given with
        `per_class`, and only then.
    dtype
        ``float64`` or ``float32``. All training images take 376 MB in float64.
    root
        The folder that has the files, or a subfolder ``mnist``, ``MNIST/raw`` or ``raw`` with them;
        a download goes to ``mnist``. Default: the environment variable
        ``IBTOOLS_DATA``, else ``ibtools`` in ``XDG_CACHE_HOME`` or ``~/.cache``.
    mirrors
        Addresses (http, https or file) of folders that hold the files, tried in turn.
    download
        Whether to download what is missing.

    Returns
    -------
    Classification
        ``X`` (n, 1, 28, 28) and ``y`` (n,): with two classes −1.0 for the first one listed and
        +1.0 for the second; with more, each class's place in `classes`. The images keep their
        order. For networks without convolutions: ``X.reshape(len(X), -1)``.

    Raises
    ------
    DataError
        If a file is missing and no mirror gives it, or a file is corrupt: the message says which
        one, what was tried, and where to put it by hand.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> from ibtools.data import mnist
    >>> X, y = mnist(classes=(3, 8))  # doctest: +SKIP
    >>> X.shape, int((y == -1).sum()), int((y == 1).sum())  # doctest: +SKIP
    ((11982, 1, 28, 28), 6131, 5851)
    """
    return _load_idx(
        _MNIST_SET,
        split=split,
        classes=classes,
        per_class=per_class,
        seed=seed,
        dtype=dtype,
        root=root,
        mirrors=_MNIST_MIRRORS if mirrors is None else mirrors,
        download=download,
    )


def fashion_mnist(
    *,
    split: str = "train",
    classes: Sequence[int] | None = None,
    per_class: int | None = None,
    seed: int | np.random.Generator | None = None,
    dtype: DTypeLike = np.float64,
    root: str | PathLike[str] | None = None,
    mirrors: Sequence[str] | None = None,
    download: bool = True,
) -> Classification:
    """Return Fashion-MNIST, 28×28 pictures of clothes, from the standard files.

    60 000 images for training and 10 000 for testing (Xiao, Rasul and Vollgraf 2017): T-shirt,
    trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot, numbered 0 to 9. In
    everything else it is as `mnist`; the first call downloads 30 MB, unless Debian's package
    ``dataset-fashion-mnist`` has brought the files.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    classes
        Which of the classes 0 to 9, two or more; default all ten.
    per_class
        How many images of each class to draw; default all of them.
    seed
        Which images `per_class` draws: an int, or a generator to draw from. To be given with
        `per_class`, and only then.
    dtype
        ``float64`` or ``float32``. All training images take 376 MB in float64.
    root
        The folder that has the files, or a subfolder ``fashion_mnist``, ``fashion-mnist``,
        ``FashionMNIST/raw`` or ``raw`` with them; a download goes to ``fashion_mnist``. Default:
        the environment variable ``IBTOOLS_DATA``, else ``ibtools`` in ``XDG_CACHE_HOME`` or
        ``~/.cache``.
    mirrors
        Addresses (http, https or file) of folders that hold the files, tried in turn.
    download
        Whether to download what is missing.

    Returns
    -------
    Classification
        ``X`` (n, 1, 28, 28) and ``y`` (n,), as of `mnist`.

    Raises
    ------
    DataError
        If a file is missing and no mirror gives it, or a file is not what it should be.
    TypeError, ValueError
        If an argument is not as described.

    See Also
    --------
    mnist : Handwritten digits in the same format.

    Examples
    --------
    >>> from ibtools.data import fashion_mnist
    >>> X, y = fashion_mnist(split="test")  # doctest: +SKIP
    >>> X.shape, y[:5].tolist()  # doctest: +SKIP
    ((10000, 1, 28, 28), [9, 2, 1, 1, 6])
    """
    return _load_idx(
        _FASHION_SET,
        split=split,
        classes=classes,
        per_class=per_class,
        seed=seed,
        dtype=dtype,
        root=root,
        mirrors=_FASHION_MIRRORS if mirrors is None else mirrors,
        download=download,
    )


def cifar10(
    *,
    split: str = "train",
    classes: Sequence[int] | None = None,
    per_class: int | None = None,
    seed: int | np.random.Generator | None = None,
    dtype: DTypeLike = np.float64,
    root: str | PathLike[str] | None = None,
    mirrors: Sequence[str] | None = None,
    download: bool = True,
) -> Classification:
    """Return CIFAR-10, 32×32 colour photographs of ten kinds of things, from its standard file.

    50 000 images for training and 10 000 for testing (Krizhevsky 2009): airplane, automobile, bird,
    cat, deer, dog, frog, horse, ship, truck, numbered 0 to 9. Pixels are whole numbers from 0 to
    255; `X` holds them divided by 255, the channels in the order red, green, blue. The first call
    downloads 170 MB; later ones read the file it kept. Every call checks its checksum.

    Parameters
    ----------
    split
        ``"train"`` or ``"test"``.
    classes
        Which of the classes 0 to 9, two or more; default all ten.
    per_class
        How many images of each class to draw; default all of them.
    seed
        Which images `per_class` draws: an int, or a generator to draw from. To be given with
        `per_class`, and only then.
    dtype
        ``float64`` or ``float32``. All training images take 1.2 GB in float64.
    root
        The folder of all data sets; the file lies in its subfolder ``cifar10``. Default: the
        environment variable ``IBTOOLS_DATA``, else ``ibtools`` in ``XDG_CACHE_HOME`` or
        ``~/.cache``.
    mirrors
        Addresses (http, https or file) of folders that hold the file, tried in turn.
    download
        Whether to download the file if it is missing.

    Returns
    -------
    Classification
        ``X`` (n, 3, 32, 32) and ``y`` (n,): with two classes −1.0 for the first one listed and
        +1.0 for the second; with more, each class's place in `classes`. The images keep their
        order.

    Raises
    ------
    DataError
        If the file is missing and no mirror gives it, or it is corrupt: the message says what was
        tried, and where to put the file by hand.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> from ibtools.data import cifar10
    >>> X, y = cifar10(split="test", dtype="float32")  # doctest: +SKIP
    >>> X.shape, y[:3].tolist()  # doctest: +SKIP
    ((10000, 3, 32, 32), [3, 8, 8])
    """
    one_of("split", split, _CIFAR10_BATCHES)
    number = _float_type(dtype)
    # Told now, not after a long download.
    check_choice(classes=classes, per_class=per_class, seed=seed)
    path = local_file(
        _CIFAR10,
        folder="cifar10",
        root=root,
        mirrors=_CIFAR10_MIRRORS if mirrors is None else mirrors,
        download=download,
    )
    images, labels = read_cifar10(path, batches=_CIFAR10_BATCHES[split])
    rows, y = choose_classes(
        labels.astype(np.int64), classes=classes, per_class=per_class, seed=seed
    )
    return Classification(_unit(images[rows], number), y)


def _load_idx(
    data: _IdxSet,
    *,
    split: str,
    classes: Sequence[int] | None,
    per_class: int | None,
    seed: int | np.random.Generator | None,
    dtype: DTypeLike,
    root: str | PathLike[str] | None,
    mirrors: Sequence[str],
    download: bool,
) -> Classification:
    one_of("split", split, data.files)
    number = _float_type(dtype)
    # Told now, not after a long download.
    check_choice(classes=classes, per_class=per_class, seed=seed)
    images_path, labels_path = (
        _idx_file(data, file, root=root, mirrors=mirrors, download=download)
        for file in data.files[split]
    )
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if len(images) != len(labels) or images.shape[1:] != (28, 28) or labels.max() > 9:
        raise DataError(
            f"{images_path} and {labels_path} do not fit each other: images of shape "
            f"{images.shape}, labels of shape {labels.shape} up to {labels.max()}; "
            "delete them and call again to download them anew"
        )
    rows, y = choose_classes(
        labels.astype(np.int64), classes=classes, per_class=per_class, seed=seed
    )
    return Classification(_unit(images[rows][:, None], number), y)


def _idx_file(
    data: _IdxSet,
    file: RemoteFile,
    *,
    root: str | PathLike[str] | None,
    mirrors: Sequence[str],
    download: bool,
) -> Path:
    top = folder_of_all(root)

    def accept(content: bytes, path: Path) -> str:
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        wanted = _CONTENTS.get(file.md5)
        if found == wanted or _md5_of_file(path) == file.md5:
            return ""
        for other in (_MNIST_SET, _FASHION_SET):
            for part, files in other.files.items():
                for one, what in zip(files, ("images", "labels"), strict=True):
                    if _CONTENTS.get(one.md5) == found:
                        mend = (
                            f"load it with {other.loader}, or keep it in another folder"
                            if other is not data
                            else f"give it its own name, {one.name}"
                        )
                        return f"{path} holds the {part} {what} of {other.title}; {mend}"
        return (
            f"{path} is corrupt: the MD5 checksum of its content is {found}, expected "
            f"{wanted or file.md5} for {data.title}; delete it, or move it away if it belongs to "
            "another data set, and call again to download the right one"
        )

    if there := find_idx(top, data.folders, file.name, accept):
        return there
    try:
        return local_file(
            file,
            folder=data.folders[0],
            root=root,
            mirrors=mirrors,
            download=download,
            content=_CONTENTS.get(file.md5),
        )
    except DataError as error:
        keras = [
            path
            for folder in (top, top / data.folders[0], Path("~/.keras/datasets"))
            if (path := Path(os.path.expanduser(folder / data.keras))).is_file()
        ]
        if not keras:
            raise
        raise DataError(
            f"{error}\n{keras[0]} is the archive of Keras with the same images; it is not read "
            f"here, only files like {file.name} are."
        ) from error


def _md5_of_file(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _unit(pixels: UInt8[np.ndarray, "n c h w"], number: np.dtype) -> np.ndarray:
    X = pixels.astype(number)
    X /= 255  # in place: these arrays are large
    return X


def _float_type(dtype: DTypeLike) -> np.dtype:
    try:
        number = np.dtype(dtype)
    except TypeError:
        number = np.dtype(object)
    if dtype is None or number not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f"dtype must be float64 or float32, got {dtype!r}; choose one")
    return number


def _flag(name: str, value: bool) -> None:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}; give a bool")
