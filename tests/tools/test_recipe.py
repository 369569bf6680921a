"""The recipes are valid, and the line that a user sees is the one that runs."""

import shlex
import shutil
import subprocess
import sys

import pytest
from dvc.utils.hydra import apply_overrides

from core.cli.errors import InputError, StageError
from core.config import params
from core.networks import architectures
from stages.render import published
from tests.project import ROOT, Project
from tools import recipe


@pytest.fixture
def recipes(project):
    """The committed recipes in `project`."""
    shutil.copy(ROOT / "recipes.yaml", project)
    return project


@pytest.fixture
def started(monkeypatch):
    """The commands that would have run. They succeed."""
    commands = []

    def run(command, check):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(recipe.subprocess, "run", run)
    monkeypatch.setattr(recipe.repository, "git", lambda *_: b"")
    return commands


def settings(path):
    loaded = params.load(path).model_dump()
    return {f"{section}.{name}": value for section, values in loaded.items() for name, value in values.items()}


@pytest.mark.parametrize("name", recipe.names())
def test_dvc_reads_from_the_line_of_a_recipe_the_changes_of_the_recipe(name, tmp_path):
    """`apply_overrides` is what -S does."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    _, line = recipe.text(name).splitlines()
    before, command = settings(tmp_path / "params.yaml"), shlex.split(line)

    apply_overrides(tmp_path / "params.yaml", command[4::2])

    assert command[:3] == ["dvc", "exp", "run"] and set(command[3::2]) <= {"-S"}
    assert settings(tmp_path / "params.yaml") == before | recipe.load(name).params
    assert architectures.problems(params.load(tmp_path / "params.yaml").train.network) == []


def test_values_are_written_as_in_params_yaml():
    changes = {"train.augmentation_flip": True, "train.network": "cnn", "train.hidden_units": [512]}

    values = ["train.augmentation_flip=true", "train.network=cnn", "train.hidden_units=[512]"]
    assert recipe.arguments(changes) == ["exp", "run", *(part for value in values for part in ("-S", value))]


def test_the_published_runs_are_recipes():
    committed = {name: value for name, value in settings(ROOT / "params.yaml").items() if name in published.CLOTHING}

    assert published.run_of(committed | recipe.load("R1").params).recipe == "R1"
    assert published.run_of(committed | recipe.load("R0").params).recipe == "R0"
    assert recipe.text("R1").splitlines()[1] == "dvc exp run"
    assert recipe.text("R2").splitlines() == ["# R2: softmax, 10 epochs", "dvc exp run -S train.output=softmax"]


def test_the_line_that_is_printed_is_the_line_that_runs(recipes, started, capsys):
    recipe.main("R3")

    _, line = capsys.readouterr().out.splitlines()
    assert [["dvc", *command[3:]] for command in started] == [shlex.split(line)]
    assert started[0][:3] == [sys.executable, "-m", "dvc"]
    assert "-S 'render.examples=[0, 1, 2, 3, 4]'" in line


def test_without_a_name_all_recipes_are_listed_and_none_runs(recipes, started, capsys):
    recipe.main()

    assert capsys.readouterr().out.splitlines()[::2] == [f"# {n}: {recipe.load(n).what}" for n in recipe.names()]
    assert started == []


def test_an_unknown_name_gets_the_nearest(recipes, started):
    with pytest.raises(InputError, match=r"no such recipe: did you mean cnn_small\? \(expected R0, .*, got cnn_smal\)"):
        recipe.main("cnn_smal")


def test_a_recipe_whose_data_set_is_not_there_does_not_run(recipes, started):
    with pytest.raises(InputError, match=r"^datasets/cifar10.yaml: no such data set; .* --write-card --name cifar10"):
        recipe.main("cnn_cifar10_shifted_mirrored")
    shutil.copy("datasets/garments.yaml", "datasets/cifar10.yaml")
    with pytest.raises(InputError, match=r"^sources/cifar10: no such folder"):
        recipe.main("cnn_cifar10_shifted_mirrored")
    assert started == []


def test_a_failure_of_dvc_is_an_error(recipes, started, monkeypatch):
    monkeypatch.setattr(recipe.subprocess, "run", lambda command, check: subprocess.CompletedProcess(command, 255))

    with pytest.raises(StageError, match=r"^dvc exp run: failed \(expected exit code 0, got 255\)"):
        recipe.main("R0")


@pytest.mark.slow
@pytest.mark.fault("a recipe run on top of other changes of params")
def test_a_recipe_trains_with_its_params_and_not_on_top_of_others(tmp_path):
    project = Project.tiny(tmp_path / "project")
    project.git("init", "--quiet")
    project.commit("tiny")

    project.run(sys.executable, "-m", "tools.recipe", "R0")

    train = project.lock()["train"]["params"]["params.yaml"]["train"]
    assert (train["epochs"], train["output"], train["replicates"]) == (5, "softmax", 2)
    refused = project.start(sys.executable, "-m", "tools.recipe", "R2")
    *_, error = refused.communicate()[0].splitlines()
    assert refused.returncode == 2
    assert error.startswith("error: params.yaml: has changes, which would be added to those of the recipe; fix: git ")
    project.run("sh", "-c", error.partition("fix: ")[2])
    project.run(sys.executable, "-m", "tools.recipe", "R1")
    assert project.lock()["train"]["params"]["params.yaml"]["train"]["output"] == "logits"
