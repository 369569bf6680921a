"""A real sweep through DVC's queue."""

import csv
import io
import json
import re
import shutil
import sys

import pytest

from core.config import params
from tests.project import ROOT, Project


@pytest.mark.slow
@pytest.mark.fault("an experiment of the queue fails")
@pytest.mark.fault("a queue that changes the checkout")
@pytest.mark.fault("the next commands after a sweep")
def test_a_sweep_through_the_queue_two_at_a_time(baseline, tmp_path):
    """Three experiments, of which one can't be trained. They leave the checkout as it is. Then the printed commands are
    run. The project is a folder below git's top folder, as in a repository of several projects.
    """
    top = tmp_path / "monorepo"
    shutil.copytree(baseline.folder, top / "teams/vision", symlinks=True, ignore=shutil.ignore_patterns(".git", "tmp"))
    sweep = Project(top / "teams/vision")
    sweep.git("init", "--quiet", str(top))
    (top / ".git/info/exclude").write_text("site\n", encoding="utf-8")  # DVC's own files, beside the project
    sweep.git("config", "user.name", "test")  # DVC commits each experiment
    sweep.git("config", "user.email", "test@example.org")
    sweep.commit("run")
    network = (sweep.folder / "data/model/0.keras").read_bytes()
    validated = ("-S", "train.validation_fraction=0.1")
    sweep.dvc("exp", "run", "--queue", "-S", "train.learning_rate=1e-3,1e-9", *validated)
    sweep.dvc("exp", "run", "--queue", "--name", "too-large", "-S", "train.batch_size=4096", *validated)
    sweep.dvc("exp", "run", "--run-all", "-j", "2")
    tool = sweep.start(sys.executable, "-m", "tools.sweep", "--format", "json", PYTHONPATH=str(ROOT))
    printed, _ = tool.communicate(timeout=60)

    assert tool.returncode == 1, printed
    assert printed.splitlines()[-1].startswith("error: experiment too-large: failed, so it is not in the table; fix: ")
    assert "expected at most 270, got 4096" in sweep.dvc("queue", "logs", "too-large")
    (table,) = json.JSONDecoder().raw_decode(printed[printed.index("{\n") :])[0]["tables"]
    found = {}
    for each in table["experiments"]:
        assert each["params"].keys() == {"train.learning_rate"}
        text = sweep.git("show", f"{commit_of(sweep, each['name'])}:./reports/history.csv")
        rows = csv.DictReader(io.StringIO(text))
        assert each["accuracies"] == [float(row["validation_accuracy"]) for row in rows if row["epoch"] == "2"]
        found[each["params"]["train.learning_rate"]] = each["accuracy"]
    assert list(found) == [0.001, 1e-9] and found[0.001] > found[1e-9] + 0.2
    assert sweep.git("status", "--porcelain") == ""
    assert (sweep.folder / "data/model/0.keras").read_bytes() == network

    ranked, _ = sweep.start(sys.executable, "-m", "tools.sweep", PYTHONPATH=str(ROOT)).communicate(timeout=60)
    commands = re.findall("^  (.*)$", ranked, re.M)
    assert len(commands) == 3
    pasted = sweep.start("/bin/sh", "-ex", "-c", "\n".join(commands), PYTHONPATH=str(ROOT))
    said, _ = pasted.communicate(timeout=300)
    assert pasted.returncode == 0, said
    settings = params.load(sweep.folder / "params.yaml").train
    assert (settings.validation_fraction, settings.learning_rate) == (0, 0.001)
    assert sweep.lock()["train"]["params"]["params.yaml"]["train"]["validation_fraction"] == 0
    assert "\nidentical: the same networks\n" in said, "the best settings are those of HEAD"


def commit_of(sweep, name):
    """Return the commit of an experiment, by git alone."""
    (commit,) = re.findall(rf"^(\w+) refs/exps/\S+/{name}$", sweep.git("show-ref"), re.M)
    return commit
