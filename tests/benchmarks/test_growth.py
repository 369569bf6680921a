"""Memory does not grow with the number of images."""

import json

import numpy as np
import pytest

from benchmarks import growth, measure
from tools import scratch

ROWS = json.loads((measure.RESULTS / "growth.json").read_text(encoding="utf-8"))["rows"]


def test_a_split_has_its_shape_and_all_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "PIECE", 30)
    growth.write_raw(tmp_path, 75, (4, 5), 10)

    images, labels = np.load(tmp_path / "images.npy"), np.load(tmp_path / "labels.npy")

    assert (images.shape, labels.shape) == ((75, 4, 5), (75,))
    assert images[:30].tolist() == images[30:60].tolist()
    assert len({image.tobytes() for image in images[:30]}) == 30
    assert np.bincount(labels[:30]).tolist() == [3] * 10


@pytest.mark.fault("millions of images: memory that grows with them")
@pytest.mark.parametrize("shape", sorted({tuple(row["shape"]) for row in ROWS}), ids=str)
def test_memory_did_not_grow_with_the_images(shape):
    rows = [row for row in ROWS if row["shape"] == list(shape)]

    assert [row["images"] for row in rows] == [growth.MOST[shape] // part for part in growth.PARTS]
    more = (rows[-1]["images"] - rows[0]["images"]) / 2 * np.prod(shape) * 4 / 1e6  # MB of training images, as float32
    for stage in ("normalize", "evaluate", "train, streamed"):
        assert np.ptp([row[stage]["own_mb"] for row in rows]) < 0.02 * more
    assert max(row["normalize"]["own_mb"] for row in rows) < 100


@pytest.mark.slow
@pytest.mark.fault("millions of images: memory that grows with them")
def test_more_images_take_no_more_memory(tmp_path, monkeypatch):
    """100,000 more images have 314 MB as float32; a stage that reads them in blocks may take less than a tenth more."""
    monkeypatch.setattr(growth, "FOLDER", tmp_path / "growth")
    scratch.copy(growth.FOLDER, {"train.epochs": 1, "train.replicates": 2})

    few, many = (growth.row(images, (28, 28)) for images in (10_000, 110_000))

    for stage in ("normalize", "evaluate"):
        assert many[stage]["peak_mb"] - few[stage]["peak_mb"] < 31
        assert many[stage]["own_mb"] - few[stage]["own_mb"] < 31
    assert many["train, streamed"]["own_mb"] < many["train"]["own_mb"]
