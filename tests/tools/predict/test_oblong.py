"""Pictures of 4 rows and 6 columns through the whole tool, by three networks that see in which row most light is."""

import json

import numpy as np
import pytest
from PIL import Image

from core.files import arrays, atomic
from core.networks import models
from core.networks.runtime import keras
from stages.evaluate import familiarity
from stages.evaluate.framing import Framing
from tests.tools.predict.test_predict import run_with
from tools.predict import classify, run

CLASSES = ["first", "second", "third", "last"]
STRENGTHS = (-1, 4, 2)


def network(strength):
    """Softmax of strength times the sum of each row; the pixels are the features."""
    layers = [keras.layers.Flatten(name="flatten"), keras.layers.Dense(4, use_bias=False, name="logits")]
    model = keras.Sequential([keras.Input((4, 6), name="images"), *layers], name="rows")
    model.set_weights([strength * np.repeat(np.eye(4), 6, axis=0)])
    return models.with_probabilities(model)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Read from files. The nearest training image is black, the other one far away; thresholds of 1/2, 4 and 8."""
    references = np.stack([np.zeros((3, 24), np.float32), np.full((3, 24), 9, np.float32)], axis=1)
    thresholds = np.float32([0.5, 4, 8])
    like = Framing(
        background=0,
        subject=255,
        plain=True,
        extent=0.5,
        centring="box",
        centre=[0.5, 0.5],
        limits={"lightest": [255, 255]},
    )
    typical = familiarity.Familiarity(references, thresholds, like)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("workspace"))
        digests = models.write(classify.MODEL, list(map(network, STRENGTHS)))
        atomic.write_json(classify.TRAINING, {"networks": digests, "classes": CLASSES, "image_shape": [4, 6]})
        atomic.write_json(classify.CLASSES, CLASSES)
        familiarity.write(classify.FAMILIARITY, typical)
        return classify.load()


@pytest.fixture
def predict(project, ensemble, monkeypatch, capsys):
    """A function that runs the tool and returns what it prints as JSON, and the images that the networks were given."""
    monkeypatch.setattr(classify, "load", lambda: ensemble)

    def predict(*given):
        run_with(*given, "--format", "json", "--show-input", "fed")
        fed = [np.asarray(Image.open(path)) for path in sorted((project / "fed").iterdir())]
        return json.loads(capsys.readouterr().out), fed

    return predict


def test_probabilities_agreement_and_distance_are_means_over_the_networks_worked_by_hand(ensemble):
    """Half light in one pixel of row 2, and full light in one of row 0."""
    images = np.zeros((2, 4, 6), np.float32)
    images[0, 2, 5], images[1, 0, 1] = 0.5, 1

    probabilities, agreement, distances = classify.classify(ensemble, images)

    for found, row, light in zip(probabilities, (2, 0), (0.5, 1), strict=True):
        exponentials = np.exp(np.outer(STRENGTHS, light * np.eye(4)[row]))
        expected = (exponentials / exponentials.sum(axis=1, keepdims=True)).mean(axis=0)
        assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert agreement.tolist() == [2, 2]
    # One pixel of light x is a feature of x over its root; in units of the thresholds 2, 1/4 and 1/8 of that.
    assert distances.tolist() == pytest.approx([np.sqrt(0.5) * 2.375 / 3, 2.375 / 3], rel=1e-6)


def test_test_images_are_given_to_the_networks_as_they_are(predict):
    tests = np.arange(5 * 24, dtype=np.float32).reshape(5, 4, 6) / 255
    arrays.write(run.TEST, tests)

    found, fed = predict("test:3", "test:1")

    assert [each["file"] for each in found] == ["test:3", "test:1"]
    assert [each.tolist() for each in fed] == np.rint(tests[[3, 1]] * 255).tolist()


def test_a_picture_becomes_as_high_and_as_wide_as_the_networks_take(predict, project):
    """A bar of 30x10 pixels on 90x70; subjects take up half of an image, 2 rows of 3 columns: it becomes 3x1."""
    page = np.zeros((70, 90), np.uint8)
    page[50:60, 20:50] = 255
    Image.fromarray(page).save(project / "bar.png")

    _, (fed,) = predict("bar.png")

    assert fed.shape == (4, 6)
    rows, columns = np.nonzero(fed > 127)
    assert (len(set(rows)), len(set(columns))) == (1, 3)


def test_a_data_set_of_a_folder_may_have_such_pictures(predict, project):
    entry = {"title": "t", "description": "d", "licence": "l", "image_shape": [4, 6], "source": "images", "folder": "o"}
    (project / "datasets.yaml").write_text(json.dumps({"own": entry}), encoding="utf-8")
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("name: fashion_mnist", "name: own"), encoding="utf-8")
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(values).save(project / "a.png")

    assert predict("a.png")[1][0].tolist() == values.tolist()
