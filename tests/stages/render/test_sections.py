"""What the sections say in special cases; test_numbers checks all numbers of a usual report."""

import hashlib
import re

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from core.files import arrays
from core.files.arrays import Split
from core.files.preparation import Preparation
from stages.render import duplicates, published
from stages.render.document import Table
from stages.render.sections import overfitting, training_data, verdict
from tests.conftest import write_split

R1 = {**published.CLOTHING, "train.seed": 0, "train.replicates": 2}
NAMES = ("replicate", "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def history(*losses: list[float]) -> np.ndarray:
    """A history of validation losses, a list for each replicate."""
    rows = [
        (number, epoch, 2 if epoch == 0 else 0.5, 0.5, loss, 0.5)
        for number, each in enumerate(losses)
        for epoch, loss in enumerate(each)
    ]
    return np.array(rows, [(name, float) for name in NAMES])


def tables(blocks) -> list[Table]:
    return [block for block in blocks if isinstance(block, Table)]


def test_one_network_has_scores_without_a_spread_and_no_ensemble(some, built, seen, section):
    made = some(replicates=1)
    test = made.metrics["test"]
    report = built(made)

    assert verdict.line(made) == f"The network has a test accuracy of {test['accuracy']:.4f}."
    [scores], [calibration, _] = tables(section(made, "Scores")), tables(section(made, "Calibration"))
    assert scores.columns == ["score of the test images", "value"]
    assert [row[1].split()[0] for row in scores.rows] == [
        f"{test[score]:.4f}" for score in ("accuracy", "top2_accuracy", "loss")
    ]
    assert calibration.rows[0][1:] == [f"{test['expected_calibration_error']:.4f}"]
    assert tables(section(made, "Errors by class"))[1].columns[-1] == "F1"
    for text in (*map(str, seen(report)), str([each[:3] + each[4:] for each in report.illustrations])):
        assert not re.search("ensemble|vote|agree|networks", text)


def test_the_published_accuracy_is_beside_the_accuracy_here(some, built):
    several, one = (some(replicates=replicates, settings=R1) for replicates in (2, 1))
    accuracies = [f"{each.metrics['test']['accuracy']:.4f}" for each in (several, one)]

    assert f"{accuracies[0]} on average (published: 0.8848, " in verdict.line(several)
    assert verdict.line(one) == f"The network has a test accuracy of {accuracies[1]} (published: 0.8848)."
    assert "published, one network: 0.8848" in " ".join(verdict.figure(one).alternative.split())
    assert "published" not in verdict.line(some()) + verdict.figure(some()).alternative


@pytest.mark.parametrize(
    ("right", "place"),
    [
        ((8847, 8846), "above all 2 networks"),
        ((8848, 8000), "within the range of the 2 networks"),
        ((9000, 8848), "within the range of the 2 networks"),
        ((8900, 8849), "below all 2 networks"),
    ],
)
def test_the_published_accuracy_is_placed_among_those_of_the_networks(results, right, place):
    correct = np.arange(10_000) < np.reshape(right, (2, 1))
    made = results(np.eye(2, dtype=np.float32)[np.where(correct, 0, 1)], np.zeros(10_000, int), settings=R1)

    assert f"(published: 0.8848, {place}). The ensemble" in verdict.line(made)


@pytest.mark.parametrize(("seeds", "classes"), [(0.02, 2), (0, 3)])
def test_the_noise_of_simulated_networks_is_found(results, section, seeds, classes):
    """800 networks: each is right on an image with a probability of the image plus a deviation of its own."""
    random, images = np.random.default_rng(5), 500
    of_image, of_network = random.beta(4, 1, images) * 0.8 + 0.1, random.normal(0, seeds, (800, 1))
    right = random.random((800, images)) < of_image + of_network
    labels = random.integers(0, classes, images)
    predicted = np.where(right, labels, (labels + 1) % classes)
    made = results(np.eye(classes, dtype=np.float32)[predicted], labels)

    numbers = [float(number) for number in re.findall(r"\d+\.\d+", section(made, "Scores")[2])]

    floor = (of_image * (1 - of_image)).mean() / images
    drawn = right.mean() * (1 - right.mean()) / images
    expected = [100 * variance**0.5 for variance in (seeds**2 + floor, seeds**2, drawn)]
    assert numbers == pytest.approx(expected, abs=0.2 if seeds else 0.45, rel=0.05)
    assert made.metrics["test"]["accuracy_std"] == pytest.approx(numbers[0] / 100, rel=0.05)


def test_the_noise_of_networks_that_are_equally_good_is_that_of_the_table(results, section):
    made = results(np.eye(2, dtype=np.float32)[np.array([[0, 0, 0, 1], [0, 0, 1, 0]])], np.zeros(4, int))

    _, table, text = section(made, "Scores")

    assert table.rows[0][2] == "0.0000"
    assert "is 0.00 points on these" in text and "would be about 0.00 points" in text


def test_without_a_second_image_nothing_is_said_of_the_noise(some, section):
    assert "Between seeds" in section(some(images=2), "Scores")[-1]
    assert isinstance(section(some(images=1), "Scores")[-1], Table)


@pytest.mark.parametrize(
    ("train", "finding"), [(0.91, "The gap shows overfitting"), (0.88, "The gap shows no overfitting")]
)
def test_networks_overfit_if_the_training_accuracy_is_above_the_interval(some, section, train, finding):
    made = some()
    test = {**made.metrics["test"], "accuracy_low": 0.87, "accuracy_high": 0.89}
    made = made._replace(metrics=made.metrics | {"test": test, "train": {"accuracy": train, "loss": 1}})

    text = section(made, "Overfitting")[1]

    assert text.startswith(f"{finding}: the training accuracy, {train:.4f}, is ")
    assert "accuracy, 0.8700 to 0.8900." in text and text.endswith("set train.validation_fraction.")


@pytest.mark.parametrize(
    ("losses", "text", "title"),
    [
        (
            [[2, 1, 1.2, 1.1], [2, 1.5, 1, 1.05]],
            "after epoch 1 and 2 and ended 7.5% above its minimum: the last epochs did harm",
            "The validation loss ended 8% above its minimum",
        ),
        (
            [[2, 1, 0.9]],
            "after epoch 2 and ended 0.0% above its minimum: the last epochs did no harm",
            "The training loss fell from 2.00 to 0.50",
        ),
        (
            [[2, 1, 0.9], [1, 0, 0]],
            "after epoch 1 and 2 and ended 0.0% above its minimum: the last epochs did no harm",
            "The training loss fell from 2.00 to 0.50",
        ),
    ],
)
def test_a_rise_of_the_validation_loss_shows_harm(some, section, losses, text, title):
    made = some(history=history(*losses))

    assert f"The validation loss was lowest {text}" in section(made, "Overfitting")[1]
    assert overfitting.figure(made).title == title


def test_a_training_loss_that_does_not_fall_is_called_so(some):
    made = some()
    rising = made.history.copy()
    rising["train_loss"] = np.arange(len(rising))

    assert overfitting.figure(made._replace(history=rising)).title.startswith("The training loss rose from ")
    rising["train_loss"] = 1
    assert overfitting.figure(made._replace(history=rising)).title == "The training loss went from 1.00 to 1.00"


def test_losses_of_smoothed_labels_are_called_so(some):
    made = some()
    smoothed = made._replace(settings=made.settings | {"train.label_smoothing": 0.1})

    assert overfitting.figure(made).caption == ""
    assert overfitting.figure(smoothed).caption == "The losses are those of smoothed labels."


@pytest.mark.parametrize(
    ("mirrored", "shift", "views"),
    [
        (True, 0, "an image twice, as it is and mirrored"),
        (False, 1, "an image three times, as it is and shifted both ways by 1 pixel"),
        (True, 2, "an image and its mirror image three times, as they are and shifted both ways by 2 pixels"),
    ],
)
def test_the_views_of_an_image_are_named_beside_the_scores(some, section, mirrored, shift, views):
    made = some()
    viewed = made._replace(settings=made.settings | {"evaluate.mirrored": mirrored, "evaluate.shift": shift})

    assert section(viewed, "Scores")[0].endswith(f"predicts {views}, and takes the mean.")
    assert "takes the mean" not in section(made, "Scores")[0]


def test_early_stopping_has_its_epochs_and_its_weights_in_the_report(some, section):
    made = some(history=history([2, 1, 1.2], [2, 1, 1.2, 1.3]))
    stopped = made._replace(settings=made.settings | {"train.early_stopping_patience": 1})

    assert ["epochs of each replicate", "2, 3"] in tables(section(stopped, "Training run"))[0].rows
    assert section(stopped, "Overfitting")[1].endswith("Early stopping kept the weights of the best epochs.")
    assert "Early stopping" not in section(made, "Overfitting")[1]
    assert "epochs of each replicate" not in dict(tables(section(made, "Training run"))[0].rows)


def test_settings_packages_and_digests_are_those_of_the_run(some, section, tmp_path):
    made = some(validation=some(images=30).test)
    write_split(tmp_path / "train", made.train)
    write_split(tmp_path / "test", made.test)
    write_split(tmp_path / "train/validation", made.validation)

    blocks = section(made, "Training run")

    settings, digests = tables(blocks)
    assert ["train.learning_rate", "0.001"] in settings.rows
    assert blocks[0] == "Small set: few pictures. Licence: free."
    assert blocks[1].startswith("Packages used in training: keras 3.2.1 and tensorflow 2.1.0.")
    files = [file for folder in ("t*", "t*/*") for file in sorted(tmp_path.glob(f"{folder}/*.npy"))]
    command = "sha256sum data/normalized/t*/*.npy data/normalized/t*/*/*.npy"
    assert blocks[4] == command
    assert sorted(tmp_path / row[0] for row in digests.rows) == sorted(files) and len(files) == 6
    for file, _, digest in digests.rows:
        assert digest == hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()


def test_one_network_has_whole_images_in_its_pairs_and_no_spread(results, section):
    blocks = section(results(np.eye(2)[[[1, 1, 1, 0, 1]]], [0, 0, 0, 0, 1]), "Errors by class")

    assert blocks[0] == "3 of 5 test images are misclassified (one network)."
    pairs, _ = tables(blocks)
    assert pairs.columns == ["true class", "predicted as", "images", "share of the true class"]
    assert pairs.rows == [["class-0", "class-1", "3", "0.7500"]]


@pytest.mark.parametrize("replicates", [1, 3])
def test_scores_of_a_class_have_the_wilson_intervals_of_one_network(some, section, replicates):
    """F1 by way of s, the share of the images of the class or predicted as it that are both: F1 = 2s / (1 + s)."""
    made = some(replicates=replicates, images=90)
    counts = made.metrics["confusion"][:-1].mean(axis=0)

    for index, row in enumerate(tables(section(made, "Errors by class"))[1].rows):
        scores = made.metrics["classes"][row[0]]
        actual, predicted = counts[index].sum(), counts[:, index].sum()
        either, both = actual + predicted - counts[index, index], scores["f1"] / (2 - scores["f1"])
        shares = ((scores["recall"], actual), (scores["precision"], predicted), (both, either))
        wilson = [proportion_confint(share * images, images, method="wilson") for share, images in shares]
        wilson[2] = tuple(2 * end / (1 + end) for end in wilson[2])
        for cell, score, ends in zip(row[2:5], ("recall", "precision", "f1"), wilson, strict=True):
            numbers = [float(number.strip("()")) for number in cell.split() if number != "to"]
            assert numbers == pytest.approx([scores[score], *ends], abs=6e-5)


def test_a_class_without_test_images_has_no_recall(results, section):
    """Class 2 has no images and is never predicted; class 1 has no images but is predicted."""
    rows = tables(section(results([[[0.9, 0.1, 0], [0.2, 0.8, 0]]], [0, 0]), "Errors by class"))[1].rows

    assert [row[1] for row in rows] == ["2", "0", "0"]
    assert [cell == "none" for cell in rows[1][2:]] == [True, False, False]
    assert rows[2][2:] == ["none", "none", "none"]


@pytest.mark.parametrize(
    ("right", "words", "title"),
    [
        (
            9,
            "0.2500 above its accuracy, so the predictions are overconfident.",
            "The network is overconfident by 25.0 points",
        ),
        (
            20,
            "0.3000 below its accuracy, so the predictions are underconfident.",
            "The network is underconfident by 30.0 points",
        ),
        (15, "0.0500 below its accuracy, which chance can explain.", "Accuracy by confidence"),
    ],
)
def test_confidence_above_the_accuracy_is_overconfidence_unless_chance_explains_it(
    results, section, right, words, title
):
    labels = [0] * right + [1] * (20 - right)
    text, _, diagram, *_ = section(results([[[0.7, 0.3]] * 20], labels), "Calibration")

    assert words in text and diagram.title == title


@pytest.mark.parametrize(
    ("predicted", "title"),
    [
        ([0, 0, 0, 1], "No class is confused with another class"),
        ([1, 0, 0, 1], "衬衫 is taken for Bag, 33% of its images"),
        ([0, 0, 0, 0], "Bag is taken for 衬衫, 100% of its images"),
    ],
)
def test_the_title_of_the_matrix_names_the_most_confused_pair(results, built, predicted, title):
    made = results(np.eye(2)[[predicted]], [0, 0, 0, 1], ["衬衫", "Bag"])

    assert built(made).overview[2].title == title.replace("衬衫", "class 0")


def test_validation_images_of_the_data_set_are_counted(some, section):
    validation = some(images=31).test

    text, table, *_ = section(some(validation=validation), "Training data")

    assert "The data set has 31 validation images of its own." in text
    assert table.columns == ["class", "train", "validation", "test"]
    assert [row[2] for row in table.rows] == ["11", "10", "10"]
    text, table, *_ = section(some(), "Training data")
    assert "validation" not in text and table.columns == ["class", "train", "test"]


def test_the_report_says_what_was_done_to_how_many_pictures(some, section):
    done = {"made grey": 12, "padded": 1, "resized": 59_988}

    text, _, image, *_ = section(some(preparation=Preparation(images=60_000, done=done)), "Training data")

    assert text.endswith(" Of 60,000 pictures, 12 were made grey; 1 was padded; 59,988 were resized.")
    assert image.caption == "Training divides the pixel values by 255."
    text, _, image, *_ = section(some(), "Training data")
    assert "pictures" not in text and image.caption == "Training divides the original pixel values by 255."


@pytest.mark.parametrize(("negative", "darker"), [(True, "darker"), (False, "lighter")])
def test_the_captions_say_which_values_of_grey_pictures_are_darker(some, section, negative, darker):
    made = some(negative=negative)
    ramp = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 3, 4)  # each image becomes lighter from left to right
    made = made._replace(train=Split(np.repeat(ramp, len(made.train.labels), axis=0), made.train.labels))

    text, _, _, grid, means, *_ = section(made, "Training data")
    (drawn,) = grid.draw().axes
    (of_classes,) = means.draw().axes

    assert "The images have 4x3 pixels. " in text
    assert grid.caption.endswith(f"Here and below, {darker} pixels have higher values.")
    for ax in (drawn, of_classes):
        tones = ax.images[0].to_rgba(ax.images[0].get_array())[0, :, 0]
        assert (np.diff(tones) < 0).all() if negative else (np.diff(tones) > 0).all()


def test_pictures_in_colour_are_drawn_in_colour(some, section):
    made = some()
    train, test = (
        Split(np.stack([split.images, split.images**2, 1 - split.images], axis=3), split.labels)
        for split in (made.train, made.test)
    )
    made = made._replace(train=train, test=test, negative=False)

    text, _, image, grid, means, *_ = section(made, "Training data")
    galleries = [block for block in section(made, "Examples") if hasattr(block, "draw")]

    assert "The images have 4x3 pixels in colour. " in text
    assert image.caption == "Training divides the red, green and blue values by 255."
    assert not grid.caption
    assert np.array_equal([each.get_array() for each in grid.draw().axes[0].images], made.train.images[:25])
    of_classes = [made.train.images[made.train.labels == label].mean(axis=0) for label in range(3)]
    assert np.allclose([each.get_array() for each in means.draw().axes[0].images], of_classes)
    drawn = [each.get_array() for gallery in galleries for ax in gallery.draw().axes for each in ax.images]
    assert len(drawn) > 30 and all(any(np.array_equal(each, own) for own in made.test.images) for each in drawn)


def test_class_means_and_digests_of_a_mapped_file_take_blocks_of_few_bytes(tmp_path, monkeypatch):
    random, taken = np.random.default_rng(0), []
    images, labels = random.random((600, 16, 16, 3), np.float32), random.integers(0, 4, 600).astype(np.uint8)
    arrays.write(tmp_path / "images.npy", images)
    mapped = arrays.read(tmp_path / "images.npy", np.float32, 4)
    blocks = arrays.blocks
    monkeypatch.setattr(arrays, "BLOCK", 50_000)
    monkeypatch.setattr(arrays, "blocks", lambda *given: (taken.append(b.nbytes) or b for b in blocks(*given)))

    means = training_data.class_means(mapped, labels, 5)
    digests = duplicates.digests(mapped)
    whole = duplicates.sha256(mapped)

    assert np.allclose(means[:4], [images[labels == label].mean(axis=0, dtype=np.float64) for label in range(4)])
    assert not means[4].any()
    assert digests == [hashlib.sha256(image.tobytes()).digest() for image in images]
    assert whole == hashlib.sha256((tmp_path / "images.npy").read_bytes()).hexdigest()
    assert max(taken) <= 50_000 and sum(taken) == 3 * images.nbytes


@pytest.mark.fault("images that are there twice, or in both splits")
def test_duplicates_are_counted_by_their_labels(some, section):
    made = some(classes=2, images=6)
    train, test = made.train, made.test
    train.images[4], train.images[5] = train.images[0], train.images[0]  # labels 1, 0; image 0 has 1
    test.images[3] = test.images[1]  # both 1
    test.images[2] = train.images[0]  # 0 here, 1 and 0 there, three times
    *_, text, table = section(made, "Training data")

    assert [row[1:] for row in table.rows] == [["2", "1", "1"], ["1", "1", "0"], ["1", "0", "1"]]
    assert "1 of 6 test images (16.67%) are also training images" in text
    assert section(some(), "Training data")[-1] == "No image occurs twice."


def test_tables_of_a_hundred_classes_have_the_rows_that_matter_most(some, seen, built):
    """Each class has a different number of training images."""
    made = some(classes=100, images=300)
    counts = np.arange(100) * 37 % 100 + 1
    labels = np.repeat(np.arange(100, dtype=np.uint8), counts)
    made = made._replace(train=Split(np.zeros((len(labels), 3, 4), np.float32), labels))

    for page in seen(built(made)):
        recalls = [float(row[2].split()[0]) for row in page.tables["Scores of each class"][0][1:]]
        assert len(recalls) == 25 and recalls == sorted(recalls)
        assert recalls[0] == round(min(scores["recall"] for scores in made.metrics["classes"].values()), 4)
        trained = [int(row[1]) for row in page.tables["Training data"][0][1:]]
        assert trained == list(range(1, 26))
