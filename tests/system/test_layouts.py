"""The same images in the same order give the same bytes, in whatever files they come, or one line if these are bad."""

import os
from pathlib import Path

import numpy as np
import pytest

from core.cli import command
from core.files import arrays
from stages.download import __main__ as download
from stages.normalize import __main__ as normalize
from tests import layouts
from tests.conftest import ROOT, Run, snapshot
from tests.layouts import CLASSES, COLOUR, GREY, LAYOUTS

LOCK = ROOT / "requirements-pillow.lock"


def made(layout, place, given, monkeypatch):
    """Return the bytes of each file in data/raw and data/normalized."""
    card, source = layouts.write(layout, place, given)
    monkeypatch.chdir(place)
    download.main(Path(card), Path(source), LOCK, Path("data/raw"))
    below = Path("data/normalized")
    normalize.main(Path("data/raw"), below / "train", below / "test", below / "classes.json")
    return snapshot(place / "data")


@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_every_layout_gives_the_same_bytes(shape, tmp_path, monkeypatch):
    given = layouts.images(*shape)
    names = [name for name, layout in LAYOUTS.items() if shape in layout.shapes]

    found = {name: made(name, tmp_path / name, given, monkeypatch) for name in names}

    assert len(found) >= 6
    first = found[names[0]]
    assert {name: each.keys() for name, each in found.items()} == dict.fromkeys(found, first.keys())
    assert [(name, file) for name, each in found.items() for file in each if each[file] != first[file]] == []
    for split, pixels, labels in (
        ("train", given.train, given.train_labels),
        ("test", given.test, given.test_labels),
    ):
        raw = arrays.parse(first[f"raw/{split}/images.npy"])
        assert raw.dtype == np.uint8 and np.array_equal(raw, pixels)
        assert np.array_equal(arrays.parse(first[f"raw/{split}/labels.npy"]), labels)
        scaled = arrays.parse(first[f"normalized/{split}/images.npy"])
        assert scaled.dtype == np.float32 and np.array_equal(scaled, (pixels / 255).astype(np.float32))
