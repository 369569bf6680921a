"""The whole report, in both formats: its numbers beside the files of other stages, and reports of unusual results."""

import csv
import json
import re
import warnings

import numpy as np
import pytest

from core.files.arrays import Split
from core.sources import datasets
from stages.render import style
from stages.render.markdown import markdown
from tests.stages.render.conftest import ROOT


def scored(text: str) -> list[str]:
    """Return the numbers with four decimals in a text."""
    return re.findall(r"\d\.\d{4}", text)


def assert_equal_to_files(page, metrics, classes):
    """Compare every number that is in the committed files too."""
    test, train = metrics["test"], metrics["train"]
    [title] = [heading for heading in page.texts if heading.endswith(": image classification")]
    accuracy, _, loss = page.tables["Scores"][0][1:]
    assert scored(page.texts[title][0])[::2] == [f"{test[score]:.4f}" for score in ("accuracy", "ensemble_accuracy")]
    for score, row in (("accuracy", accuracy), ("loss", loss)):
        assert [scored(row[place])[0] for place in (1, 3)] == [
            f"{test[name]:.4f}" for name in (score, f"ensemble_{score}")
        ]
    assert accuracy[2] == f"{test['accuracy_std']:.4f}"
    assert page.tables["Calibration"][0][1][1] == f"{test['ece']:.4f}"
    assert [row[1:3] for row in page.tables["Overfitting"][0][1:]] == [
        [f"{split[score]:.4f}" for split in (train, test)] for score in ("accuracy", "loss")
    ]
    rows = [
        [row[0], row[1].replace(",", ""), *(scored(cell)[0] for cell in row[2:])]
        for row in page.tables["Scores of each class"][0][1:]
    ]
    numbers = ("recall", "precision", "f1", "recall_std")
    assert rows == [
        [row["class"], row["images"], *(f"{float(row[score]):.4f}" for score in numbers)] for row in classes
    ]


# The lines of report.md with numbers of the committed files.
SHOWN = (
    r"\*\*One network has a test accuracy of (S) .* has (S)\.\*\*",
    r"\| accuracy \| (S) \(S to S\) \| (S) \| (S) \(S to S\) \|",
    r"\| loss \| (S) \| S \| (S) \(S to S\) \|",
    r"\| expected calibration error \| (S) \| S \| S \|",
    r"\| (?:accuracy|loss) \| (S) \| (S) \| S \|",
    r"\| .* \| 1,000 \| (S) \(S to S\) \| (S) \(S to S\) \| (S) \(S to S\) \| (S) \|",
)


@pytest.mark.fault("a number that differs from metrics.json or classes.csv")
def test_the_committed_report_has_the_committed_scores_and_any_other_last_digit_is_noticed(read):
    """Twelve numbers of the splits, four of each class."""
    text, metrics, classes = (
        (ROOT / "reports" / name).read_text(encoding="utf-8") for name in ("report.md", "metrics.json", "classes.csv")
    )
    metrics, classes = json.loads(metrics), list(csv.DictReader(classes.splitlines()))
    rows = [row for form in SHOWN for row in re.finditer(rf"(?m)^{form}$".replace("S", r"\d\.\d{4}"), text)]
    places = [row.end(group) - 1 for row in rows for group in range(1, 1 + len(row.groups()))]

    assert_equal_to_files(read(text), metrics, classes)
    assert len(places) == 12 + 4 * 10
    for place in places:
        page = read(text[:place] + str((int(text[place]) + 5) % 10) + text[place + 1 :])
        with pytest.raises(AssertionError):
            assert_equal_to_files(page, metrics, classes)


@pytest.mark.fault("a link to a figure that is not there, a figure without a link")
def test_the_committed_report_shows_the_committed_figures_and_is_small():
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "reports/report.md").read_text(encoding="utf-8"))
    figures = [path.relative_to(ROOT / "reports").as_posix() for path in (ROOT / "reports/figures").iterdir()]
    kept = [path for path in (ROOT / "reports").rglob("*") if path.is_file() and path.name != "report.html"]

    assert len(figures) > 10 and sorted(links) == sorted(figures)
    assert sum(path.stat().st_size for path in kept) < 1_500_000


def test_the_page_has_less_than_3_mb_even_with_noise_as_images(results, built, as_html):
    """With the committed figures, and as many images as the page has room for."""
    random = np.random.default_rng(0)
    images, labels = random.random((2400, 28, 28), np.float32), np.arange(2400) % 10
    made = results(random.dirichlet(np.ones(10), (2, 2400)), labels)
    split = Split(images, made.test.labels)
    report = built(made._replace(train=split, test=split), examples=[0, 12])

    page = as_html(report, {path.name: path.read_bytes() for path in (ROOT / "reports/figures").iterdir()})

    assert 2_400_000 < len(page) < 3_000_000


@pytest.mark.parametrize("name", ["garments", "garments_colour", "mnist"])
def test_synthetic_images_have_a_warning(some, built, seen, name):
    card = datasets.read(ROOT / f"datasets/{name}.yaml")

    for page in seen(built(some(card=card))):
        warning = "The numbers say nothing about real photographs."
        assert (warning in "".join(page.texts[f"{card.title}: image classification"])) == (name != "mnist")


def drawn(report) -> list[str]:
    """Draw all figures, with warnings as errors, and return their names."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in report.illustrations:
            assert style.png(figure.draw, 50, figure.title, figure.note).startswith(b"\x89PNG")
    return [figure.file for figure in report.illustrations]


BEGINNING = ["verdict.png", "curves.png", "confusion.png"]
END = [
    *("example_0.png", "examples_grid.png", "single_image.png"),
    *("training_image.png", "training_grid.png", "class_means.png"),
]


@pytest.mark.parametrize(
    ("classes", "replicates", "images", "first", "more"),
    [
        (2, 2, 400, ["surest_mistakes.png"], ["reliability.png", "mistakes.png", "uncertain.png"]),
        (3, 1, 1, [], ["reliability.png", "uncertain.png"]),
        (
            30,
            2,
            90,
            ["surest_mistakes.png"],
            ["confusion_large.png", "reliability.png", "mistakes.png", "uncertain.png"],
        ),
        (
            256,
            1,
            300,
            ["surest_mistakes.png"],
            ["confusion_large.png", "reliability.png", "mistakes.png", "uncertain.png"],
        ),
    ],
)
def test_a_report_of_few_or_many_classes_images_or_networks_is_whole(
    some, built, classes, replicates, images, first, more
):
    report = built(some(classes=classes, replicates=replicates, images=images))

    assert drawn(report) == BEGINNING + first + more + END
    assert not re.search(r"\b(nan|inf)\b", markdown(report, "figures"))


def test_networks_without_mistakes_and_networks_without_a_correct_answer_have_a_report(results, built):
    right = np.eye(3)[[0, 1, 2, 0]]
    perfect, hopeless = built(results([right, right], [0, 1, 2, 0])), built(results([right], [1, 2, 0, 1]))

    assert drawn(perfect) == [*BEGINNING, "reliability.png", "uncertain.png", *END]
    text = markdown(perfect, "figures")
    assert "No test image is misclassified." in text and "No class is confused with another class." in text
    assert "On 0 of 4 test images, the 2 networks disagree" in text
    assert drawn(hopeless) == [*BEGINNING, "surest_mistakes.png", "reliability.png", *END]
    assert "No test image is correctly classified." in markdown(hopeless, "figures")


@pytest.mark.fault("letters that the font lacks")
def test_names_that_the_font_lacks_are_numbers_in_figures_and_names_in_the_text(some, built, seen):
    names = ["衬衫", "👟 shoe", "ไทย"]
    report = built(some(names=names))

    assert drawn(report)
    for page in seen(report):
        assert [row[0] for row in page.tables["Training data"][0][1:]] == names
        assert page.texts["Training data"][0].endswith("class 0 is 衬衫, class 1 is 👟 shoe, class 2 is ไทย.")
