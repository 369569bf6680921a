"""The whole pipeline under real DVC and git, on a few hundred pictures: what reruns, and what DVC shows of it."""

import json
import re

import pytest

from tests.project import ALL


def test_a_second_run_does_nothing(pipeline):
    before = pipeline.results()

    printed = pipeline.dvc("repro")

    assert printed.count("didn't change, skipping") == len(ALL)
    assert pipeline.results() == before
    assert pipeline.git("status", "--porcelain") == ""


@pytest.mark.slow
def test_a_change_in_render_reruns_render_alone(pipeline):
    """And validate, which reads the whole file; its output is a constant, so nothing follows from it."""
    before = pipeline.lock()
    pipeline.edit("params.yaml", "mistakes: 15", "mistakes: 3")

    assert pipeline.repro() == (["validate", "render"], [])

    after = pipeline.lock()
    assert {stage for stage in ALL if after[stage]["outs"] != before[stage]["outs"]} == {"render"}


@pytest.mark.slow
@pytest.mark.fault("an old value of a param trains again, though its networks are in the cache")
@pytest.mark.fault("a param changed, and changed back")
def test_a_change_of_epochs_retrains_and_changing_it_back_restores_without_training(pipeline):
    before = pipeline.results()
    pipeline.edit("params.yaml", "epochs: 2", "epochs: 3")

    assert pipeline.repro() == (["validate", "train", "evaluate", "render"], [])
    changed = pipeline.results()
    pipeline.edit("params.yaml", "epochs: 3", "epochs: 2")
    assert pipeline.repro() == (["render"], ["validate", "train", "evaluate"])  # dvc.yaml says why render

    assert len(changed["reports/history.csv"].splitlines()) == 1 + 2 * 4
    assert changed["dvc.lock"] != before["dvc.lock"]
    assert pipeline.results() == before


@pytest.mark.slow
def test_a_comment_in_the_code_of_training_reruns_training_and_nothing_after_it(pipeline):
    """The networks have the same bytes, though another process wrote them at another time."""
    with open(pipeline.folder / "stages/train/loop.py", "a", encoding="utf-8") as file:
        file.write("# a comment\n")

    assert pipeline.repro() == (["train"], [])


@pytest.mark.slow
@pytest.mark.fault("a stage fails under DVC: results stay, and come back from the run-cache")
def test_a_typo_costs_no_result(pipeline):
    before = pipeline.results()
    pipeline.edit("params.yaml", "epochs: 2", "epcohs: 2")

    with pytest.raises(AssertionError, match=r"error: params\.yaml: train\.epcohs: .*did you mean epochs\?"):
        pipeline.repro()
    assert pipeline.results() == before

    pipeline.edit("params.yaml", "epcohs: 2", "epochs: 2")
    assert pipeline.repro() == ([], ["validate"])
    assert pipeline.git("status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.fault("a score too many, or a name too long: a table that no screen shows")
def test_the_metrics_fit_a_screen_and_begin_with_the_test_accuracy(pipeline):
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
    assert max(map(len, (shown + compared).splitlines())) <= 120
    first = columns.index("test.accuracy")
    assert columns[first : first + len(names) + 1] == [*names, "dataset.name"], "no other scores"


@pytest.mark.slow
def test_dvc_compares_two_commits_with_no_further_flags(pipeline):
    """`dvc exp run` with another number, committed; then the diff of metrics, params and plots."""
    old = json.loads((pipeline.folder / "reports/metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]
    pipeline.dvc("exp", "run", "-S", "train.epochs=4")
    pipeline.commit("four epochs")
    new = json.loads((pipeline.folder / "reports/metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]

    metrics = json.loads(pipeline.dvc("metrics", "diff", "HEAD~1", "--json"))["reports/metrics.json"]["test.accuracy"]
    params = json.loads(pipeline.dvc("params", "diff", "HEAD~1", "--json"))

    assert new != old
    assert metrics == {"old": old, "new": new, "diff": pytest.approx(new - old)}
    assert params == {"params.yaml": {"train.epochs": {"old": 2, "new": 4, "diff": 2}}}
    for command in (["show"], ["diff", "HEAD~1"]):
        printed = pipeline.dvc("plots", *command)
        assert "index.html" in printed and not re.search("failed|WARNING", printed)
        page = (pipeline.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
        for part in ("train_loss", "curves.png", "actual", "reliability.png", "standard deviation of recall"):
            assert part in page
