import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from core.scores import ensemble, scores

RANDOM = np.random.default_rng(2)
LABELS = RANDOM.integers(0, 3, 50).astype(np.uint8)
PROBABILITIES = RANDOM.dirichlet([1, 1, 1], (4, 50)).astype(np.float32)


def test_the_scores_of_the_ensemble_are_those_of_the_mean_probabilities():
    """The ensemble comes as the last network of blocks, and its intervals are those of statsmodels."""
    mean = PROBABILITIES.mean(axis=0)
    tally = scores.tally(ensemble.appended([PROBABILITIES[:, :30], PROBABILITIES[:, 30:]]), LABELS, 3)

    found = ensemble.of(tally.networks(slice(4, None)))

    assert found.accuracy == pytest.approx((mean.argmax(axis=1) == LABELS).mean(), abs=1e-6)
    for name, values in {"loss": scores.losses(mean, LABELS), "brier": scores.brier(mean, LABELS)}.items():
        low, high = DescrStatsW(values).zconfint_mean()
        assert getattr(found, name) == pytest.approx(values.mean(), abs=1e-6)
        assert (getattr(found, f"{name}_low"), getattr(found, f"{name}_high")) == pytest.approx((low, high), abs=1e-6)
    alone = scores.tally([PROBABILITIES], LABELS, 3)
    for name, sums in tally.networks(slice(4)).sums.items():
        np.testing.assert_allclose(sums, alone.sums[name])


def test_predictions_come_in_blocks_and_in_order(monkeypatch):
    monkeypatch.setattr("core.files.arrays.BLOCK", 100)

    assert list(ensemble.predictions(PROBABILITIES)) == PROBABILITIES.mean(axis=0).argmax(axis=1).tolist()


def test_the_record_is_read_back(tmp_path):
    found = ensemble.of(scores.tally([PROBABILITIES[:1]], LABELS, 3))

    ensemble.write(tmp_path / "ensemble.json", found)

    assert ensemble.read(tmp_path / "ensemble.json") == found
