"""Every number and class name in the text and the figures of the report, computed again from the arrays alone.

Numbers that should differ are never equal by chance: classes, networks, images of each split and of each class have
different numbers, images are not square, and class 0 is predicted as class 2 more often than class 2 as class 0.
"""

import io
import re
from collections import Counter
from math import log, sqrt
from statistics import mean, stdev

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from PIL import Image
from scipy.stats import ttest_1samp
from sklearn import metrics as sklearn_metrics
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from stages.render import published
from stages.render.document import Explorer, Illustration, Table

CLASSES = ["Shoe", "Coat", "Bag", "Dress"]
IMAGES, REPLICATES = 67, 3
TRAINING_IMAGE, EXAMPLES, MISTAKES = 5, [7, 3], 8
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
PREDICTED, RIGHT = P.argmax(axis=2), P.argmax(axis=2) == LABELS
MEAN = P.mean(axis=0, dtype=np.float64)  # of the ensemble
VOTED, CONFIDENCE, HIT = MEAN.argmax(axis=1), MEAN.max(axis=1), MEAN.argmax(axis=1) == LABELS
MATRIX = sklearn_metrics.confusion_matrix(LABELS, VOTED)


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
        return tuple(map(tokens, (block.alternative, block.caption, block.title, block.note)))
    if isinstance(block, Explorer):
        return tokens(block.text)
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
ACCURACY = HIT.mean()
ENDS, ENDS_TOGETHER = (
    four(*proportion_confint(share * IMAGES, IMAGES, method="wilson")) for share in (mean(ACCURACIES), ACCURACY)
)
TOGETHER = "ensemble of 3 networks"


def normal(values):
    """Return the mean of values and its 95 % interval, as a cell of a table."""
    ends = DescrStatsW(values).zconfint_mean()
    return "{} ({} to {})".format(*four(values.mean(), *ends))


def test_nothing_that_should_differ_is_equal():
    """What the tests below rest on."""
    counts = [len(CLASSES), REPLICATES, IMAGES, IMAGES + 2, *np.bincount(LABELS)]
    assert len(set(counts)) == len(counts)
    assert len({*ACCURACIES, mean(ACCURACIES), ACCURACY}) == 5 and CONFIDENCE.max() < 0.99
    assert MATRIX[0, 2] > MATRIX[2, 0] > 0 and (VOTED != PREDICTED).any(axis=1).all()


@pytest.mark.fault("a number of the report of another split, class, bin, cell or direction")
def test_the_verdict(whole, said):
    accuracy, spread = both(ACCURACIES)
    top2 = [sklearn_metrics.top_k_accuracy_score(LABELS, each, k=2, labels=range(4)) for each in (*P, MEAN)]
    of_images = -np.log(MEAN[np.arange(IMAGES), LABELS])

    assert tokens(whole.verdict) == f"{accuracy} 0.8848 3 3 {ACCURACY:.4f}"
    assert of_block(whole.overview[0]) == (
        " ".join(["3", accuracy, *four(*ACCURACIES), "0.8848", "3", f"{ACCURACY:.4f}"]),
        "",
        f"{accuracy} {ACCURACY:.4f}",
        "95 67",
    )
    text, table, noise = said("Scores")
    assert text == f"{24 / 67:.4f} 95"
    assert table == [
        ["score of the test images", "one network: mean", "standard deviation", TOGETHER],
        [
            "accuracy",
            f"{accuracy} ({ENDS[0]} to {ENDS[1]})",
            spread,
            "{} ({} to {})".format(*four(ACCURACY), *ENDS_TOGETHER),
        ],
        ["top-2 accuracy", *both(top2[:3]), *four(top2[3])],
        ["loss", *both(losses(P, LABELS)), normal(of_images)],
    ]
    assert noise == " ".join([*variances(), "2023 67", drawn_again()])


def variances():
    """Return the standard deviation between replicates, and what would remain of it on unlimited images, in points.

    From the analysis of variance of right and wrong by replicate and image.
    """
    table = pd.DataFrame(
        [(r, i, float(RIGHT[r, i])) for r in range(3) for i in range(IMAGES)], columns=["r", "i", "hit"]
    )
    squares = anova_lm(ols("hit ~ C(r) + C(i)", table).fit())["mean_sq"]
    return (
        f"{100 * sqrt(squares['C(r)'] / IMAGES):.2f}",
        f"{100 * sqrt((squares['C(r)'] - squares['Residual']) / IMAGES):.2f}",
    )


def drawn_again():
    """Return the standard deviation of one network's accuracy over draws of test images: of shares p, p (1 - p) / n."""
    variance = mean(each.var(ddof=1) for each in RIGHT) / IMAGES
    return f"{100 * sqrt(variance):.2f}"


def test_errors_by_class(whole, said):
    text, matrix, _, pairs, _, text_of_classes, classes = said("Errors by class")
    actual = np.bincount(LABELS)

    assert text == f"{(~HIT).sum()} 67 3"
    assert matrix == "20 25% 100%"
    off = [
        (true, predicted)
        for true in range(4)
        for predicted in range(4)
        if true != predicted and MATRIX[true, predicted]
    ]
    off.sort(key=lambda pair: -MATRIX[pair])
    assert pairs == [
        ["true class", "predicted as", "images", "share of the true class"],
        *(
            [CLASSES[pair[0]], CLASSES[pair[1]], str(MATRIX[pair]), f"{MATRIX[pair] / actual[pair[0]]:.4f}"]
            for pair in off[:10]
        ),
    ]
    first, second = (CLASSES[label] for label in off[0])
    title = f"{first} {second} {MATRIX[off[0]] / actual[off[0][0]]:.0%}"
    assert of_block(whole.overview[2]) == (f"4 4 3 {HIT.sum()} 67 {title}", "", title, "3 67")
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
    text, scores, diagram, _, by_share = said("Calibration")
    errors = [calibration_error(each) for each in (*P, MEAN)]
    squares = ((np.array([*P, MEAN]) - np.eye(4)[LABELS]) ** 2).sum(axis=2)
    excess = CONFIDENCE - HIT

    assert scores == [
        ["score", "one network: mean", "standard deviation", TOGETHER],
        ["expected calibration error", *both(errors[:3]), *four(errors[3])],
        ["Brier score", *both(squares[:3].mean(axis=1)), normal(squares[3])],
    ]
    assert text == f"{CONFIDENCE.mean():.4f} {abs(excess.mean()):.4f} 15 2017 0 2"
    known = ttest_1samp(excess, 0).pvalue < 0.05
    assert diagram == (f"15 {errors[3]:.4f}", "10", f"{100 * abs(excess.mean()):.1f}" * bool(known), "3")
    right = HIT[np.argsort(-CONFIDENCE)]
    shares = {"1.00": 67, "0.95": 64, "0.90": 61, "0.80": 54, "0.50": 34}
    assert by_share == [
        ["share of the images, most confident first", f"accuracy, {TOGETHER}"],
        *([share, f"{right[:count].mean():.4f}"] for share, count in shares.items()),
    ]


@pytest.mark.fault("a number of the report of another split, class, bin, cell or direction")
@pytest.mark.fault("replicates that stopped at different epochs")
def test_overfitting_and_the_training_run(made, whole, said, learned):
    labels, given = learned(P, LABELS)
    on_train = mean((given.argmax(axis=2) == labels).mean(axis=1))
    on_test = mean(ACCURACIES)
    loss_on_train, loss_on_test = losses(given, labels).mean(), losses(P, LABELS).mean()
    assert made.train.labels.tolist() == labels.tolist() and on_train > on_test + 0.1

    gap, overfitting = said("Overfitting")
    _, _, settings, _, _, digests = said("Training run")

    assert settings[-3:] == [
        ["network parameters", "101,770"],
        ["loss before training, nats", "2.3189"],
        ["loss of guessing, ln 4", f"{log(4):.4f}"],
    ]
    assert [row[1] for row in digests] == ["images", "69", "69", "67", "67"]
    untrained, trained = (mean(rows[epoch][0] for rows in HISTORY) for epoch in (0, -1))
    assert of_block(whole.overview[1]) == (f"{untrained:.4f} {trained:.4f}", "", "15%", "3")
    assert gap == [
        ["one network", "69 training images", "67 test images", "generalization gap"],
        ["accuracy", *four(on_train, on_test, on_train - on_test)],
        ["loss", *four(loss_on_train, loss_on_test, loss_on_test - loss_on_train)],
    ]
    assert overfitting == f"{on_train:.4f} 95 {ENDS[0]} {ENDS[1]} 1 3 15.0% 5%"


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
    assert image == (f"5 {CLASSES[made.train.labels[5]]} 0 255", "255", f"5 {CLASSES[made.train.labels[5]]}", "")
    assert grid == (" ".join(["25", *first]), "", "25", "")
    assert means == (" ".join(["4", *CLASSES]), "", "", "")


def described(index, probabilities):
    return f"{index} {CLASSES[LABELS[index]]} {CLASSES[probabilities.argmax()]} {probabilities.max():.4f}"


def chosen():
    """Return the indices of the ensemble's mistakes and of its uncertain images, by plain sorting."""
    confident_first = sorted(range(IMAGES), key=lambda index: -CONFIDENCE[index])
    return (
        [index for index in confident_first if not HIT[index]],
        [index for index in reversed(confident_first) if HIT[index]],
    )


def test_examples(made, whole, said):
    _, text, more, uncertain, *examples, grid, single = said("Examples")
    wrong, unsure = chosen()
    alike = (PREDICTED[0] == PREDICTED).all(axis=0)
    assert len(wrong) > MISTAKES > 6 and len(unsure) > MISTAKES

    def gallery(indices, title):
        return " ".join([title, *(described(index, MEAN[index]) for index in indices)]).strip(), "", title, "3"

    assert text == f"{(~alike).sum()} 67 3 {(alike & ~HIT).sum()}"
    assert of_block(whole.overview[3]) == gallery(wrong[:6], f"6 {len(wrong)}")
    assert more == gallery(wrong[6:8], "2")
    assert uncertain == gallery(unsure[:8], "8")
    for shown, index in zip(examples, EXAMPLES, strict=True):
        name = CLASSES[LABELS[index]]
        title = " ".join([str(index), name, *([CLASSES[VOTED[index]]] if not HIT[index] else [])])
        assert shown == (described(index, MEAN[index]), "", title, "3")
    assert grid == (f"15 {HIT[:15].sum()}", "", f"{HIT[:15].sum()} 15", "3")
    alone = made.single[1]
    assert abs(alone.max() - CONFIDENCE[66]) > 0.01
    assert single == (described(66, alone), "", "66", "3")


def captions(ax):
    return [text.get_text() for text in ax.texts]


def same_images(drawn, images):
    return np.allclose([image.get_array() for image in drawn], images, atol=1e-6)


def prediction(index, probabilities):
    return f"{CLASSES[probabilities.argmax()]} {probabilities.max():.0%}\n({CLASSES[LABELS[index]]})"


def test_the_matrix_is_drawn_with_true_rows(axes):
    ax = axes("confusion.png")[0]

    assert {text.get_position(): text.get_text() for text in ax.texts} == {
        (column, row): str(MATRIX[row, column]) for row, column in zip(*np.nonzero(MATRIX), strict=True)
    }
    assert [label.get_text() for label in (*ax.get_yticklabels(), *ax.get_xticklabels())] == CLASSES * 2
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true class", "predicted class")


def test_the_accuracies_are_drawn_in_rows_with_their_intervals(axes):
    ax = axes("verdict.png")[0]
    rows = dict(enumerate(label.get_text().replace("\n", " ") for label in ax.get_yticklabels()))
    drawn = [(rows[line.get_ydata()[0]], four(*line.get_xdata())) for line in ax.lines]

    assert drawn == [
        ("one network, mean of 3", ENDS),
        ("one network, mean of 3", four(mean(ACCURACIES))),
        ("each network", four(*ACCURACIES)),
        ("published, one network", ["0.8848"]),
        (TOGETHER, ENDS_TOGETHER),
        (TOGETHER, four(ACCURACY)),
    ]


@pytest.mark.fault("replicates that stopped at different epochs")
def test_the_curves_are_those_of_the_history(axes):
    loss, accuracy = axes("curves.png")

    assert [line.get_ydata().tolist() for line in loss.lines[:-1]] == [
        [row[column] for row in rows] for column in (0, 2) for rows in HISTORY
    ]
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [
        [row[column] for row in rows] for column in (1, 3) for rows in HISTORY
    ]
    assert set(loss.lines[-1].get_ydata()) == {log(4)}


def test_confidence_and_accuracy_are_drawn_for_each_network_and_the_ensemble(axes):
    ax, bars = axes("reliability.png")

    for line, each in zip(ax.lines[1:], (*P, MEAN), strict=True):
        filled = [(confidences.mean(), right.mean()) for confidences, right in bins(each) if len(right) >= 10]
        assert len(filled) > 1
        np.testing.assert_allclose(np.transpose(line.get_data()), filled)
    assert [bar.get_height() for bar in bars.patches] == pytest.approx(np.histogram(CONFIDENCE, 15, (0, 1))[0] / IMAGES)
    assert (ax.get_ylabel(), bars.get_xlabel()) == ("accuracy", "confidence: the largest probability")


def test_training_images_are_drawn_with_their_own_labels(made, axes):
    images, labels = made.train
    picture, (grid,), (means,) = axes("training_image.png")[0], axes("training_grid.png"), axes("class_means.png")

    assert same_images(picture.images, [images[5] * 255])
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
    (drawn,) = bars.collections
    assert [path.vertices[:, 1].max() for path in drawn.get_paths()] == pytest.approx(probabilities.tolist())
    colours = [GREY] * 4
    colours[probabilities.argmax()] = RED
    colours[LABELS[index]] = BLUE
    assert [tuple(colour) for colour in drawn.get_facecolor()] == colours


def test_single_test_images_are_drawn_with_their_own_predictions(made, axes):
    for index in EXAMPLES:
        assert_shows(*axes(f"example_{index}.png"), made.test.images[index], MEAN[index], index)
    assert_shows(*axes("single_image.png"), made.test.images[66], made.single[1], 66)
    grid = axes("examples_grid.png")
    for index in range(15):
        assert_shows(*grid[2 * index : 2 * index + 2], made.test.images[index], MEAN[index], index)
    assert [label.get_text() for label in grid[-1].get_xticklabels()] == CLASSES


def test_galleries_are_drawn_with_their_own_predictions(made, axes):
    wrong, unsure = chosen()
    shown = {"surest_mistakes.png": wrong[:6], "mistakes.png": wrong[6:8], "uncertain.png": unsure[:8]}
    for file, indices in shown.items():
        (ax,) = axes(file)
        agreeing = (PREDICTED == VOTED).sum(axis=0)
        assert same_images(ax.images, made.test.images[indices])
        assert captions(ax)[::2] == [prediction(index, MEAN[index]) for index in indices]
        assert captions(ax)[1::2] == [f"{index}: {agreeing[index]}/3 agree" for index in indices]


def test_the_cells_of_the_matrix_list_the_images_of_the_ensemble(made, whole):
    (matrix,) = (block for section in whole.sections for block in section.blocks if isinstance(block, Explorer))
    data = matrix.data

    assert matrix.counts == MATRIX.tolist()
    assert (data["classes"], data["tested"], data["size"]) == (CLASSES, 67, [4, 3])
    assert [image["index"] for image in data["images"]] == sorted(range(67), key=lambda i: -CONFIDENCE[i])
    sheet = np.asarray(Image.open(io.BytesIO(matrix.sprite)))
    for place, image in enumerate(data["images"]):
        index, order = image["index"], np.argsort(-MEAN[image["index"]])
        assert (image["true"], image["classes"]) == (LABELS[index], order.tolist())
        assert image["probabilities"] == pytest.approx(MEAN[index, order].tolist(), abs=5e-5)
        votes = Counter(PREDICTED[:, index].tolist())
        assert image["votes"] == [[votes[c], c] for c in sorted(votes, key=lambda c: (-votes[c], c))]
        row, column = divmod(place, data["columns"])
        tile = sheet[3 * row : 3 * row + 3, 4 * column : 4 * column + 4]
        assert np.array_equal(tile, np.rint((1 - made.test.images[index]) * 255))
