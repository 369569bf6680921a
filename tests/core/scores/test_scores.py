import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from core.scores import calibration, ensemble, metrics, scores

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


def test_scores_by_class_worked_by_hand():
    """Class 0: right 1 of 1, predicted twice. Class 2: right 1 of 2, predicted once. Then a class never predicted."""
    by_class = scores.by_class(np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1]]))

    np.testing.assert_allclose(by_class["recall"], [1, 1, 1 / 2])
    np.testing.assert_allclose(by_class["precision"], [1 / 2, 1, 1])
    np.testing.assert_allclose(by_class["f1"], [2 / 3, 1, 2 / 3])
    by_class = scores.by_class(np.array([[0, 2], [0, 3]]))
    assert by_class["precision"].tolist() == [0, 0.6]
    assert by_class["f1"].tolist() == [0, 0.75]


def test_the_metrics_are_a_few_scores_of_each_split(tmp_path):
    """Networks that are sure and right on the training images; test accuracies 0.75 and 1."""
    sure = np.eye(3, dtype=np.float32)[LABELS]
    loss = -(math.log(0.7) + math.log(0.8) + math.log(0.3) + math.log(0.4)) / 8

    together = ensemble.of(tally(PROBABILITIES))

    metrics.write(tmp_path / "metrics.json", metrics.of(tally(sure, sure), tally(PROBABILITIES, sure), together))

    assert metrics.read(tmp_path / "metrics.json").model_dump() == {
        "test": {
            "accuracy": 0.875,
            "accuracy_std": round(0.25 / math.sqrt(2), 6),
            "ece": pytest.approx((0.3 + 0.2 + 0.6 + 0.6) / 8, abs=1e-6),
            "ensemble_accuracy": together.accuracy,
            "ensemble_loss": together.loss,
            "loss": pytest.approx(loss, abs=1e-6),
        },
        "train": {"accuracy": 1, "loss": 0},
    }


def test_sums_of_blocks_of_any_size_are_those_of_all_images():
    """Each score, bin and count of two networks, held against what the functions of all images at once say."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 4, 1001).astype(np.uint8)
    probabilities = random.dirichlet([0.5] * 4, (2, 1001)).astype(np.float32)

    for size in (7, 500, 5000):
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
