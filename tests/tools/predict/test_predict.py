"""The tool as a whole, with networks made by hand: they see which of 4 rows of 6 pixels has most light."""

import csv
import json
import math
import os
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.cli.command import Parser
from core.cli.errors import InputError, StageError
from core.config import params
from core.files import arrays, class_names, training
from core.images import decoding, fitting
from core.networks import architectures, models
from core.networks.runtime import keras
from core.sources import datasets
from stages.evaluate import out_of_distribution
from tests.project import ROOT
from tools import pipeline
from tools.predict import __main__, classify
from tools.predict.formats import BLANK

SHAPE = [4, 6]
CLASSES = ["first", "second", "third", "last"]
STRENGTHS = (-1, 4, 2)


def rows(image_shape, classes, settings) -> keras.Model:
    layers = [keras.layers.Flatten(name="flatten"), keras.layers.Dense(classes, use_bias=False, name="logits")]
    return keras.Sequential([keras.Input(image_shape, name="images"), *layers], name="rows")


def network(strength: float, shape: list[int]) -> keras.Model:
    """Softmax of strength times the sum of each row; the pixels are the features."""
    model = rows(shape, len(CLASSES), None)
    model.set_weights([strength * np.repeat(np.eye(4), math.prod(shape[1:]), axis=0)])
    return models.with_probabilities(model)


def bar(row: int, value: int = 220) -> np.ndarray:
    image = np.zeros(SHAPE, np.uint8)
    image[row, 1:5] = value
    return image


TEST = [bar(row, value) for row in (1, 2) for value in range(200, 250, 5)]


def tinted(grey: np.ndarray) -> np.ndarray:
    return np.stack([grey, grey // 2, grey // 4], axis=-1)


def fill(folder: Path, networks: list[keras.Model], train: np.ndarray, test: np.ndarray) -> None:
    """Make a workspace of networks, with images of which they know the training images."""
    shape = list(train.shape[1:])
    changed = {"network": networks[0].name, "hidden_units": [4]}
    record = training.Training(
        versions={},
        parameters=96,
        untrained_loss=1.4,
        networks=models.write(folder / pipeline.path("model"), networks),
        classes=CLASSES,
        image_shape=shape,
        settings=params.load(ROOT / "params.yaml").train.model_copy(update=changed),
    )
    training.write(folder / pipeline.path("training.json"), record)
    class_names.write(folder / pipeline.path("classes.json"), CLASSES)
    reference = out_of_distribution.measure(networks, train / np.float32(255), batch_size=64)
    out_of_distribution.write(folder / pipeline.path("out_of_distribution"), reference)
    arrays.write(folder / pipeline.path("test") / "images.npy", test / np.float32(255))
    for name in ("params.yaml", "dvc.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    shutil.copytree(ROOT / "datasets", folder / "datasets")


def loaded(folder: Path) -> classify.Ensemble:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(architectures.NETWORKS, "rows", architectures.Network(rows, xla=True))
        return classify.load()


TRAIN = np.stack([bar(row, value) for row in (1, 2) for value in range(200, 250)])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """Two networks that agree and one that says the opposite. The training images have a bar in row 1 or 2."""
    folder = tmp_path_factory.mktemp("workspace")
    fill(folder, [network(strength, SHAPE) for strength in STRENGTHS], TRAIN, np.stack(TEST))
    return folder


@pytest.fixture(scope="module")
def ensemble(workspace):
    """The networks, read once for all tests."""
    return loaded(workspace)


@pytest.fixture
def predict(workspace, ensemble, monkeypatch, capsys):
    """A function that runs the tool in the workspace, and returns its output and its error."""
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(classify, "load", lambda: ensemble)

    def predict(*given):
        parser = Parser()
        __main__.declare(parser)
        failure = None
        try:
            __main__.main(**vars(parser.parse_args(list(map(str, given)))))
        except StageError as error:
            failure = error
        return capsys.readouterr().out, failure

    return predict


@pytest.fixture
def found(predict):
    """A function that runs the tool, and returns its results as objects."""

    def found(*given):
        out, failure = predict(*given, "--format", "json")
        assert failure is None
        return json.loads(out)

    return found


def inputs(folder) -> list[list[list[int]]]:
    """Return what --show-input has written, in order."""
    return [np.asarray(Image.open(path)).tolist() for path in sorted(Path(folder).iterdir())]


def test_probabilities_agreement_and_distance_are_means_over_the_networks_worked_by_hand(ensemble):
    """Half light in one pixel of row 2, and full light in one of row 0. The nearest training image is black."""
    references = np.stack([np.zeros((3, 24), np.float32), np.full((3, 24), 9, np.float32)], axis=1)
    reference = ensemble.reference._replace(features=references, thresholds=np.float32([0.5, 4, 8]))
    images = np.zeros((2, *SHAPE), np.float32)
    images[0, 2, 5], images[1, 0, 1] = 0.5, 1

    probabilities, votes, distances = classify.classify(ensemble._replace(reference=reference), images)

    for each, row, light in zip(probabilities, (2, 0), (0.5, 1), strict=True):
        exponentials = np.exp(np.outer(STRENGTHS, light * np.eye(4)[row]))
        expected = (exponentials / exponentials.sum(axis=1, keepdims=True)).mean(axis=0)
        assert each.tolist() == pytest.approx(expected, abs=1e-6)
    assert votes.tolist() == [[1, 0, 2, 0], [2, 1, 0, 0]]  # if classes are equal, a network predicts the first
    # One pixel of light x is a feature of x over its root; in units of the thresholds 2, 1/4 and 1/8 of that.
    assert distances.tolist() == pytest.approx([np.sqrt(0.5) * 2.375 / 3, 2.375 / 3], rel=1e-6)


@pytest.mark.fault("an answer that depends on the other pictures, or on the batch")
def test_mirrored_images_take_part_if_the_params_say_so(workspace, tmp_path):
    """As in `evaluate`: the mean of the probabilities of both sides. The features are those of the image as it is."""
    folder = Path(shutil.copytree(workspace, tmp_path / "mirrored"))
    uneven = network(1, SHAPE)
    uneven.set_weights([np.random.default_rng(0).normal(size=(24, 4))])
    record = folder / pipeline.path("training.json")
    digests = models.write(folder / pipeline.path("model"), [uneven] * len(STRENGTHS))
    training.write(record, training.read(record).model_copy(update={"networks": digests}))
    images = np.random.default_rng(1).uniform(size=(3, *SHAPE)).astype(np.float32)
    one_side, other_side = (
        classify.classify(loaded(folder), images),
        classify.classify(loaded(folder), images[:, :, ::-1]),
    )
    whole = (folder / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(whole.replace("mirrored: false", "mirrored: true"), encoding="utf-8")

    both = classify.classify(loaded(folder), images)

    np.testing.assert_allclose(both.probabilities, (one_side.probabilities + other_side.probabilities) / 2, atol=1e-6)
    np.testing.assert_array_equal(both.distances, one_side.distances)


def test_a_picture_has_the_same_result_alone_among_others_and_in_any_batch(found, workspace, monkeypatch):
    together = found(*(f"test:{number}" for number in range(20)))

    assert [each["class"] for each in together] == ["second"] * 10 + ["third"] * 10
    for number in (0, 7, 19):
        assert found(f"test:{number}") == [together[number]]
    whole = (workspace / "params.yaml").read_text(encoding="utf-8")
    batches, classified = [], classify.classify
    monkeypatch.setattr(classify, "classify", lambda *given: batches.append(len(given[1])) or classified(*given))
    try:
        (workspace / "params.yaml").write_text(whole.replace("batch_size: 1000", "batch_size: 3"), encoding="utf-8")
        assert found(*(f"test:{number}" for number in range(20))) == together
    finally:
        (workspace / "params.yaml").write_text(whole, encoding="utf-8")
    assert batches == [3] * 6 + [2]


@pytest.mark.fault("an answer that depends on the other pictures, or on the batch")
def test_a_network_of_real_size_gives_a_single_image_the_same_bytes(ensemble):
    """TensorFlow multiplies a single row in another way, and its last digits differ."""
    layers = [keras.layers.Flatten(), keras.layers.Dense(10, name="logits")]
    model = models.with_probabilities(keras.Sequential([keras.Input((28, 28), name="images"), *layers]))
    model.set_weights([np.random.default_rng(0).normal(size=(784, 10)), np.zeros(10)])
    reference = ensemble.reference._replace(features=np.zeros((1, 1, 784), np.float32), thresholds=np.float32([1]))
    large = classify.Ensemble([out_of_distribution.with_features(model)], list("0123456789"), (28, 28), reference)
    images = np.random.default_rng(1).random((9, 28, 28), np.float32)

    together = classify.classify(large, images).probabilities

    for image, expected in zip(images, together, strict=True):
        assert classify.classify(large, image[None]).probabilities.tobytes() == expected.tobytes()


@pytest.mark.fault("a picture that is changed though it is like the training images")
def test_the_networks_input_is_written_and_gives_the_same_result(found, tmp_path):
    first = found("test:3", "test:17", "--show-input", tmp_path)

    assert sorted(os.listdir(tmp_path)) == ["00001_test_3.png", "00002_test_17.png"]
    assert inputs(tmp_path) == [TEST[3].tolist(), TEST[17].tolist()]
    assert [each["probabilities"] for each in found(tmp_path)] == [each["probabilities"] for each in first]


@pytest.mark.fault("a picture of nothing that was trained")
def test_a_picture_unlike_the_training_images_is_flagged(predict, found, tmp_path):
    """A black picture is farther from each bar than any bar from the nearest."""
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "black.png")

    strange, known = found(tmp_path / "black.png", "test:2")

    assert strange["unlike_training"] and strange["distance"] > 1 > known["distance"] and not known["unlike_training"]
    assert "  unlike the training images" in predict(tmp_path / "black.png")[0]


@pytest.mark.fault("one bad picture among good ones, a name that is not there")
def test_pictures_that_can_not_be_read_are_named_and_stop_nothing(predict, tmp_path):
    for name in ("b.png", "e.png"):
        Image.fromarray(bar(1)).save(tmp_path / name)
    (tmp_path / "a.png").write_bytes(b"<html>")
    (tmp_path / "c.jpg").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    os.mkfifo(tmp_path / "d.png")

    out, failure = predict(tmp_path, tmp_path / "none.png")

    assert failure.exit_code == 1
    assert [Path(problem.subject).name for problem in failure.problems] == ["a.png", "c.jpg", "d.png", "none.png"]
    missing = "none.png: No such file or directory; fix: check the name and the permissions"
    assert str(failure.problems[-1]).endswith(missing)
    assert "2 pictures: 2 second" in out
    assert "4 of 6 pictures could not be read; the errors below name them" in out


@pytest.mark.fault("training images taken for new pictures")
def test_training_images_among_pictures_are_noted(predict, workspace, tmp_path):
    for number in range(3):
        Image.fromarray(bar(1, 200 + number)).save(tmp_path / f"{number}.png")
    note = "a training image, pixel for pixel: a correct class means little"

    assert note not in predict(tmp_path)[0]
    path = workspace / pipeline.path("train") / "images.npy"
    arrays.write(path, np.stack([bar(1, 201), bar(2, 200)]) / np.float32(255))
    try:
        lines = predict(tmp_path)[0].splitlines()
    finally:
        path.unlink()

    assert lines[lines.index(f"  {note}") - 1].startswith("1.png ") and lines.count(f"  {note}") == 1
    assert f"1 of 3: {note}" in lines


def test_a_figure_is_a_picture_and_has_the_same_bytes_each_time(predict, tmp_path):
    for name in ("a.png", "b.png"):
        out, failure = predict(*(f"test:{number}" for number in range(4)), "--figure", tmp_path / name)
        assert failure is None and out.splitlines()[-1] == f"drawn beside their probabilities: {tmp_path / name}"

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and image.size == (800, 500)


@pytest.mark.fault("nothing ran yet, a test image that is not there")
def test_impossible_requests_are_refused_before_a_picture_is_read(predict, tmp_path, monkeypatch):
    out, failure = predict("test:20", "test:0")
    assert (out, failure.exit_code) == ("", 2)
    assert str(failure) == "test:20: no such test image (expected 0 to 19, got 20); fix: give another number"

    out, failure = predict(*["test:0"] * 61, "--figure", tmp_path / "a.png")
    assert (out, failure.exit_code) == ("", 2) and not (tmp_path / "a.png").exists()


@pytest.mark.fault("nothing ran yet, a test image that is not there")
def test_a_workspace_in_which_nothing_ran_is_refused_with_all_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", ".")

    with pytest.raises(InputError) as caught:
        classify.load()

    paths = ["data/model", "data/training.json", "data/normalized/classes.json", "data/out_of_distribution"]
    assert [problem.subject for problem in caught.value.problems] == paths
    assert all(problem.fix.startswith("dvc repro") for problem in caught.value.problems)


def choose(**keys) -> datasets.Card:
    """Write the card `own` of pictures with these keys, choose it, and return it."""
    card = {"title": "t", "description": "d", "licence": "l", "format": "pictures"}
    Path("datasets").mkdir(exist_ok=True)
    Path("datasets/own.yaml").write_text(json.dumps(card | keys), encoding="utf-8")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("name: fashion_mnist", "name: own"), encoding="utf-8")
    return datasets.load("own")


@pytest.fixture
def own_pictures(predict, tmp_path, monkeypatch):
    """The function `choose`, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", ".")
    return choose


def save_pictures():
    """Light and dark borders; large, of the networks' size, wide; half transparent, turned by a tag."""
    folder = Path("own")
    folder.mkdir()
    for number, (light, size) in enumerate(product((False, True), [(96, 96), SHAPE, (20, 60)])):
        values = np.full(size, 240 if light else 10, np.uint8)
        values[1:17, 2:12] = 255 - values[0, 0]
        image = Image.fromarray(values)
        tags = Image.Exif()
        tags[0x0112] = 6
        image.save(folder / f"{number}-turned.png", exif=tags)
        alpha = np.full(size, 255, np.uint8)
        alpha[:, :3] = 90
        image.putalpha(Image.fromarray(alpha))
        image.save(folder / f"{number}-through.png")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"invert": "auto", "background": 60},
        {"invert": "yes", "background": 0},
        {"format": "parquet", "fit": "crop"},
    ],
)
@pytest.mark.fault("a picture of a folder that was trained on, brought to the networks in another way than then")
def test_pictures_become_what_they_became_for_training_byte_for_byte(found, own_pictures, keys):
    card = own_pictures(**keys)
    save_pictures()
    paths = sorted(Path("own").iterdir())
    trained = [fitting.fit(decoding.decode(decoding.read(path), ""), SHAPE, card) for path in paths]

    results = found("own", "--show-input", "inputs")

    assert inputs("inputs") == [each.values.tolist() for each in trained]
    notes = [[note for note in each["notes"] if note != BLANK] for each in results]
    assert notes == [list(each.notes) for each in trained]
    assert len({str(image) for image in inputs("inputs")}) >= 8


@pytest.mark.fault("alpha, transparent colours and palettes")
def test_the_card_decides_about_light_and_transparency_unless_the_command_line_does(found, own_pictures):
    own_pictures(invert="auto", background=60)
    Image.fromarray(255 - bar(1)).convert("RGBA").save("light.png")
    Image.merge("LA", [Image.fromarray(bar(1, 200)), Image.fromarray(bar(1, 255))]).save("through.png")

    auto, through = found("light.png", "through.png", "--show-input", "auto")
    [by_hand] = found("light.png", "--show-input", "by hand", "--invert", "no")

    assert auto["notes"] == ["inverted, as the border is light (255 of 255)"]
    assert by_hand["notes"] == []
    assert through["notes"] == ["laid on 60 of 255 where transparent"]
    assert inputs("auto") == [bar(1).tolist(), np.where(bar(1), 200, 60).tolist()]
    assert inputs("by hand") == [(255 - bar(1)).tolist()]


@pytest.mark.fault("a data set of another shape chosen since the networks were trained")
def test_pictures_of_another_shape_than_the_networks_are_refused(predict, own_pictures):
    own_pictures(image_shape=[4, 7])

    assert str(predict("a.png")[1]) == (
        "params.yaml: dataset.name: the networks take images of another shape (expected (4, 6), got (4, 7) of own); "
        "fix: dvc repro"
    )


@pytest.fixture(scope="module")
def in_colour(tmp_path_factory) -> tuple[Path, classify.Ensemble]:
    """A workspace whose training images are tinted, with its networks."""
    folder = tmp_path_factory.mktemp("colour")
    networks = [network(strength, [*SHAPE, 3]) for strength in STRENGTHS]
    fill(folder, networks, tinted(TRAIN), tinted(np.stack(TEST)))
    return folder, loaded(folder)


@pytest.fixture
def colours(predict, in_colour, monkeypatch):
    """The workspace in colour as the current folder of `predict` and `found`, which chose a card of arrays."""
    folder, ensemble = in_colour
    monkeypatch.chdir(folder)
    monkeypatch.setattr(classify, "load", lambda: ensemble)
    choose(format="npz", invert="auto")


@pytest.mark.fault("a picture in colour that is made grey, inverted or framed anew")
def test_colours_go_through_untouched_and_grey_pictures_are_made_colour(found, colours, tmp_path):
    """A light border is not inverted, though the card says auto."""
    first = found("test:3", "test:17", "--show-input", tmp_path / "inputs")
    again = found(tmp_path / "inputs", "--show-input", tmp_path / "again")
    Image.fromarray(255 - tinted(bar(1))).save(tmp_path / "light.png")
    Image.fromarray(bar(2)).save(tmp_path / "grey.png")
    photograph = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(photograph).save(tmp_path / "large.png")
    Image.fromarray(np.tile(np.uint8([9, 99, 200]), (4, 6, 1))).save(tmp_path / "plain.png")
    Image.fromarray(np.dstack([0 * bar(1), 0 * bar(1), bar(1)])).save(tmp_path / "blue.png")
    names = [tmp_path / f"{name}.png" for name in ("light", "grey", "large", "plain", "blue")]
    light, grey, large, plain, blue = found(*names, "--show-input", tmp_path / "others")

    assert inputs(tmp_path / "inputs") == inputs(tmp_path / "again") == [tinted(TEST[n]).tolist() for n in (3, 17)]
    assert [each["probabilities"] for each in again] == [each["probabilities"] for each in first]
    assert [each["class"] for each in first] == ["second", "third"] and first[0]["notes"] == again[0]["notes"] == []
    assert [light["notes"], grey["notes"], large["notes"][0]] == [[], ["made colour"], "resized (60x40)"]
    channels = [
        Image.fromarray(each).resize((6, 4), Image.Resampling.BILINEAR) for each in np.moveaxis(photograph, 2, 0)
    ]
    expected = [255 - tinted(bar(1)), np.dstack([bar(2)] * 3), np.dstack(channels)]
    assert inputs(tmp_path / "others")[:3] == [each.tolist() for each in expected]
    assert (
        plain["notes"] == [BLANK]
        and blue["notes"] == []
        and plain["unlike_training"]
        and not first[0]["unlike_training"]
    )


@pytest.mark.fault("a picture in colour that is made grey, inverted or framed anew")
def test_colours_are_never_inverted(predict, colours, found):
    _, failure = predict("test:3", "--invert", "yes")

    assert str(failure) == (
        "--invert: colours are never inverted (expected auto or no, got yes); fix: leave --invert out"
    )
    assert found("test:3", "--invert", "no") == found("test:3")


def test_each_format_and_the_figure_show_colours(predict, colours, tmp_path):
    text, _ = predict("test:3", "test:12", "--figure", tmp_path / "a.png")
    table, _ = predict("test:3", "test:12", "--format", "csv")

    assert "2 pictures: 1 second, 1 third" in text
    assert [row["class"] for row in csv.DictReader(table.splitlines())] == ["second", "third"]
    with Image.open(tmp_path / "a.png") as figure:
        drawn = {tuple(pixel) for pixel in np.asarray(figure.convert("RGB")).reshape(-1, 3).tolist()}
    assert drawn >= {tuple(tinted(TEST[number])[row, 2].tolist()) for number, row in ((3, 1), (12, 2))}


def test_large_images_go_through_the_networks_in_smaller_batches(found, colours, monkeypatch):
    batches, classified = [], classify.classify
    monkeypatch.setattr(classify, "classify", lambda *given: batches.append(len(given[1])) or classified(*given))
    monkeypatch.setattr("stages.evaluate.prediction.MOST_PIXELS", 24 * 8)

    found(*(f"test:{number}" for number in range(20)))

    assert batches == [8, 8, 4]


@pytest.mark.fault("a picture in colour given to networks of grey images, or the other way round")
def test_a_grey_set_makes_pictures_in_colour_grey(found, own_pictures):
    own_pictures()
    Image.fromarray(tinted(bar(1))).save("colour.png")

    [result] = found("colour.png", "--show-input", "inputs")

    assert result["notes"] == ["made grey"] and result["class"] == "second"
    assert inputs("inputs") == [np.asarray(Image.fromarray(tinted(bar(1))).convert("L")).tolist()]
