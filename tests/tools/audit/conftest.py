"""An audit of small pictures: class n has a bright row n; some labels are swapped, a test picture is a copy."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.audit import __main__ as audit
from tools.audit import cross_validation

CLASSES = ("first", "second", "<third>")
SWAPPED = {"train/first/07.png": 1, "train/second/11.png": 2, "test/<third>/03.png": 0}  # and the row that each has
COPIED = {"test/first/09.png": "train/first/19.png"}


def write(folder: Path) -> None:
    """Write 20 training pictures and 10 test pictures of each class."""
    random = np.random.RandomState(0)
    for split, count in (("train", 20), ("test", 10)):
        for label, name in enumerate(CLASSES):
            for number in range(count):
                place = f"{split}/{name}/{number:02}.png"
                pixels = random.randint(0, 100, (6, 6))
                pixels[SWAPPED.get(place, label)] += 120
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / place)
    for copy, original in COPIED.items():
        pixels = np.array(Image.open(folder / original))
        Image.fromarray(pixels + np.uint8(3)).save(folder / copy)


@pytest.fixture
def audited(project, run_here, monkeypatch):
    """A function that audits the pictures in this process."""
    write(project / "sources/own")
    card = "title: t\ndescription: d\nlicence: l\nimage_shape: [6, 6]\nformat: pictures\n"
    (project / "datasets/own.yaml").write_text(card, encoding="utf-8")
    monkeypatch.setattr(cross_validation, "STEPS", 300)
    return partial(run_here, audit.main, declare=audit.declare)
