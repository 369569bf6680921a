"""The whole pipeline under real DVC and git, on a few hundred pictures: what reruns, and what is said of it."""

import json
import re
import shutil

import pytest

from tests.project import ALL, Project


@pytest.fixture(scope="module")
def baseline(tmp_path_factory) -> Project:
    """The pipeline run once and committed."""
    project = Project.copied(tmp_path_factory.mktemp("baseline") / "project")
    project.edit("datasets.yaml", "{train: 12000, test: 2000}", "{train: 300, test: 100}")
    project.edit("params.yaml", "name: fashion_mnist", "name: garments")
    project.edit("params.yaml", "epochs: 10", "epochs: 2")
    project.edit("params.yaml", "replicates: 5", "replicates: 2")
    project.git("init", "--quiet")
    project.commit("pipeline")
    assert project.repro() == (ALL, [])
    project.commit("two epochs")
    return project


@pytest.fixture
def project(baseline, tmp_path) -> Project:
    """A copy of the baseline that a test may change."""
    shutil.copytree(baseline.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def test_a_second_run_does_nothing(project):
    before = project.results()

    printed = project.dvc("repro")

    assert printed.count("didn't change, skipping") == len(ALL)
    assert "Data and pipelines are up to date." in printed
    assert project.results() == before
    assert project.git("status", "--porcelain") == ""


def test_a_change_in_render_reruns_render_alone(project):
    """And validate, which looks at the whole file; its output is a constant, so that nothing follows from it."""
    before = project.lock()
    project.edit("params.yaml", "mistakes: 15", "mistakes: 3")

    assert project.repro() == (["validate", "render"], [])

    after = project.lock()
    assert {stage for stage in ALL if after[stage]["outs"] != before[stage]["outs"]} == {"render"}


@pytest.mark.slow
@pytest.mark.fault("an old value of a param trains again, though its networks are in the cache")
@pytest.mark.fault("a param changed, and changed back")
def test_a_change_of_epochs_retrains_and_changing_it_back_restores_without_training(project):
    before = project.results()
    project.edit("params.yaml", "epochs: 2", "epochs: 3")

    assert project.repro() == (["validate", "train", "evaluate", "render"], [])
    changed = project.results()
    project.edit("params.yaml", "epochs: 3", "epochs: 2")
    assert project.repro() == (["render"], ["validate", "train", "evaluate"])  # why render: see dvc.yaml

    assert len(changed["reports/history.csv"].splitlines()) == 1 + 2 * 4
    assert changed["dvc.lock"] != before["dvc.lock"]
    assert project.results() == before


def test_a_comment_reruns_nothing_after_validate(project):
    before = project.lock()
    project.edit("params.yaml", "epochs: 2", "epochs: 2  # fewer than published")

    assert project.repro() == (["validate"], [])

    after = project.lock()
    assert {stage for stage in ALL if after[stage] != before[stage]} == {"validate"}


@pytest.mark.slow
def test_a_comment_in_the_code_of_training_reruns_training_and_nothing_after_it(project):
    """Equal bytes of the models, written by another process at another time, are what stops it there."""
    with open(project.folder / "stages/train/trainer.py", "a", encoding="utf-8") as file:
        file.write("# a comment\n")

    assert project.repro() == (["train"], [])


@pytest.mark.slow
@pytest.mark.fault("all stages forced to run again")
def test_all_stages_forced_to_run_again_make_the_same_bytes(project):
    before = project.results()

    printed = project.dvc("repro", "--force")

    assert re.findall(r"^Running stage '(\w+)'", printed, re.M) == ALL
    assert project.results() == before
    assert project.git("status", "--porcelain") == ""


@pytest.mark.fault("a stage fails under DVC: results stay, and come back from the run-cache")
def test_a_typo_costs_no_result(project):
    """DVC deletes the outputs of the stage that fails; that is a constant stamp, and the run-cache gives it back."""
    before = project.results()
    project.edit("params.yaml", "epochs: 2", "epcohs: 2")

    with pytest.raises(AssertionError) as caught:
        project.repro()
    assert "error: params.yaml: train.epcohs: unknown key: did you mean epochs?" in str(caught.value)
    assert project.results() == before

    project.edit("params.yaml", "epcohs: 2", "epochs: 2")
    assert project.repro() == ([], ["validate"])
    assert project.git("status", "--porcelain") == ""


@pytest.mark.fault("a score too many, or a name too long: a table that no screen shows")
def test_the_metrics_are_few_fit_a_screen_and_begin_with_the_test_accuracy(project):
    """Also if each number is as long as it can be; in `dvc exp show` they are the only scores."""
    path = project.folder / "reports/metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    names = sorted(f"{split}.{name}" for split, scores in metrics.items() for name in scores)
    longest = {split: dict.fromkeys(scores, 12345.67891) for split, scores in metrics.items()}
    path.write_text(json.dumps(longest), encoding="utf-8")

    shown, compared = project.dvc("metrics", "show"), project.dvc("metrics", "diff")
    columns = project.dvc("exp", "show", "--csv").splitlines()[0].split(",")

    assert names[:2] == ["test.accuracy", "test.accuracy_std"] and len(names) <= 8
    assert shown.split()[: 1 + len(names)] == ["Path", *names]
    assert [line.split()[1] for line in compared.splitlines()] == ["Metric", *names]
    assert max(map(len, (shown + compared).splitlines())) <= 120
    first = columns.index("test.accuracy")
    assert columns[first : first + len(names) + 1] == [*names, "dataset.name"]
    assert "parent" in columns[:first] and not [name for name in columns if "version" in name or name == "networks"]


def test_the_scores_of_each_class_are_bars_with_a_colour_for_each_revision(project):
    """As DVC hands them to the page; one class has another recall than in HEAD."""
    path = project.folder / "reports/classes.csv"
    header, first, *others = path.read_text(encoding="utf-8").splitlines()
    name, images, _, *scores = first.split(",")
    path.write_text("\n".join([header, ",".join([name, images, "0.125", *scores]), *others, ""]), encoding="utf-8")
    recalls = {row.split(",")[0]: row.split(",")[2] for row in (first, *others)}

    for command, revisions in ((["show"], ["workspace"]), (["diff"], ["workspace", "HEAD"])):
        printed = project.dvc("plots", *command, "--json")
        [plot] = json.loads(printed[printed.index("{") :])["data"]["reports/classes.csv"]
        content = plot["content"] if isinstance(plot["content"], dict) else json.loads(plot["content"])
        rows = [(row["rev"], row["class"], row["recall"]) for row in content["data"]["values"]]
        encoding = content["encoding"]
        of_workspace = [("workspace", each, recalls[each] if each != name else "0.125") for each in recalls]
        of_head = [("HEAD", each, recall) for each, recall in recalls.items()]

        assert rows == of_workspace + of_head * (len(revisions) - 1)
        assert encoding["color"]["scale"]["domain"] == revisions and encoding["color"]["field"] == "rev"
        assert len(set(encoding["color"]["scale"]["range"])) == len(revisions)
        assert (encoding["y"]["field"], encoding["yOffset"]["field"]) == ("class", "rev")
        assert content["transform"][0]["fold"] == encoding["column"]["sort"] == ["recall", "precision", "f1"]


@pytest.mark.slow
def test_dvc_shows_and_compares_with_no_further_flags(project):
    """`dvc exp run` with another number, committed; then the diff of metrics, params and plots between two commits."""
    old = json.loads((project.folder / "reports/metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]
    project.dvc("exp", "run", "-S", "train.epochs=4")
    project.commit("four epochs")
    new = json.loads((project.folder / "reports/metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]

    metrics = json.loads(project.dvc("metrics", "diff", "HEAD~1", "--json"))["reports/metrics.json"]["test.accuracy"]
    params = json.loads(project.dvc("params", "diff", "HEAD~1", "--json"))

    assert new != old
    assert metrics == {"old": old, "new": new, "diff": pytest.approx(new - old)}
    assert params == {"params.yaml": {"train.epochs": {"old": 2, "new": 4, "diff": 2}}}
    assert f"| test.accuracy | {old} | {new} |" in re.sub(" +", " ", project.dvc("metrics", "diff", "HEAD~1", "--md"))
    assert str(new) in project.dvc("metrics", "show")
    for command in (["show"], ["diff", "HEAD~1"]):
        printed = project.dvc("plots", *command)
        assert "index.html" in printed and "failed" not in printed and "WARNING" not in printed
        page = (project.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
        for wanted in (
            "train_accuracy",
            "train_loss",
            "curves.png",
            "actual",
            "mean confidence of a bin",
            "reliability.png",
            "standard deviation of recall",
        ):
            assert wanted in page
