"""The whole pipeline under real DVC and git, on a few hundred pictures: what reruns, and what DVC shows of it."""

import json
import re

import pytest

from tests.project import ALL

pytestmark = pytest.mark.slow


def test_a_second_run_does_nothing(pipeline):
    before = pipeline.results()

    printed = pipeline.dvc("repro")

    assert printed.count("didn't change, skipping") == len(ALL)
    assert pipeline.results() == before
    assert pipeline.git("status", "--porcelain") == ""


@pytest.mark.fault("a score too many, or a name too long: a table that no screen shows")
def test_the_changed_metrics_fit_a_screen_and_and_begin_with_the_test_accuracy(pipeline):
    """Also if each number is as long as it can be."""
    path = pipeline.folder / "reports/metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    names = sorted(f"{split}.{name}" for split, scores in metrics.items() for name in scores)
    longest = {split: dict.fromkeys(scores, 12345.67891) for split, scores in metrics.items()}
    path.write_text(json.dumps(longest), encoding="utf-8")

    shown, compared = pipeline.dvc("metrics", "show"), pipeline.dvc("metrics", "diff")
    columns = pipeline.dvc("exp", "show", "--csv").splitlines()[0].split(",")

    assert names[:2] == ["test.accuracy", "test.accuracy_std"] and len(names) <= 8
    assert shown.split()[: 1 + len(names)] == ["Path", *names]
    assert [line.split()[1] for line in compared.splitlines()] == ["Metric", *names]
    assert max(map(len, compared.splitlines())) <= 80
    first = columns.index("test.accuracy")
    assert columns[first : first + len(names) + 1] == [*names, "dataset.name"], "no other scores"


# The file, the text in it, the text put in its place, and words of the error. DVC itself reads params.yaml first, and
# refuses what is no YAML.
PARAMS, GARMENTS, MNIST = "params.yaml", "datasets/garments.yaml", "datasets/mnist.yaml"
SLIPS = {
    "a name": (PARAMS, "epochs: 2", "epcohs: 2", "train.epcohs: unknown key: did you mean epochs?"),
    "a value": (PARAMS, "epochs: 2", "epochs: true", "train.epochs: wrong value"),
    "a data set": (PARAMS, "name: garments", "name: garment", "dataset.name: no such data set: did you mean garments?"),
    "a card": (GARMENTS, "seed: 0", "seed: -1", "seed: wrong value"),
    "a card of another data set": (MNIST, "format: idx", "format: idxx", "format: unknown choice"),
    "no YAML": (PARAMS, "epochs: 2", "epochs: [2", "unable to read: 'params.yaml'"),
}


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.fault("a stage fails under DVC: results stay, and come back from the run-cache")
@pytest.mark.fault("any of these under `dvc repro`: every result stays")
@pytest.mark.fault("a bad card, a misspelt name, files that are not there: refused before anything is deleted")
def test_a_slip_costs_no_result(pipeline, slip):
    file, old, new, words = SLIPS[slip]
    before = pipeline.results()
    pipeline.edit(file, old, new)

    line = words if slip == "no YAML" else f"error: {file}: {words}"
    with pytest.raises(AssertionError, match=re.escape(line)):
        pipeline.repro()
    stamp = {"data/validated": before["data/validated"]}  # of the stage that fails
    assert pipeline.results() | stamp == before

    pipeline.edit(file, new, old)
    assert pipeline.repro()[0] == []
    assert pipeline.git("status", "--porcelain") == ""


@pytest.mark.fault("an old value of a param trains again, though its networks are in the cache")
@pytest.mark.fault("a param changed, and changed back")
def test_a_changed_param_retrains_is_shown_by_dvc_and_changed_back_without_training(pipeline):
    """DVC's diffs of metrics, params and plots need no further flags."""
    before = pipeline.results()
    pipeline.edit("params.yaml", "epochs: 2", "epochs: 4")
    assert pipeline.repro() == (["validate", "train", "evaluate", "render"], [])
    changed = pipeline.results()
    assert len(changed["reports/history.csv"].splitlines()) == 1 + 2 * 5

    old, new = (json.loads(files["reports/metrics.json"])["test"]["accuracy"] for files in (before, changed))
    metrics = json.loads(pipeline.dvc("metrics", "diff", "--json"))["reports/metrics.json"]["test.accuracy"]
    params = json.loads(pipeline.dvc("params", "diff", "--json"))
    assert new != old
    assert metrics == {"old": old, "new": new, "diff": pytest.approx(new - old)}
    assert params == {"params.yaml": {"train.epochs": {"old": 2, "new": 4, "diff": 2}}}
    for command in (["show"], ["diff", "HEAD"]):
        printed = pipeline.dvc("plots", *command)
        assert "index.html" in printed and not re.search("failed|WARNING", printed)
        page = (pipeline.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
        for part in ("train_loss", "curves.png", "actual", "reliability.png", "standard deviation of recall"):
            assert part in page

    pipeline.edit("params.yaml", "epochs: 4", "epochs: 2")
    assert pipeline.repro() == (["render"], ["validate", "train", "evaluate"])  # dvc.yaml says why render
    assert pipeline.results() == before
