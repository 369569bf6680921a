"""The trained networks on disk: a folder with a `.keras` file for each replicate, equal networks in equal bytes."""

import io
import json
import tempfile
import zipfile
from pathlib import Path

from stages import atomic
from stages.command import DataError, Problem
from stages.runtime import keras

# The earliest date that a zip file can hold. Keras writes the time of saving, there and in metadata.json.
EARLIEST = (1980, 1, 1, 0, 0, 0)
DATE_SAVED = "1980-01-01@00:00:00"


def write(folder: Path, models: list[keras.Model]) -> None:
    """Write replicate i as `<i>.keras`, which any Keras loads with `keras.models.load_model`."""
    for replicate, model in enumerate(models):
        atomic.write_bytes(folder / f"{replicate}.keras", canonical(_saved(model)))


def read(folder: Path) -> list[keras.Model]:
    """Return the networks of a folder, replicate 0 first. Raises DataError where there are none, or one is damaged."""
    paths = sorted(folder.glob("*.keras"), key=lambda path: (len(path.name), path.name))
    if not paths:
        raise _damaged(folder, "no networks in this folder", "0.keras", "none")
    return [_read(path) for path in paths]


def canonical(saved: bytes) -> bytes:
    """Return the bytes of a `.keras` file without what differs between two saves of one network.

    That is: order and dates of the members, `date_saved` in metadata.json, and in config.json each `shared_object_id`,
    an address in memory; these are numbered in order of appearance.
    """
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as source, zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": DATE_SAVED}).encode()
            elif name == "config.json":
                numbers: dict[int, int] = {}
                content = json.dumps(_renumbered(json.loads(content), numbers)).encode()
            target.writestr(zipfile.ZipInfo(name, EARLIEST), content)
    return output.getvalue()


def _renumbered(node: object, numbers: dict[int, int]) -> object:
    if isinstance(node, list):
        return [_renumbered(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else _renumbered(value, numbers)
        for key, value in node.items()
    }


def _saved(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:  # Keras saves to a path alone, and insists on its suffix
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def _read(path: Path) -> keras.Model:
    if not zipfile.is_zipfile(path):
        raise _damaged(path, "not a .keras file", "a zip archive", "something else")
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise _damaged(
            path, "can't be loaded", "a network saved by Keras", str(error).strip().split("\n")[0]
        ) from error


def _damaged(path: Path, what: str, expected: str, got: str) -> DataError:
    return DataError(
        Problem(str(path), what, "dvc checkout --force, or dvc repro --single-item --force train", expected, got)
    )
