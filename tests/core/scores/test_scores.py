import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from core.scores import calibration, metrics, scores

# Four images of three classes; the third is taken for class 0, the fourth is nearly a toss-up.
LABELS = np.array([0, 1, 2, 2], np.uint8)
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.3, 0.3, 0.4]], np.float32)


def tally(*replicates):
    """The sums of networks on the four images, which come in two blocks."""
    whole = np.stack(replicates)
    return scores.tally([whole[:, :3], whole[:, 3:]], LABELS, 3)


def test_accuracy_and_losses_worked_by_hand():
    assert scores.right(PROBABILITIES, LABELS).tolist() == [True, True, False, True]
    assert scores.right(np.array([[0.5, 0.5]]), np.array([1])).tolist() == [False]
    losses = scores.losses(PROBABILITIES, LABELS)
    assert losses.dtype == np.float64
    assert losses == pytest.approx([-math.log(each) for each in (0.7, 0.8, 0.3, 0.4)], abs=1e-7)
    assert scores.losses(np.array([[1, 0]], np.float32), np.array([1])) == pytest.approx(-math.log(1e-7)), "finite"


def test_scores_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    labels = np.arange(500) % 5
    probabilities = random.dirichlet([1] * 5, 500).astype(np.float32)
    truth = np.eye(5)[labels]

    assert scores.in_top2(probabilities, labels).mean() == sklearn_metrics.top_k_accuracy_score(
        labels, probabilities, k=2
    )
    assert scores.brier(probabilities, labels).mean() == pytest.approx(
        sklearn_metrics.brier_score_loss(truth, probabilities, scale_by_half=False), abs=1e-6
    )
    assert scores.losses(probabilities, labels).mean() == pytest.approx(
        sklearn_metrics.log_loss(labels, probabilities / probabilities.sum(axis=1, dtype=np.float64)[:, None]), abs=1e-5
    )


def test_top_2_and_brier_worked_by_hand():
    """The third label is the second of its row; the fourth row is a tie of three, of which the first two count."""
    assert scores.in_top2(PROBABILITIES, LABELS).mean() == 1
    thirds = np.full((3, 3), 1 / 3)
    assert scores.in_top2(thirds, np.array([0, 1, 2])).mean() == pytest.approx(2 / 3)
    assert scores.in_top2(np.array([[1.0, 0, 0]]), np.array([1])).mean() == 1
    rows = [0.3**2 + 0.2**2 + 0.1**2, 0.1**2 + 0.2**2 + 0.1**2, 0.6**2 + 0.1**2 + 0.7**2, 0.3**2 + 0.3**2 + 0.6**2]
    assert scores.brier(PROBABILITIES, LABELS).mean() == pytest.approx(sum(rows) / 4, abs=1e-6)
    assert scores.brier(np.array([[1.0, 0]]), np.array([1])).mean() == 2


def test_scores_by_class_worked_by_hand():
    """Class 0: right 1 of 1, predicted twice. Class 2: right 1 of 2, predicted once. Then a class never predicted."""
    by_class = scores.by_class(np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1]]))

    np.testing.assert_allclose(by_class["recall"], [1, 1, 1 / 2])
    np.testing.assert_allclose(by_class["precision"], [1 / 2, 1, 1])
    np.testing.assert_allclose(by_class["f1"], [2 / 3, 1, 2 / 3])
    by_class = scores.by_class(np.array([[0, 2], [0, 3]]))
    assert by_class["precision"].tolist() == [0, 0.6]
    assert by_class["f1"].tolist() == [0, 0.75]


def test_scores_are_means_over_replicates_with_their_standard_deviation():
    """The second replicate is right everywhere and sure of it: accuracies 0.75 and 1, and a loss and errors of 0."""
    sure = np.eye(3, dtype=np.float32)[LABELS]
    split = tally(PROBABILITIES, sure)

    summary, of_classes = scores.summary(split, "test"), scores.of_classes(split, ["a", "b", "c/d"])

    loss = -(math.log(0.7) + math.log(0.8) + math.log(0.3) + math.log(0.4)) / 4
    brier = (0.14 + 0.06 + 0.86 + 0.54) / 4
    error = (abs(1 - 0.7) + abs(1 - 0.8) + abs(0 - 0.6) + abs(1 - 0.4)) / 4  # each confidence in a bin of its own
    expected = {"accuracy": 0.75, "loss": loss, "brier": brier, "expected_calibration_error": error}
    for name, of_first in expected.items():
        of_second = 1 if name == "accuracy" else 0
        assert summary[name] == pytest.approx((of_first + of_second) / 2, abs=1e-6)
        assert summary[f"{name}_std"] == pytest.approx(abs(of_first - of_second) / math.sqrt(2), abs=1e-6)
    assert of_classes["c/d"] == {
        "recall": 0.75,
        "recall_std": round(0.5 / math.sqrt(2), 6),
        "precision": 1,
        "precision_std": 0,
        "f1": round((2 / 3 + 1) / 2, 6),
        "f1_std": round(1 / 3 / math.sqrt(2), 6),
    }


def test_the_mean_of_three_replicates_is_not_their_median():
    """Accuracies 0.75, 1 and 1."""
    sure = np.eye(3, dtype=np.float32)[LABELS]

    test = scores.summary(tally(PROBABILITIES, sure, sure), "test")

    assert test["accuracy"] == round(2.75 / 3, 6)
    assert test["accuracy_std"] == round(math.sqrt(2 * (0.25 / 3) ** 2 + (0.5 / 3) ** 2) / math.sqrt(2), 6)


def test_the_metrics_are_a_few_scores_of_each_split(tmp_path):
    """Networks that are sure and right on the training images; test accuracies 0.75 and 1."""
    sure = np.eye(3, dtype=np.float32)[LABELS]
    loss = -(math.log(0.7) + math.log(0.8) + math.log(0.3) + math.log(0.4)) / 8

    metrics.write(tmp_path / "metrics.json", metrics.of(train=tally(sure, sure), test=tally(PROBABILITIES, sure)))

    assert metrics.read(tmp_path / "metrics.json").model_dump() == {
        "test": {
            "accuracy": 0.875,
            "accuracy_std": round(0.25 / math.sqrt(2), 6),
            "ece": pytest.approx((0.3 + 0.2 + 0.6 + 0.6) / 8, abs=1e-6),
            "loss": pytest.approx(loss, abs=1e-6),
        },
        "train": {"accuracy": 1, "loss": 0},
    }


def test_the_standard_deviation_of_one_replicate_is_0():
    split = tally(PROBABILITIES)

    assert scores.summary(split, "test")["accuracy_std"] == 0
    assert scores.of_classes(split, ["a", "b", "c"])["a"]["recall_std"] == 0


def test_sums_of_blocks_of_any_size_are_those_of_all_images():
    """Each score, bin and count of two networks, held against what the functions of all images at once say."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 4, 1001).astype(np.uint8)
    probabilities = random.dirichlet([0.5] * 4, (2, 1001)).astype(np.float32)

    for size in (1, 7, 500, 1001, 5000):
        blocks = (probabilities[:, start : start + size] for start in range(0, 1001, size))
        tally = scores.tally(blocks, labels, 4)
        means = tally.means()

        assert tally.images == 1001
        for replicate, each in enumerate(probabilities):
            bins = calibration.means(calibration.sums(each, labels))
            for name, score in scores.OF_AN_IMAGE.items():
                assert means[name][replicate] == pytest.approx(score(each, labels).mean(), abs=1e-12)
            assert means["expected_calibration_error"][replicate] == pytest.approx(bins.expected_error, abs=1e-12)
            assert tally.confusion[replicate].tolist() == scores.confusion(each.argmax(axis=1), labels, 4).tolist()


def test_confusion_has_labels_in_rows_and_predictions_in_columns():
    counts = scores.confusion(np.array([0, 1, 0, 2]), np.array([0, 1, 2, 2], np.uint8), 3)

    assert counts.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]


def test_labels_of_256_classes_do_not_overflow():
    """Labels are uint8: 255 * 256 must not be counted modulo 256."""
    counts = scores.confusion(np.array([3]), np.array([255], np.uint8), 256)

    assert counts[255, 3] == 1 and counts.sum() == 1
