"""The trained networks on disk: a folder with a `.keras` file for each replicate, equal networks in equal bytes, whose
SHA-256 stands in training.json.

What reads them, and trusts none of their bytes, is `stages.evaluate.networks`.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from core.files import atomic
from core.networks.runtime import keras

# The earliest date that a zip file can hold. Keras writes the time of saving, there and in metadata.json.
EARLIEST = (1980, 1, 1, 0, 0, 0)
DATE_SAVED = "1980-01-01@00:00:00"


def write(folder: Path, models: list[keras.Model]) -> list[str]:
    """Write replicate i as `<i>.keras`, which any Keras loads with `keras.models.load_model`.

    Return the SHA-256 of each file.
    """
    digests = []
    for replicate, model in enumerate(models):
        content = saved(model)
        atomic.write_bytes(folder / f"{replicate}.keras", content)
        digests.append(hashlib.sha256(content).hexdigest())
    return digests


def with_probabilities(logits: keras.Sequential) -> keras.Model:
    """Return a network of logits as it is saved: with a softmax behind it, so that it gives probabilities."""
    softmax = keras.layers.Softmax(name="probabilities")
    return keras.Model(logits.inputs[0], softmax(logits.outputs[0]), name=logits.name)


def saved(model: keras.Model) -> bytes:
    """Return the `.keras` file of a network, the same at each time and place."""
    with tempfile.TemporaryDirectory() as folder:  # Keras saves to a path alone, and insists on its suffix
        path = Path(folder) / "model.keras"
        model.save(path)
        return canonical(path.read_bytes())


def canonical(content: bytes) -> bytes:
    """Return the bytes of a `.keras` file without what differs between two saves of one network.

    That is: order and dates of the members, `date_saved` in metadata.json, and in config.json each `shared_object_id`,
    an address in memory. All that layers of ours share is the type of their numbers, and which of them do depends on
    the thread that made them.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    metadata, config = json.loads(members["metadata.json"]), json.loads(members["config.json"])
    members["metadata.json"] = json.dumps(metadata | {"date_saved": DATE_SAVED}).encode()
    members["config.json"] = json.dumps(_without_addresses(config)).encode()
    return archive(members)


def archive(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive of these members, by name: stored as they are, in the order of their names, undated."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(members):
            target.writestr(zipfile.ZipInfo(name, EARLIEST), members[name])
    return output.getvalue()


def _without_addresses(node: object) -> object:
    if isinstance(node, list):
        return [_without_addresses(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_addresses(value) for key, value in node.items() if key != "shared_object_id"}
