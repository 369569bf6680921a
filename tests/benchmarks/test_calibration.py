"""The rates of false alarms: that they are counted, and what was found of the real networks."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import calibration

RESULTS = Path(calibration.__file__).parent
LABELS = np.arange(60, dtype=np.uint8) % 2


def networks(accuracies):
    """Return float32 (replicates, 60, 2): each network is right on the first images of each class, as many as said."""
    right = np.arange(60) // 2 < np.reshape(accuracies, (-1, 1)) * 30
    answers = np.where(right, LABELS, 1 - LABELS)
    return np.where(np.arange(2) == answers[..., None], 0.9, 0.1).astype(np.float32)


def test_each_verdict_on_a_split_of_networks_of_one_recipe_is_counted_as_a_false_alarm(monkeypatch):
    """Four networks of which two are bad: of the three ways to split them into halves, one sets good against bad."""
    monkeypatch.setattr(calibration, "SPLITS", 300)

    rates = calibration.false_alarms(networks([0.9, 0.9, 0.1, 0.1]), LABELS, 2)

    assert rates == {name: pytest.approx(1 / 3, abs=0.08) for name in ("accuracy", "loss", "any class")}
    assert len(set(rates.values())) == 1


def test_equal_networks_give_no_false_alarm(monkeypatch):
    monkeypatch.setattr(calibration, "SPLITS", 20)

    assert set(calibration.false_alarms(networks([0.8] * 6), LABELS, 3).values()) == {0}


def test_the_committed_page_is_that_of_the_committed_numbers():
    results = json.loads((RESULTS / "calibration.json").read_text(encoding="utf-8"))

    assert (RESULTS / "calibration.md").read_text(encoding="utf-8") == calibration.page(results)
    assert set(results["false_alarms"]) == {str(size) for size in calibration.SIDES}
    assert (results["replicates"], results["splits"]) == (calibration.REPLICATES, calibration.SPLITS)


def test_real_networks_that_differ_in_seed_alone_are_called_different_in_about_five_percent():
    results = json.loads((RESULTS / "calibration.json").read_text(encoding="utf-8"))

    for rates in results["false_alarms"].values():
        assert 0.03 <= rates["accuracy"] <= 0.07
        assert max(rates.values()) <= 0.07
