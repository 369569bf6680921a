"""README.md and docs/: the front page is short, links and commands exist, and numbers are those that were measured."""

import csv
import importlib.util
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.config import datasets, params

ROOT = Path(__file__).parents[2]
PAGES = [path for folder in ("", "docs", "data") for path in sorted((ROOT / folder).glob("*.md"))]
OUR = ("benchmarks", "stages", "tests", "tools")


@cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def measured(name: str) -> dict:
    return json.loads(text(f"benchmarks/{name}.json"))


def history() -> list[dict[str, str]]:
    return list(csv.DictReader(text("reports/history.csv").splitlines()))


def anchor(heading: str) -> str:
    """Return the fragment by which a git host links to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_front_page_is_short():
    assert len(text("README.md").encode()) <= 12_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    for path, _, fragment in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]*))?\)", page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        assert target.exists(), path
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE) if fragment else []
        assert not fragment or fragment in map(anchor, headings)


def test_the_front_page_links_to_every_page():
    linked = re.findall(r"\]\(([\w./-]+\.md)[)#]", text("README.md"))

    assert {page.relative_to(ROOT).as_posix() for page in PAGES} - {"README.md", "data/README.md"} <= set(linked)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_targets_modules_and_params_that_exist(page):
    content = page.read_text(encoding="utf-8")
    targets = re.findall(r"(?:[`$] ?|^)make(?: -\w)* ([a-z]+)", content, re.MULTILINE)
    modules = [name for name in re.findall(r"python -m ([\w.]+)", content) if name.split(".")[0] in OUR]
    changed = re.findall(r"-S '?(\w+)\.(\w+)=", content)

    assert [name for name in targets if not re.search(rf"^{name}:", text("Makefile"), re.MULTILINE)] == []
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    assert [
        name for section, name in changed if name not in params.Params.model_fields[section].annotation.model_fields
    ] == []


def test_the_result_is_the_committed_run():
    test, last = json.loads(text("reports/metrics.json"))["test"], history()[-1]["epoch"]
    trained = np.mean([float(row["train_accuracy"]) for row in history() if row["epoch"] == last])

    assert f"| test accuracy | {test['accuracy']:.4f} ± {test['accuracy_std']:.4f} |" in text("README.md")
    assert f"| test loss | {test['loss']:.4f} ± " in text("README.md")
    assert f"| training accuracy, last epoch | {trained:.4f} |" in text("README.md")
    parameters = json.loads(text("benchmarks/recipes.json"))["R1"]["parameters"]
    assert f"| parameters | {parameters:,} |" in text("README.md")


def test_the_change_of_one_number_starts_from_the_committed_run():
    """`dvc metrics diff` shows every score, to five digits."""
    rows = re.findall(r"^reports/metrics\.json +(\S+) +(\S+) +(\S+) +(\S+)$", text("README.md"), re.MULTILINE)
    metrics = json.loads(text("reports/metrics.json"))
    scores = {f"{split}.{name}": score for split, named in metrics.items() for name, score in named.items()}

    assert [(name, float(before)) for name, before, *_ in rows] == [(n, round(scores[n], 5)) for n in sorted(scores)]
    assert all(
        float(change) == pytest.approx(float(after) - float(before), abs=2e-5) for _, before, after, change in rows
    )


@pytest.mark.parametrize(
    "page, source",
    [("recipes", "recipes"), ("compare", "calibration"), ("speed", "results"), ("reproducibility", "processors")],
)
def test_a_page_has_the_table_that_a_benchmark_wrote(page, source):
    table, *_ = re.findall(r"(?:^\|.*\n?)+", text(f"benchmarks/{source}.md"), re.MULTILINE)

    assert table.count("\n") > 3 and table in text(f"docs/{page}.md")


def test_the_table_of_speed_has_the_measured_ratios():
    """tests/benchmarks does the same for the other tables."""
    for name, ratios in measured("results")["ratios"].items():
        assert f"| {name} | {np.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |" in text("docs/speed.md")


def test_numbers_in_sentences_are_those_that_were_measured():
    accuracies = measured("calibration")["accuracies"]
    first = " ".join(f"{float(row['train_loss']):.4f}" for row in history()[1:6])

    assert f"between {min(accuracies):.4f} and\n{max(accuracies):.4f} in {len(accuracies)} runs" in text(
        "docs/compare.md"
    )
    assert f"training losses {first}." in text("docs/recipes.md")
    assert f"loss of {measured('recipes')['R3']['untrained_loss']}." in text("docs/recipes.md")
    assert f"took {np.median(measured('results')['seconds']['repro 5']):.0f} seconds" in text("README.md")


def test_the_recipes_land_where_the_published_runs_do():
    """Means of five networks, within the distance that one network may have from the published one."""
    expected = {"R0": (0.865, 0.02), "R1": (0.880, 0.015), "R2": (0.880, 0.015), "R3": (0.978, 0.006)}

    for name, (accuracy, tolerance) in expected.items():
        assert measured("recipes")[name]["accuracy"] == pytest.approx(accuracy, abs=tolerance)
    assert measured("recipes")["R3"]["untrained_loss"] == pytest.approx(2.3, abs=0.25)
    assert float(history()[5]["train_loss"]) == pytest.approx(0.2938, abs=0.01)  # R4 is R1 stopped after five epochs


def test_the_example_of_own_data_writes_pictures_and_its_entries_are_valid(tmp_path, monkeypatch):
    page = text("docs/your-data.md")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    images = np.random.RandomState(0).randint(0, 256, (2001, 28, 28)).astype(np.uint8)
    (tmp_path / "data/normalized/train").mkdir(parents=True)
    (tmp_path / "data/normalized/classes.json").write_text(json.dumps(["T-shirt/top", *"bcdefghij"]), encoding="utf-8")
    np.save(tmp_path / "data/normalized/train/images.npy", images / np.float32(255))
    np.save(tmp_path / "data/normalized/train/labels.npy", (np.arange(2001) % 10).astype(np.uint8))
    (tmp_path / "datasets.yaml").write_text(
        "".join(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)), encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)

    exec(compile(script, "your-data.md", "exec"), {})

    assert datasets.load().keys() == {"first_2000", "mine"}
    assert len(list(tmp_path.glob("pictures/*/*.png"))) == 2000
    assert np.asarray(Image.open("pictures/T-shirt or top/1990.png")).tolist() == images[1990].tolist()
