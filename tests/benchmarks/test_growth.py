"""Memory does not grow with the number of images."""

import json

import numpy as np
import pytest

from benchmarks import growth, measure
from core.formats import idx


def test_an_archive_has_its_shape_and_all_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "PIECE", 30)
    growth.write_archive(tmp_path / "images.gz", (75, 4, 5), 10)
    growth.write_archive(tmp_path / "labels.gz", (75,), 10)

    images, labels = idx.read(tmp_path / "images.gz", 3), idx.read(tmp_path / "labels.gz", 1)

    assert (images.shape, labels.shape) == ((75, 4, 5), (75,))
    assert images[:30].tolist() == images[30:60].tolist()
    assert len({image.tobytes() for image in images[:30]}) == 30
    assert np.bincount(labels[:30]).tolist() == [3] * 10


@pytest.mark.fault("millions of images: memory that grows with them")
def test_two_million_images_took_at_most_400_mb_to_normalize_and_to_evaluate():
    rows = json.loads((measure.RESULTS / "growth.json").read_text(encoding="utf-8"))["rows"]

    assert rows[-1]["images"] == growth.MOST == 2_000_000
    assert rows[-1]["normalize"]["peak_mb"] <= 400
    assert rows[-1]["evaluate"]["own_mb"] <= 400
    for stage in ("normalize", "evaluate"):
        assert np.ptp([row[stage]["peak_mb"] for row in rows]) < 30
