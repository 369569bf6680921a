import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.cli.errors import DataError
from core.files import atomic
from core.networks import models
from core.networks.runtime import cores, keras


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [keras.Input((2, 2), name="images"), keras.layers.Flatten(name="flatten"), keras.layers.Dense(3, name="d")]
    return keras.Sequential(layers, name="small")


def test_what_differs_between_two_saves_is_taken_out(model, tmp_path):
    """Another time of saving, other addresses in memory, another order of the members: one canonical file."""
    model.save(tmp_path / "model.keras")
    saved = (tmp_path / "model.keras").read_bytes()
    other = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as source, zipfile.ZipFile(other, "w") as target:
        for name in reversed(source.namelist()):
            content = source.read(name).decode("latin-1")
            if name == "metadata.json":
                content = json.dumps(json.loads(content) | {"date_saved": "2031-05-06@07:08:09"})
            if name == "config.json":
                content = content.replace('"registered_name": null}', '"registered_name": null, "shared_object_id": 7}')
            target.writestr(zipfile.ZipInfo(name, (2031, 5, 6, 7, 8, 8)), content.encode("latin-1"))

    assert other.getvalue() != saved
    assert other.getvalue().count(b"shared_object_id") > saved.count(b"shared_object_id") > 0
    assert models.canonical(other.getvalue()) == models.canonical(saved)


def test_another_process_without_our_code_loads_what_was_written(model, tmp_path):
    images = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 2, 2)
    models.write(tmp_path / "model", [model])
    np.save(tmp_path / "images.npy", images)
    script = (
        "import keras, numpy as np\n"
        "model = keras.models.load_model('model/0.keras')\n"
        "np.save('predicted.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )

    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True)

    kernel, bias = model.get_weights()
    np.testing.assert_allclose(np.load(tmp_path / "predicted.npy"), images.reshape(2, 4) @ kernel + bias, atol=1e-6)


def test_each_replicate_is_a_file_whose_digest_is_returned(model, tmp_path):
    networks = [keras.models.clone_model(model) for _ in range(11)]
    for number, network in enumerate(networks):
        network.set_weights([np.full((4, 3), number), np.zeros(3)])

    digests = models.write(tmp_path, networks)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{number}.keras" for number in range(11))
    files = [tmp_path / f"{number}.keras" for number in range(11)]
    assert digests == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert [int(keras.models.load_model(file).get_weights()[0][0, 0]) for file in files] == list(range(11))


CARD = {"networks": ["0a" * 32, "ff" * 32], "classes": ["Coat", "Bag"], "image_shape": [28, 20]}


def test_the_card_is_read_among_other_figures(tmp_path):
    atomic.write_json(tmp_path / "training.json", CARD | {"epochs": 10, "untrained_loss": 2.3})

    assert models.read_card(tmp_path / "training.json").model_dump() == CARD


def test_no_card_or_half_a_card_is_refused(tmp_path):
    path = tmp_path / "training.json"
    changes = [
        {"networks": []},
        {"networks": ["0A" * 32]},
        {"networks": ["0a" * 32 + "\n"]},
        {"networks": "0a" * 32},
        {"classes": "Coat"},
        {"classes": [1, 2]},
        {"image_shape": [28]},
        {"image_shape": [28, 0]},
        {"image_shape": [28, 28.0]},
        {"image_shape": [28, True]},
        {"untrained_loss": float("nan")},  # of another reader; but a file is whole or it is not
    ]
    texts = [json.dumps(CARD | change) for change in changes]
    texts += [json.dumps({key: CARD[key] for key in CARD if key != missing}) for missing in CARD]
    for text in [*texts, "", "<html>", "[" * 100_000, "[]", "null", '{"networks": NaN}', "\ud800"]:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))

        with pytest.raises(DataError) as caught:
            models.read_card(path)

        for problem in caught.value.problems:
            assert str(problem).startswith(str(path)) and len(str(problem)) < 500
            assert (
                problem.fix
                == "python -m tools.verify, which names the command that mends it; if it names none, dvc repro"
            )


def test_all_that_is_wrong_with_a_card_is_told(tmp_path):
    atomic.write_json(tmp_path / "training.json", {"networks": [], "classes": "Coat", "image_shape": [28, 0]})

    with pytest.raises(DataError) as caught:
        models.read_card(tmp_path / "training.json")

    keys = [problem.subject.rpartition(": ")[2] for problem in caught.value.problems]
    assert keys == ["networks", "classes", "image_shape.1"]


@pytest.mark.fault("settings of the user: keras.json, KERAS_*, TF_*, XLA_*")
def test_the_machine_has_no_say(tmp_path: Path):
    """A foreign keras.json, backend and threads change nothing; nothing is printed on the way."""
    (tmp_path / ".keras").mkdir()
    foreign = {"floatx": "float16", "epsilon": 0.1, "backend": "torch", "image_data_format": "channels_first"}
    (tmp_path / ".keras/keras.json").write_text(json.dumps(foreign), encoding="utf-8")
    script = (
        "from core.networks.runtime import keras, tf\n"
        "threads = tf.config.threading\n"
        "config = keras.config\n"
        "print(config.backend(), config.floatx(), config.epsilon(), config.image_data_format(),"
        " threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads())\n"
    )
    environment = {"PATH": "", "HOME": str(tmp_path), "KERAS_BACKEND": "torch", "TF_NUM_INTRAOP_THREADS": "3"}

    completed = subprocess.run(
        [sys.executable, "-c", script],
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert completed.stdout == f"tensorflow float32 1e-07 channels_last 1 {2 * cores()}\n"
    assert completed.stderr == ""
    assert [path.name for path in (tmp_path / ".keras").iterdir()] == ["keras.json"]
