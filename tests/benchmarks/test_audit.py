"""The audit finds enough of the replaced labels, and the benchmark counts them as by hand."""

import json

import numpy as np
import pytest

from benchmarks import audit, measure

LEVELS = json.loads((measure.RESULTS / "audit.json").read_text(encoding="utf-8"))["R1"]["levels"]
MOST = {"0.01": 3_200, "0.02": 3_800, "0.05": 5_600}  # proposals


@pytest.mark.parametrize("share", MOST)
def test_the_targets_are_met(share):
    found = LEVELS[share]

    assert found["replaced"] == 60_000 * float(share)
    assert found["first"] >= 0.95 and found["recall"] >= 0.93 and found["proposed"] <= MOST[share]


def test_a_share_of_the_labels_becomes_other_classes():
    labels = np.arange(1000, dtype=np.uint8) % 10

    noisy, replaced = audit.replace(labels, 0.05, 10)

    assert replaced.sum() == 50 and noisy.max() < 10
    assert ((noisy != labels) == replaced).all()
    assert len(set((noisy - labels.astype(int))[replaced] % 10)) == 9


def test_recall_and_precision_are_those_worked_out_by_hand(monkeypatch):
    monkeypatch.setattr(audit, "FIRST", 2)
    replaced = np.array([True, False, True, True, False, False, True])

    found = audit.score(np.array([2, 0, 1, 6]), replaced)

    assert (found["replaced"], found["proposed"], found["recall"], found["first"]) == (4, 4, 0.75, 1)
    assert found["curve"] == [[0.5, 1.0], [0.5, 0.6667], [0.75, 0.75]]
