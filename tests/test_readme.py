"""What README.md says is so: its numbers are those of reports/, its commands and its paths exist."""

import csv
import json
import re
from pathlib import Path

import pytest

from stages import params

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
METRICS = json.loads((ROOT / "reports/metrics.json").read_text(encoding="utf-8"))
TRAINING = json.loads((ROOT / "reports/training.json").read_text(encoding="utf-8"))
HISTORY = list(csv.DictReader((ROOT / "reports/history.csv").read_text(encoding="utf-8").splitlines()))


def row(start: str) -> list[str]:
    """Return the cells of the one table row that starts so."""
    (line,) = re.findall(rf"^\| {re.escape(start)} \|.*$", README, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_result_table_is_the_committed_run():
    assert row("test accuracy")[1] == f"{METRICS['test']['accuracy']:.4f}"
    assert row("test loss")[1] == f"{METRICS['test']['loss']:.4f}"
    assert row("training accuracy, last epoch")[1] == f"{float(HISTORY[-1]['train_accuracy']):.4f}"
    assert row("parameters")[1] == f"{TRAINING['parameters']:,}"
    assert row("R1")[2] == f"{METRICS['test']['accuracy']:.4f}"


def test_the_losses_of_five_epochs_are_the_first_of_the_committed_run():
    """R4 is R1 stopped early, so that its epochs are the first five of the committed history."""
    losses = " ".join(f"{float(line['train_loss']):.4f}" for line in HISTORY[1:6])

    assert losses in " ".join(README.split())


def test_the_metrics_diff_starts_from_the_committed_run():
    """In the form in which DVC shows it: five decimals."""
    rows = re.findall(r"^reports/(metrics|training)\.json +(\S+) +([\d.]+) ", README, re.MULTILINE)

    assert len(rows) >= 5
    for file, name, shown in rows:
        value = METRICS if file == "metrics" else TRAINING
        for key in name.split("."):
            value = value[key]
        assert float(shown) == round(value, 5), name


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
