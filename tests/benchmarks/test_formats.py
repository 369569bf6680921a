"""The page of the committed results, and the layouts, which are read back as they were."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import formats
from core.files.arrays import Split
from core.formats import formats as readers
from core.sources import datasets
from core.sources.tree import Tree
from tests.conftest import ROOT

GIVEN = {
    "train": Split(np.arange(96, dtype=np.uint8).reshape(6, 4, 4), np.array([0, 1, 0, 1, 1, 0], np.uint8)),
    "test": Split(np.arange(200, 232, dtype=np.uint8).reshape(2, 4, 4), np.array([1, 0], np.uint8)),
}


def test_the_page_shows_the_committed_results():
    results = json.loads((ROOT / "benchmarks/formats.json").read_text(encoding="utf-8"))

    assert (ROOT / "benchmarks/formats.md").read_text(encoding="utf-8") == formats.page(results)
    assert [row["layout"] for row in results["rows"]] == list(formats.LAYOUTS)
    assert all(row["same_bytes"] for row in results["rows"][:4])


@pytest.mark.parametrize("layout", [name for name in formats.LAYOUTS if name != "folder of JPEG"])
def test_each_layout_holds_the_images(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(formats, "FILES", tmp_path)
    monkeypatch.setattr(formats, "_folder_names", lambda: ["a", "b"])
    format, make = formats.LAYOUTS[layout]
    make(GIVEN)

    path = Path(tmp_path.parent / f"{tmp_path.name}.yaml")
    card = {"title": "a", "description": "a", "licence": "a", "format": format, "classes": ["a", "b"]}
    path.write_text(json.dumps(card), encoding="utf-8")
    with Tree(tmp_path) as tree:
        blocks = list(readers.read(tree, datasets.read(path)).blocks)

    for split, (images, labels) in GIVEN.items():
        found = [
            (image.tobytes(), label)
            for block in blocks
            if block.split == split
            for image, label in zip(block.images, block.labels, strict=True)
        ]
        assert sorted(found) == sorted(zip(map(bytes, images), labels.tolist(), strict=True))
