"""The tool as a whole, on networks made by hand that see in which half of a picture there is most light."""

import gzip
import io
import json
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.cli.command import Parser
from core.cli.errors import InputError, StageError
from core.config import datasets
from core.files import arrays, atomic
from core.formats import image_folder
from core.networks import models
from core.networks.runtime import keras
from stages.download import conversion
from stages.evaluate import familiarity
from tools.predict import __main__, arguments, classify, run

CLASSES = ["top", "bottom"]


def network(strength: float) -> keras.Model:
    """Softmax of strength times the mean light of either half; the two means are the features."""
    layers = [
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(2, use_bias=False, name="halves"),
        keras.layers.Dense(2, use_bias=False, name="logits"),
    ]
    model = keras.Sequential([keras.Input((28, 28), name="images"), *layers], name="halves")
    model.set_weights([np.repeat(np.eye(2), 392, axis=0) / 392, strength * np.eye(2)])
    return models.with_probabilities(model)


def picture(row: int, value: int = 255) -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    image[row : row + 8, 4:24] = value
    return image


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """Two networks that agree and one that says the opposite; training images have a bar in one half."""
    folder = tmp_path_factory.mktemp("workspace")
    networks = [network(4), network(2), network(-1)]
    images = np.stack([picture(row, value) for row in (0, 4, 16, 20) for value in range(200, 250)])
    digests = models.write(folder / classify.MODEL, networks)
    card = {"networks": digests, "classes": CLASSES, "image_shape": [28, 28]}
    atomic.write_json(folder / classify.TRAINING, card)
    atomic.write_json(folder / classify.CLASSES, CLASSES)
    train = np.divide(images, np.float32(255), dtype=np.float32)
    familiarity.write(folder / classify.FAMILIARITY, familiarity.measure(networks, train, batch_size=64))
    arrays.write(folder / run.TEST, train[::10])
    for name in ("params.yaml", "datasets.yaml"):
        (folder / name).write_bytes((Path(__file__).parents[3] / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def ensemble(workspace):
    """The networks, read once for all tests."""
    before = Path.cwd()
    os.chdir(workspace)
    yield classify.load()
    os.chdir(before)


def run_with(*given):
    """Run the tool in this process, so that its errors are raised."""
    parser = Parser()
    arguments.declare(parser)
    __main__.main(**vars(parser.parse_args(list(map(str, given)))))


@pytest.fixture
def predict(workspace, ensemble, monkeypatch, tmp_path, capsys):
    """A function that runs the tool in the workspace, and returns what it prints and the failure it ends with."""
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(classify, "load", lambda: ensemble)

    def predict(*given):
        failure = None
        try:
            run_with(*given)
        except StageError as error:
            failure = error
        return capsys.readouterr().out, failure

    return predict


def test_probabilities_are_the_means_of_those_worked_out_by_hand(predict):
    out, failure = predict("test:0", "test:19", "--format", "json")

    assert failure is None
    for found, share, sign in zip(json.loads(out), (200 / 255, 240 / 255), (1, -1), strict=True):
        light = 8 * 20 * share / 392
        tops = [1 / (1 + np.exp(-sign * strength * light)) for strength in (4, 2, -1)]
        assert found["probabilities"]["top"] == pytest.approx(np.mean(tops), abs=1e-6)
        assert found["class"] == ("top" if sign == 1 else "bottom")
        assert found["runner_up"] == ("bottom" if sign == 1 else "top")
        assert (found["agreement"], found["networks"]) == (2, 3)


@pytest.mark.fault("an answer that depends on the other pictures, or on the batch")
def test_a_picture_says_the_same_alone_and_among_others(predict):
    together = json.loads(predict(*(f"test:{number}" for number in range(20)), "--format", "json")[0])

    for number in (0, 7, 19):
        assert json.loads(predict(f"test:{number}", "--format", "json")[0]) == [together[number]]


@pytest.mark.fault("a picture that is changed though it is like the training images")
def test_what_was_fed_comes_back_as_the_same(predict, tmp_path):
    first = json.loads(predict("test:3", "test:17", "--show-input", tmp_path, "--format", "json")[0])

    assert sorted(os.listdir(tmp_path)) == ["00001_test_3.png", "00002_test_17.png"]
    with Image.open(tmp_path / "00002_test_17.png") as image:
        expected = arrays.read(run.TEST, np.float32, 3)[17] * 255
        assert image.mode == "L" and (np.asarray(image) == np.rint(expected)).all()
    second = json.loads(predict(tmp_path, "--format", "json")[0])
    assert [each["probabilities"] for each in first] == [each["probabilities"] for each in second]


@pytest.mark.fault("a picture of nothing that was trained")
def test_a_picture_unlike_the_training_images_is_told(predict, tmp_path):
    """Light all over is farther from either bar than any bar is from the others."""
    Image.fromarray(np.full((28, 28), 255, np.uint8)).save(tmp_path / "light.png")

    strange, known = json.loads(predict(tmp_path / "light.png", "test:2", "--invert", "no", "--format", "json")[0])

    assert strange["unlike_training"] and strange["distance"] > 1 > known["distance"] and not known["unlike_training"]
    assert "unlike the training images" in predict(tmp_path / "light.png", "--invert", "no")[0]


@pytest.mark.fault("one bad picture among good ones, a name that is not there")
def test_what_can_not_be_read_is_named_and_stops_nothing(predict, tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes(b"<html>")
    (tmp_path / "c.jpg").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    os.mkfifo(tmp_path / "d.png")

    out, failure = predict(tmp_path, tmp_path / "none.png", "--format", "json")

    assert [Path(found["file"]).name for found in json.loads(out)] == ["b.png"]
    assert failure.exit_code == 1
    assert [Path(problem.subject).name for problem in failure.problems] == ["a.png", "c.jpg", "d.png", "none.png"]


@pytest.mark.fault("training images taken for new pictures")
def test_a_folder_ends_with_a_summary_and_what_is_left_out_fails_nothing(predict, workspace, tmp_path):
    """Ten training images of twenty light ones, in a workspace that has its training images."""
    train = workspace / run.TRAIN
    test = arrays.read(workspace / run.TEST, np.float32, 3)
    for number in range(10):
        Image.fromarray(np.rint(test[number] * 255).astype(np.uint8)).save(tmp_path / f"a{number}.png")
        Image.fromarray(255 - picture(2, 150 + number)).save(tmp_path / f"b{number}.png")
    (tmp_path / "c.gif").touch()

    for images, there in ((test, 10), (test[10:], 0), (None, 0)):
        train.unlink(missing_ok=True)
        if images is not None:
            arrays.write(train, images)
        try:
            out, failure = predict(tmp_path)
        finally:
            train.unlink(missing_ok=True)

        assert failure is None
        assert out.count("\n  one of the training images, pixel for pixel") == there
        summary = out.split("\n\n")[1].splitlines()
        assert summary[0] == "20 pictures: 20 top"
        assert [line for line in summary if "training images, pixel" in line] == (
            ["10 of 20: training images, pixel for pixel, so that right classes say little"] if there else []
        )
        assert summary[-1] == "to see them beside their probabilities: add --figure out.png"


def test_the_summary_says_how_many_could_not_be_read_and_where_the_figure_is(predict, tmp_path):
    (tmp_path / "a.png").write_bytes(b"<html>")

    out, failure = predict(tmp_path / "a.png", "test:0", "test:1", "--figure", tmp_path / "b.png")

    assert failure.exit_code == 1
    assert out.splitlines()[-2:] == [
        "1 of 3 could not be read, and are named below",
        f"drawn beside their probabilities: {tmp_path / 'b.png'}",
    ]
    assert "could not be read" not in predict(tmp_path / "a.png", "test:0")[0]


@pytest.fixture
def pictured(predict, workspace, tmp_path, monkeypatch):
    """A function that makes the folder `own` the data set of a workspace, and returns its entry."""
    monkeypatch.chdir(tmp_path)

    def pictured(**keys):
        entry = {"title": "t", "description": "d", "licence": "l", "image_shape": [28, 28], "source": "images"}
        entry |= {"folder": "own", **keys}
        Path("datasets.yaml").write_text(json.dumps({"own": entry}), encoding="utf-8")
        text = (workspace / "params.yaml").read_text(encoding="utf-8")
        Path("params.yaml").write_text(text.replace("name: fashion_mnist", "name: own"), encoding="utf-8")
        return datasets.entry("own")

    return pictured


def save_pictures():
    """Of light and dark borders, too large, of the networks' size, wide, half transparent, turned by a tag."""
    folder = Path("own/train/a")
    folder.mkdir(parents=True)
    for number, (light, size) in enumerate(product((False, True), [(96, 96), (28, 28), (20, 60)])):
        values = np.full(size, 240 if light else 10, np.uint8)
        values[5:17, 8:12] = 255 - values[0, 0]
        image = Image.fromarray(values)
        tags = Image.Exif()
        tags[0x0112] = 6
        image.save(folder / f"{number}-turned.png", exif=tags)
        alpha = np.full(size, 255, np.uint8)
        alpha[:, :15] = 90
        image.putalpha(Image.fromarray(alpha))
        image.save(folder / f"{number}-through.png")
    Path("own/test/a").mkdir(parents=True)
    Image.new("L", (28, 28)).save("own/test/a/0.png")


@pytest.mark.parametrize("keys", [{}, {"invert": "auto", "background": 60}, {"invert": "yes", "background": 0}])
@pytest.mark.fault("a picture of a folder that was trained on, brought to the networks in another way than then")
def test_pictures_of_a_folder_are_what_was_trained_on_byte_for_byte(predict, pictured, keys):
    entry = pictured(**keys)
    save_pictures()
    conversion.write(entry.model_copy(update={"sha256": image_folder.pin(entry)}), Path("raw"))

    _, failure = predict("own/train", "--show-input", "fed")

    assert failure is None
    fed = [np.asarray(Image.open(path)) for path in sorted(Path("fed").iterdir())]
    trained = gzip.decompress(Path("raw/train-images-idx3-ubyte.gz").read_bytes())[16:]
    assert len(fed) == 12 and len({each.tobytes() for each in fed}) == 12
    assert sorted(each.tobytes() for each in fed) == sorted(trained[at : at + 784] for at in range(0, 12 * 784, 784))


@pytest.mark.fault("a picture of a folder that was trained on, brought to the networks in another way than then")
def test_the_entry_of_a_folder_says_whether_to_invert_and_the_command_line_has_the_last_word(predict, pictured):
    pictured(invert="auto")
    Path("own").mkdir()
    Image.fromarray(255 - picture(4)).save("own/a.png")

    notes = [
        json.loads(predict("own", "--format", "json", "--show-input", f"fed {number}", *asked)[0])[0]["notes"]
        for number, asked in enumerate([[], ["--invert", "no"]])
    ]

    assert notes == [["inverted, as its border is light (255 of 255)"], ["not inverted, as invert is no"]]
    first, second = (np.asarray(Image.open(f"fed {number}/00001_a.png")) for number in range(2))
    assert first.tolist() == picture(4).tolist() == (255 - second).tolist()


def test_what_is_transparent_is_laid_on_the_background_of_the_entry_and_that_is_said(predict, pictured):
    pictured(background=60)
    dot = Image.new("LA", (28, 28), (0, 0))
    dot.paste((200, 255), (10, 10, 20, 20))
    dot.save("a.png")

    [found] = json.loads(predict("a.png", "--format", "json", "--show-input", "fed")[0])

    assert found["notes"] == ["what is transparent laid on 60 of 255", "not inverted, as invert is no"]
    fed = np.asarray(Image.open("fed/00001_a.png"))
    assert (fed[0, 0], fed[15, 15], fed.sum()) == (60, 200, 60 * 684 + 200 * 100)
    Image.fromarray(picture(4)).convert("RGBA").save("opaque.png")
    assert json.loads(predict("opaque.png", "--format", "json")[0])[0]["notes"] == ["not inverted, as invert is no"]


@pytest.mark.fault("a data set of another shape chosen since the networks were trained")
def test_a_folder_of_pictures_of_another_shape_than_the_networks_is_refused(predict, pictured):
    pictured(image_shape=[28, 30])
    Image.fromarray(picture(4)).save("a.png")

    assert str(predict("a.png")[1]) == (
        "params.yaml: dataset.name: of another image_shape than the networks take (expected (28, 28), "
        "got (28, 30) of own); fix: dvc repro"
    )


@pytest.mark.fault("an answer that depends on the other pictures, or on the batch")
def test_batches_change_nothing(predict, workspace, tmp_path):
    names = [f"test:{number}" for number in range(20)]
    expected = predict(*names, "--format", "csv")[0]
    whole = (workspace / "params.yaml").read_text(encoding="utf-8")
    try:
        (workspace / "params.yaml").write_text(whole.replace("batch_size: 1000", "batch_size: 3"), encoding="utf-8")
        assert predict(*names, "--format", "csv", "--show-input", tmp_path)[0] == expected
        assert sorted(os.listdir(tmp_path)) == [f"{number + 1:05}_test_{number}.png" for number in range(20)]
    finally:
        (workspace / "params.yaml").write_text(whole, encoding="utf-8")


@pytest.mark.fault("nothing ran yet, a test image that is not there")
def test_a_test_image_that_is_not_there_is_refused(predict):
    _, failure = predict("test:20", "test:0")

    assert failure.exit_code == 2
    assert str(failure) == "test:20: no such test image (expected 0 to 19, got 20); fix: name another one"


def test_a_figure_is_a_picture_and_the_same_each_time(predict, tmp_path):
    for name in ("a.png", "b.png"):
        assert predict(*(f"test:{number}" for number in range(4)), "--figure", tmp_path / name)[1] is None

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and image.size == (800, 500)


def test_too_many_pictures_for_a_figure_are_refused_before_any_is_read(predict, tmp_path):
    out, failure = predict(*["test:0"] * 61, "--figure", tmp_path / "a.png")

    assert (out, failure.exit_code) == ("", 2) and not (tmp_path / "a.png").exists()


@pytest.mark.fault("nothing ran yet, a test image that is not there")
def test_a_workspace_in_which_nothing_ran_is_refused_with_all_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError) as caught:
        classify.load()

    paths = ["data/model", "data/training.json", "data/normalized/classes.json", "data/familiarity"]
    assert [problem.subject for problem in caught.value.problems] == paths
    assert all(problem.fix.startswith("dvc repro") for problem in caught.value.problems)


@pytest.fixture(scope="module")
def small_png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture(4)).save(stream, "PNG")
    return stream.getvalue()


@settings(max_examples=40)
@given(data=st.data())
@pytest.mark.fault("any bytes")
def test_rubbish_is_refused_or_classified_and_nothing_else(predict, tmp_path, small_png, data):
    """Bytes of any kind, and pictures with a few bytes of them changed."""
    changed = bytearray(small_png)
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(changed) - 1), st.integers(0, 255)), max_size=3)
    ):
        changed[place] = value
    (tmp_path / "a.png").write_bytes(
        data.draw(st.sampled_from([bytes(changed), changed[:40]]) | st.binary(max_size=64))
    )
    Image.fromarray(picture(4)).save(tmp_path / "b.png")

    out, failure = predict(tmp_path, "--format", "json")

    found = [Path(each["file"]).name for each in json.loads(out)]
    assert found == (["b.png"] if failure else ["a.png", "b.png"])
    assert failure is None or [Path(problem.subject).name for problem in failure.problems] == ["a.png"]


@pytest.mark.slow
def test_the_command_line_keeps_the_contract(workspace, small_png, tmp_path, run_stage, assert_clean_failure):
    for path in workspace.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(workspace)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(workspace)).write_bytes(path.read_bytes())
    (tmp_path / "a\n.png").write_bytes(small_png)

    run = run_stage("tools.predict", "a\n.png", "nothing", "test:0")

    assert_clean_failure(
        run, 1, "error: nothing: No such file or directory; fix: check the name, and that it may be read"
    )
    assert [line.split()[:2] for line in run.stdout.split("\n\n")[0].splitlines() if line[0] != " "] == [
        ["file", "class"],
        ["a\\n.png", "top"],
        ["test:0", "top"],
    ]


@pytest.mark.slow
def test_it_starts_without_what_it_does_not_need(workspace, run_stage, tmp_path):
    """matplotlib and DVC take longer than all the rest but TensorFlow; without a picture to read even that can wait."""
    (tmp_path / "look.py").write_text(
        "import sys, atexit, runpy\n"
        "heavy = 'matplotlib', 'dvc', 'tensorflow', 'pandas', 'scipy'\n"
        "atexit.register(lambda: print(*(name for name in heavy if name in sys.modules), file=sys.stderr))\n"
        f"import os; os.chdir({str(workspace)!r})\n"
        "runpy.run_module('tools.predict', run_name='__main__', alter_sys=True)\n",
        encoding="utf-8",
    )

    assert run_stage("look", "test:0").stderr == "tensorflow\n"
    assert run_stage("look", "--help").stderr == "\n"
