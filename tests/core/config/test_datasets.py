"""What datasets.yaml may say: the committed file, and the lines for an edit of it."""

import re

import pytest

from core.cli.errors import InputError
from core.config import datasets

QUOTES = "a text, in quotes if it looks like a number"
HASH = "String should match pattern '^[0-9a-f]{64}$'"
FILE = "String should match pattern '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$'"
SOURCES = "download, generate or images"


def lines(read=datasets.load, *arguments):
    """Return the lines that refuse datasets.yaml, without its name and the fix, which are always the same."""
    with pytest.raises(InputError) as caught:
        read(*arguments)
    texts = [str(problem) for problem in caught.value.problems]
    start, end = "datasets.yaml: ", "; fix: edit datasets.yaml, then dvc repro"
    assert all(text.startswith(start) and text.endswith(end) for text in texts)
    return [text.removeprefix(start).removesuffix(end) for text in texts]


def test_classes_are_in_the_order_of_the_labels(project):
    """The order of Fashion-MNIST is from the table of its README."""
    clothes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]

    assert datasets.entry("fashion_mnist").classes == datasets.entry("garments").classes == clothes
    assert datasets.entry("mnist").classes == list("0123456789")


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("sha256", "12e34", f"wrong value (expected {QUOTES}, got 1.2e+35)"),
        ("sha256", f'"{"A" * 64}"', HASH),
        ("size", "true", "wrong value (expected a valid integer, got true)"),
        ("size", "4294967297", "wrong value (expected less than or equal to 4294967296, got 4294967297)"),
        ("file", "..", FILE),
    ],
)
@pytest.mark.fault("a hash that is none, or that YAML reads as a number")
@pytest.mark.fault("a size that is none")
@pytest.mark.fault("a file name that leads elsewhere, or stands twice, in other case too")
def test_a_bad_archive_gives_one_line(assign, key, value, line):
    assign("datasets.yaml", f"fashion_mnist.archives.test_labels.{key}", value)

    assert lines() == [f"fashion_mnist.archives.test_labels.{key}: {line}"]


@pytest.mark.fault("a file name that leads elsewhere, or stands twice, in other case too")
def test_two_archives_of_one_file_name_are_refused(assign):
    """They would overwrite each other, on some machines even if they differ in case."""
    assign("datasets.yaml", "mnist.archives.test_labels.file", "Train-Labels-IDX1-ubyte.gz")

    assert lines() == ["mnist.archives: two archives have the same file name"]


@pytest.mark.fault("two archives of one hash, an archive missing")
def test_each_role_is_needed(edit):
    edit(
        "datasets.yaml", "    test_labels:\n      file: t10k-labels-idx1-ubyte.gz\n      size: 5148", "    test_label:"
    )

    assert lines() == [
        "fashion_mnist.archives.test_labels: missing",
        "fashion_mnist.archives.test_label: unknown key: did you mean test_labels?",
    ]


@pytest.mark.parametrize(
    ("mirrors", "line"),
    [
        ("[a.org]", ".0: wrong value (expected a valid URL, relative URL without a base, got "),
        ("[https://a.org/, ftp://b.org/]", ".1: URL scheme should be 'http' or 'https'"),
        ("['https://']", ".0: wrong value (expected a valid URL, empty host, got "),
        ("['https://me:secret@a b.org/']", ".0: wrong value (expected a valid URL, invalid international domain name"),
        ("https://a.org/", ': wrong value (expected a list, got "https://a.org/")'),
    ],
)
@pytest.mark.fault("a mirror without a scheme, a host, of another protocol; none at all")
def test_a_bad_mirror_gives_one_line_without_its_password(assign, mirrors, line):
    assign("datasets.yaml", "mnist.mirrors", mirrors)

    [said] = lines()
    assert said.startswith(f"mnist.mirrors{line}") and "secret" not in said


@pytest.mark.parametrize(
    ("mirror", "read"),
    [
        ("http://files.company:8080/data", "http://files.company:8080/data"),
        ("https://bücher.org/a b/", "https://xn--bcher-kva.org/a%20b/"),
        ("/data/mnist", "/data/mnist"),
        ("./my images/mnist/", "./my images/mnist/"),
    ],
)
def test_a_mirror_is_an_address_or_a_folder(assign, mirror, read):
    assign("datasets.yaml", "mnist.mirrors", f"['{mirror}']")

    assert datasets.entry("mnist").mirrors == [read]


@pytest.mark.parametrize("key", ["size", "sha256"])
@pytest.mark.fault("data that are not pinned and not on this machine")
def test_only_archives_in_local_folders_may_lack_pins(project, assign, key):
    path = project / "datasets.yaml"
    before, mnist = path.read_text(encoding="utf-8").split("\nmnist:")
    mnist = re.sub(rf"      {key}: .*\n", "", mnist, count=1)
    path.write_text(f"{before}\nmnist:{mnist}", encoding="utf-8")
    needs = "mnist.archives: train_images: size and sha256 are needed unless every mirror is a local folder"

    assert lines() == [needs]
    assign("datasets.yaml", "mnist.mirrors", "[/data/mnist, https://a.org/]")
    assert lines() == [needs]
    assign("datasets.yaml", "mnist.mirrors", "[/data/mnist, ./mnist]")
    archives = datasets.entry("mnist").archives
    assert not archives.train_images.is_pinned() and archives.train_labels.is_pinned()


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("description", '"a\\nb"', ": has blanks around it, or characters that cannot be shown: 'a\\nb'"),
        ("image_shape", "[28]", ": List should have at least 2 items after validation, not 1"),
        ("image_shape", "[28, 32]", ".1: wrong value (expected less than or equal to 28, got 32)"),
        ("classes", "[a, A]", ": two classes have the same name: A"),
        ("source", "generated", f': unknown choice: did you mean generate? (expected {SOURCES}, got "generated")'),
        ("images", "{train: 10}", ".test: missing"),
        ("images", "{train: 9, test: 10}", ".train: wrong value (expected greater than or equal to 10, got 9)"),
    ],
)
@pytest.mark.fault("classes or a shape other than those of what is drawn")
@pytest.mark.fault("class names too few, equal to the eye, empty, long or unseen")
def test_a_bad_drawn_data_set_gives_one_line(assign, key, value, line):
    assign("datasets.yaml", f"garments.{key}", value)

    assert lines() == [f"garments.{key}{line}"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("\ngarments:\n", "\ngarments:\n  mirrors: [https://a.org/]\n", "garments.mirrors: unknown key"),
        ("\ngarments:\n", "\nMy garments:\n", "My garments: String should match pattern '^[a-z][a-z0-9_]{0,63}$'"),
        ("\n  source: generate\n", "\n", "garments.source: missing"),
    ],
)
def test_the_source_decides_the_keys_of_an_entry(edit, old, new, line):
    edit("datasets.yaml", old, new)

    assert lines() == [line]


OWN = """
own:
  title: Own
  description: my pictures
  licence: mine
  image_shape: [32, 20]
  source: images
  folder: my pictures/2026
"""


@pytest.fixture
def own(project):
    """A function that adds an image folder with further keys."""

    def own(extra=""):
        with open(project / "datasets.yaml", "a", encoding="utf-8") as file:
            file.write(OWN + extra)

    return own


def test_an_image_folder_needs_only_its_place_and_a_shape(own):
    own()
    entry = datasets.entry("own")

    assert (entry.folder, entry.image_shape, entry.invert, entry.background) == (
        "my pictures/2026",
        [32, 20],
        "no",
        255,
    )
    assert (entry.test_fraction, entry.classes, entry.sha256) == (0, [], "")
    assert entry.files() == datasets.FILES


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("test_fraction", "0", "wrong value (expected greater than 0, got 0)"),
        ("invert", "yse", 'unknown choice: did you mean yes? (expected auto, yes or no, got "yse")'),
        ("classes", "[]", "List should have at least 1 item after validation, not 0"),
    ],
)
@pytest.mark.fault("a key of the entry that can't be meant: a fraction of 0, another choice, a hash that is none")
def test_a_bad_image_folder_gives_one_line(own, key, value, line):
    own(f"  {key}: {value}\n")

    assert lines() == [f"own.{key}: {line}"]
