import hashlib
import json
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from core.cli.errors import DataError
from core.config.params import Train
from core.files import atomic
from core.networks import models
from core.networks.architectures import NETWORKS
from core.networks.runtime import keras
from stages.evaluate import networks

CLASSES = ["Coat", "Dress", "Bag"]
SHAPE = (12, 10)
FIX = "; fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"


def build(network: str = "dense", *, dropout: float = 0.25, seed: int = 0) -> keras.Model:
    """One of our networks, with weights such as come of training: no two of them equal, none at its initial value."""
    keras.utils.set_random_seed(seed)
    model = NETWORKS[network].build(SHAPE, len(CLASSES), hidden_units=[5, 4], dropout=dropout)
    random = np.random.default_rng(seed)
    initial = model.get_weights()
    model.set_weights([each * random.uniform(0.5, 1) + random.uniform(0.001, 0.002, each.shape) for each in initial])
    return models.with_probabilities(model)


def record(digests: list[str], **changes: object) -> Path:
    atomic.write_json(Path("training.json"), {"networks": digests, "classes": CLASSES, "image_shape": SHAPE} | changes)
    return Path("training.json")


def read() -> list[keras.Model]:
    return networks.read(Path("model"), Path("training.json"), CLASSES, SHAPE)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, list[str]]:
    """A folder with two networks, and their digests."""
    folder = tmp_path_factory.mktemp("model")
    return folder, models.write(folder, [build(seed=seed) for seed in range(2)])


@pytest.fixture
def trained(written, folder) -> list[str]:
    """The two networks on disk, and on record."""
    shutil.copytree(written[0], "model")
    record(written[1])
    return written[1]


@pytest.mark.parametrize("dropout", [0.0, 0.25])
@pytest.mark.parametrize("network", get_args(Train.model_fields["network"].annotation))
def test_a_network_read_gives_the_same_bytes_as_the_one_written_and_as_keras(network, dropout):
    written = build(network, dropout=dropout)
    record(models.write(Path("model"), [written]))
    images = np.random.default_rng(1).uniform(size=(7, *SHAPE)).astype(np.float32)

    (rebuilt,) = read()

    expected = np.asarray(written(images, training=False))
    assert np.unique(expected).size == expected.size
    assert np.asarray(rebuilt(images, training=False)).tobytes() == expected.tobytes()
    loaded = keras.models.load_model("model/0.keras")
    assert np.asarray(loaded(images, training=False)).tobytes() == expected.tobytes()
    assert models.saved(rebuilt) == Path("model/0.keras").read_bytes()


def test_replicates_are_read_in_the_order_of_their_numbers():
    model, contents = build(), []
    for number in range(11):
        model.set_weights([np.full_like(weight, number) for weight in model.get_weights()])
        contents += [models.saved(model)]
        atomic.write_bytes(Path(f"model/{number}.keras"), contents[-1])
    record([hashlib.sha256(content).hexdigest() for content in contents])

    assert [{*np.concatenate([w.ravel() for w in network.get_weights()])} for network in read()] == [
        {number} for number in range(11)
    ]


def test_one_changed_byte_is_one_too_many(trained):
    content = bytearray(Path("model/1.keras").read_bytes())
    content[len(content) // 2] ^= 1
    Path("model/1.keras").write_bytes(content)

    with pytest.raises(DataError) as caught:
        read()

    found = hashlib.sha256(content).hexdigest()
    what = "not the file that training left"
    assert str(caught.value) == f"model/1.keras: {what} (expected SHA-256 {trained[1]}, got {found}){FIX}"


def test_a_file_less_or_more_than_recorded_is_named(trained):
    Path("model/0.keras").rename("model/2.keras")
    Path("model/notes.txt").touch()

    with pytest.raises(DataError) as caught:
        read()

    assert str(caught.value).splitlines() == [
        f"model/0.keras: missing (expected a file, got none){FIX}",
        f"model/2.keras: not recorded (expected none, got a file){FIX}",
        f"model/notes.txt: not recorded (expected none, got a file){FIX}",
    ]


def test_a_folder_that_is_not_there_is_one_without_networks(trained):
    with pytest.raises(DataError, match=r"nowhere/0\.keras: missing"):
        networks.read(Path("nowhere"), Path("training.json"), CLASSES, SHAPE)


def test_networks_recorded_in_another_order_are_refused(trained):
    record(trained[::-1])

    with pytest.raises(DataError) as caught:
        read()

    assert [problem.subject for problem in caught.value.problems] == ["model/0.keras", "model/1.keras"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["Coat", "Bag", "Dress"]}, "other classes (expected ['Coat', 'Dress', 'Bag'], got ['Coat', 'Bag'"),
        ({"classes": CLASSES[:2]}, "other classes (expected ['Coat', 'Dress', 'Bag'], got ['Coat', 'Dress'])"),
        ({"image_shape": SHAPE[::-1]}, "other images (expected [12, 10], got [10, 12])"),
    ],
)
@pytest.mark.fault("networks of other classes or images, or in another order")
def test_networks_for_other_data_are_refused(trained, changes, message):
    record(trained, **changes)

    with pytest.raises(DataError) as caught:
        read()

    assert f"training.json: networks made for {message}" in str(caught.value)
    assert str(caught.value).endswith(
        "; fix: python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
    )


@pytest.mark.fault("weights or probabilities that are no numbers")
def test_weights_that_are_no_numbers_are_named_with_their_replicate(trained):
    spoilt = build()
    weights = spoilt.get_weights()
    weights[3][1] = np.nan
    weights[4][2, 0] = np.inf
    spoilt.set_weights(weights)
    (digest,) = models.write(Path("spoilt"), [spoilt])
    Path("spoilt/0.keras").replace("model/1.keras")
    record([trained[0], digest])

    with pytest.raises(DataError) as caught:
        read()

    what = "weights that are no numbers (expected finite ones, got NaN or infinity)"
    assert str(caught.value) == f"model/1.keras: dense/hidden_1/bias: {what}{FIX}"


def test_a_network_saved_by_another_keras_is_refused_by_its_version(trained):
    content = Path("model/0.keras").read_bytes()
    members = networks._members(Path("model/0.keras"), content)
    metadata = json.loads(members["metadata.json"]) | {"keras_version": "3.0.0"}
    content = models.archive(members | {"metadata.json": json.dumps(metadata).encode()})
    Path("model/0.keras").write_bytes(content)
    record([hashlib.sha256(content).hexdigest(), trained[1]])

    with pytest.raises(DataError) as caught:
        read()

    (problem,) = caught.value.problems
    assert problem.subject == "model/0.keras: metadata.json"
    assert f'"keras_version": "{keras.__version__}"'[:30] in problem.expected
    assert '"keras_version": "3.0.0"' in problem.got
