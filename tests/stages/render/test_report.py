import csv
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from core.cli.errors import InputError
from core.files.arrays import Split
from stages.render import document, look, report, verdict

ROOT = Path(__file__).parents[3]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "](javascript:x)",
    "|",
    "` ``",
    "$5 to $9",
    "![x](http://example.org/x.png)",
    "<http://example.org>",
    "**bold** and _slanted_ ~~gone~~",
    "&lt;b&gt; &#42;",
    "\\",
    "# heading",
    "1. item",
    "- item",
    "=1+1",
    "> quoted",
    "===",
    "---",
    "[a]: http://example.org",
    "<!-- hidden",
    "x" * 61,
]
UNDRAWABLE = ["衬衫", "👟 shoe", "ไทย"]


@pytest.fixture
def written(render):
    """A function that builds a report and returns its Markdown."""

    def written(results, **changes) -> str:
        return document.markdown(report.build(results, render(**changes)), "figures")

    return written


def page_of(made, figures=None) -> str:
    """Return the HTML of a report, with figures that were not drawn unless there are some."""
    blank = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x03\x20\x00\x00\x01\x5e"
    return document.html(made, figures or dict.fromkeys((figure.file for figure in made.illustrations), blank))


def scored(text: str) -> list[str]:
    """Return the numbers with four decimals in a text."""
    return re.findall(r"\d\.\d{4}", text)


def assert_equal_to_metrics(page, metrics, classes):
    """Every score of the report, found by the row and the column where a reader finds it."""
    test, several = metrics["test"], len(page.tables["Verdict"][0][0]) == 3

    def both(score):
        return [f"{test[score]:.4f}", f"{test[score + '_std']:.4f}"][: 1 + several]

    accuracy, top2, loss = page.tables["Verdict"][0][1:]
    ends = [f"{test[end]:.4f}" for end in ("accuracy_low", "accuracy_high")]
    assert scored(" ".join(accuracy[1:])) == [both("accuracy")[0], *ends, *both("accuracy")[1:]]
    assert (top2[1:], loss[1:]) == (both("top2_accuracy"), both("loss"))
    calibration, brier = page.tables["How far to trust its confidence"][0][1:]
    assert (calibration[1:], brier[1:]) == (both("expected_calibration_error"), both("brier"))
    assert page.tables["What was run"][2][1:] == [
        [score, *(f"{metrics[part][score]:.4f}" for part in ("train", "test", "gap"))] for score in ("accuracy", "loss")
    ]
    rows = page.tables["Each class"][0][1:]
    assert [row[0] for row in rows] == classes
    for name, _, *cells in rows:
        of_class = metrics["classes"][name]
        for cell, score in zip(cells, ("recall", "precision", "f1"), strict=False):
            value, low, high = map(float, scored(cell))
            assert value == round(of_class[score], 4) and low <= value <= high
        assert cells[3:] == [f"{of_class['recall_std']:.4f}"] * several
    first = next(iter(page.texts.values()))[0]
    assert scored(first)[:3] == [both("accuracy")[0], *ends]


@pytest.mark.parametrize("replicates", [1, 3])
def test_every_score_is_read_back_from_both_forms_of_the_report(some, render, written, read, read_html, replicates):
    made = some(classes=5, replicates=replicates, images=200)
    page = read_html(page_of(report.build(made, render())))

    assert_equal_to_metrics(read(written(made)), made.metrics, made.classes)
    assert_equal_to_metrics(page, made.metrics, made.classes)
    names, *rows = page.tables["Confusion matrix"][0]
    assert names[1:] == [row[0] for row in rows] == made.classes
    counts = confusion_matrix(made.test.labels, made.probabilities[0].argmax(axis=1))
    assert [[int(cell or 0) for cell in row[1:]] for row in rows] == counts.tolist()


def assert_equal_to_files(page, metrics, classes):
    """Every number of the report that is in the committed files, in the form in which it stands there."""
    test, train = metrics["test"], metrics["train"]
    accuracy, _, loss = page.tables["Verdict"][0][1:]
    assert [scored(accuracy[1])[0], accuracy[2]] == [f"{test['accuracy']:.4f}", f"{test['accuracy_std']:.4f}"]
    assert loss[1] == f"{test['loss']:.4f}"
    assert page.tables["How far to trust its confidence"][0][1][1] == f"{test['ece']:.4f}"
    assert [row[1:3] for row in page.tables["What was run"][2][1:]] == [
        [f"{split[score]:.4f}" for split in (train, test)] for score in ("accuracy", "loss")
    ]
    rows = [
        [row[0], row[1].replace(",", ""), *(scored(cell)[0] for cell in row[2:])]
        for row in page.tables["Each class"][0][1:]
    ]
    numbers = ("recall", "precision", "f1", "recall_std")
    assert rows == [
        [row["class"], row["images"], *(f"{float(row[score]):.4f}" for score in numbers)] for row in classes
    ]


def committed():
    """The report, the metrics and the scores of each class, as they are committed."""
    report, metrics, classes = (
        (ROOT / "reports" / name).read_text(encoding="utf-8") for name in ("report.md", "metrics.json", "classes.csv")
    )
    return report, json.loads(metrics), list(csv.DictReader(classes.splitlines()))


@pytest.mark.fault("a number that differs from metrics.json or classes.csv")
def test_the_committed_report_has_the_committed_metrics(read):
    text, metrics, classes = committed()

    assert len(classes) == 10
    assert_equal_to_files(read(text), metrics, classes)


def linked(text: str) -> list[str]:
    return sorted(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text))


@pytest.mark.fault("a link to a figure that is not there, a figure without a link")
def test_the_committed_report_shows_the_committed_figures_and_no_others():
    text = (ROOT / "reports/report.md").read_text(encoding="utf-8")

    figures = sorted(path.relative_to(ROOT / "reports").as_posix() for path in (ROOT / "reports/figures").iterdir())
    assert len(figures) > 10
    assert linked(text) == figures


# Where the numbers of the committed files stand in report.md.
SHOWN = (
    r"\| accuracy \| (S) \(S to S\) \| (S) \|",
    r"\| loss \| (S) \| S \|",
    r"\| expected calibration error \| (S) \| S \|",
    r"\| (?:accuracy|loss) \| (S) \| (S) \| S \|",
    r"\| .* \| 1,000 \| (S) \(S to S\) \| (S) \(S to S\) \| (S) \(S to S\) \| (S) \|",
)


@pytest.mark.fault("a number that differs from metrics.json or classes.csv")
def test_any_score_of_the_report_that_is_another_than_in_the_files_is_noticed(read):
    """Another last digit in each number in turn: eight of the splits, four of each class."""
    text, metrics, classes = committed()
    rows = [row for form in SHOWN for row in re.finditer(rf"(?m)^{form}$".replace("S", r"\d\.\d{4}"), text)]
    places = [row.end(group) - 1 for row in rows for group in range(1, 1 + len(row.groups()))]

    assert len(places) == 8 + 4 * len(classes)
    for place in places:
        page = read(text[:place] + str((int(text[place]) + 5) % 10) + text[place + 1 :])
        with pytest.raises(AssertionError):
            assert_equal_to_files(page, metrics, classes)


def test_the_page_has_less_than_3_mb_even_of_pictures_that_can_not_be_packed(results, render):
    """Noise in as many pictures as the page takes, beside the committed figures, which are drawn as people see them."""
    random = np.random.default_rng(0)
    images, labels = random.random((2400, 28, 28), np.float32), np.arange(2400) % 10
    made = results(random.dirichlet(np.ones(10), (2, 2400)), labels)
    split = Split(images, made.test.labels)
    built = report.build(made._replace(train=split, test=split), render(examples=[0, 12]))

    page = page_of(built, {path.name: path.read_bytes() for path in (ROOT / "reports/figures").iterdir()})

    assert 2_400_000 < len(page) < 3_000_000


def test_what_git_keeps_of_the_reports_is_small():
    files = [path for path in (ROOT / "reports").rglob("*") if path.is_file() and path.name != "report.html"]

    assert len(files) > 15
    assert sum(path.stat().st_size for path in files) < 1_500_000


def test_one_network_says_that_the_spread_over_seeds_is_unknown(some):
    made = some(replicates=1)
    test = made.metrics["test"]

    assert verdict.line(made) == (
        f"Small set, dense network, 1 replicate: test accuracy {test['accuracy']:.4f} (95 % interval "
        f"{test['accuracy_low']:.4f} to {test['accuracy_high']:.4f}), spread over seeds unknown, since one network was "
        "trained."
    )


def test_several_networks_say_how_far_they_differ_and_whose_predictions_are_shown(some, render):
    made = some(replicates=5)

    spread = f"standard deviation over the replicates {made.metrics['test']['accuracy_std']:.4f}."
    assert verdict.line(made).endswith(spread)
    captions = {figure.file: figure.caption for figure in report.build(made, render()).illustrations}
    assert {file for file, caption in captions.items() if caption.endswith("Replicate 0 of 5.")} == {
        "confusion_counts.png",
        "example_0.png",
        "examples_grid.png",
        "single_image.png",
        "mistakes.png",
        "uncertain.png",
    }
    assert "Replicate 0" not in str(report.build(some(replicates=1), render()))


@pytest.mark.parametrize(("source", "warned"), [("generate", True), ("download", False)])
def test_synthetic_pictures_are_said_to_be_such_in_plain_words(some, written, source, warned):
    sentence = (
        "> These are synthetic pictures, drawn by a program. The numbers here say nothing about real photographs.\n"
    )
    assert (sentence in written(some(source=source))) == warned


def test_the_sections_come_in_the_order_in_which_a_reviewer_asks(some, written):
    text = written(some())

    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Small set: image classification",
        "## Verdict",
        "## What was run",
        "## Where it fails",
        "### Confusion matrix",
        "### Most confused pairs",
        "### Each class",
        "## How far to trust its confidence",
        "## What it saw",
        "## Examples",
        "## Licence of the data",
    ]
    assert text.endswith("\n\nSmall set: free.\n")


def test_an_image_that_is_not_there_is_refused_with_all_others(some, render):
    made = some(images=4)

    with pytest.raises(InputError) as caught:
        report.build(made, render(training_image=6, examples=[3, 4, 12]))
    fix = "fix: edit params.yaml, then dvc repro"
    assert str(caught.value).splitlines() == [
        f"params.yaml: render.training_image: no such image (expected 0 to 5, got 6); {fix}",
        f"params.yaml: render.examples: no such image (expected 0 to 3, got 4); {fix}",
        f"params.yaml: render.examples: no such image (expected 0 to 3, got 12); {fix}",
    ]


def drawn(built) -> list[str]:
    """Draw all figures, a warning being an error, and return their names."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in built.illustrations:
            assert look.png(figure.draw, 50).startswith(b"\x89PNG")
    return [figure.file for figure in built.illustrations]


ALWAYS = [
    *("curves.png", "confusion_counts.png", "confusion_shares.png", "reliability.png", "coverage.png"),
    *("training_image.png", "training_grid.png", "class_means.png"),
    *("example_0.png", "examples_grid.png", "single_image.png"),
]


@pytest.mark.parametrize(
    ("classes", "replicates", "images", "more"),
    [
        (2, 2, 400, ["mistakes.png", "uncertain.png", "disputed.png", "agreed_mistakes.png"]),
        (3, 1, 60, ["mistakes.png", "uncertain.png"]),
        (3, 1, 1, ["uncertain.png"]),
    ],
)
def test_a_report_of_few_classes_images_or_networks_is_whole(
    some, render, written, read, classes, replicates, images, more
):
    made = some(classes=classes, replicates=replicates, images=images)

    assert drawn(report.build(made, render())) == ALWAYS + more
    assert not re.search(r"\b(nan|inf)\b", written(made))
    if images > classes:  # or a class has no image, and so no recall, where the metrics have 0
        assert_equal_to_metrics(read(written(made)), made.metrics, made.classes)


def test_a_hundred_classes_have_tables_that_can_be_read(some, render, read, written):
    made = some(classes=100, images=300)
    page = read(written(made))

    for figure in report.build(made, render()).illustrations:
        if figure.file in ("confusion_counts.png", "class_means.png", "example_0.png"):
            look.png(figure.draw, 50)
    recalls = [float(scored(row[2])[0]) for row in page.tables["Each class"][0][1:]]
    assert len(recalls) == 25 and recalls == sorted(recalls)
    assert recalls[0] == min(scores["recall"] for scores in made.metrics["classes"].values())
    assert all(len(table) <= 26 for tables in page.tables.values() for table in tables)


def test_a_class_without_test_images_has_no_recall(results, render, read, written):
    """Class 2 is neither in the test images nor ever predicted, class 1 is predicted but not there."""
    made = results([[[0.9, 0.1, 0], [0.2, 0.8, 0]]], [0, 0])
    rows = read(written(made)).tables["Each class"][0][1:]

    assert drawn(report.build(made, render()))
    assert [row[1] for row in rows] == ["2", "0", "0"]
    assert [cell == "none" for cell in rows[1][2:]] == [True, False, False]
    assert rows[2][2:] == ["none", "none", "none"]


def test_networks_without_mistakes_and_networks_without_a_right_answer_have_a_report_too(results, render, written):
    right = np.eye(3)[[0, 1, 2, 0]]
    made, opposite = results([right, right], [0, 1, 2, 0]), results([right], [1, 2, 0, 1])

    assert drawn(report.build(made, render())) == [*ALWAYS, "uncertain.png"]
    assert "No test image is classified wrongly." in written(made)
    assert "No test image is taken for another class." in written(made)
    assert "On 0 of 4 test images the 2 networks disagree" in written(made)
    assert drawn(report.build(opposite, render())) == [*ALWAYS, "mistakes.png"]
    assert "No test image is classified correctly." in written(opposite)


def test_hostile_names_are_shown_as_they_are_and_add_no_markup(some, render, written, read):
    names = [f"{name} {index}" for index, name in enumerate(HOSTILE)]
    made = some(classes=len(names), images=200, title=HOSTILE[0])
    made = some(classes=len(names), images=200)._replace(classes=names, entry=made.entry)
    scores = zip(names, made.metrics["classes"].values(), strict=True)
    made = made._replace(metrics=made.metrics | {"classes": dict(scores)})
    page = read(written(made))
    inline = {child.type for token in page.tokens for child in token.children or []}

    assert inline <= {"text", "strong_open", "strong_close", "image"}
    structures = ("heading", "paragraph", "inline", "table", "thead", "tbody", "tr", "th", "td", "blockquote")
    assert {token.type.removesuffix("_open").removesuffix("_close") for token in page.tokens} == set(structures)
    assert [row[0] for row in page.tables["Each class"][0][1:]] == names
    assert [row[0] for row in page.tables["What it saw"][0][1:]] == names
    images = [child for token in page.tokens for child in token.children or [] if child.type == "image"]
    files = [figure.file for figure in report.build(made, render()).illustrations]
    assert [image.attrs["src"] for image in images] == [f"figures/{file}" for file in files]


@pytest.mark.fault("letters that the font lacks")
def test_names_that_the_font_lacks_are_numbers_in_figures_and_names_in_the_text(some, render, read, written):
    """A warning of a missing letter would be an error here."""
    made = some(classes=3)
    scores = dict(zip(UNDRAWABLE, made.metrics["classes"].values(), strict=True))
    made = made._replace(classes=UNDRAWABLE, metrics=made.metrics | {"classes": scores})
    page = read(written(made))

    assert drawn(report.build(made, render()))
    assert [row[0] for row in page.tables["What it saw"][0][1:]] == UNDRAWABLE
    assert any(
        "there class 0 is 衬衫, class 1 is 👟 shoe, class 2 is ไทย." in text for text in page.texts["What it saw"]
    )


def test_every_figure_has_words_for_those_who_can_not_see_it(some, render):
    illustrations = report.build(some(classes=3), render()).illustrations

    assert all(len(figure.alternative) > 20 and len(figure.caption) > 10 for figure in illustrations)
    assert len({figure.alternative for figure in illustrations}) == len(illustrations)


def test_images_that_are_there_twice_are_counted_with_their_labels(some, written, read):
    made = some(classes=2, images=6)
    train, test = made.train, made.test
    train.images[4], train.images[5] = train.images[0], train.images[0]  # labels 1, 0; image 0 has 1
    test.images[3] = test.images[1]  # both 1
    test.images[2] = train.images[0]  # 0 here, 1 and 0 there, three times
    page = read(written(made._replace(train=Split(*train), test=Split(*test))))

    assert page.tables["What it saw"][1][1:] == [
        ["training images that repeat an earlier one", "2", "1", "1"],
        ["test images that repeat an earlier one", "1", "1", "0"],
        ["test images that are training images too", "1", "0", "1"],
    ]
    assert any("Of 6 test images, 1 (16.67%) are training images too" in text for text in page.texts["What it saw"])
    assert "No image is there twice" in written(some())
