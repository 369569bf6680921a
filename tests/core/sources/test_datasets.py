"""What a card may say: the committed ones, and the lines that refuse others."""

import json
from pathlib import Path

import pytest

from core.cli.errors import InputError
from core.sources import datasets

QUOTES = "a text, in quotes if it looks like a number"
FORMATS = "idx, npz, csv, parquet, cifar, pictures or garments"
FIX = "; fix: edit datasets/own.yaml, then dvc repro"
OUTSIDE = "leads out of the folder of the data set; write it relative to that folder, with /"
NEEDS = "needs mirrors that serve them, and mirrors need archives"
NAME = "String should match pattern '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'"
HASH = "String should match pattern '^[0-9a-f]{64}$'"

TEXTS = {"title": "Own", "description": "my pictures", "licence": "mine"}
PIN = {"size": 1, "sha256": "0" * 64}
FETCHED = {"mirrors": ["https://a.org/"], "archives": {"a.gz": PIN}}
DRAWN = {"image_shape": [28, 28], "classes": list("abcdefghij"), "seed": 0, "images": {"train": 10, "test": 10}}


@pytest.fixture
def load(project):
    """A function that writes a card with these keys, and reads it."""

    def load(**keys):
        card = {key: value for key, value in (TEXTS | keys).items() if value is not None}
        (project / "datasets/own.yaml").write_text(json.dumps(card), encoding="utf-8")  # JSON is YAML
        return datasets.load("own")

    return load


@pytest.fixture
def lines(load):
    """A function that returns the lines that refuse a card, without what all of them have."""

    def lines(**keys):
        with pytest.raises(InputError) as caught:
            load(**keys)
        texts = [str(problem) for problem in caught.value.problems]
        assert all(text.startswith("datasets/own.yaml: ") and text.endswith(FIX) for text in texts)
        return [text.removeprefix("datasets/own.yaml: ").removesuffix(FIX) for text in texts]

    return lines


@pytest.mark.usefixtures("project")
def test_classes_are_in_the_order_of_the_labels():
    """The order of Fashion-MNIST is from the table of its README."""
    clothes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]

    assert datasets.load("fashion_mnist").classes == datasets.load("garments").classes == clothes
    assert datasets.load("mnist").classes == list("0123456789")


@pytest.mark.parametrize("format", ["idx", "npz", "csv", "parquet", "cifar", "pictures"])
def test_a_card_needs_three_texts_and_a_format(load, format):
    card = load(format=format)

    assert (card.format, card.image_shape, card.classes) == (format, None, None)
    assert (card.mirrors, card.archives, card.test_fraction, card.first_label) == ([], {}, None, 0)
    assert (card.fit, card.invert, card.background) == ("pad", "no", 255)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"format": None}, "format: missing"),
        ({"format": "idxx"}, f'format: unknown choice: did you mean idx? (expected {FORMATS}, got "idxx")'),
        ({"title": None}, "title: missing"),
        ({"description": "a\nb"}, "description: has blanks around it, or characters that cannot be shown: 'a\\nb'"),
        ({"image_shape": [28]}, "image_shape: List should have at least 2 items after validation, not 1"),
        ({"image_shape": [28, 28, 1]}, "image_shape: is neither [height, width] nor [height, width, 3]"),
        (
            {"image_shape": [28, 4097]},
            "image_shape.1: wrong value (expected less than or equal to 4096, got 4097)",
        ),
        ({"classes": []}, "classes: List should have at least 1 item after validation, not 0"),
        ({"classes": ["a", "A"]}, "classes: two classes have the same name: A"),
        ({"test_fraction": 0}, "test_fraction: wrong value (expected greater than 0, got 0)"),
        (
            {"invert": "yse"},
            'invert: unknown choice: did you mean yes? (expected auto, yes or no, got "yse")',
        ),
        ({"background": 256}, "background: wrong value (expected less than or equal to 255, got 256)"),
        ({"first_label": "1"}, 'first_label: wrong value (expected a valid integer, got "1")'),
    ],
)
@pytest.mark.fault("a key of a card that is invalid: a fraction of 0, another choice, a shape of one side")
@pytest.mark.fault("class names too few, equal to the eye, empty, long or unseen")
def test_a_bad_value_gives_one_line(lines, keys, line):
    assert lines(**{"format": "pictures"} | keys) == [line]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"format": "pictures", "folder": "../mine"}, f"folder: {OUTSIDE}"),
        ({"format": "pictures", "folder": "my/../../x"}, f"folder: {OUTSIDE}"),
        ({"format": "pictures", "table": "C:\\labels.csv"}, f"table: {OUTSIDE}"),
        ({"format": "csv", "files": {"train": ["a.csv", "/b.csv"]}}, f"files.train.1: {OUTSIDE}"),
        ({"format": "npz", "files": {"train_images": "/x", "train_labels": "y"}}, f"files.train_images: {OUTSIDE}"),
    ],
)
@pytest.mark.fault("a path in a card that leads out of the folder of the data set")
def test_a_path_that_leads_out_of_the_folder_is_refused(lines, keys, line):
    assert lines(**keys) == [line]


def test_a_path_may_be_one_or_several_and_lead_into_archives(load):
    paths = ["my archive.zip/train/*.csv", "two..dots.csv"]

    files = load(format="csv", files={"train": paths, "test": "test.csv"}).files

    assert (files.train, files.validation, files.test) == (paths, [], ["test.csv"])


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"format": "pictures", "fodler": "x"}, "fodler: unknown key: did you mean folder?"),
        ({"format": "idx", "folder": "x"}, "folder: unknown key"),
        ({"format": "garments", **DRAWN, "mirrors": []}, "mirrors: unknown key"),
        (
            {"format": "idx", "files": {"train_images": "a", "train_labels": "b", "tset_images": "c"}},
            "files.tset_images: unknown key: did you mean test_images?",
        ),
        ({"format": "csv", "files": {"train": "a", "valdiation": "b"}}, "files.valdiation: unknown key: did you mean "),
        ({"format": "csv", "files": {}}, "files.train: missing"),
        ({"format": "csv", "files": {"train": []}}, "files.train: Value should have at least 1 item after validation"),
        ({"format": "csv", "files": "a.csv"}, 'files: wrong value (expected a mapping, got "a.csv")'),
        ({"format": "cifar", "label": "course"}, "label: unknown choice: did you mean coarse? (expected fine or coars"),
    ],
)
@pytest.mark.fault("a key that the format of the card does not have, or a mistyped one")
def test_the_format_decides_the_keys(lines, keys, line):
    [said] = lines(**keys)

    assert said.startswith(line)


def test_a_mistyped_role_stands_for_the_missing_one(lines):
    assert lines(format="idx", files={"train_images": "a", "train_labls": "b"}) == [
        "files.train_labels: missing",
        "files.train_labls: unknown key: did you mean train_labels?",
    ]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"archives": None}, f"archives: {NEEDS}"),
        ({"mirrors": None}, f"archives: {NEEDS}"),
        ({"archives": {"a/b.gz": PIN}}, f"archives.a/b.gz: {NAME}"),
        ({"archives": {"a.gz": {"size": 1}}}, "archives.a.gz.sha256: missing"),
        ({"archives": {"a.gz": PIN | {"sha256": "A" * 64}}}, f"archives.a.gz.sha256: {HASH}"),
        (
            {"archives": {"a.gz": PIN | {"sha256": 12}}},
            f"archives.a.gz.sha256: wrong value (expected {QUOTES}, got 12)",
        ),
        (
            {"archives": {"a.gz": PIN | {"size": True}}},
            "archives.a.gz.size: wrong value (expected a valid integer, got true)",
        ),
        (
            {"archives": {"a.gz": PIN | {"size": 0}}},
            "archives.a.gz.size: wrong value (expected greater than or equal to 1, got 0)",
        ),
    ],
)
@pytest.mark.fault("a hash that is none, or that YAML reads as a number")
@pytest.mark.fault("a size that is none")
@pytest.mark.fault("a file name that leads elsewhere")
@pytest.mark.fault("mirrors without archives, archives without mirrors")
def test_what_is_fetched_is_pinned(lines, keys, line):
    assert lines(format="npz", **FETCHED | keys) == [line]


@pytest.mark.parametrize(
    ("mirrors", "line"),
    [
        (["a.org"], ".0: wrong value (expected a valid URL, relative URL without a base; "),
        (["https://a.org/", "ftp://b.org/"], ".1: URL scheme should be 'http' or 'https'; "),
        (["https://"], ".0: wrong value (expected a valid URL, empty host; "),
        (["https://me:secret@a b.org/"], ".0: wrong value (expected a valid URL, invalid international domain name"),
        (
            ["./my images/"],
            ".0: wrong value (expected a valid URL, relative URL without a base; files on this machine ",
        ),
        ("https://a.org/", ': wrong value (expected a list, got "https://a.org/")'),
    ],
)
@pytest.mark.fault("a mirror without a scheme, a host, of another protocol; none at all")
def test_a_bad_mirror_gives_one_line_without_its_password(lines, mirrors, line):
    [said] = lines(format="idx", **FETCHED | {"mirrors": mirrors})

    assert said.startswith(f"mirrors{line}") and "secret" not in said


@pytest.mark.parametrize(
    ("mirror", "read"),
    [
        ("http://files.company:8080/data", "http://files.company:8080/data"),
        ("https://bücher.org/a b/", "https://xn--bcher-kva.org/a%20b/"),
    ],
)
def test_a_mirror_is_an_address(load, mirror, read):
    assert load(format="idx", **FETCHED | {"mirrors": [mirror]}).mirrors == [read]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"image_shape": [28, 32]}, "image_shape: is drawn as [28, 28] or [28, 28, 3] only"),
        ({"image_shape": None}, "image_shape: missing"),
        ({"classes": ["a"]}, "classes: Value should have at least 10 items after validation, not 1"),
        ({"seed": -1}, "seed: wrong value (expected greater than or equal to 0, got -1)"),
        ({"images": {"train": 10}}, "images.test: missing"),
        (
            {"images": {"train": 9, "test": 10}},
            "images.train: wrong value (expected greater than or equal to 10, got 9)",
        ),
    ],
)
@pytest.mark.fault("classes or a shape other than those of what is drawn")
def test_a_bad_drawn_data_set_gives_one_line(lines, keys, line):
    assert lines(format="garments", **DRAWN | keys) == [line]


@pytest.mark.parametrize("name", ["My set", "9", "a" * 65, "größe", "a.b"])
@pytest.mark.fault("a card whose file name can't name a data set")
def test_a_file_name_that_names_no_data_set_is_refused(project, name):
    path = Path(f"datasets/{name}.yaml")
    (project / path).write_bytes((project / "datasets/mnist.yaml").read_bytes())

    with pytest.raises(InputError) as caught:
        datasets.load(name)

    assert str(caught.value) == (
        f"{path}: cannot name a data set (expected a to z, 0 to 9 and _, a letter first, at most 64, got {name}); "
        f"fix: rename this file, and sources/{name} with it, then dvc repro"
    )
    (project / path).rename(project / "datasets/a_9.yaml")
    assert datasets.load("a_9").title == "MNIST"


def test_data_sets_are_the_cards(project):
    for name in (".hidden.yaml", "README.md", "notes.yml"):
        (project / "datasets" / name).write_text("?", encoding="utf-8")

    assert datasets.names() == ["fashion_mnist", "garments", "mnist"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("given_as", "fix"),
    [
        ({}, "choose a file of datasets/ in params.yaml, then dvc repro"),
        (
            {"given_as": "tools.describe mnits"},
            "name a file of datasets/; for your own files: python -m tools.describe PATH --write-card --name NAME",
        ),
    ],
)
@pytest.mark.fault("params.yaml names a data set that is not there")
def test_an_unknown_name_has_the_choices_listed(given_as, fix):
    with pytest.raises(InputError) as caught:
        datasets.require("mnits", **given_as)

    assert str(caught.value) == (
        f"{given_as.get('given_as', 'params.yaml: dataset.name')}: no such data set: did you mean mnist? "
        f"(expected fashion_mnist, garments or mnist, got mnits); fix: {fix}"
    )
    datasets.require("mnist", **given_as)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (None, "no such folder"),
        ([], "no files of this data set"),
        (["README.md", ".gitignore"], "no files of this data set"),
        (["README.md", "pictures.zip"], None),
    ],
)
@pytest.mark.fault("the files of a data set are missing, or not pulled")
def test_the_files_of_a_local_data_set_are_looked_for(project, load, files, what):
    card = load(format="pictures")
    if files is not None:
        (project / "sources/own").mkdir()
        for name in files:
            (project / "sources/own" / name).touch()

    fix = "put the files of own there, or dvc pull, then dvc repro"
    assert list(map(str, datasets.missing("own", card))) == ([f"sources/own: {what}; fix: {fix}"] if what else [])


@pytest.mark.fault("the files of a data set are missing, or not pulled")
def test_files_of_dvc_add_before_a_dvc_pull_are_named(project, load):
    card = load(format="pictures")
    (project / "sources/own").mkdir()
    for name in (".gitignore", "README.md", "a.zip", "a.zip.dvc", "b.dvc", "c d.dvc"):
        (project / "sources/own" / name).touch()

    fix = "dvc pull sources/own/b.dvc 'sources/own/c d.dvc'"
    expected = f"sources/own: not fetched from the remote; fix: {fix}"
    assert list(map(str, datasets.missing("own", card))) == [expected]
    (project / "sources/own/b").mkdir()
    (project / "sources/own/c d").mkdir()
    assert datasets.missing("own", card) == []


@pytest.mark.parametrize("name", ["mnist", "garments"])
def test_a_data_set_that_is_fetched_or_drawn_needs_no_files_but_its_folder(project, name):
    """DVC wants to look at the folder."""
    assert datasets.missing(name, datasets.load(name)) == []
    (project / "sources" / name / "README.md").unlink()
    (project / "sources" / name).rmdir()

    [problem] = datasets.missing(name, datasets.load(name))

    assert str(problem).startswith(f"sources/{name}: no such folder; fix: ")
