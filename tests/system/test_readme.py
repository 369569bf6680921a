"""What README.md says is so: its numbers are those of reports/, its commands and its paths exist."""

import csv
import json
import re
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from PIL import Image

from core.config import datasets, params
from core.formats import image_folder

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def metrics() -> dict:
    return json.loads((ROOT / "reports/metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def report() -> str:
    return (ROOT / "reports/report.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def history() -> list[dict[str, str]]:
    return list(csv.DictReader((ROOT / "reports/history.csv").read_text(encoding="utf-8").splitlines()))


def row(start: str, page: str = README) -> list[str]:
    """Return the cells of the first table row that starts so."""
    line = re.findall(rf"^\| {re.escape(start)} \|.*$", page, re.MULTILINE)[0]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_result_table_is_the_committed_run(metrics, report, history):
    test, last = metrics["test"], history[-1]["epoch"]
    trained = [float(line["train_accuracy"]) for line in history if line["epoch"] == last]

    assert row("test accuracy")[1] == f"{test['accuracy']:.4f} ± {test['accuracy_std']:.4f}"
    assert row("test loss")[1] == " ± ".join(row("loss", report)[1:]) and f"{test['loss']:.4f}" in row("test loss")[1]
    assert row("training accuracy, last epoch")[1] == f"{sum(trained) / len(trained):.4f}"
    assert row("parameters")[1] == row("parameters of the network", report)[1]


def test_the_recipes_are_those_that_were_measured_and_r1_is_the_committed_run():
    table = (ROOT / "benchmarks/recipes.md").read_text(encoding="utf-8")

    assert table in README
    assert row("R1 | the committed params: logits, 10 epochs")[4] == row("test accuracy")[1]
    measured = json.loads((ROOT / "benchmarks/recipes.json").read_text(encoding="utf-8"))
    for name, result in measured.items():
        accuracy = f"{result['accuracy']:.4f} ± {result['accuracy_std']:.4f}"
        assert re.search(rf"^\| {name} \|.*\| {accuracy} \|", table, re.MULTILINE)
    assert f"loss of {measured['R3']['untrained_loss']}" in " ".join(README.split())


def test_the_recipes_land_where_the_published_runs_do():
    """Mean test accuracies of five networks, within what one network may be off."""
    measured = json.loads((ROOT / "benchmarks/recipes.json").read_text(encoding="utf-8"))
    expected = {"R0": (0.865, 0.02), "R1": (0.880, 0.015), "R2": (0.880, 0.015), "R3": (0.978, 0.006)}

    for name, (accuracy, tolerance) in expected.items():
        assert measured[name]["accuracy"] == pytest.approx(accuracy, abs=tolerance)
    assert measured["R3"]["untrained_loss"] == pytest.approx(2.3, abs=0.25)


def test_the_losses_of_five_epochs_are_the_first_of_the_committed_run(history):
    """R4 is R1 stopped early, so that its epochs are the first five of the committed history."""
    losses = " ".join(f"{float(line['train_loss']):.4f}" for line in history[1:6])

    assert losses in " ".join(README.split())
    assert float(history[5]["train_loss"]) == pytest.approx(0.2938, abs=0.01)


def test_the_metrics_diff_is_whole_and_starts_from_the_committed_run(metrics):
    """In the form in which DVC shows it, five decimals; the test accuracy comes first."""
    rows = re.findall(r"^reports/metrics\.json +(\S+) +([\d.]+) +([\d.]+) +(-?[\d.]+)$", README, re.MULTILINE)
    scores = {f"{split}.{name}": score for split, named in metrics.items() for name, score in named.items()}

    assert [(name, float(before)) for name, before, *_ in rows] == [(n, round(scores[n], 5)) for n in sorted(scores)]
    assert rows[0][0] == "test.accuracy"
    for _, before, after, change in rows:
        assert float(change) == pytest.approx(float(after) - float(before), abs=2e-5)


@pytest.mark.fault("a score too many, or a name too long: a table that no screen shows")
def test_the_runs_are_listed_by_the_line_of_make_experiments_and_fit_120_columns(metrics):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    typed, table = re.search(r"\$ (dvc exp show .*?)\n ─+\n(.*?) ─+\n```", README, re.DOTALL).groups()
    _, made = re.search(
        r"^experiments: setup.*\n\t\$\(BIN\)/(python -m )?((?:.*\\\n)*.*)", makefile, re.MULTILINE
    ).groups()
    options = [" ".join(line.replace("\\\n", " ").replace("$$", "$").split()) for line in (typed, made)]

    assert options[0] == options[1]
    assert re.search(r"^  main +([\d.]+)", table, re.MULTILINE)[1] == f"{metrics['test']['accuracy']:.5g}"
    assert max(map(len, table.splitlines())) <= 120 and len(table.splitlines()) >= 4


@pytest.mark.parametrize("key", sorted(set(re.findall(r"-S '?([\w.]+)=", README))))
def test_params_in_commands_exist(key):
    section, name = key.split(".")

    assert name in params.Params.model_fields[section].annotation.model_fields


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))))
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_links_and_the_tree_lead_to_files():
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    tree = re.search(r"```text\n(.*?)```", README, re.DOTALL)[1]
    shown = [line.split()[0] for line in tree.splitlines()]
    paths = [
        *links,
        *(f"stages/{path}" if (ROOT / "stages" / path).exists() else path for path in shown if "*" not in path),
    ]

    assert len(links) >= 3 and len(shown) >= 14
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_rates_of_false_alarms_are_those_that_were_measured():
    """tests/benchmarks/test_calibration.py holds the table to the numbers in calibration.json."""
    measured = json.loads((ROOT / "benchmarks/calibration.json").read_text(encoding="utf-8"))
    lowest, highest = min(measured["accuracies"]), max(measured["accuracies"])
    ended = f"ended anywhere between {lowest:.4f} and {highest:.4f} in {measured['replicates']} runs"

    assert (ROOT / "benchmarks/calibration.md").read_text(encoding="utf-8") in README
    assert ended in " ".join(README.split())


def test_the_ratios_are_those_that_were_measured():
    page = (ROOT / "benchmarks/results.md").read_text(encoding="utf-8")
    table = page.split("## Ratios\n\n")[1].split("\n\n")[0].split("\nThe quickest")[0]
    measured = json.loads((ROOT / "benchmarks/results.json").read_text(encoding="utf-8"))["ratios"]

    assert table in README
    for name, ratios in measured.items():
        assert f"| {name} | {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |" in table


def test_what_narrower_instructions_do_is_what_was_measured():
    table = (ROOT / "benchmarks/processors.md").read_text(encoding="utf-8").split("\n\n")[1]
    measured = json.loads((ROOT / "benchmarks/processors.json").read_text(encoding="utf-8"))["networks"]

    assert table in README
    for network, runs in measured.items():
        for held, run in runs.items():
            same = "yes" if run["same"] else "no"
            assert f"| {network} | {held} | {same} | {run['train_loss']:.6f} |" in table


def test_the_walk_through_writes_pictures_and_its_entry_is_valid(tmp_path, monkeypatch):
    """On ten classes of noise in place of Fashion-MNIST; what comes back from the files is what went in."""
    (script,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    entries = "".join(re.findall(r"```yaml\n(.*?)```", README, re.DOTALL))
    (tmp_path / "data/normalized/train").mkdir(parents=True)
    (tmp_path / "data/normalized/classes.json").write_text(json.dumps(["T-shirt/top", *"bcdefghij"]), encoding="utf-8")
    images = np.random.RandomState(0).randint(0, 256, (2001, 28, 28)).astype(np.uint8)
    labels = (np.arange(2001) % 10).astype(np.uint8)
    np.save(tmp_path / "data/normalized/train/images.npy", images / np.float32(255))
    np.save(tmp_path / "data/normalized/train/labels.npy", labels)
    (tmp_path / "datasets.yaml").write_text(entries, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    exec(compile(script, "README.md", "exec"), {})

    read = datasets.load()
    assert (read["first_2000"].folder, read["mine"].image_shape) == ("pictures", [32, 48])
    listing = image_folder.listing(read["first_2000"])
    assert len(listing.places) == 2000
    for place in listing.places[::97]:
        number = int(place.path.stem)
        assert np.asarray(Image.open(place.path)).tolist() == images[number].tolist()
        assert place.path.parent.name == ["T-shirt or top", *"bcdefghij"][labels[number]]
