"""Networks are saved to equal bytes, and read back without running anything that a file says."""

import base64
import hashlib
import io
import json
import marshal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.cli.errors import DataError
from core.config.params import Train
from core.files import training as trainings
from core.files.training import Training
from core.networks import architectures, models
from core.networks.runtime import keras
from tests.conftest import ROOT
from tests.stages.train.plain import settings

CLASSES, SHAPE = ["Coat", "Dress", "Bag"], (12, 10)
IMAGES = np.random.default_rng(1).uniform(size=(7, *SHAPE)).astype(np.float32)
DROPOUT = settings(hidden_units=[5, 4], dropout=0.25)


def build(chosen: Train = DROPOUT, seed: int = 0, shape: architectures.Shape = SHAPE) -> keras.Model:
    """Return a network of probabilities, whose weights are all different, and none at its initial value."""
    keras.utils.set_random_seed(seed)
    model = architectures.build(shape, len(CLASSES), chosen)
    random = np.random.default_rng(seed)
    model.set_weights([w * random.uniform(0.5, 1) + random.uniform(0.001, 0.002, w.shape) for w in model.get_weights()])
    return models.with_probabilities(model)


def record(digests: list[str], chosen: Train = DROPOUT, **changes: object) -> None:
    facts = {"classes": CLASSES, "image_shape": list(SHAPE), "parameters": 1, "untrained_loss": 2.3, "versions": {}}
    trainings.write(Path("training.json"), Training(networks=digests, settings=chosen, **facts | changes))


def read(shape: architectures.Shape = SHAPE) -> list[keras.Model]:
    return models.read(Path("model"), Path("training.json"), CLASSES, shape)


def refusal() -> str:
    with pytest.raises(DataError) as caught:
        read()
    return str(caught.value)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def trained(folder) -> list[str]:
    """Two networks on disk and on record; their digests."""
    digests = models.write(Path("model"), [build(seed=seed) for seed in range(2)])
    record(digests)
    return digests


def test_two_saves_of_a_network_give_equal_bytes(tmp_path):
    """The time of saving, the addresses in memory and the order of the members differ between two saves."""
    build().save(tmp_path / "model.keras")
    saved, changed = (tmp_path / "model.keras").read_bytes(), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in reversed(source.namelist()):
            content = source.read(name)
            if name == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": "2031-05-06@07:08:09"}).encode()
            if name == "config.json":
                content = content.replace(
                    b'"registered_name": null}', b'"registered_name": null, "shared_object_id": 7}'
                )
            target.writestr(zipfile.ZipInfo(name, (2031, 5, 6, 7, 8, 8)), content)

    assert changed.getvalue().count(b"shared_object_id") > saved.count(b"shared_object_id") > 0
    assert models.canonical(changed.getvalue()) == models.canonical(saved)


@pytest.mark.slow
def test_another_process_loads_a_network_without_our_code():
    models.write(Path("model"), [build()])
    np.save("images.npy", IMAGES)
    code = "import keras, numpy; m = keras.models.load_model('model/0.keras'); "
    code += "numpy.save('predicted.npy', m.predict(numpy.load('images.npy'), verbose=0))"

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    kernel, bias, kernel_2, bias_2, out, out_bias = build().get_weights()
    hidden = np.maximum(np.maximum(IMAGES.reshape(7, -1) @ kernel + bias, 0) @ kernel_2 + bias_2, 0)
    exponentials = np.exp(hidden @ out + out_bias)
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.load("predicted.npy"), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 3)], ids=["grey", "colour"])
@pytest.mark.parametrize("network", architectures.NETWORKS)
def test_a_network_that_is_read_predicts_the_same_bytes_as_the_network_that_was_written(network, shape):
    chosen = settings(network=network, hidden_units=[5, 4], dropout=0.25)
    written = build(chosen, shape=shape)
    record(models.write(Path("model"), [written]), chosen, image_shape=list(shape))
    images = np.random.default_rng(1).uniform(size=(7, *shape)).astype(np.float32)

    (found,) = read(shape)

    expected = np.asarray(written(images, training=False))
    assert np.unique(expected).size == expected.size
    assert np.asarray(found(images, training=False)).tobytes() == expected.tobytes()
    assert models.saved(found) == Path("model/0.keras").read_bytes()


def test_replicates_are_read_in_the_order_of_their_numbers():
    networks = [build() for _ in range(11)]
    for number, network in enumerate(networks):
        network.set_weights([np.full_like(weights, number) for weights in network.get_weights()])
    record(models.write(Path("model"), networks))

    assert [network.get_weights()[0][0, 0] for network in read()] == list(range(11))


@pytest.mark.fault("networks of other classes or images, or in another order")
def test_a_file_that_training_did_not_write_is_not_opened(trained, monkeypatch):
    """A changed byte, two networks in another order, a network too few."""
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: pytest.fail("opened"))
    first, second = Path("model/0.keras"), Path("model/1.keras")
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    assert refusal().startswith(f"model/1.keras: not the file that training wrote (expected SHA-256 {trained[1]}, got ")
    second.write_bytes(first.read_bytes())
    assert refusal().startswith(f"model/1.keras: not the file that training wrote (expected SHA-256 {trained[1]}, got ")
    second.unlink()
    assert refusal() == (
        f"model/1.keras: not the file that training wrote (expected SHA-256 {trained[1]}, got no file); "
        "fix: python -m tools.verify, then the command that it prints; if it prints none, dvc repro"
    )


@pytest.mark.fault("networks of other classes or images, or in another order")
def test_networks_that_were_trained_on_other_data_are_refused(trained):
    what = (
        "training.json: the networks were trained on another data set (expected [12, 10, 'Coat', 'Dress', 'Bag'], got"
    )
    record(trained, classes=["Coat", "Bag", "Dress"])
    assert refusal().startswith(f"{what} [12, 10, 'Coat', 'Bag', 'Dress']); fix: python -m tools.verify")
    record(trained, image_shape=[10, 12])
    assert refusal().startswith(f"{what} [10, 12, 'Coat', 'Dress', 'Bag']); fix: python -m tools.verify")
    record(trained, image_shape=[12, 10, 3])
    assert refusal().startswith(f"{what} [12, 10, 3, 'Coat', 'Dress', 'Bag']); fix: python -m tools.verify")


@pytest.mark.parametrize("layer", ["activation", "stride", "name", None])
def test_a_network_whose_code_changed_after_training_is_refused(layer, monkeypatch):
    """Keras would load the weights without a word, and predict something else."""

    def net(images: tuple[int, int], classes: int, chosen: Train, activation="relu", stride=2, name="last"):
        kinds, padding = keras.layers, {"padding": "same", "strides": stride}
        layers = [keras.Input(images, name="images"), kinds.Reshape((*images, 1), name="channel")]
        layers += [kinds.Conv2D(2, 3, activation=activation, name="convolution", **padding)]
        layers += [kinds.GlobalAveragePooling2D(name=name), kinds.Dense(classes, name="logits")]
        return keras.Sequential(layers, name="net")

    chosen = settings(network="net")
    monkeypatch.setitem(architectures.NETWORKS, "net", architectures.Network(net, xla=False))
    record(models.write(Path("model"), [build(chosen)]), chosen)
    read()
    if layer is None:
        monkeypatch.delitem(architectures.NETWORKS, "net")
    else:
        other = {"activation": "gelu", "stride": 1, "name": "mean"}[layer]
        changed = architectures.Network(lambda *given: net(*given, **{layer: other}), xla=False)
        monkeypatch.setitem(architectures.NETWORKS, "net", changed)

    assert refusal() == ("model/0.keras: the code of the network net has changed since it was trained; fix: dvc repro")


@pytest.mark.slow
@pytest.mark.fault("layers that run code, download, read files or load programs")
@pytest.mark.fault("Keras' protection switched off earlier in the process")
def test_code_in_a_file_is_not_run(trained):
    """Even if training.json recorded the file, and Keras' protection is off."""
    source = "lambda x: (__import__('pathlib').Path('canary').touch(), x[:, :5])[1]"
    code = base64.b64encode(marshal.dumps(eval(source).__code__)).decode()
    forms = {"value": [code, None, None], "code": code, "defaults": None, "closure": None}
    function = {"class_name": "__lambda__", "config": forms}
    with zipfile.ZipFile("model/0.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    layer = config["config"]["layers"][2]
    layer |= {"class_name": "Lambda", "config": {"name": "hidden_0", "function": function}}
    layer.pop("build_config")
    with zipfile.ZipFile("model/0.keras", "w") as archive:
        for name, content in (members | {"config.json": json.dumps(config).encode()}).items():
            archive.writestr(name, content)
    record([hashlib.sha256(Path("model/0.keras").read_bytes()).hexdigest(), trained[1]])
    attack = "import keras; keras.config.enable_unsafe_deserialization(); "
    keras_alone = "keras.models.load_model('model/0.keras')"
    ours = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path; "
        f"from core.networks import models; models.read(Path('model'), Path('training.json'), {CLASSES}, {SHAPE})"
    )

    ended = subprocess.run([sys.executable, "-c", attack + ours], capture_output=True, text=True, check=False)

    assert "DataError: model/0.keras: the code of the network dense has changed" in ended.stderr
    assert not Path("canary").exists()
    subprocess.run([sys.executable, "-c", attack + keras_alone], capture_output=True, check=False)
    assert Path("canary").exists(), "the file of this test attacks"
