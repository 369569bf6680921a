"""Every number and class name in the text and the figures of the report, computed again from the arrays alone.

Numbers that should differ are never equal by chance: classes, networks, images of each split and of each class have
different numbers, images are not square, and class 0 is predicted as class 2 more often than class 2 as class 0.
"""

import io
import re
from collections import Counter
from math import log
from statistics import mean, stdev

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image
from sklearn import metrics as sklearn_metrics
from statsmodels.stats.proportion import proportion_confint

from stages.render import published
from stages.render.document import Explorer, Illustration, Table

CLASSES = ["Shoe", "Coat", "Bag", "Dress"]
IMAGES, REPLICATES = 67, 3
TRAINING_IMAGE, EXAMPLES, MISTAKES = 5, [7, 3], 4
SETTINGS = {**published.CLOTHING, "train.seed": 0, "train.replicates": REPLICATES, "train.threads": 1}
NAMES = ("replicate", "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
HISTORY = [  # the first network stopped after epoch 2; the validation loss ends 25 %, 0 % and 20 % above its lowest
    [(1.5, 0.2, 1.6, 0.1), (1.1, 0.5, 1.2, 0.4), (0.9, 0.6, 1.5, 0.3)],
    [(1.4, 0.3, 1.7, 0.2), (1.2, 0.4, 1.3, 0.5), (0.8, 0.7, 1.1, 0.6), (0.7, 0.8, 1.0, 0.7)],
    [(1.3, 0.1, 1.8, 0.3), (1.0, 0.6, 1.0, 0.6), (0.6, 0.8, 1.1, 0.5), (0.2, 0.9, 1.2, 0.4)],
]
ROWS = [(n, epoch, *row) for n, rows in enumerate(HISTORY) for epoch, row in enumerate(rows)]
BLUE, RED, GREY = (to_rgba(colour) for colour in ("tab:blue", "tab:red", "lightgrey"))


def drawn_predictions():
    """Return probabilities float32 (3, 67, 4), never above 0.99, and labels uint8 (67,)."""
    random = np.random.default_rng(33)
    labels = random.permutation(np.repeat(np.arange(4), [24, 9, 21, 13])).astype(np.uint8)
    logits = random.normal(0, 0.6, (REPLICATES, IMAGES, 4)) + random.normal(0, 0.9, (IMAGES, 4))
    logits += np.reshape([0.6, 1.1, 1.4], (3, 1, 1)) * np.eye(4)[labels]
    logits[:, labels == 0, 2] += 1
    exponentials = np.exp(logits)
    return (exponentials / exponentials.sum(axis=2, keepdims=True)).astype(np.float32), labels


P, LABELS = drawn_predictions()
PREDICTED, CONFIDENCE, RIGHT = P.argmax(axis=2), P.max(axis=2), P.argmax(axis=2) == LABELS
MEAN = P.mean(axis=0, dtype=np.float64)
MATRICES = np.array([sklearn_metrics.confusion_matrix(LABELS, predicted) for predicted in PREDICTED])


@pytest.fixture
def made(results):
    history = np.array(ROWS, [(name, float) for name in NAMES])
    return results(P, LABELS, CLASSES, settings=SETTINGS, history=history)


@pytest.fixture
def whole(made, built):
    return built(made, training_image=TRAINING_IMAGE, examples=EXAMPLES, mistakes=MISTAKES)


@pytest.fixture
def said(whole):
    """A function that returns, for each block of a section, its numbers and names, or the rows of a table."""

    def said(title):
        (section,) = (section for section in whole.sections if section.title == title)
        return [of_block(block) for block in section.blocks]

    return said


@pytest.fixture
def axes(whole):
    """A function that draws a figure and returns its axes."""
    return lambda file: next(each for each in whole.illustrations if each.file == file).draw().axes


def tokens(text):
    """Return the numbers and the class names of a text, in their order; no number is part of a word."""
    return " ".join(re.findall(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?%?|\b(?:Shoe|Coat|Bag|Dress)\b", text))


def of_block(block):
    if isinstance(block, str):
        return tokens(block)
    if isinstance(block, Table):
        return [block.columns, *block.rows]
    if isinstance(block, Illustration):
        return tokens(block.alternative), tokens(block.caption)
    if isinstance(block, Explorer):
        return tokens(block.text), *of_block(block.figure)
    return block.title


def four(*values):
    return [f"{value:.4f}" for value in values]


def both(values):
    """Return mean and standard deviation of the replicates' values."""
    values = list(map(float, values))
    return four(mean(values), stdev(values))


def losses(probabilities, labels):
    return -np.log(probabilities[:, np.arange(len(labels)), labels].astype(np.float64)).mean(axis=1)


def calibration_error(probabilities):
    """As Guo et al. define it: over 15 bins, a confidence on an edge in the lower one."""
    error = 0
    for confidences, right in bins(probabilities):
        error += abs(right.mean() - confidences.mean()) * len(right) / IMAGES
    return error


def bins(probabilities):
    """Return the confidences and what is right of each bin that is not empty, from the lowest up."""
    confidences, right = probabilities.max(axis=1).astype(float), probabilities.argmax(axis=1) == LABELS
    of_bin = np.ceil(confidences * 15)
    return [(confidences[of_bin == each], right[of_bin == each]) for each in np.unique(of_bin)]


ACCURACIES = RIGHT.mean(axis=1).tolist()
ENDS = four(*proportion_confint(mean(ACCURACIES) * IMAGES, IMAGES, method="wilson"))


def test_nothing_that_should_differ_is_equal():
    """What the tests below rest on."""
    counts = [len(CLASSES), REPLICATES, IMAGES, IMAGES + 2, *np.bincount(LABELS)]
    assert len(set(counts)) == len(counts)
    assert len(set(ACCURACIES)) == 3 and (MATRICES[0] != MATRICES[0].T).any() and CONFIDENCE.max() < 0.99
    assert MATRICES.sum(axis=0)[0, 2] > MATRICES.sum(axis=0)[2, 0] > 0


@pytest.mark.fault("a number of the report of another split, class, bin, cell or direction")
def test_the_verdict(whole, said):
    accuracy, spread = both(ACCURACIES)
    top2 = [sklearn_metrics.top_k_accuracy_score(LABELS, each, k=2, labels=range(4)) for each in P]
    distance = 0.8848 - mean(ACCURACIES)

    assert tokens(whole.verdict) == f"3 {accuracy} 95 {ENDS[0]} {ENDS[1]} {spread} 0.8848"
    assert said("Verdict") == [
        f"{24 / 67:.4f}",
        [
            ["score of the test images", "mean of 3 networks", "standard deviation"],
            ["accuracy", f"{accuracy} ({ENDS[0]} to {ENDS[1]})", spread],
            ["top-2 accuracy", *both(top2)],
            ["loss", *both(losses(P, LABELS))],
        ],
        "67 3",
        f"0.8848 {distance:.4f} {distance / stdev(ACCURACIES):.1f}",
    ]


@pytest.mark.fault("a number of the report of another split, class, bin, cell or direction")
@pytest.mark.fault("replicates that stopped at different epochs")
def test_the_training_run(made, said, learned):
    labels, given = learned(P, LABELS)
    on_train = mean((given.argmax(axis=2) == labels).mean(axis=1))
    on_test = mean(ACCURACIES)
    loss_on_train, loss_on_test = losses(given, labels).mean(), losses(P, LABELS).mean()
    assert made.train.labels.tolist() == labels.tolist() and on_train > on_test + 0.1

    _, settings, _, _, digests, _, drawn, gap, overfitting = said("Training run")

    assert settings[-3:] == [
        ["network parameters", "101,770"],
        ["loss before training, nats", "2.3189"],
        ["loss of guessing, ln 4", f"{log(4):.4f}"],
    ]
    assert [row[1] for row in digests] == ["images", "69", "69", "67", "67"]
    untrained, trained = ([rows[epoch][0] for rows in HISTORY] for epoch in (0, -1))
    assert drawn == (f"{mean(untrained):.4f} {mean(trained):.4f}", "0")
    assert gap == [
        ["", "69 training images", "67 test images", "generalization gap"],
        ["accuracy", *four(on_train, on_test, on_train - on_test)],
        ["loss", *four(loss_on_train, loss_on_test, loss_on_test - loss_on_train)],
    ]
    assert overfitting == f"{on_train:.4f} 95 {ENDS[0]} {ENDS[1]} 1 3 15.0% 5%"


def test_errors_by_class(said):
    text, _, matrix, shares, _, text_of_pairs, pairs, _, text_of_classes, classes = said("Errors by class")
    wrong = (~RIGHT).sum(axis=1)
    averaged, spread, actual = MATRICES.mean(axis=0), MATRICES.std(axis=0, ddof=1), np.bincount(LABELS)

    assert text == f"{wrong.mean():.1f} 67 3 0 {wrong[0]}"
    assert matrix == ("0 3 20", f"4 4 {RIGHT[0].sum()} 67", "0 3")
    assert shares == ("4 4 1", "3")
    assert text_of_pairs == "10 3"
    off = [(true, predicted) for true in range(4) for predicted in range(4) if true != predicted]
    assert [row[:2] for row in pairs] == [
        ["true class", "predicted as"],
        *(
            [CLASSES[true], CLASSES[predicted]]
            for true, predicted in sorted(off, key=lambda pair: -averaged[pair])[:10]
        ),
    ]
    for true_name, name, *numbers in pairs[1:]:
        pair = CLASSES.index(true_name), CLASSES.index(name)
        assert numbers == [f"{averaged[pair]:.1f}", f"{spread[pair]:.1f}", f"{averaged[pair] / actual[pair[0]]:.4f}"]
    scores = [sklearn_metrics.precision_recall_fscore_support(LABELS, each, zero_division=0)[:3] for each in PREDICTED]
    precision, recall, f1 = np.mean(scores, axis=0)
    spreads = np.std([each[1] for each in scores], axis=0, ddof=1)
    assert classes[0] == ["class", "test images", "recall", "precision", "F1", "standard deviation of recall"]
    assert [[name, images, *(cell.split()[0] for cell in cells)] for name, images, *cells in classes[1:]] == [
        [CLASSES[each], str(actual[each]), *four(recall[each], precision[each], f1[each], spreads[each])]
        for each in range(4)
    ]
    assert recall.argmin() != precision.argmin()
    assert text_of_classes == f"95 2 2023 3 {CLASSES[recall.argmin()]} {recall.min():.4f}"


def test_calibration(said):
    text, scores, diagram, _, by_share, coverage = said("Calibration")
    errors = [calibration_error(each) for each in P]
    confidence = CONFIDENCE.mean()

    assert scores == [
        ["score", "mean of 3 networks", "standard deviation"],
        ["expected calibration error", *both(errors)],
        ["Brier score", *both(((P - np.eye(4)[LABELS]) ** 2).sum(axis=2).mean(axis=1))],
    ]
    assert text == f"15 2017 0 2 {confidence:.4f} {abs(confidence - mean(ACCURACIES)):.4f}"
    assert diagram == (f"15 {mean(errors):.4f}", "10")
    order = np.argsort(-CONFIDENCE, axis=1)
    of_confident = {
        share: mean(RIGHT[each, order[each, :count]].mean() for each in range(3))
        for share, count in {"1.00": 67, "0.95": 64, "0.90": 61, "0.80": 54, "0.50": 34}.items()
    }
    assert by_share[1:] == [[share, f"{accuracy:.4f}"] for share, accuracy in of_confident.items()]
    assert coverage == (f"{of_confident['0.50']:.4f} {of_confident['1.00']:.4f}", "")


def test_training_data(made, said):
    text, counts, image, grid, means, _ = said("Training data")
    of_train, of_test = np.bincount(made.train.labels), np.bincount(LABELS)
    first = [CLASSES[label] for label in made.train.labels[:5]]

    assert text == f"4 {min(of_train)} {max(of_train)} {min(of_test)} {max(of_test)}"
    assert counts == [
        ["class", "train", "test"],
        *([name, str(train), str(test)] for name, train, test in zip(CLASSES, of_train, of_test, strict=True)),
    ]
    assert made.train.labels[5] != LABELS[5]
    assert image == (f"5 {CLASSES[made.train.labels[5]]} 0 255", "5 255")
    assert grid == (" ".join(["25", *first]), "25")
    assert means == (" ".join(["4", *CLASSES]), "")


def described(index, probabilities):
    return f"{index} {CLASSES[LABELS[index]]} {CLASSES[probabilities.argmax()]} {probabilities.max():.4f}"


def chosen():
    """Return the indices of mistakes, uncertain images, disputed images and agreed mistakes, by plain sorting."""
    confident_first = sorted(range(IMAGES), key=lambda index: -CONFIDENCE[0, index])
    votes = [Counter(PREDICTED[:, index].tolist()) for index in range(IMAGES)]
    favourites = [min(each, key=lambda name: (-each[name], name)) for each in votes]
    disputed = sorted(
        (index for index in range(IMAGES) if len(votes[index]) > 1),
        key=lambda index: (votes[index][favourites[index]], MEAN[index, favourites[index]]),
    )
    agreed = [index for index in range(IMAGES) if len(votes[index]) == 1 and favourites[index] != LABELS[index]]
    return (
        [index for index in confident_first if not RIGHT[0, index]],
        [index for index in reversed(confident_first) if RIGHT[0, index]],
        disputed,
        sorted(agreed, key=lambda index: -MEAN[index].max()),
    )


def test_examples(made, said):
    _, *examples, grid, single, mistakes, uncertain, text, disputed, agreed = said("Examples")
    wrong, unsure, open_, alike = chosen()
    assert min(map(len, chosen())) > MISTAKES and len(open_) != len(alike)

    assert examples == [(described(index, P[0, index]), f"{index} 0 3") for index in EXAMPLES]
    assert grid == (f"15 {RIGHT[0, :15].sum()}", "15 0 3")
    alone = made.single[1][0]
    assert abs(alone.max() - CONFIDENCE[0, 66]) > 0.01
    assert single == (described(66, alone), "66 0 3")
    assert mistakes == (" ".join(described(index, P[0, index]) for index in wrong[:4]), "4 0 3")
    assert uncertain == (" ".join(described(index, P[0, index]) for index in unsure[:4]), "4 0 3")
    assert text == f"{len(open_)} 67 3 {len(alike)}"
    assert disputed == (" ".join(map(str, [*open_[:4], 3])), "")
    assert agreed == (" ".join(described(index, MEAN[index]) for index in alike[:4]), "4 3")


def captions(ax):
    return [text.get_text() for text in ax.texts]


def same_images(drawn, images):
    return np.allclose([image.get_array() for image in drawn], images, atol=1e-6)


def prediction(index, probabilities):
    return f"{CLASSES[probabilities.argmax()]} {probabilities.max():.0%}\n({CLASSES[LABELS[index]]})"


def test_the_matrices_are_drawn_with_true_rows(axes):
    for file, matrix, form in (
        ("confusion_counts.png", MATRICES[0], "{:.0f}"),
        ("confusion_shares.png", MATRICES.mean(axis=0) / np.bincount(LABELS)[:, None], "{:.2f}"),
    ):
        ax = axes(file)[0]
        assert {text.get_position(): text.get_text() for text in ax.texts} == {
            (column, row): form.format(matrix[row, column]) for row, column in zip(*np.nonzero(matrix), strict=True)
        }
        assert [label.get_text() for label in (*ax.get_yticklabels(), *ax.get_xticklabels())] == CLASSES * 2
        assert (ax.get_ylabel(), ax.get_xlabel()) == ("true class", "predicted class")


@pytest.mark.fault("replicates that stopped at different epochs")
def test_the_curves_are_those_of_the_history(axes):
    loss, accuracy = axes("curves.png")

    assert [line.get_ydata().tolist() for line in loss.lines[:-1]] == [
        [row[column] for row in rows] for column in (0, 2) for rows in HISTORY
    ]
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [
        [row[column] for row in rows[1:]] for column in (1, 3) for rows in HISTORY
    ]
    assert set(loss.lines[-1].get_ydata()) == {log(4)}


def test_confidence_and_accuracy_are_drawn_for_each_network(axes):
    ax, bars = axes("reliability.png")
    (coverage,) = axes("coverage.png")

    for line, each in zip(ax.lines[1:], P, strict=True):
        filled = [(confidences.mean(), right.mean()) for confidences, right in bins(each) if len(right) >= 10]
        assert len(filled) > 1
        np.testing.assert_allclose(np.transpose(line.get_data()), filled)
    shares = np.histogram(CONFIDENCE, 15, (0, 1))[0] / CONFIDENCE.size
    assert [bar.get_height() for bar in bars.patches] == pytest.approx(shares)
    for line, right, confidences in zip(coverage.lines, RIGHT, CONFIDENCE, strict=True):
        of_confident = right[np.argsort(-confidences)].cumsum() / np.arange(1, 68)
        np.testing.assert_allclose(line.get_data(), [np.arange(1, 68) / 67, of_confident])
    assert (ax.get_ylabel(), bars.get_xlabel()) == (
        "accuracy, share of images",
        "confidence: the largest probability",
    )
    assert "accuracy" in coverage.get_ylabel() and "coverage" in coverage.get_xlabel()


def test_training_images_are_drawn_with_their_own_labels(made, axes):
    images, labels = made.train
    picture, (grid,), (means,) = axes("training_image.png")[0], axes("training_grid.png"), axes("class_means.png")

    assert same_images(picture.images, [images[5] * 255]) and picture.get_title() == CLASSES[labels[5]]
    assert same_images(grid.images, images[:25]) and captions(grid) == [CLASSES[label] for label in labels[:25]]
    of_classes = [
        np.mean([image for image, label in zip(images, labels, strict=True) if label == c], 0) for c in range(4)
    ]
    assert captions(means) == CLASSES
    np.testing.assert_allclose([image.get_array() for image in means.images], of_classes, rtol=1e-6)


def assert_shows(picture, bars, image, probabilities, index):
    """An image, its prediction below it, and the probabilities of all classes in their order, beside it."""
    assert same_images(picture.images, [image])
    assert picture.get_xlabel() == prediction(index, probabilities)
    assert [bar.get_height() for bar in bars.patches] == pytest.approx(probabilities.tolist())
    colours = [GREY] * 4
    colours[probabilities.argmax()] = RED
    colours[LABELS[index]] = BLUE
    assert [bar.get_facecolor() for bar in bars.patches] == colours


def test_single_test_images_are_drawn_with_their_own_predictions(made, axes):
    for index in EXAMPLES:
        assert_shows(*axes(f"example_{index}.png"), made.test.images[index], P[0, index], index)
    assert_shows(*axes("single_image.png"), made.test.images[66], made.single[1][0], 66)
    grid = axes("examples_grid.png")
    for index in range(15):
        assert_shows(*grid[2 * index : 2 * index + 2], made.test.images[index], P[0, index], index)
    assert [label.get_text() for label in grid[-1].get_xticklabels()] == CLASSES


def test_galleries_are_drawn_with_their_own_predictions(made, axes):
    wrong, unsure, open_, alike = (each[:4] for each in chosen())
    for file, indices, probabilities in (
        ("mistakes.png", wrong, P[0]),
        ("uncertain.png", unsure, P[0]),
        ("agreed_mistakes.png", alike, MEAN),
    ):
        (ax,) = axes(file)
        assert same_images(ax.images, made.test.images[indices])
        assert captions(ax)[::2] == [prediction(index, probabilities[index]) for index in indices]
        assert captions(ax)[1::2] == [f"test image {index}" for index in indices]
    (ax,) = axes("disputed.png")
    assert same_images(ax.images, made.test.images[open_])
    assert captions(ax)[1::2] == [f"test image {index}" for index in open_]
    for index, caption in zip(open_, captions(ax)[::2], strict=True):
        votes = Counter(PREDICTED[:, index].tolist())
        first, second = sorted(range(4), key=lambda name: (-votes[name], name))[:2]
        others = REPLICATES - votes[first] - votes[second]
        assert caption == (
            f"{votes[first]} {CLASSES[first]}\n{votes[second]} {CLASSES[second]}"
            + f", {others} other" * bool(others)
            + f"\n({CLASSES[LABELS[index]]})"
        )


def test_the_cells_of_the_matrix_list_the_images_of_the_first_network(made, whole):
    (matrix,) = (block for section in whole.sections for block in section.blocks if isinstance(block, Explorer))
    data = matrix.data

    assert matrix.counts == MATRICES[0].tolist()
    assert (data["classes"], data["replicates"], data["tested"], data["size"]) == (CLASSES, 3, 67, [4, 3])
    assert [image["index"] for image in data["images"]] == sorted(range(67), key=lambda i: -CONFIDENCE[0, i])
    sheet = np.asarray(Image.open(io.BytesIO(matrix.sprite)))
    for place, image in enumerate(data["images"]):
        index, order = image["index"], np.argsort(-P[0, image["index"]])
        assert (image["true"], image["classes"]) == (LABELS[index], order.tolist())
        assert image["probabilities"] == pytest.approx(P[0, index, order].tolist(), abs=5e-5)
        assert image["agree"] == (PREDICTED[:, index] == order[0]).sum()
        row, column = divmod(place, data["columns"])
        tile = sheet[3 * row : 3 * row + 3, 4 * column : 4 * column + 4]
        assert np.array_equal(tile, np.rint((1 - made.test.images[index]) * 255))
