"""Data sets as people have them: the same images in files of each format, made with the publishers' own tools.

Another layout is another function in LAYOUTS. A function gets an empty folder and the images, fills the folder, and
returns the keys of the card beyond the format, if the card needs any.
"""

import gzip
import io
import math
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from PIL import Image

from core.sources.datasets import Pictures

CLASSES = ["Ankle boot", "Bag", "Coat"]


class Images(NamedTuple):
    """The images, uint8 (n, height, width[, 3]), and labels, (n,), of the training and the test split."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def images(*shape: int, train: int = 12, test: int = 6) -> Images:
    """Return noise of this shape, with every class in both splits."""
    noise = np.random.default_rng(0).integers(0, 256, (train + test, *shape), np.uint8)
    labels = (np.arange(train + test) * 2 + 1) % len(CLASSES)
    return Images(noise[:train], labels[:train], noise[train:], labels[train:])


def card(**keys: Any) -> Pictures:
    """Return a card of pictures."""
    return Pictures(**{"title": "t", "description": "d", "licence": "l", "format": "pictures"} | keys)


def picture(values: Any, kind: str = "PNG", **options: Any) -> bytes:
    """Return a picture file of uint8 (height, width[, 3])."""
    Image.fromarray(np.asarray(values, np.uint8)).save(stream := io.BytesIO(), kind, **options)
    return stream.getvalue()


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip file of these members."""
    with zipfile.ZipFile(stream := io.BytesIO(), "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    """Return a tar file of these members."""
    with tarfile.open(fileobj=(stream := io.BytesIO()), mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def idx_file(array: np.ndarray) -> bytes:
    """Return an IDX file of a uint8 array."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def idx(folder: Path, given: Images) -> dict[str, Any]:
    for name, array in (
        ("train-images-idx3-ubyte", given.train),
        ("train-labels-idx1-ubyte", given.train_labels),
        ("t10k-images-idx3-ubyte", given.test),
        ("t10k-labels-idx1-ubyte", given.test_labels),
    ):
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx_file(array)))
    return {}


def npz(folder: Path, given: Images) -> dict[str, Any]:
    names = {"x_train": given.train, "y_train": given.train_labels, "x_test": given.test, "y_test": given.test_labels}
    np.savez(folder / "mine.npz", **names)
    return {}


def medmnist(folder: Path, given: Images) -> dict[str, Any]:
    arrays = {"train_images": given.train, "train_labels": given.train_labels[:, None]}
    arrays |= {"test_images": given.test, "test_labels": given.test_labels[:, None]}
    np.savez_compressed(folder / "mine.npz", **arrays)
    return {}


def npy(folder: Path, given: Images) -> dict[str, Any]:
    for name, array in given._asdict().items():
        np.save(folder / f"{name}.npy", array)
    files = {"train_images": "train.npy", "test_images": "test.npy"}
    return {"files": files | {name: f"{name}.npy" for name in ("train_labels", "test_labels")}}


def csv(folder: Path, given: Images) -> dict[str, Any]:
    import pandas

    for split, pixels, labels in (
        ("train", given.train, given.train_labels),
        ("test", given.test, given.test_labels),
    ):
        rows = pixels.reshape(len(pixels), math.prod(pixels.shape[1:]))
        table = pandas.DataFrame(rows, columns=[f"pixel{number}" for number in range(rows.shape[1])])
        table.insert(0, "label", labels)
        table.to_csv(folder / f"mnist_{split}.csv", index=False)
    return {}


def csv_of_names(folder: Path, given: Images) -> dict[str, Any]:
    """Without a header, with class names, and with a validation split's worth of quotes."""
    for split, pixels, labels in (
        ("train", given.train, given.train_labels),
        ("test", given.test, given.test_labels),
    ):
        rows = zip(labels, pixels.reshape(len(pixels), math.prod(pixels.shape[1:])), strict=True)
        lines = [",".join([f'"{CLASSES[label]}"', *map(str, row)]) for label, row in rows]
        (folder / f"{split}.csv").write_text("\r\n".join(lines), encoding="utf-8")
    return {}


def parquet(folder: Path, given: Images) -> dict[str, Any]:
    os.environ |= {"HF_HOME": str(folder.parent / "huggingface"), "HF_HUB_OFFLINE": "1"}
    import datasets

    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)})
    (folder / "data").mkdir()
    half = len(given.train) // 2
    for name, pixels, labels in (
        ("train-00000-of-00002", given.train[:half], given.train_labels[:half]),
        ("train-00001-of-00002", given.train[half:], given.train_labels[half:]),
        ("test-00000-of-00001", given.test, given.test_labels),
    ):
        columns = {"image": list(map(Image.fromarray, pixels)), "label": labels}
        datasets.Dataset.from_dict(columns, features=features).to_parquet(folder / "data" / f"{name}.parquet")
    return {}


def cifar(folder: Path, given: Images) -> dict[str, Any]:
    """Three training batches, which the archive has in another order, as CIFAR-10's has."""
    files = {"batches.meta.txt": "".join(f"{name}\n" for name in CLASSES).encode() + b"\n"}
    third = len(given.train) // 3
    for name, first, last in (
        ("data_batch_3", 2, 3),
        ("test_batch", 0, 0),
        ("data_batch_1", 0, 1),
        ("data_batch_2", 1, 2),
    ):
        pixels, labels = given.train[first * third : last * third], given.train_labels[first * third : last * third]
        if not last:
            pixels, labels = given.test, given.test_labels
        planes = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), math.prod(pixels.shape[1:]))
        files[f"{name}.bin"] = np.concatenate([labels[:, None].astype(np.uint8), planes], axis=1).tobytes()
    members = {f"cifar-10-batches-bin/{name}": data for name, data in files.items()}
    (folder / "cifar-10-binary.tar.gz").write_bytes(tarred(members, "w:gz"))
    return {}


class Layout(NamedTuple):
    """How a layout is made, the format in its card, and the shapes of images that it can have."""

    make: Callable[[Path, Images], dict[str, Any]]
    format: str
    shapes: tuple[tuple[int, ...], ...] = ((28, 28), (32, 32, 3))


GREY, COLOUR = (28, 28), (32, 32, 3)
LAYOUTS = {
    "idx": Layout(idx, "idx", (GREY,)),
    "npz": Layout(npz, "npz"),
    "medmnist": Layout(medmnist, "npz"),
    "npy": Layout(npy, "npz"),
    "csv": Layout(csv, "csv"),
    "csv_of_names": Layout(csv_of_names, "csv"),
    "parquet": Layout(parquet, "parquet"),
    "cifar": Layout(cifar, "cifar", (COLOUR,)),
}


def write(layout: str, place: Path, given: Images) -> list[str]:
    """Write sources/mine and datasets/mine.yaml below `place`; return the arguments of the stage download."""
    (place / "sources/mine").mkdir(parents=True)
    (place / "datasets").mkdir()
    card = {"title": "Mine", "description": "noise", "licence": "none", "classes": CLASSES}
    card |= {"format": LAYOUTS[layout].format, **LAYOUTS[layout].make(place / "sources/mine", given)}
    (place / "datasets/mine.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return ["datasets/mine.yaml", "sources/mine"]
