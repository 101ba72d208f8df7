"""Digits against what scikit-learn ships; MNIST and CIFAR-10 on small files of the true formats."""

import gzip
import hashlib
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ibtools.data import images
from ibtools.data.downloads import DataError, RemoteFile
from ibtools.data.images import cifar10, digits, fashion_mnist, mnist

# ----------------------------------------------------------------------------- digits


def test_digits_are_the_shipped_ones_over_sixteen() -> None:
    raw = load_digits()
    X, y = digits()
    np.testing.assert_array_equal(16 * X, raw.data)
    np.testing.assert_array_equal(y, raw.target)
    assert X.dtype == np.float64
    assert y.dtype == np.int64
    pictures, _ = digits(as_images=True)
    np.testing.assert_array_equal(16 * pictures[:, 0], raw.images)


def test_two_digits_are_minus_and_plus_one() -> None:
    raw = load_digits()
    X, y = digits(classes=(3, 8))
    assert X.shape == (357, 64)
    of_both = np.isin(raw.target, (3, 8))
    np.testing.assert_array_equal(16 * X, raw.data[of_both])
    np.testing.assert_array_equal(y, np.where(raw.target[of_both] == 8, 1.0, -1.0))
    assert y.dtype == np.float64


def test_digits_are_centred_over_what_is_returned() -> None:
    plain = digits(classes=(1, 7, 4), per_class=9, seed=2)
    centred = digits(classes=(1, 7, 4), per_class=9, seed=2, centred=True, as_images=True)
    assert centred.X.shape == (27, 1, 8, 8)
    flat = centred.X.reshape(27, 64)
    np.testing.assert_allclose(flat.sum(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(flat - flat[0], plain.X - plain.X[0], atol=1e-14)
    np.testing.assert_array_equal(centred.y, plain.y)


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"as_images": 1}, TypeError, "as_images must be True or False, got 1"),
        ({"centred": None}, TypeError, "centred must be True or False, got None"),
        ({"classes": (3, 11)}, ValueError, "classes must be two or more different ones of 0 to 9"),
        ({"per_class": 200, "seed": 0}, ValueError, "per_class must be at most 178"),
        ({"per_class": 2}, TypeError, "seed must be given with per_class"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_digits_say_what_is_wrong(wrong: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        digits(**wrong)


# ------------------------------------------------------------------- the true formats


def _idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def _zip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _tar(members: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        folder = tarfile.TarInfo("cifar-10-batches-bin")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in members.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def _file(name: str, content: bytes) -> RemoteFile:
    return RemoteFile(name, hashlib.md5(content).hexdigest())


_random = np.random.default_rng(0)
_PIXELS = _random.integers(256, size=(40, 28, 28), dtype=np.uint8)
_LABELS = (np.arange(40) * 7 % 10).astype(np.uint8)
_BATCHES = {
    name: _random.integers(256, size=(4, 3073), dtype=np.uint8)
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
}
for _start, _batch in enumerate(_BATCHES.values()):
    _batch[:, 0] = (np.arange(4) + 4 * _start) % 10


class Mnist:
    """The two files of a split, on a server and with their checksums known."""

    def __init__(self, server, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.server, self.monkeypatch, self.root = server, monkeypatch, root

    def publish(self, pixels: bytes, labels: bytes, split: str = "train") -> None:
        files = []
        for known, content in zip(images._MNIST[split], (pixels, labels), strict=True):
            self.server.files[f"/mnist/{known.name}"] = content
            files.append(_file(known.name, content))
        self.monkeypatch.setitem(images._MNIST, split, tuple(files))

    def load(self, **arguments):
        return mnist(**{"root": self.root, "mirrors": [self.server.address + "mnist"]} | arguments)


@pytest.fixture
def published(server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mnist:
    made = Mnist(server, monkeypatch, tmp_path)
    made.publish(_zip(_idx(_PIXELS)), _zip(_idx(_LABELS)))
    return made


@pytest.fixture
def cifar(server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a function that publishes an archive and loads it."""

    def load(content: bytes, **arguments):
        server.files["/cifar-10-binary.tar.gz"] = content
        monkeypatch.setattr(images, "_CIFAR10", _file("cifar-10-binary.tar.gz", content))
        return cifar10(**{"root": tmp_path, "mirrors": [server.address]} | arguments)

    return load


def _members() -> dict[str, bytes]:
    # The real archive is in no order either, and holds two more files.
    order = [3, 0, 5, 1, 4, 2]
    names = list(_BATCHES)
    listed = {names[i]: _BATCHES[names[i]].tobytes() for i in order}
    return {"readme.html": b"<html>", **listed, "batches.meta.txt": b"airplane\n"}


# ------------------------------------------------------------------------------ MNIST


def test_mnist_is_its_bytes_over_255(published: Mnist) -> None:
    X, y = published.load()
    assert X.shape == (40, 1, 28, 28)
    assert X.dtype == np.float64
    np.testing.assert_array_equal(X[:, 0], _PIXELS / 255)
    np.testing.assert_array_equal(y, _LABELS)
    assert y.dtype == np.int64
    single, _ = published.load(dtype=np.float32)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single[:, 0], (_PIXELS / 255).astype(np.float32))
    assert (published.root / "mnist" / "train-images-idx3-ubyte.gz").exists()


def test_mnist_of_two_classes_and_of_a_few_images(published: Mnist) -> None:
    X, y = published.load(classes=(3, 8))
    of_both = np.isin(_LABELS, (3, 8))
    np.testing.assert_array_equal(X[:, 0], _PIXELS[of_both] / 255)
    np.testing.assert_array_equal(y, np.where(_LABELS[of_both] == 8, 1.0, -1.0))
    X, y = published.load(classes=(3, 8, 1), per_class=2, seed=0)
    assert X.shape == (6, 1, 28, 28)
    np.testing.assert_array_equal(np.bincount(y), [2, 2, 2])


def test_mnist_splits_are_different_files(published: Mnist) -> None:
    published.publish(_zip(_idx(_PIXELS[:3])), _zip(_idx(_LABELS[:3])), split="test")
    assert len(published.load(split="test").X) == 3
    assert {Path(path).name for path, *_ in published.server.requests} == {
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    }


def test_mnist_is_read_without_network_the_second_time(published: Mnist) -> None:
    first = published.load()
    published.server.files.clear()
    again = published.load()
    np.testing.assert_array_equal(first.X, again.X)
    published.monkeypatch.setenv("IBTOOLS_DATA", str(published.root))
    np.testing.assert_array_equal(mnist(download=False).X, first.X)
    assert len(published.server.requests) == 2


def test_mnist_tells_the_corrupt_file_before_reading_it(published: Mnist) -> None:
    published.load()
    path = published.root / "mnist" / "train-labels-idx1-ubyte.gz"
    path.write_bytes(_zip(_idx(9 - _LABELS)))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz is corrupt: .*delete it"):
        published.load()


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (b"no gzip at all", None, r"images.* is not a whole gzip file"),
        (_zip(_idx(_PIXELS))[:-200], None, r"images.* is not a whole gzip file"),
        (_zip(_idx(_PIXELS))[:-8] + bytes(8), None, r"images.* is not a whole gzip file.*CRC"),
        (
            _zip(_idx(_PIXELS))[:1000] + bytes(50) + _zip(_idx(_PIXELS))[1050:],
            None,
            r"images.* is not a whole gzip file",
        ),
        (_zip(_idx(_LABELS)), None, "must begin with the bytes 00000803, not 00000801"),
        (_zip(b"\0\0\x0d\x03" + bytes(99)), None, "must begin with .* not 00000d03"),
        (_zip(b""), None, "must begin with the bytes 00000803, not ;"),
        (_zip(_idx(_PIXELS)[:11]), None, "its header has 11 of 16 bytes"),
        (_zip(_idx(_PIXELS)[:-1]), None, r"promises shape \(40, 28, 28\), and 31359 bytes follow"),
        (_zip(_idx(_PIXELS) + b"0"), None, r"promises shape \(40, 28, 28\), and 31361 bytes"),
        (_zip(_idx(_PIXELS[:0])), None, r"promises shape \(0, 28, 28\), and 0 bytes"),
        (_zip(_idx(_PIXELS[:39])), None, "do not fit each other: images of shape .39, 28, 28"),
        (_zip(_idx(_PIXELS[:, :8, :8])), None, "do not fit each other: images of shape .40, 8, 8"),
        (None, _zip(_idx(_LABELS + 1)), "do not fit each other: .* up to 10"),
        (None, _zip(_idx(_PIXELS)), "labels.* must begin with the bytes 00000801, not 00000803"),
    ],
)
def test_mnist_says_what_is_wrong_with_a_file(
    published: Mnist, pixels: bytes | None, labels: bytes | None, message: str
) -> None:
    published.publish(pixels or _zip(_idx(_PIXELS)), labels or _zip(_idx(_LABELS)))
    with pytest.raises(DataError, match=message):
        published.load()


def test_mnist_goes_to_the_next_mirror_and_resumes(published: Mnist) -> None:
    published.server.cuts = [5000]
    address = published.server.address
    X, _ = published.load(mirrors=(address + "gone/", address + "mnist/"))
    np.testing.assert_array_equal(X[:, 0], _PIXELS / 255)
    assert [asked for _, asked, _ in published.server.requests] == [
        None,  # gone
        None,  # cut
        "bytes=5000-",
        None,  # gone
        None,
    ]


def test_offline_mnist_names_the_file_and_the_folder(published: Mnist) -> None:
    published.server.files.clear()
    with pytest.raises(DataError) as caught:
        published.load()
    path = published.root / "mnist" / "train-images-idx3-ubyte.gz"
    assert "404" in str(caught.value)
    assert str(path) in str(caught.value)


# --------------------------------------------------------------------------- CIFAR-10


def test_cifar10_is_its_bytes_over_255_batch_after_batch(cifar) -> None:
    X, y = cifar(_tar(_members()))
    records = np.concatenate([_BATCHES[f"data_batch_{i}.bin"] for i in range(1, 6)])
    assert X.shape == (20, 3, 32, 32)
    assert X.dtype == np.float64
    np.testing.assert_array_equal(y, records[:, 0])
    red, green, blue = X[7]
    np.testing.assert_array_equal(red.ravel(), records[7, 1:1025] / 255)
    np.testing.assert_array_equal(green.ravel(), records[7, 1025:2049] / 255)
    np.testing.assert_array_equal(blue.ravel(), records[7, 2049:] / 255)
    np.testing.assert_array_equal(X.reshape(20, -1), records[:, 1:] / 255)


def test_cifar10_test_split_and_two_classes(cifar) -> None:
    test = _BATCHES["test_batch.bin"]
    X, y = cifar(_tar(_members()), split="test", classes=(3, 1), dtype="float32")
    rows = np.isin(test[:, 0], (1, 3))
    np.testing.assert_array_equal(y, np.where(test[rows, 0] == 1, 1.0, -1.0))
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X.reshape(len(y), -1), test[rows, 1:].astype(np.float32) / 255)


def test_cifar10_writes_nothing_but_its_file(cifar, tmp_path: Path) -> None:
    evil = _members() | {"../../evil": b"outside"}
    cifar(_tar(evil))
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left - {"cifar-10-binary.tar.gz.lock"} == {"cifar-10-binary.tar.gz"}


def _without(name: str) -> dict[str, bytes]:
    return {key: value for key, value in _members().items() if key != name}


_LABEL_TEN = _BATCHES["data_batch_2.bin"].copy()
_LABEL_TEN[1, 0] = 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "is not a whole gzipped tar archive"),
        (_tar(_members())[:-3000], "is not a whole gzipped tar archive"),
        (_zip(b"no tar, though gzip"), "is not a whole gzipped tar archive"),
        (_tar(_without("data_batch_4.bin")), "lacks data_batch_4.bin"),
        (
            _tar(_members() | {"data_batch_1.bin": _BATCHES["data_batch_1.bin"].tobytes()[:-1]}),
            "data_batch_1.bin has 12291 bytes, not a multiple of 3073",
        ),
        (_tar(_members() | {"data_batch_5.bin": b""}), "data_batch_5.bin has 0 bytes"),
        (_tar(_members() | {"data_batch_2.bin": _LABEL_TEN.tobytes()}), "a label 10"),
    ],
)
def test_cifar10_says_what_is_wrong_with_the_archive(cifar, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"cifar-10-binary.tar.gz.*{message}"):
        cifar(content)


# ------------------------------------------------------------- MNIST as people have it


@pytest.fixture
def on_disk(published: Mnist, monkeypatch: pytest.MonkeyPatch):
    """Return a function that puts the two files of a split somewhere, and nothing on a server.

    What they hold is known by its checksum, and so is what Fashion-MNIST's hold.
    """
    published.server.files.clear()
    clothes = 255 - _PIXELS
    contents = {
        images._MNIST["train"]: (_idx(_PIXELS), _idx(_LABELS)),
        images._FASHION["train"]: (_idx(clothes), _idx(9 - _LABELS)),
    }
    for files, held in contents.items():
        for file, content in zip(files, held, strict=True):
            monkeypatch.setitem(images._CONTENTS, file.md5, hashlib.md5(content).hexdigest())

    def put(folder: Path, *, fashion: bool = False, packed: int | None = 1, name=str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        files = (images._FASHION if fashion else images._MNIST)["train"]
        for file, content in zip(files, contents[files], strict=True):
            plain = file.name.removesuffix(".gz")
            data = content if packed is None else gzip.compress(content, packed, mtime=packed)
            suffix = "" if packed is None else ".gz"
            (folder / (name(plain) + suffix)).write_bytes(data)

    return put


@pytest.mark.parametrize("packed", [None, 1, 9])
@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw", "MNIST", "raw", ""])
def test_mnist_as_people_have_it(on_disk, packed, folder: str, tmp_path: Path) -> None:
    on_disk(tmp_path / "have" / folder, packed=packed)
    X, y = mnist(root=tmp_path / "have", download=False)
    np.testing.assert_array_equal(X[:, 0], _PIXELS / 255)
    np.testing.assert_array_equal(y, _LABELS)


def test_mnist_under_its_dotted_names(on_disk, tmp_path: Path) -> None:
    on_disk(tmp_path, packed=None, name=lambda plain: plain.replace("-idx", ".idx"))
    assert (tmp_path / "train-images.idx3-ubyte").exists()
    assert len(mnist(root=tmp_path, download=False).y) == 40


@pytest.mark.parametrize("folder", ["fashion_mnist", "fashion-mnist", "FashionMNIST/raw", ""])
def test_fashion_mnist_is_read_by_the_same_rules(on_disk, folder: str, tmp_path: Path) -> None:
    on_disk(tmp_path / folder, fashion=True)
    X, y = fashion_mnist(root=tmp_path, download=False)
    np.testing.assert_array_equal(X[:, 0], (255 - _PIXELS) / 255)
    np.testing.assert_array_equal(y, 9 - _LABELS)


def test_a_mirror_may_pack_as_it_likes(on_disk, tmp_path: Path) -> None:
    on_disk(tmp_path / "usb", packed=9)
    mirrors = [(tmp_path / "usb").as_uri()]
    assert len(mnist(root=tmp_path / "new", mirrors=mirrors).y) == 40
    assert len(mnist(root=tmp_path / "new", download=False).y) == 40


def test_fashion_mnist_under_mnists_names_is_called_by_its_own(on_disk, tmp_path: Path) -> None:
    on_disk(tmp_path / "mnist", fashion=True)
    with pytest.raises(DataError, match=r"holds the train images of Fashion-MNIST; load it with"):
        mnist(root=tmp_path)
    # The remedy, followed.
    assert len(fashion_mnist(root=tmp_path / "mnist", download=False).y) == 40


def test_another_split_under_this_ones_name(on_disk, tmp_path: Path) -> None:
    on_disk(tmp_path, name=lambda plain: plain.replace("train", "t10k"))
    with pytest.raises(DataError, match="holds the train images of MNIST; give it its own name"):
        mnist(split="test", root=tmp_path, download=False)


def test_a_good_file_is_taken_beside_a_broken_one(on_disk, tmp_path: Path) -> None:
    on_disk(tmp_path / "MNIST/raw")
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist/train-images-idx3-ubyte.gz").write_bytes(b"half")
    assert len(mnist(root=tmp_path, download=False).y) == 40


def test_keras_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").touch()
    with pytest.raises(DataError, match=r"mnist.npz is the archive of Keras"):
        mnist(root=tmp_path, download=False)


def test_a_home_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBTOOLS_DATA", "~nobody-of-that-name/data")
    with pytest.raises(DataError, match="'~nobody-of-that-name/data', is in a home folder"):
        mnist()


# --------------------------------------------------------------------- what both share


@pytest.mark.parametrize("loader", [mnist, cifar10])
@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"split": "validation"}, ValueError, "split must be one of 'train', 'test'"),
        ({"dtype": "int32"}, ValueError, "dtype must be float64 or float32, got 'int32'"),
        ({"dtype": None}, ValueError, "dtype must be float64 or float32, got None"),
        ({"dtype": "real"}, ValueError, "dtype must be float64 or float32, got 'real'"),
        ({"mirrors": "https://example.org"}, ValueError, "mirrors must be a sequence"),
        ({"root": 3}, TypeError, "root must be the path of a folder"),
        ({"download": "no"}, TypeError, "download must be True or False"),
    ],
)
@pytest.mark.usefixtures("as_a_user")
def test_loaders_say_what_is_wrong(
    loader, wrong: dict, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        loader(**{"root": tmp_path, "download": False} | wrong)


@pytest.mark.parametrize("loader", [mnist, cifar10])
@pytest.mark.usefixtures("as_a_user")
def test_a_wrong_choice_is_told_before_anything_is_downloaded(
    loader, server, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="classes must be two or more"):
        loader(classes=(3,), root=tmp_path, mirrors=[server.address])
    assert server.requests == []


def test_the_known_checksums_are_the_published_ones() -> None:
    assert {file.name: file.md5 for files in images._MNIST.values() for file in files} == {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }
    assert images._CIFAR10 == ("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")
