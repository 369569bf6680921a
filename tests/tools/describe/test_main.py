"""The description of small data sets with known oddities, with and without a card."""

import io
import re
import shlex
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import yaml
from PIL import Image
from pyarrow import parquet

from core.formats.blocks import Block
from core.images import fitting
from tools.describe import __main__ as describe
from tools.describe import description, drafts

WORDS = "title: Own\ndescription: of the tests\nlicence: none\n"


@pytest.fixture
def described(project, run_here):
    """A function that runs the tool in this process."""
    return partial(run_here, describe.main, declare=describe.declare)


def save(path, rows):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, np.uint8)).save(path)


@pytest.fixture
def pictures(project):
    folder = "sources/own/pictures"
    for number in range(12):
        save(f"{folder}/train/bag/{number:02}.png", [[number, 1, 2, 3], [3, 4, 5, 6]])
        save(f"{folder}/test/bag/{number:02}.png", [[number, 10, 2, 3], [3, 4, 5, 6]])
        save(f"{folder}/train/hat/{number:02}.png", [[number, 1, 20, 3], [3, 4, 5, 6]])
    save(f"{folder}/train/bag/12.png", [[0, 1, 2, 3], [3, 4, 5, 6]])  # equals 00.png
    save(f"{folder}/train/hat/12.png", [[1, 1, 2, 3], [3, 4, 5, 6]])  # equals a bag
    save(f"{folder}/test/bag/12.png", [[2, 1, 2, 3], [3, 4, 5, 6]])  # equals a bag of the training images
    save(f"{folder}/test/hat/00.png", [[7] * 8] * 4)  # larger than the others, and nothing to be seen on it
    save(f"{folder}/test/hat/01.png", [[[7, 7, 8]] * 4, [[70, 7, 7]] * 4])  # in colour


@pytest.mark.usefixtures("pictures")
@pytest.mark.fault("copies on both sides of a split that the folders say, copies with another label")
def test_counts_sizes_copies_and_what_looks_odd_are_listed(described):
    Path("datasets/own.yaml").write_text(f"{WORDS}image_shape: [2, 4]\nformat: pictures\n", encoding="utf-8")

    ended = described("own")

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.split("\n\n")[1].splitlines() == [
        "own: Own; 26 train, 15 test images, 2 x 4",
        "class       train        test",
        "bag            13          13",
        "hat            13           2",
        "sizes of the pictures, height x width: 2 x 4: 40, 4 x 8: 1",
        "of 41 pictures: 1 was made grey; 1 was resized",
        "worth a look:",
        "  train images equal to an earlier one: 2, of them with another label: 1",
        "  test images that are among the training images: 1, of them with another label: 0",
        "  test images with one value in all pixels: 1",
        "  classes with fewer than 10 test images: 1",
        "samples: build/describe/own.png",
    ]
    assert set(ended.after) - set(ended.before) == {"build/describe/own.png"}
    with Image.open("build/describe/own.png") as drawn:
        assert drawn.size[0] == 500
    assert described("sources/own").stdout == ended.stdout


@pytest.mark.fault("colour that nothing needs")
def test_colour_images_without_a_colour_are_named(project, described):
    for number in range(20):
        save(f"sources/own/{'ab'[number % 2]}/{number}.png", [[[number] * 3, [9, 9, 9]]])
    card = f"{WORDS}image_shape: [1, 2, 3]\ntest_fraction: 0.5\nformat: pictures\n"
    Path("datasets/own.yaml").write_text(card, encoding="utf-8")

    assert "  no pixel has a colour, so image_shape: [1, 2] holds everything\n" in described("own").stdout
    save("sources/own/a/0.png", [[[0, 0, 1], [9, 9, 9]]])
    assert "no pixel has a colour" not in described("own").stdout


@pytest.mark.parametrize("light", [False, True])
def test_samples_are_drawn_as_the_report_draws_them(described, light):
    """Light on dark is drawn dark on light, and other pictures as they are: the corner is light in both cases."""
    for number in range(40):
        ground, subject = (230, 20) if light else (0, 200)
        image = np.full((28, 28), ground, np.uint8)
        image[10:20, 8:20] = subject - number % 20
        save(f"sources/own/{'ab'[number % 2]}/{number}.png", image)
    card = f"{WORDS}image_shape: [28, 28]\ntest_fraction: 0.3\nformat: pictures\n"
    Path("datasets/own.yaml").write_text(card, encoding="utf-8")

    assert described("own").code == 0

    with Image.open("build/describe/own.png") as drawn:
        pixels = np.asarray(drawn.convert("L"))
    framed = pixels[13:95, 9:91]
    assert framed[3, 3] >= 230 and framed[42, 42] <= 80


@pytest.fixture
def folder(tmp_path_factory):
    """Pictures of two classes in a folder elsewhere, one much larger than the images of most data sets."""
    folder = tmp_path_factory.mktemp("elsewhere") / "My Pictures [1]"
    chance = np.random.RandomState(0)
    for number in range(60):
        save(folder / f"{'ab'[number % 2]}/{number:02}.png", chance.randint(0, 256, (100, 160, 3)))
    save(folder / ".hidden.png", [[1]])
    return folder


def test_two_commands_make_a_data_set_of_a_folder(folder, described, project):
    first = described(str(folder))

    assert (first.code, first.stderr) == (0, "")
    assert set(first.after) - set(first.before) == {"build/describe/my_pictures_1.png"}
    assert "sizes of the pictures, height x width: 100 x 160: 60\nof 60 pictures: 60 were resized\n" in first.stdout
    printed = first.stdout.splitlines()[-1].strip()

    second = described(*shlex.split(printed)[3:])

    assert (second.code, second.stderr) == (0, "")
    assert "\n  dvc exp run -S dataset.name=my_pictures_1\n" in second.stdout
    text = Path("datasets/my_pictures_1.yaml").read_text(encoding="utf-8")
    assert f"This one would be datasets/my_pictures_1.yaml:\n\n{text}\n" in first.stdout
    assert text.splitlines() == [
        "# Edit the next three lines. docs/your-data.md explains the others.",
        "title: My Pictures [1]",
        "description: images of My Pictures [1]",
        "licence: unknown",
        "image_shape: [40, 64, 3]  # of 100 x 160: larger images train slower",
        "test_fraction: 0.2",
        "format: pictures",
        "folder: My Pictures [1]",
    ]
    copied = {path.name for path in Path("sources/my_pictures_1/My Pictures [1]").rglob("*.png")}
    assert copied == {f"{number:02}.png" for number in range(60)}
    wrote = "wrote sources/my_pictures_1/My Pictures [1] and datasets/my_pictures_1.yaml; edit title, description and "
    again = described("my_pictures_1").stdout
    assert [line for line in second.stdout.splitlines() if line and line in again] == list(
        filter(None, again.split("\n"))
    )
    assert wrote in second.stdout and f":\n\n{text}" in second.stdout


def test_each_picture_is_prepared_once_also_when_the_card_is_written(folder, described, monkeypatch):
    prepared, fit = [], fitting.fit
    monkeypatch.setattr(fitting, "fit", lambda *given: prepared.append(given) or fit(*given))
    save(folder / "b/60.png", np.full((70, 30, 3), 9))  # of another size

    for arguments in ([], ["--write-card"]):
        prepared.clear()
        ended = described(str(folder), *arguments)

        assert (ended.code, ended.stderr, len(prepared)) == (0, "", 61)
        assert (
            "sizes of the pictures, height x width: 100 x 160: 60, 70 x 30: 1\n"
            "of 61 pictures: 1 was padded; 61 were resized\n" in ended.stdout
        )


def test_files_in_sources_stay_where_they_are(folder, described, project):
    target = project / "sources/own/pictures"
    target.parent.mkdir()
    folder.rename(target)

    for what in ("sources/own", "own", "sources/own/pictures"):
        ended = described(what, "--write-card")

        assert (ended.code, ended.stderr) == (0, "")
        assert set(ended.after) - set(ended.before) == {"datasets/own.yaml", "build/describe/own.png"}
        assert "folder" not in Path("datasets/own.yaml").read_text(encoding="utf-8")
        Path("datasets/own.yaml").unlink()
        Path("build/describe/own.png").unlink()


@pytest.fixture
def arrays(tmp_path_factory):
    """A function that writes an .npz file elsewhere, of 40 images with some labels."""

    def arrays(labels, **others):
        path = tmp_path_factory.mktemp("arrays") / "own.npz"
        images = np.random.RandomState(0).randint(0, 256, (40, 4, 5)).astype(np.uint8)
        np.savez(path, x_train=images, y_train=np.array(labels), **others)
        return path

    return arrays


def test_the_card_has_what_only_the_labels_tell(arrays, described):
    described(str(arrays([1, 2, 3, 3] * 10)), "--write-card", "--name", "from_one")
    others = {"x_test": np.eye(4, 5, dtype=np.uint8)[None], "y_test": np.array([0])}
    described(str(arrays([0, 0] * 20, **others)), "--write-card", "--name", "from_none")

    text = Path("datasets/from_one.yaml").read_text(encoding="utf-8")
    card = yaml.safe_load(text)
    other = yaml.safe_load(Path("datasets/from_none.yaml").read_text(encoding="utf-8"))
    assert "\nclasses: ['1', '2', '3']  # replace these numbers with names\n" in text
    assert (card["classes"], card["first_label"], card["test_fraction"]) == (["1", "2", "3"], 1, 0.2)
    assert (card["image_shape"], card["format"]) == ([4, 5], "npz")
    assert card["files"] == {"train_images": "own.npz/x_train", "train_labels": "own.npz/y_train"}
    assert (other["classes"], other["files"].keys() >= {"test_images"}) == (["0"], True)
    assert not other.keys() & {"first_label", "test_fraction"}


@pytest.mark.parametrize("format", ["csv", "parquet"])
@pytest.mark.parametrize("labels", [["dog", "cat, red"], ["dog", "7"]])
def test_the_card_has_the_class_names_of_a_table(described, tmp_path_factory, format, labels):
    path = tmp_path_factory.mktemp("things") / f"own.{format}"
    images = np.random.RandomState(0).randint(0, 256, (40, 4, 4)).astype(np.uint8)
    if format == "csv":
        rows = [
            f'"{label}",' + ",".join(map(str, image.ravel())) for label, image in zip(labels * 20, images, strict=True)
        ]
        path.write_text("\n".join([f"label,{','.join(f'pixel{number}' for number in range(16))}", *rows]))
    else:
        pictures = []
        for image in images:
            Image.fromarray(image).save(stream := io.BytesIO(), "PNG")
            pictures.append(stream.getvalue())
        parquet.write_table(pyarrow.table({"image": pictures, "label": labels * 20}), path)

    ended = described(str(path), "--write-card")

    assert (ended.code, ended.stderr) == (0, "")
    text = Path("datasets/own.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["classes"] == sorted(labels)
    assert "replace these" not in text and "first_label" not in text
    counts = dict(re.findall(r"^(dog|cat, red|7) +(\d+)", ended.stdout, re.MULTILINE))
    tests = dict(re.findall(r"^(dog|cat, red|7) +\d+ +(\d+)", ended.stdout, re.MULTILINE))
    assert {name: int(counts[name]) + int(tests[name]) for name in counts} == dict.fromkeys(labels, 20)


@pytest.mark.fault("a new data set over an old one")
def test_nothing_is_overwritten_and_one_line_says_what_to_do(arrays, described, assert_clean_failure):
    path = arrays([0, 1] * 20)
    Path("sources/taken").mkdir()

    new = (str(path), "--write-card", "--name")
    card = "has a card already; fix: edit datasets/mnist.yaml, or delete it to write a new one"
    other = "exists already; fix: add --name NAME, with another name"
    for arguments, line in {
        ("mnist", "--write-card"): f"mnist: {card}",
        (*new, "mnist"): f"datasets/mnist.yaml: {other}",
        (*new, "taken"): f"sources/taken: {other}",
        ("sources/taken", "--name", "other"): "--name: the files are in sources/taken; fix: --name taken",
    }.items():
        assert_clean_failure(described(*arguments), 2, f"error: {line}")
    assert described(str(path), "--name", "My Blood").stderr == (
        "error: --name: cannot name a data set (expected a to z, 0 to 9 and _, a letter first, at most 64, "
        "got My Blood); fix: --name my_blood\n"
    )


@pytest.mark.fault("a name given to tools.describe that is no data set")
def test_an_unknown_name_lists_the_choices(described):
    ended = described("garment")

    assert ended.code == 2
    assert ended.stderr == (
        "error: python -m tools.describe garment: no such data set: did you mean garments? (expected fashion_mnist, "
        "garments or mnist, got garment); fix: name a file of datasets/; for your own files: python -m tools.describe "
        "PATH --write-card --name NAME\n"
    )


@pytest.mark.parametrize("path", ["/x/nope.zip", "nope.zip", "sources/nope", "nope/"])
@pytest.mark.fault("a name given to tools.describe that is no data set")
def test_a_path_that_leads_nowhere_is_not_called_a_name(described, assert_clean_failure, path):
    line = f"error: {path}: no such file or folder; fix: correct the path, or name a data set"
    assert_clean_failure(described(path), 2, line)


@pytest.mark.fault("the files of a data set are missing, or not pulled")
def test_files_that_were_not_pulled_are_named_with_the_command(project, described, assert_clean_failure):
    (project / "datasets/own.yaml").write_text(f"{WORDS}format: pictures\n", encoding="utf-8")
    (project / "sources/own").mkdir()
    (project / "sources/own/pictures.dvc").write_text("outs: []\n", encoding="utf-8")
    line = "error: sources/own: not fetched from the remote; fix: dvc pull sources/own/pictures.dvc"

    assert_clean_failure(described("own"), 2, line)
    assert_clean_failure(described("sources/own"), 2, line)


@pytest.mark.usefixtures("pictures")
@pytest.mark.fault("pictures of other kinds (GIF, TIFF, HEIC) left out without a word, and how to convert them")
def test_the_command_that_converts_other_pictures_is_printed_once(described):
    Path("datasets/own.yaml").write_text(f"{WORDS}image_shape: [2, 4]\nformat: pictures\n", encoding="utf-8")
    assert "to make PNG files" not in described("own").stdout
    Path("sources/own/pictures/train/bag/other.gif").write_bytes(b"")

    for printed in (described("own").stdout, described("sources/own").stdout):
        assert printed.count("sources/own: left out 1 .gif") == 1
        (line,) = [line for line in printed.splitlines() if line.startswith("to make PNG files of the other pictures")]
        assert line.endswith(" sources/own .gif")


@pytest.mark.fault("files of no known format")
def test_files_of_no_known_format_end_in_one_line(described, tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "notes.txt"
    path.write_text("hello", encoding="utf-8")

    ended = described(str(path), "--write-card")

    assert ended.code == 4 and ended.after == ended.before
    assert ended.stderr == (
        f"error: {path}: no known format, or several data sets; fix: write a card that names files, as "
        "docs/your-data.md shows, save the card as datasets/notes.yaml, put the files into sources/notes, "
        "then python -m tools.describe notes\n"
    )


@pytest.mark.fault("a file that the reader of its format refuses")
def test_an_edit_of_the_card_mends_what_the_reader_refuses(described, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kaggle")
    rows = np.c_[np.arange(40) % 2, np.random.RandomState(0).randint(0, 256, (40, 25))]
    for name, columns in (("train.csv", rows), ("test.csv", rows[:, 1:])):
        header = ",".join([*["label"][: columns.shape[1] - 25], *(f"pixel{number}" for number in range(25))])
        np.savetxt(folder / name, columns, "%d", ",", header=header, comments="")

    ended = described(str(folder), "--write-card", "--name", "own")

    assert (ended.code, len(ended.stderr.splitlines()), ended.after) == (4, 1, ended.before)
    assert "/test.csv: no labels: it is for predict alone" in ended.stderr
    assert ended.stderr.endswith(
        "fix: describe the file with labels alone, or take this one out of the card's files and set test_fraction: "
        "0.2, then run this command again; to edit the card, save it as datasets/own.yaml, put the files "
        "into sources/own, then python -m tools.describe own\n"
    )
    text = re.sub("\n  test: .*", "", ended.stdout.split("\n\n")[1])
    Path("datasets/own.yaml").write_text(f"{text}\ntest_fraction: 0.2\nclasses: [a, b]\n", encoding="utf-8")
    Path("sources/own").mkdir()
    folder.rename(f"sources/own/{folder.name}")
    ended = described("own")
    assert (ended.code, ended.stderr) == (0, "")


@pytest.mark.fault("a data set that teaches nothing")
def test_after_bad_data_are_mended_the_same_command_works(arrays, described):
    path = arrays([0, 2] * 20)

    ended = described(str(path), "--write-card")

    assert (ended.code, ended.after) == (4, ended.before)
    assert ended.stderr == (
        f"error: {path.parent}: no train image of class 1; fix: add images of 1, or change classes or test_fraction "
        "in datasets/own.yaml, then run this command again; to edit the card, save it as "
        "datasets/own.yaml, put the files into sources/own, then python -m tools.describe own\n"
    )

    arrays([0, 1] * 20).replace(path)
    ended = described(str(path), "--write-card")
    assert (ended.code, ended.stderr) == (0, "")
    assert {"datasets/own.yaml", "sources/own/own.npz"} <= set(ended.after) - set(ended.before)


def test_a_fix_for_a_card_ends_with_the_same_command(arrays, described):
    described(str(arrays([0, 1] * 20)), "--write-card")
    card = Path("datasets/own.yaml")
    card.write_text(card.read_text(encoding="utf-8").replace("own.npz/x_train", "own.npz/x_trian"), encoding="utf-8")

    ended = described("own")

    assert ended.stderr == (
        "error: sources/own/own.npz/x_trian: no such file: did you mean own.npz/x_train? (expected a file, "
        "got own.npz/x_train, own.npz/y_train); fix: correct the path in the card, then run this command again\n"
    )


def test_how_to_train_on_a_set_depends_on_params(arrays, described):
    described(str(arrays([0, 1] * 20)), "--write-card")

    assert "\nto train on it:\n  dvc exp run -S dataset.name=own\n" in described("own").stdout
    params = Path("params.yaml")
    params.write_text(re.sub("name: .*", "name: own", params.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    assert "\nto train on it:\n  dvc repro\n" in described("own").stdout
    params.unlink()
    assert "\n  dvc exp run -S dataset.name=own\n" in described("own").stdout


@pytest.mark.fault("a copy of the files that ends too early")
def test_a_copy_that_fails_leaves_nothing(arrays, described, monkeypatch):
    path = arrays([0, 1] * 20)

    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(drafts.shutil, "copyfile", full)
    ended = described(str(path), "--write-card")

    assert ended.code == 1 and ended.after == ended.before | {
        "build/describe/own.png": ended.after["build/describe/own.png"]
    }


@pytest.mark.parametrize(
    "file, name",
    [
        ("Mes photos d'\u00e9te\u0301", "mes_photos_d_ete"),
        ("Stra\u00dfe.zip", "strasse"),
        ("cifar-10-binary.tar.gz", "cifar_10_binary"),
        ("A.npz", "a"),
        ("2024 cats.v2", "cats_v2"),
        ("123", "mine"),
    ],
)
def test_a_data_set_is_named_after_its_file(tmp_path, file, name):
    """A folder keeps what looks like a suffix."""
    (tmp_path / "set.v2").mkdir()

    assert drafts._name(Path(file)) == name
    assert drafts._name(tmp_path / "set.v2") == "set_v2"


@pytest.mark.parametrize(
    "file, title",
    [
        ("Mes photos d'e\u0301t\u00e9", "Mes photos d'\u00e9t\u00e9"),
        ("cifar-10-binary.tar.gz", "Cifar 10 binary"),
        ("my_cats.npz", "My cats"),
        ("___", "Mine"),
    ],
)
def test_a_title_keeps_the_letters_of_the_file(file, title):
    assert drafts._title(Path(file)) == title


def test_samples_of_many_classes_are_evenly_spaced():
    labels = np.repeat(np.arange(256, dtype=np.uint8), 3)

    chosen = labels[description.samples(labels, 256)]

    assert len(chosen) == description.SAMPLES == len(set(chosen.tolist()))
    assert (chosen[0], chosen[-1]) == (0, 255)
    assert set(np.diff(chosen.astype(int))) == {8, 9}


def test_sizes_are_those_of_the_pictures_before_they_were_resized_padded_or_cropped():
    notes = [("made grey", "resized (6x4)", "padded"), ("padded (6x4)",), ("cropped (9x1)",), ("turned by its tag",)]
    sizes: Counter[str] = Counter()

    list(description._counting(iter([Block("train", np.zeros((4, 2, 3)), np.zeros(4), "", notes=notes)]), sizes))

    assert sizes == {"4 x 6": 2, "1 x 9": 1, "2 x 3": 1}
