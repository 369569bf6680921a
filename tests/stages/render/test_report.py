import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stages.arrays import Split
from stages.command import DataError, InputError
from stages.datasets import Generated
from stages.params import Render
from stages.render import document, report
from stages.render.document import Report, Section, Table

CLASSES = ["Coat", "Shirt", "Bag"]
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
    "+ item",
    "> quoted",
    "===",
    "---",
    "[a]: http://example.org",
    "<!-- hidden",
    "x" * 61,
]


def render(**changes) -> Render:
    settings = {"training_image": 0, "examples": [0, 2], "mistakes": 15, "dpi": 50}
    return Render(**settings | changes)


def entry(classes: list[str], title: str = "Small set", source: str = "generate") -> Generated:
    facts = {"title": title, "description": "few pictures", "licence": "free", "classes": classes}
    images = {"train": 10, "test": 10}
    made = Generated(**facts, image_shape=[3, 4], source="generate", seed=0, images=images)
    return made.model_copy(update={"source": source})


def results(classes: list[str] = CLASSES, replicates: int = 1, **changes) -> report.Results:
    """Six training and four test images; of the latter, 1 and 2 are classified wrongly."""
    labels = np.uint8([0, 1, 2, 0])
    probabilities = np.zeros((replicates, 4, len(classes)), np.float32)
    probabilities[:, :, :3] = [[0.9, 0.1, 0], [0.7, 0.3, 0], [0, 0.75, 0.25], [0.5, 0.25, 0.25]]
    scores = {"recall": 0.123456, "precision": 0.654321, "f1": 0.207718}
    made = report.Results(
        settings={"dataset.name": "small", "train.network": "dense", "train.learning_rate": 0.001},
        entry=entry(classes),
        classes=classes,
        train=Split(np.zeros((6, 3, 4), np.float32), np.uint8([2, 1, 0, 0, 1, 0])),
        test=Split(np.zeros((4, 3, 4), np.float32), labels),
        probabilities=probabilities,
        single=(1, probabilities[:, 1]),
        history=np.array(
            [(0, 0, 1.0986, 0.3), (0, 1, 0.25, 0.9)],
            [(name, float) for name in ("replicate", "epoch", "train_loss", "train_accuracy")],
        ),
        training={"epochs": 1, "parameters": 101770, "untrained_loss": 2.3189},
        metrics={
            "test": {"accuracy": 0.88476, "accuracy_std": 0.00412, "loss": 0.33394, "loss_std": 0.00657},
            "train": {"accuracy": 0.90971, "loss": 0.25},
            "gap": {"accuracy": 0.02495, "loss": -0.08394},
            "classes": {name: scores | {"recall": 0.5 - index / 1000} for index, name in enumerate(classes)},
        },
    )
    return made._replace(**changes)


def tokens(text: str) -> list:
    """Read Markdown by somebody else's parser, raw HTML and tables included."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def plain(token) -> str:
    return "".join(child.content for child in token.children if child.type == "text")


def table_below(title: str, text: str) -> list[list[str]]:
    """Return the rows of the first table after a heading, as a reader sees them."""
    parsed = tokens(text)
    start = next(
        i for i, t in enumerate(parsed) if t.type == "inline" and parsed[i - 1].tag == "h2" and t.content == title
    )
    rows: list[list[str]] = []
    for token, before in zip(parsed[start + 1 :], parsed[start:], strict=False):
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline" and before.type in ("th_open", "td_open"):
            rows[-1].append(plain(token))
    return rows


def written(results: report.Results, **changes) -> str:
    return document.markdown(report.build(results, render(**changes)), "figures")


def test_one_network_says_that_the_spread_over_seeds_is_unknown():
    verdict = report.build(results(), render()).verdict

    assert verdict == (
        "Small set, dense network, 1 replicate: test accuracy 0.8848. "
        "How much it varies with the seed is unknown, since one network was trained."
    )


def test_several_networks_say_how_far_they_differ_and_whose_predictions_are_shown():
    text = written(results(replicates=5))

    assert (
        "**Small set, dense network, 5 replicates: test accuracy 0.8848, "
        "mean over the seeds, with a standard deviation of 0.0041.**\n"
    ) in text
    assert table_below("Metrics", text)[2] == ["standard deviation of test", "", "0.0041", "0.0066"]
    assert "Replicate 0" not in written(results())
    captions = {figure.file: figure.caption for figure in report.build(results(replicates=5), render()).illustrations}
    of_all = {"curves.png", "training_image.png", "training_grid.png"}
    assert {file for file, caption in captions.items() if not caption.endswith("Replicate 0 of 5.")} == of_all


@pytest.mark.parametrize(("source", "warned"), [("generate", True), ("download", False)])
def test_synthetic_pictures_are_said_to_be_such_in_plain_words(source, warned):
    text = written(results(entry=entry(CLASSES, source=source)))

    sentence = (
        "> These are synthetic pictures, drawn by a program. The numbers here say nothing about real photographs.\n"
    )
    assert (sentence in text) == warned


def test_the_sections_come_in_the_order_in_which_a_reviewer_asks():
    text = written(results())

    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Small set: image classification",
        "## What was run",
        "## Metrics",
        "## Classes",
        "## Training",
        "## Confusion",
        "## Where it fails",
        "## What it saw",
        "## Examples",
        "## Licence of the data",
    ]
    assert text.endswith("\n\nSmall set: free.\n")


def test_the_numbers_of_the_report_are_those_of_the_stages_before():
    text = written(results())

    assert table_below("What was run", text)[1:] == [
        ["dataset.name", "small"],
        ["train.network", "dense"],
        ["train.learning_rate", "0.001"],
        ["parameters of the network", "101,770"],
        ["loss before training", "2.3189"],
        ["loss of guessing, ln 3", "1.0986"],
    ]
    assert table_below("Metrics", text) == [
        ["", "images", "accuracy", "loss"],
        ["test", "4", "0.8848", "0.3339"],
        ["train", "6", "0.9097", "0.2500"],
        ["gap", "", "0.0249", "-0.0839"],
    ]
    assert table_below("Classes", text) == [
        ["class", "test images", "recall", "precision", "F1"],
        ["Coat", "2", "0.5000", "0.6543", "0.2077"],
        ["Shirt", "1", "0.4990", "0.6543", "0.2077"],
        ["Bag", "1", "0.4980", "0.6543", "0.2077"],
    ]
    assert table_below("What it saw", text)[1:] == [["Coat", "3", "2"], ["Shirt", "2", "1"], ["Bag", "1", "1"]]
    assert "Found least often: Bag, recall 0.4980." in text
    assert "the most common class has an accuracy of 0.5000." in text
    assert "the training loss goes from 1.0986 to 0.2500" in text


def test_where_it_fails_lists_the_most_confident_mistakes_first():
    text = written(results())

    assert "2 of 4 test images are classified wrongly." in text
    assert table_below("Where it fails", text) == [
        ["test image", "predicted", "true", "probability"],
        ["2", "Shirt", "Bag", "0.7500"],
        ["1", "Coat", "Shirt", "0.7000"],
    ]
    assert "1 of 1 images of class Shirt are taken for Coat." in text
    assert len(table_below("Where it fails", written(results(), mistakes=1))) == 2


def test_a_network_without_mistakes_has_a_report_too():
    right = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]][np.newaxis]
    text = written(results(probabilities=right))

    assert "0 of 4 test images are classified wrongly.\n\n![No test image](figures/mistakes.png)\n" in text
    assert "No test image is taken for another class." in text


def test_mistakes_of_equal_confidence_keep_the_order_of_the_images():
    probabilities = np.float32([[0.5, 0.5], [0.2, 0.8], [0.1, 0.9], [0.2, 0.8], [0.8, 0.2], [0.7, 0.3]])
    labels = np.uint8([1, 0, 1, 0, 1, 0])

    assert report.most_confident_mistakes(probabilities, labels, 9).tolist() == [1, 3, 4, 0]
    assert report.most_confident_mistakes(probabilities, labels, 2).tolist() == [1, 3]


def test_each_example_is_drawn_once_and_an_image_that_is_not_there_is_refused_with_all_others():
    files = [figure.file for figure in report.build(results(), render(examples=[3, 0, 3])).illustrations]
    assert files == [
        "curves.png",
        "confusion_counts.png",
        "confusion_shares.png",
        "mistakes.png",
        "training_image.png",
        "training_grid.png",
        "example_3.png",
        "example_0.png",
        "examples_grid.png",
        "single_image.png",
    ]

    with pytest.raises(InputError) as caught:
        report.build(results(), render(training_image=6, examples=[3, 4, 12]))
    fix = "fix: edit params.yaml, then dvc repro"
    assert str(caught.value).splitlines() == [
        f"params.yaml: render.training_image: no such image (expected 0 to 5, got 6); {fix}",
        f"params.yaml: render.examples: no such image (expected 0 to 3, got 4); {fix}",
        f"params.yaml: render.examples: no such image (expected 0 to 3, got 12); {fix}",
    ]


def test_probabilities_of_other_images_are_refused():
    with pytest.raises(DataError, match=r"probabilities.npy: .* \(expected \(replicates, 4, 3\), got \(1, 5, 3\)\)"):
        report.build(results(probabilities=np.zeros((1, 5, 3), np.float32)), render())


def test_validation_curves_are_explained_where_there_are_some():
    names = ("replicate", "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    history = np.array([(0, 0, 1, 0.3, 1, 0.3), (0, 1, 0.5, 0.9, 0.6, 0.8)], [(name, float) for name in names])

    assert "a network overfits." in written(results(history=history))
    assert "No images were held out of training" in written(results())


def test_hostile_names_are_shown_as_they_are_and_add_no_markup():
    names = [f"{name} {index}" for index, name in enumerate(HOSTILE)]
    text = written(results(classes=names, entry=entry(names, title=HOSTILE[0])))
    parsed = tokens(text)
    inline = {child.type for token in parsed for child in token.children or []}

    assert inline <= {"text", "strong_open", "strong_close", "image"}
    structures = ("heading", "paragraph", "inline", "table", "thead", "tbody", "tr", "th", "td", "blockquote")
    assert {token.type.removesuffix("_open").removesuffix("_close") for token in parsed} == set(structures)
    assert [row[0] for row in table_below("Classes", text)[1:]] == names
    assert [row[0] for row in table_below("What it saw", text)[1:]] == names
    images = [child for token in parsed for child in token.children or [] if child.type == "image"]
    assert len(images) == 10
    assert all(image.attrs["src"].startswith("figures/") for image in images)
    assert any(names[0] in plain(image) for image in images)


PUNCTUATION = st.text("ab 1.)-+=_*`#[](<>&!|~$^{}\\:;/\n\t")


@example(HOSTILE)
@given(st.lists((PUNCTUATION | st.text(st.characters(codec="utf-8"))).filter(str.strip), min_size=1, max_size=20))
def test_any_text_is_read_back_from_the_markdown_wherever_it_stands(texts):
    """What can't be printed apart: that is shown as an escape. All stands on one line."""
    lines = [" ".join(text.split()) for text in texts]
    expected = ["".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line) for line in lines]
    sections = [Section(text, text, Table([text], [[text]])) for text in texts]
    parsed = tokens(document.markdown(Report(texts[0], texts[0], texts[0], sections), "figures"))

    read = [plain(token) for token in parsed if token.type == "inline"]
    assert read == [expected[0]] * 3 + [line for line in expected for _ in range(4)]


def test_links_lead_from_the_report_to_the_figures_whatever_the_folder_is_called():
    text = document.markdown(report.build(results(), render()), "../my (figures)_1")
    sources = [child.attrs["src"] for token in tokens(text) for child in token.children or [] if child.type == "image"]

    assert sources[0] == "../my%20%28figures%29_1/curves.png"


def test_every_figure_has_words_for_those_who_can_not_see_it():
    illustrations = report.build(results(), render()).illustrations

    assert all(len(figure.alternative) > 20 and len(figure.caption) > 10 for figure in illustrations)
    by_file = {figure.file: figure.alternative for figure in illustrations}
    assert by_file["example_2.png"] == "Test image 2, of class Bag: predicted Shirt with a probability of 0.7500"
    assert by_file["confusion_counts.png"] == "3 by 3 confusion matrix of the test images, 2 of 4 on the diagonal"
