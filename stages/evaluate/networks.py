"""From the files that training left to networks, trusting none of their bytes.

A file is taken only if training recorded its SHA-256. Even then nothing in it is run, imported, followed or unpacked: a
network is built from plain values of its config.json (`stages.evaluate.architecture`) and saved, and the file must be
the one so saved, byte for byte, but for the weights, which are copied. So whatever no network of ours has is refused
without anyone looking for it, be it a layer that runs code, one member more, a link or a compressed array; and neither
Keras' deserialization nor HDF5 ever sees the file.
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from core.cli.errors import MEND, DataError, Problem
from core.files import records
from core.files import training as trainings
from core.files.training import Training
from core.networks import models
from core.networks.runtime import keras
from stages.evaluate import architecture

CONFIG, METADATA, WEIGHTS = MEMBERS = ("config.json", "metadata.json", "model.weights.h5")
LARGEST = 2**31  # bytes of a file, more than of any network that params.yaml can ask for

Shape = tuple[int, int]


def read(folder: Path, training: Path, classes: Sequence[str], image_shape: Shape) -> list[keras.Model]:
    """Return the networks of a folder, replicate 0 first.

    Raises DataError, with all that is wrong, unless they are those that `training` has a card of, made for these
    classes and images, each of them whole and its weights finite.
    """
    card = trainings.read(training)
    paths = [folder / f"{replicate}.keras" for replicate in range(len(card.networks))]
    _raise([*_purpose(training, card, list(classes), list(image_shape)), *_listing(folder, paths)])
    networks: list[keras.Model] = []
    problems: list[Problem] = []
    for path, digest in zip(paths, card.networks, strict=True):
        try:
            networks.append(_network(path, _recorded(path, digest), image_shape))
        except DataError as error:
            problems += error.problems
    _raise(problems)
    return networks


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise DataError(*problems)


def _purpose(training: Path, card: Training, classes: list[str], image_shape: list[int]) -> Iterator[Problem]:
    for what, expected, got in (("classes", classes, card.classes), ("images", image_shape, card.image_shape)):
        if expected != got:
            what = f"networks made for other {what}"
            yield Problem(str(training), what, expected=f"{expected!s:.200}", got=f"{got!s:.200}", fix=MEND)


def _listing(folder: Path, paths: list[Path]) -> Iterator[Problem]:
    there = {path for path in folder.glob("*") if path.is_file()}
    for path in sorted(there ^ set(paths)):
        facts = ("not recorded", "none", "a file") if path in there else ("missing", "a file", "none")
        yield from _damaged(path, *facts).problems


def _recorded(path: Path, digest: str) -> bytes:
    """Return the bytes of a file. Raises DataError unless they are those that training recorded."""
    if (size := path.stat().st_size) > LARGEST:
        raise _damaged(path, "larger than any network", f"at most {LARGEST} bytes", str(size))
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise _damaged(path, "not the file that training left", f"SHA-256 {digest}", found)
    return content


def _network(path: Path, content: bytes, image_shape: Shape) -> keras.Model:
    """Return the network of a `.keras` file. Raises DataError unless Keras would save that network as that file."""
    members = _members(path, content)
    description = members[CONFIG], image_shape, len(members[WEIGHTS])
    try:
        ours = _saved(*description)
    except ValueError as error:  # Keras' constructors of layers raise it too
        got = records.reason(error)
        raise _damaged(f"{path}: {CONFIG}", "not one of our networks", "layers of ours alone", f"{got:.200}") from error
    _check_structure(path, members, ours)
    network = architecture.rebuild(*description)
    weights = [np.frombuffer(members[WEIGHTS][place], "<f4") for place in ours.places]
    for variable, weight in zip(network.weights, weights, strict=True):
        if not np.isfinite(weight).all():
            raise _damaged(f"{path}: {variable.path}", "weights that are no numbers", "finite ones", "NaN or infinity")
        variable.assign(weight.reshape(variable.shape))
    return network


def _members(path: Path, content: bytes) -> dict[str, bytes]:
    """Return what is in an archive. Raises DataError unless it is one that `models.archive` makes of three members.

    None of them is compressed, so all together they are no larger than the archive; nothing is unpacked to a path.
    """
    expected = "a zip archive of " + ", ".join(MEMBERS)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = archive.infolist()
            names = [member.filename for member in listed]
            if names != list(MEMBERS):
                raise _damaged(path, "other members than a network has", expected, f"{', '.join(names):.200}")
            if any(member.compress_type != zipfile.ZIP_STORED for member in listed):
                raise _damaged(path, "compressed, as no network is saved", expected, "compressed members")
            members = {name: archive.read(name) for name in names}
    except (ValueError, OSError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile) as error:
        raise _damaged(path, "not a .keras file", expected, f"{error!s:.200}") from error
    if models.archive(members) != content:
        raise _damaged(path, "more in the archive than its members", expected, "other bytes")
    return members


class _Saved(NamedTuple):
    """What Keras saves of a network: the members of the archive; in model.weights.h5, the place of each weight."""

    members: dict[str, bytes]
    places: list[slice]


@lru_cache(maxsize=1)  # all replicates have the same layers
def _saved(config: bytes, image_shape: Shape, size: int) -> _Saved:
    """Save a network that has the layers of this config.json, and find out where each of its weights comes to stand."""
    network = architecture.rebuild(config, image_shape, size)
    for number, variable in enumerate(network.weights):
        variable.assign(np.full(variable.shape, number))
    with zipfile.ZipFile(io.BytesIO(models.saved(network))) as archive:
        members = {name: archive.read(name) for name in MEMBERS}
    places: dict[int, slice] = {}

    def note(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            start = item.id.get_offset()
            places[int(item[()].flat[0])] = slice(start, start + item.nbytes)

    with h5py.File(io.BytesIO(members[WEIGHTS])) as file:
        file.visititems(note)
    return _Saved(members, [places[number] for number in range(len(network.weights))])


def _check_structure(path: Path, members: Mapping[str, bytes], ours: _Saved) -> None:
    """Raise DataError unless the members are those that Keras saves, the weights' numbers apart."""
    for name in MEMBERS:
        place = _difference(members[name], ours.members[name], ours.places if name == WEIGHTS else [])
        if place is not None:
            around = slice(max(place - 20, 0), place + 20)
            expected, got = (f"{each[name][around]!r} about byte {place}" for each in (ours.members, members))
            raise _damaged(f"{path}: {name}", "not what Keras saves of these layers", expected, got)


def _difference(content: bytes, ours: bytes, but: Sequence[slice]) -> int | None:
    """Return the first byte, some places apart, in which a member differs from the one that Keras saved, or None."""
    length = min(len(content), len(ours))
    differs = np.frombuffer(content, np.uint8, length) != np.frombuffer(ours, np.uint8, length)
    for place in but:
        differs[place] = False
    if differs.any():
        return int(differs.argmax())
    return length if len(content) != len(ours) else None


def _damaged(subject: object, what: str, expected: str, got: str) -> DataError:
    return DataError(Problem(str(subject), what, expected=expected, got=got, fix=MEND))
