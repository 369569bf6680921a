import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages import arrays, atomic
from stages.command import InputError
from stages.render.__main__ import main

ROOT = Path(__file__).parents[3]

INPUTS = [
    "data/normalized/train",
    "data/normalized/test",
    "data/normalized/classes.json",
    "data/predictions",
    "reports/history.csv",
    "reports/training.json",
    "reports/metrics.json",
]
OUTPUTS = ["reports/report.md", "reports/figures"]

PARAMS = """
dataset: {name: tiny}
train:
  network: dense
  hidden_units: 128
  dropout: 0.0
  output: logits
  optimizer: adam
  learning_rate: 1e-3
  learning_rate_schedule: constant
  weight_decay: 0.0
  batch_size: 32
  epochs: 2
  validation_fraction: 0.0
  early_stopping_patience: 0
  augmentation_shift: 0
  augmentation_flip: false
  seed: 0
  replicates: 2
evaluate: {batch_size: 1000, single_image: 1}
render: {training_image: 3, examples: [0, 2], mistakes: 2, dpi: 50}
"""

DATASETS = """
tiny:
  title: Kleidungsstücke
  description: few pictures
  licence: free
  classes: [Coat, Trägerkleid, Bag]
  image_shape: [3, 4]
  source: generate
  seed: 0
  images: {train: 10, test: 10}
"""

FILES = {
    "confusion_counts.png",
    "confusion_shares.png",
    "curves.png",
    "example_0.png",
    "example_2.png",
    "examples_grid.png",
    "mistakes.png",
    "single_image.png",
    "training_grid.png",
    "training_image.png",
}


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """A project folder with what the stages before this one leave, three classes and two replicates."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    classes = ["Coat", "Trägerkleid", "Bag"]
    for name, count in (("train", 12), ("test", 8)):
        images = random.random((count, 3, 4), np.float32)
        arrays.write_split(Path("data/normalized", name), arrays.Split(images, np.arange(count, dtype=np.uint8) % 3))
    arrays.write(Path("data/predictions/probabilities.npy"), random.dirichlet([1, 1, 1], (2, 8)).astype(np.float32))
    arrays.write(Path("data/predictions/single_image.npy"), random.dirichlet([1, 1, 1], 2).astype(np.float32))
    atomic.write_json(Path("data/normalized/classes.json"), classes)
    rows = ["replicate,epoch,train_loss,train_accuracy", "0,0,1.1,0.3", "0,1,0.5,0.8", "1,0,1.0,0.4", "1,1,0.4,0.9"]
    atomic.write_text(Path("reports/history.csv"), "\n".join(rows) + "\n")
    atomic.write_json(Path("reports/training.json"), {"epochs": 1, "parameters": 101770, "untrained_loss": 1.05})
    scores = {"accuracy": 0.375, "loss": 1.25}
    test = scores | {"accuracy_std": 0.125, "loss_std": 0.0625}
    each = {name: {"recall": 0.5, "precision": 0.25, "f1": 1 / 3} for name in classes}
    metrics = {"test": test, "train": scores, "gap": scores, "classes": each}
    atomic.write_json(Path("reports/metrics.json"), metrics)
    Path("params.yaml").write_text(PARAMS, encoding="utf-8")
    Path("datasets.yaml").write_text(DATASETS, encoding="utf-8")
    return tmp_path


def digests(folder: Path) -> dict[str, str]:
    files = [*folder.glob("reports/figures/*"), folder / "reports/report.md"]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_figures_are_written_and_the_report_shows_each_of_them(work, capsys):
    main(*map(Path, INPUTS + OUTPUTS))

    text = Path("reports/report.md").read_text(encoding="utf-8")
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert set(digests(work)) == FILES | {"report.md"}
    assert sorted(links) == sorted(f"figures/{name}" for name in FILES)
    for link in links:
        Image.open(Path("reports", link)).verify()
    assert "| Trägerkleid | 3 | 0.5000 | 0.2500 | 0.3333 |" in text
    assert "| train.learning_rate | 0.001 |" in text
    assert str(work) not in text
    assert capsys.readouterr().out == "10 figures; test accuracy 0.3750\n"


def test_the_links_lead_to_the_figures_wherever_both_are_written(work):
    main(*map(Path, INPUTS), Path("told/there/report.md"), Path("drawn/here"))

    assert "(../../drawn/here/curves.png)" in Path("told/there/report.md").read_text(encoding="utf-8")


def test_an_image_that_is_not_there_is_refused_before_anything_is_written(work):
    Path("params.yaml").write_text(PARAMS.replace("[0, 2]", "[0, 8]"), encoding="utf-8")

    with pytest.raises(InputError, match=r"params\.yaml: render\.examples: .* \(expected 0 to 7, got 8\)"):
        main(*map(Path, INPUTS + OUTPUTS))
    assert not Path("reports/figures").exists() and not Path("reports/report.md").exists()


def test_neither_the_users_matplotlib_nor_locale_changes_a_byte_and_no_heavy_package_is_loaded(work):
    """The other process has a backend that does not exist, other colours and sizes, no home and an ASCII locale."""
    main(*map(Path, INPUTS + OUTPUTS))
    expected = digests(work)
    for file in (*Path("reports/figures").iterdir(), Path("reports/report.md")):
        file.unlink()
    settings = work / "matplotlib"
    settings.mkdir()
    (settings / "matplotlibrc").write_text(
        "font.size: 30\naxes.facecolor: red\ntext.parse_math: True\n", encoding="utf-8"
    )
    strange = {
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "bogus",
        "MPLCONFIGDIR": str(settings),
        "HOME": str(work / "nowhere"),
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHASHSEED": "7",
    }
    script = (
        "import sys; from pathlib import Path; from stages.render.__main__ import main; main(*map(Path, sys.argv[1:]));"
        "print(sorted({'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, *INPUTS, *OUTPUTS]
    process = subprocess.run(command, env=os.environ | strange, capture_output=True, text=True, timeout=60)

    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[-1] == "[]"
    assert digests(work) == expected


@pytest.mark.parametrize("missing", INPUTS[4:])
def test_a_missing_file_is_named_in_one_line(work, missing, run_stage, assert_clean_failure):
    Path(missing).unlink()

    run = run_stage("stages.render", *INPUTS, *OUTPUTS)

    assert_clean_failure(run, 1, f"error: {missing}: No such file or directory; fix: mend that, then dvc repro")
