"""What datasets.yaml may say: the committed file, and what is said of it after an edit."""

import re
import unicodedata
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from core.cli.errors import InputError
from core.config import datasets, schema
from core.config.schema import Name
from tests.anything import ANYTHING

ROOT = Path(__file__).parents[3]

HASH = "a text like ^[0-9a-f]{64}$"
SIZE = "an integer 1 <= x <= 4294967296"
FILE = "a text like ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"
CLASSES = "a list of 1 to 256 items, each a text of 1 to 64 characters"
MIRRORS = "a list of 1 to 20 items, each a text of 1 to 2000 characters"
SHAPE = "a list of 2 items, each an integer 1 <= x <= 4096"


def lines(read=datasets.load, *arguments):
    """Return the lines that refuse datasets.yaml, without its name and the remedy, which are always the same."""
    with pytest.raises(InputError) as caught:
        read(*arguments)
    texts = [str(problem) for problem in caught.value.problems]
    start, end = "datasets.yaml: ", "; fix: edit datasets.yaml, then dvc repro"
    assert all(text.startswith(start) and text.endswith(end) for text in texts)
    return [text.removeprefix(start).removesuffix(end) for text in texts]


@pytest.mark.parametrize(
    ("name", "role", "file", "size", "sha256"),
    [
        (
            "fashion_mnist",
            "train_images",
            "train-images-idx3-ubyte.gz",
            26421880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        (
            "fashion_mnist",
            "test_labels",
            "t10k-labels-idx1-ubyte.gz",
            5148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        (
            "mnist",
            "train_labels",
            "train-labels-idx1-ubyte.gz",
            28881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        (
            "mnist",
            "test_images",
            "t10k-images-idx3-ubyte.gz",
            1648877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
    ],
)
def test_archives_are_those_that_the_authors_publish(project, name, role, file, size, sha256):
    """The values are those of the files themselves, taken apart from datasets.yaml."""
    archive = getattr(datasets.entry(name).archives, role)

    assert (archive.file, archive.size, archive.sha256) == (file, size, sha256)


def test_classes_are_in_the_order_of_the_labels(project):
    """Fashion-MNIST's is the table of its README; the digits name themselves."""
    clothes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]

    assert datasets.entry("fashion_mnist").classes == clothes
    assert datasets.entry("mnist").classes == list("0123456789")
    assert datasets.entry("garments").classes == clothes


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist", "garments"])
def test_every_data_set_has_the_four_files_of_the_mnist_family(project, name):
    assert datasets.load()[name] == datasets.entry(name)
    assert datasets.entry(name).image_shape == [28, 28]
    assert datasets.entry(name).files() == {
        "train_images": "train-images-idx3-ubyte.gz",
        "train_labels": "train-labels-idx1-ubyte.gz",
        "test_images": "t10k-images-idx3-ubyte.gz",
        "test_labels": "t10k-labels-idx1-ubyte.gz",
    }


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("sha256", "12345678", f"sha256: wrong type: put it in quotes (expected {HASH}, got 12345678)"),
        ("sha256", "12e34", f"sha256: wrong type: put it in quotes (expected {HASH}, got 1.2e+35)"),
        ("sha256", '"12e34"', f'sha256: wrong form (expected {HASH}, got "12e34")'),
        ("sha256", f'"{"A" * 64}"', f'sha256: wrong form (expected {HASH}, got "{"A" * 64}")'),
        ("sha256", f'"{"a" * 63}g"', f'sha256: wrong form (expected {HASH}, got "{"a" * 63}g")'),
        ("sha256", f'"{"a" * 63}"', f'sha256: wrong form (expected {HASH}, got "{"a" * 63}")'),
        ("sha256", f'"{"a" * 65}"', f'sha256: wrong form (expected {HASH}, got "{"a" * 65}")'),
        ("sha256", f'"{"a" * 64}\\n"', f'sha256: wrong form (expected {HASH}, got "{"a" * 64}\\n")'),
        ("sha256", "", f"sha256: wrong type (expected {HASH}, got nothing)"),
        ("size", "0", f"size: out of range (expected {SIZE}, got 0)"),
        ("size", "-1", f"size: out of range (expected {SIZE}, got -1)"),
        ("size", "true", f"size: wrong type (expected {SIZE}, got true)"),
        ("size", "5148.0", f"size: wrong type (expected {SIZE}, got 5148.0)"),
        ("size", "4294967297", f"size: out of range (expected {SIZE}, got 4294967297)"),
        ("file", "a/b.gz", f'file: wrong form (expected {FILE}, got "a/b.gz")'),
        ("file", "..", f'file: wrong form (expected {FILE}, got "..")'),
        ("file", ".hidden.gz", f'file: wrong form (expected {FILE}, got ".hidden.gz")'),
        ("file", "-rf", f'file: wrong form (expected {FILE}, got "-rf")'),
        ("file", '"a\\0b"', f'file: wrong form (expected {FILE}, got "a\\x00b")'),
        ("file", "'a\\b'", f'file: wrong form (expected {FILE}, got "a\\b")'),
        ("file", '""', f'file: wrong form (expected {FILE}, got "")'),
    ],
)
@pytest.mark.fault("a hash that is none, or that YAML reads as a number")
@pytest.mark.fault("a size that is none")
@pytest.mark.fault("a file name that leads elsewhere, or stands twice, in other case too")
def test_what_is_no_archive_gives_one_line(assign, key, value, line):
    assign("datasets.yaml", f"fashion_mnist.archives.test_labels.{key}", value)

    assert lines() == [f"fashion_mnist.archives.test_labels.{line}"]


@pytest.mark.parametrize("file", ["train-labels-idx1-ubyte.gz", "Train-Labels-IDX1-ubyte.gz"])
@pytest.mark.fault("a file name that leads elsewhere, or stands twice, in other case too")
def test_two_archives_of_one_name_are_refused_also_where_only_case_differs(assign, file):
    """They would overwrite each other, on some machines even if they differ in case."""
    assign("datasets.yaml", "mnist.archives.test_labels.file", file)

    assert lines() == ["mnist.archives: train_labels and test_labels have the same file"]


@pytest.mark.parametrize(
    ("role", "other"),
    [
        ("train_images", "test_labels"),
        ("train_images", "test_images"),
        ("train_images", "train_labels"),
        ("train_labels", "test_images"),
        ("test_images", "test_labels"),
    ],
)
@pytest.mark.fault("two archives of one hash, an archive missing")
def test_two_archives_with_one_hash_are_refused(assign, role, other):
    sha256 = getattr(datasets.entry("mnist").archives, role).sha256
    assign("datasets.yaml", f"mnist.archives.{other}.sha256", f'"{sha256}"')

    assert lines() == [f"mnist.archives: {role} and {other} have the same sha256"]


@pytest.mark.fault("two archives of one hash, an archive missing")
def test_labels_for_testing_may_be_those_for_training(assign):
    """They are where classes are sorted and as many of each are for testing as for training."""
    sha256 = datasets.entry("mnist").archives.train_labels.sha256
    assign("datasets.yaml", "mnist.archives.test_labels.sha256", f'"{sha256}"')

    assert datasets.entry("mnist").archives.test_labels.sha256 == sha256


def test_all_that_archives_have_in_common_is_named(assign):
    archives = datasets.entry("mnist").archives
    assign("datasets.yaml", "mnist.archives.test_images.sha256", f'"{archives.train_images.sha256}"')
    assign("datasets.yaml", "mnist.archives.test_labels.file", archives.train_labels.file)

    assert lines() == [
        "mnist.archives: train_images and test_images have the same sha256",
        "mnist.archives: train_labels and test_labels have the same file",
    ]


@pytest.mark.parametrize("role", ["train_images", "train_labels", "test_images", "test_labels"])
def test_every_role_is_needed(project, role):
    path = project / "datasets.yaml"
    path.write_text(
        re.sub(rf"    {role}:\n(      .*\n)+", "", path.read_text(encoding="utf-8"), count=1), encoding="utf-8"
    )

    assert lines() == [f"fashion_mnist.archives.{role}: missing (expected a mapping, got nothing)"]


@pytest.mark.parametrize(
    ("mirrors", "line"),
    [
        ("[http://a.org/]", "mirror 0 is not an https address with a host"),
        ("[https://a.org/, ftp://b.org/]", "mirror 1 is not an https address with a host"),
        ("[file:///etc/]", "mirror 0 is not an https address with a host"),
        ("['https:///x']", "mirror 0 is not an https address with a host"),
        ("['https://:443/x']", "mirror 0 is not an https address with a host"),
        ("['https://[/x']", "mirror 0 is not an https address with a host"),
        ("['https://[a.org]/']", "mirror 0 is not an https address with a host"),
        ("['https://a.org:65536/']", "mirror 0 is not an https address with a host"),
        ("['https://a.org:port/']", "mirror 0 is not an https address with a host"),
        ("['https://a.org:0/']", "mirror 0 has a host or a port that there can't be"),
        ("['https://a b.org/']", "mirror 0 has a character that no address has"),
        ("[' https://a.org/']", "mirror 0 has a character that no address has"),
        ("['https://a.org/ ']", "mirror 0 has a character that no address has"),
        ("['https://a.org/a b/']", "mirror 0 has a character that no address has"),
        ('["https://a.org/\\n"]', "mirror 0 has a character that no address has"),
        ('["https://a\\t.org/"]', "mirror 0 has a character that no address has"),
        ('["https://a.org/\\0"]', "mirror 0 has a character that no address has"),
        ('["https://a.org/\\x7f"]', "mirror 0 has a character that no address has"),
        ("['https://a.org\\@b.org/']", "mirror 0 has a user name or a password in it"),
        ("['https://a.org\\b/']", "mirror 0 has a character that no address has"),
        ("['https://a.org/<b>']", "mirror 0 has a character that no address has"),
        ("['https://bücher.org/']", "mirror 0 has a character that no address has"),
        ('["https://a\\u2024org/"]', "mirror 0 has a character that no address has"),
        ('["https://a\\uff0fb.org/"]', "mirror 0 is not an https address with a host"),
        ('["https://a\\u202eb.org/"]', "mirror 0 has a character that no address has"),
        ("['https://-a.org/']", "mirror 0 has a host or a port that there can't be"),
        ("['https://a-.org/']", "mirror 0 has a host or a port that there can't be"),
        ("['https://a..org/']", "mirror 0 has a host or a port that there can't be"),
        ("['https://.a.org/']", "mirror 0 has a host or a port that there can't be"),
        ("['https://a_b.org/']", "mirror 0 has a host or a port that there can't be"),
        ("['https://a%41.org/']", "mirror 0 has a host or a port that there can't be"),
        (f"['https://{'a' * 64}.org/']", "mirror 0 has a host or a port that there can't be"),
        (f"['https://{'a.' * 127}org/']", "mirror 0 has a host or a port that there can't be"),
        ("['https://a.org/?file=']", "mirror 0 has a ? or a #, after which no file name can stand"),
        ("['https://a.org/#']", "mirror 0 has a ? or a #, after which no file name can stand"),
        ("[HTTPS://a.org/x, 'https://a.org:443@b.org']", "mirror 1 has a user name or a password in it"),
        ("[a.org]", "mirror 0 is not an https address with a host"),
        ("[https://a.org/x, https://a.org/x/]", "mirror 1 stands there twice"),
        ("[https://me:secret@a.org/]", "mirror 0 has a user name or a password in it"),
        ("[https://secret@a.org/]", "mirror 0 has a user name or a password in it"),
        ("['https://:secret@a.org/']", "mirror 0 has a user name or a password in it"),
        ("[]", f"out of range (expected {MIRRORS}, got [])"),
        ("https://a.org/", f'wrong type (expected {MIRRORS}, got "https://a.org/")'),
        ("me:secret@a.org", f'wrong type (expected {MIRRORS}, got "***@a.org")'),
        ("{me:secret@a.org: 1}", f"wrong type (expected {MIRRORS}, got {{'***@a.org': 1}})"),
        ("https://me:secret@a.org/", f'wrong type (expected {MIRRORS}, got "https://***@a.org/")'),
        ("https://me:secret%40a.org/", f'wrong type (expected {MIRRORS}, got "https://***@a.org/")'),
        ("https://a.org/data?token=secret", f'wrong type (expected {MIRRORS}, got "https://a.org/data?***)'),
    ],
)
@pytest.mark.fault("a mirror without TLS, with a password, without a host, twice, none at all")
def test_what_is_no_list_of_mirrors_gives_one_line_without_passwords(assign, mirrors, line):
    assign("datasets.yaml", "mnist.mirrors", mirrors)

    assert lines() == [f"mnist.mirrors: {line}"]


def test_each_mirror_that_is_no_use_has_a_line(assign):
    assign(
        "datasets.yaml", "mnist.mirrors", "[http://a.org, https://b.org/x, https://me:secret@b.org/, https://b.org/x/]"
    )

    assert lines() == [
        "mnist.mirrors: mirror 0 is not an https address with a host",
        "mnist.mirrors: mirror 2 has a user name or a password in it",
        "mnist.mirrors: mirror 3 stands there twice",
    ]


@pytest.mark.parametrize(
    "mirror",
    ["https://a.org", "HTTPS://A.org/", "https://a.org:8443/b/%20~c/", "https://xn--bcher-kva.org./", "https://[::1]/"],
)
def test_addresses_of_mirrors_are_those_of_the_web(assign, mirror):
    assign("datasets.yaml", "mnist.mirrors", f"['{mirror}']")

    assert datasets.entry("mnist").mirrors == [mirror]


@pytest.mark.parametrize("key", ["title", "description", "licence"])
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('"a\\0"', "character 1 can't be shown: '\\x00'"),
        ('"a\\e[31m"', "character 1 can't be shown: '\\x1b'"),
        ('"ab\\n"', "character 2 can't be shown: '\\n'"),
        ('"\\u202eab"', "character 0 can't be shown: '\\u202e'"),
        ('"a\\u2066b"', "character 1 can't be shown: '\\u2066'"),
        ('"a\\u200bb"', "character 1 can't be shown: '\\u200b'"),
        ('"a\\ud800b"', 'wrong form (expected a text of 1 to 2000 characters, got "a\\ud800b")'),
        ('""', 'out of range (expected a text of 1 to 2000 characters, got "")'),
        (f"{'a' * 2001}", f'out of range (expected a text of 1 to 2000 characters, got "{"a" * 76}...)'),
    ],
    ids=["NUL", "escape", "newline", "override", "isolate", "no width", "surrogate", "empty", "long"],
)
def test_texts_have_no_character_that_is_not_seen(assign, key, text, what):
    assign("datasets.yaml", f"mnist.{key}", text)

    assert lines() == [f"mnist.{key}: {what}"]


@pytest.mark.parametrize(
    ("classes", "line"),
    [
        ("[]", f": out of range (expected {CLASSES}, got [])"),
        ("a, b", f': wrong type (expected {CLASSES}, got "a, b")'),
        ("[a, b, a]", ": classes 0 and 2 have the same name: a"),
        ("[coat, Coat]", ": classes 0 and 1 have the same name: Coat"),
        ("[Straße, STRASSE]", ": classes 0 and 1 have the same name: STRASSE"),
        ('["\\u00c4rmel", "A\\u0308rmel"]', ": classes 0 and 1 have the same name: A\u0308rmel"),
        ('[a, ""]', '.1: out of range (expected a text of 1 to 64 characters, got "")'),
        (f"[a, {'b' * 65}]", f'.1: out of range (expected a text of 1 to 64 characters, got "{"b" * 65}")'),
        ("[a, 1]", ".1: wrong type: put it in quotes (expected a text of 1 to 64 characters, got 1)"),
        ("[a, null]", ".1: wrong type (expected a text of 1 to 64 characters, got nothing)"),
        ('[a, "b\\0"]', ": class 1 has characters that can't be shown or blanks around it: 'b\\x00'"),
        ('[a, "b\\nc"]', ": class 1 has characters that can't be shown or blanks around it: 'b\\nc'"),
        ('["a\\u202eb", c]', ": class 0 has characters that can't be shown or blanks around it: 'a\\u202eb'"),
        ('["a\\u2066b", c]', ": class 0 has characters that can't be shown or blanks around it: 'a\\u2066b'"),
        ('[a, "b "]', ": class 1 has characters that can't be shown or blanks around it: 'b '"),
        ('[a, "\\ud800"]', '.1: wrong form (expected a text of 1 to 64 characters, got "\\ud800")'),
    ],
)
@pytest.mark.fault("class names too few, equal to the eye, empty, long or unseen")
def test_what_are_no_class_names_gives_one_line(assign, classes, line):
    assign("datasets.yaml", "mnist.classes", classes)

    assert lines() == [f"mnist.classes{line}"]


@pytest.mark.fault("class names too few, equal to the eye, empty, long or unseen")
def test_each_class_name_that_is_no_use_has_a_line(assign):
    assign("datasets.yaml", "mnist.classes", '[a, "b ", A, " c", a]')

    assert lines() == [
        "mnist.classes: class 1 has characters that can't be shown or blanks around it: 'b '",
        "mnist.classes: classes 0 and 2 have the same name: A",
        "mnist.classes: class 3 has characters that can't be shown or blanks around it: ' c'",
        "mnist.classes: classes 0 and 4 have the same name: a",
    ]


@pytest.mark.fault("class names whose accents are written apart, the folders' being not")
def test_accents_are_not_taken_apart_as_they_are_not_in_the_names_of_folders(assign):
    assign("datasets.yaml", "mnist.classes", '["cafe\\u0301", "caf\\u00e8"]')

    assert datasets.entry("mnist").classes == ["caf\u00e9", "caf\u00e8"]


@pytest.mark.fault("one class, 256 of them, images that are not square")
def test_up_to_256_classes_are_possible_and_no_more(assign):
    """A label is a byte."""
    names = [f"class {number}" for number in range(257)]
    assign("datasets.yaml", "mnist.classes", f"[{', '.join(names[:256])}]")
    assert datasets.entry("mnist").classes == names[:256]

    assign("datasets.yaml", "mnist.classes", f"[{', '.join(names)}]")
    assert lines() == [f"mnist.classes: out of range (expected {CLASSES}, got {str(names)[:77]}...)"]


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("title", '""', 'title: out of range (expected a text of 1 to 2000 characters, got "")'),
        ("image_shape", "[28]", f"image_shape: out of range (expected {SHAPE}, got [28])"),
        ("image_shape", "[28, 28, 1]", f"image_shape: out of range (expected {SHAPE}, got [28, 28, 1])"),
        ("image_shape", "[0, 28]", "image_shape.0: out of range (expected an integer 1 <= x <= 4096, got 0)"),
        ("image_shape", "[32, 32]", "image_shape: what is drawn has a shape of [28, 28], not [32, 32]"),
        ("image_shape", "[28, 32]", "image_shape: what is drawn has a shape of [28, 28], not [28, 32]"),
        ("classes", "[a, b, c]", "classes: 10 kinds of clothing are drawn, and 3 are named"),
        ("source", "draw", 'source: unknown choice (expected download, generate or images, got "draw")'),
        (
            "source",
            "generated",
            'source: unknown choice: did you mean generate? (expected download, generate or images, got "generated")',
        ),
        ("seed", "-1", "seed: out of range (expected an integer 0 <= x <= 4294967295, got -1)"),
        (
            "images",
            "{train: 9, test: 10}",
            "images.train: out of range (expected an integer 10 <= x <= 10000000, got 9)",
        ),
        ("images", "{train: 10}", "images.test: missing (expected an integer 10 <= x <= 10000000, got nothing)"),
    ],
)
@pytest.mark.fault("classes or a shape other than those of what is drawn")
def test_what_is_wrong_with_a_generated_data_set_gives_one_line(assign, key, value, line):
    assign("datasets.yaml", f"garments.{key}", value)

    assert lines() == [f"garments.{line}"]


def test_the_source_decides_what_an_entry_has(edit):
    edit("datasets.yaml", "\ngarments:\n", "\ngarments:\n  mirrors: [https://a.org/]\n")
    keys = "title, description, licence, image_shape, source, classes, seed or images"

    assert lines() == [f"garments.mirrors: unknown key (expected {keys}, got mirrors)"]


@pytest.mark.parametrize("name", ["Mnist", "../mnist", "mnist-2", "m" * 65])
def test_the_name_of_a_data_set_is_fit_for_a_file(edit, name):
    edit("datasets.yaml", "\nmnist:\n", f"\n{name}:\n")

    assert lines() == [f'{name}: wrong form (expected a text like ^[a-z][a-z0-9_]{{0,63}}$, got "{name}")']


def test_an_entry_is_a_mapping(assign):
    assign("datasets.yaml", "mnist", "3")

    assert lines() == lines(datasets.entry, "mnist") == ["mnist: wrong type (expected a mapping, got 3)"]


def test_all_problems_are_reported_together(assign):
    assign("datasets.yaml", "garments.seed", "true")
    assign("datasets.yaml", "fashion_mnist.mirrors", "[http://a.org/]")
    assign("datasets.yaml", "fashion_mnist.archives.train_images.size", "0")

    assert lines() == [
        "fashion_mnist.mirrors: mirror 0 is not an https address with a host",
        f"fashion_mnist.archives.train_images.size: out of range (expected {SIZE}, got 0)",
        "garments.seed: wrong type (expected an integer 0 <= x <= 4294967295, got true)",
    ]


def test_an_entry_depends_on_no_other(assign):
    """A stage depends on the chosen data set alone: another may even be half written."""
    assign("datasets.yaml", "mnist", "half written")

    assert datasets.entry("garments").title == "Garments"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mnst", ": did you mean mnist?"), ("fashion-mnist", ": did you mean fashion_mnist?"), ("cifar10", "")],
)
@pytest.mark.fault("params.yaml names a data set that is not there")
def test_a_data_set_that_is_not_there_has_the_choices_listed(project, name, hint):
    with pytest.raises(InputError) as caught:
        datasets.entry(name)

    assert str(caught.value) == (
        f"params.yaml: dataset.name: no such data set{hint} (expected fashion_mnist, mnist or garments, got {name}); "
        "fix: choose one of datasets.yaml in params.yaml, then dvc repro"
    )


def test_a_file_without_data_sets_has_no_choices(project):
    Path("datasets.yaml").write_text("{}\n", encoding="utf-8")

    with pytest.raises(InputError) as caught:
        datasets.entry("mnist")

    assert str(caught.value) == (
        "params.yaml: dataset.name: no such data set; fix: choose one of datasets.yaml in params.yaml, then dvc repro"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "not a mapping of keys to values (expected a mapping, got nothing)"),
        ("mnist: {}\nmnist: {}\n", "line 2: key 'mnist' stands twice, also on line 1"),
        ("mnist: &m {}\n", "line 1: anchors and aliases are not used here"),
        ("mnist:\n\ttitle: x\n", "line 2: found character '\\t' that cannot start any token"),
    ],
)
@pytest.mark.fault("not plain YAML")
def test_what_is_no_plain_yaml_is_refused_as_in_params(project, text, line):
    Path("datasets.yaml").write_text(text, encoding="utf-8")

    assert lines() == lines(datasets.entry, "mnist") == [line]


@pytest.mark.parametrize(
    ("mirror", "line"),
    [
        ("/data/mnist", None),
        ("./pictures of mine/mnist/", None),
        ("../mnist", None),
        ("mnist", "is not an https address with a host"),
        ("~/mnist", "is not an https address with a host"),
        ("/data/mnist ", "has characters that can't be shown or blanks around it"),
        ("/data/\\u202emnist", "has characters that can't be shown or blanks around it"),
    ],
)
@pytest.mark.fault("a folder for a mirror, whose path could be taken for another thing")
def test_a_mirror_may_be_a_folder_where_its_beginning_says_so(assign, mirror, line):
    assign("datasets.yaml", "mnist.mirrors", f'["https://a.org/", "{mirror}"]')

    if line:
        assert lines() == [f"mnist.mirrors: mirror 1 {line}"]
    else:
        assert datasets.entry("mnist").mirrors[1] == mirror


def unpinned(project, *keys):
    path = project / "datasets.yaml"
    for key in keys:
        text = path.read_text(encoding="utf-8")
        start = text.index("\nmnist:")
        path.write_text(text[:start] + re.sub(rf"      {key}: .*\n", "", text[start:], count=1), encoding="utf-8")


@pytest.mark.parametrize("keys", [["size"], ["sha256"], ["size", "sha256"]])
@pytest.mark.fault("data that are not pinned and not on this machine")
def test_what_is_not_on_this_machine_is_pinned(project, assign, keys):
    unpinned(project, *keys)

    needs = "mnist.archives: train_images is not on this machine, and so needs size and sha256"
    assert lines() == [needs]

    assign("datasets.yaml", "mnist.mirrors", "[/data/mnist, https://a.org/]")
    assert lines() == [needs]

    assign("datasets.yaml", "mnist.title", '""')
    assert lines() == ['mnist.title: out of range (expected a text of 1 to 2000 characters, got "")', needs]
    assign("datasets.yaml", "mnist.title", "MNIST")

    assign("datasets.yaml", "mnist.mirrors", "[/data/mnist, ./mnist]")
    archives = datasets.entry("mnist").archives
    assert not archives.train_images.is_pinned() and archives.train_labels.is_pinned()


def test_a_pin_is_left_out_or_right(assign):
    assign("datasets.yaml", "mnist.archives.train_images.sha256", '""')

    assert lines() == [f'mnist.archives.train_images.sha256: wrong form (expected {HASH}, got "")']


PICTURED = """
own:
  title: Own
  description: pictures of mine
  licence: mine
  image_shape: [32, 20]
  source: images
  folder: my pictures/2026
"""


@pytest.fixture
def pictured(project):
    with open(project / "datasets.yaml", "a", encoding="utf-8") as file:
        file.write(PICTURED)


@pytest.mark.usefixtures("pictured")
def test_a_folder_of_pictures_needs_no_more_than_its_place_and_a_shape():
    own = datasets.entry("own")

    assert (own.folder, own.image_shape, own.invert, own.background) == ("my pictures/2026", [32, 20], "no", 255)
    assert (own.test_fraction, own.classes, own.sha256) == (0, [], "")
    assert own.files() == datasets.entry("garments").files()


@pytest.mark.usefixtures("pictured")
@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("test_fraction", "0", "test_fraction: out of range (expected a number 0 < x < 1, got 0)"),
        ("test_fraction", "1", "test_fraction: out of range (expected a number 0 < x < 1, got 1)"),
        ("test_fraction", ".nan", "test_fraction: not a finite number (expected a number 0 < x < 1, got .nan)"),
        ("invert", "maybe", 'invert: unknown choice (expected auto, yes or no, got "maybe")'),
        ("invert", "yse", 'invert: unknown choice: did you mean yes? (expected auto, yes or no, got "yse")'),
        ("background", "256", "background: out of range (expected an integer 0 <= x <= 255, got 256)"),
        ("classes", "[]", f"classes: out of range (expected {CLASSES}, got [])"),
        ("classes", "[a, A]", "classes: classes 0 and 1 have the same name: A"),
        ("folder", "~/pictures", "folder: a ~ stands for nothing here, and blanks around it can't be meant"),
        ("folder", '"pictures "', "folder: a ~ stands for nothing here, and blanks around it can't be meant"),
        ("folder", '""', 'folder: out of range (expected a text of 1 to 2000 characters, got "")'),
        ("folder", '"a\\0"', "folder: character 1 can't be shown: '\\x00'"),
        ("sha256", '""', f'sha256: wrong form (expected {HASH}, got "")'),
        ("sha256", "12345678", f"sha256: wrong type: put it in quotes (expected {HASH}, got 12345678)"),
    ],
)
@pytest.mark.fault("a key of the entry that can't be meant: a fraction of 0, another choice, a hash that is none")
def test_what_is_wrong_with_a_folder_of_pictures_gives_one_line(assign, project, key, value, line):
    if key == "folder":
        assign("datasets.yaml", "own.folder", value)
    else:
        with open(project / "datasets.yaml", "a", encoding="utf-8") as file:
            file.write(f"  {key}: {value}\n")

    assert lines() == [f"own.{line}"]


COMMITTED = YAML(typ="safe", pure=True).load((ROOT / "datasets.yaml").read_text(encoding="utf-8"))
COMMITTED |= YAML(typ="safe", pure=True).load(PICTURED)
KEYS = [(name, key) for name in ("mnist", "garments", "own") for key in COMMITTED[name]]
KEYS += [("own", key) for key in ("test_fraction", "classes", "invert", "background", "sha256")]
HOSTS = st.text("ab1.-_:@[]/\\\\?#% \t\n\0\u00fc\u202e\uff0f\ud800", max_size=12)


@given(st.sampled_from(KEYS), ANYTHING | st.lists(HOSTS.map("https://".__add__), min_size=1, max_size=2))
@example(("mnist", "title"), "a")
@example(("mnist", "archives"), {"@": None})
@settings(max_examples=200)
@pytest.mark.fault("a key of the entry that can't be meant: a fraction of 0, another choice, a hash that is none")
def test_any_value_of_any_key_is_taken_as_it_is_or_gives_lines_that_name_the_key(place, value):
    name, key = place
    try:
        read = schema.check({name: COMMITTED[name] | {key: value}}, dict[Name, datasets.Entry], datasets.PATH)
    except InputError as error:
        assert all(str(problem).startswith(f"datasets.yaml: {name}.") for problem in error.problems)
        assert all("\n" not in str(problem) and len(str(problem)) < 600 for problem in error.problems)
        return
    if key == "classes":
        value = [unicodedata.normalize("NFC", name) for name in value]
    assert read[name].model_dump()[key] == value
    if key == "mirrors":
        for mirror in (address for address in value if not datasets.is_folder(address)):
            assert requests.Request("GET", f"{mirror.rstrip('/')}/file").prepare().url.startswith("https://")
            assert "@" not in urlsplit(mirror).netloc
        assert all(map(str.isprintable, value))
    assert repr(value).isprintable()
