"""The trained networks on disk: a folder with a `.keras` file for each replicate.

Equal networks are written to equal bytes. training.json records the SHA-256 of each file, and what the networks were
built from. The reader builds a network by our own function and takes only the weights from the file: nothing that a
file says is run.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from core.cli.errors import DataError, Problem
from core.files import atomic, records
from core.files import training as trainings
from core.files.training import Training
from core.networks import architectures
from core.networks.architectures import Shape
from core.networks.runtime import keras

# The earliest date that a zip file can hold. Keras writes the time of saving there, and in metadata.json.
EARLIEST = (1980, 1, 1, 0, 0, 0)
DATE_SAVED = "1980-01-01@00:00:00"


def write(folder: Path, models: Sequence[keras.Model]) -> list[str]:
    """Write replicate i as `<i>.keras`, which `keras.models.load_model` reads too. Return the SHA-256 of each file."""
    for earlier in folder.glob("*.keras"):  # of a killed run that ended after DVC had removed the outputs
        earlier.unlink()
    digests = []
    for replicate, model in enumerate(models):
        content = saved(model)
        atomic.write_bytes(folder / f"{replicate}.keras", content)
        digests.append(hashlib.sha256(content).hexdigest())
    return digests


def read(folder: Path, training: Path, classes: Sequence[str], image_shape: Shape) -> list[keras.Model]:
    """Return the networks of a folder, replicate 0 first; their outputs are probabilities, float32 (n, classes).

    training: the path of training.json. Raises DataError if training.json records other classes or another image shape,
    if a file is missing or is not the file that training wrote, or if the code of the network has changed since.
    """
    record = trainings.read(training)
    expected, got = [*image_shape, *classes], [*record.image_shape, *record.classes]
    if got != expected:
        what = "the networks were trained on another data set"
        raise records.damaged(training, what, f"{expected!s:.200}", f"{got!s:.200}")
    paths = [folder / f"{replicate}.keras" for replicate in range(len(record.networks))]
    for path, digest in zip(paths, record.networks, strict=True):
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        if found != digest:
            raise records.damaged(path, "not the file that training wrote", f"SHA-256 {digest}", found)
    return [_read(path, record) for path in paths]


def with_probabilities(logits: keras.Model) -> keras.Model:
    """Return a network of logits with a softmax behind it, as it is saved: its outputs are probabilities."""
    softmax = keras.layers.Softmax(name="probabilities")
    return keras.Model(logits.inputs[0], softmax(logits.outputs[0]), name=logits.name)


def saved(model: keras.Model) -> bytes:
    """Return the `.keras` file of a network; equal networks give equal bytes at each time and place."""
    with tempfile.TemporaryDirectory() as folder:  # Keras saves to a path only, and requires its suffix
        path = Path(folder) / "model.keras"
        model.save(path)
        return canonical(path.read_bytes())


def canonical(content: bytes) -> bytes:
    """Return a `.keras` file without the differences between two saves of one network.

    These are the order and dates of the members, `date_saved` in metadata.json, and each `shared_object_id` in
    config.json, which is an address in memory.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    metadata, config = json.loads(members["metadata.json"]), json.loads(members["config.json"])
    members["metadata.json"] = json.dumps(metadata | {"date_saved": DATE_SAVED}).encode()
    members["config.json"] = json.dumps(_without_addresses(config)).encode()
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(members):
            target.writestr(zipfile.ZipInfo(name, EARLIEST), members[name])
    return output.getvalue()


def _read(path: Path, record: Training) -> keras.Model:
    """Return the network of a file whose SHA-256 has been checked."""
    settings, shape = record.settings, tuple(record.image_shape)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    known = settings.network in architectures.NETWORKS
    model = with_probabilities(architectures.build(shape, len(record.classes), settings)) if known else None
    # With another activation or stride, `load_weights` would load without a word, and the network predict otherwise.
    if model is None or json.loads(json.dumps(keras.saving.serialize_keras_object(model))) != config:
        what = f"the code of the network {settings.network} has changed since it was trained"
        raise DataError(Problem(str(path), what, fix="dvc repro"))
    model.load_weights(path)
    return model


def _without_addresses(node: object) -> object:
    if isinstance(node, list):
        return [_without_addresses(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_addresses(value) for key, value in node.items() if key != "shared_object_id"}
