"""Copy the pipeline into a folder of its own, with other params, so that a run there does not change the checkout."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from core.config import params
from core.files import atomic
from core.sources import datasets

CHECKOUT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-pillow.lock")
PIPELINE = ("dvc.yaml", "datasets", *LOCKS, ".dvcignore", ".dvc/config", ".dvc/plots", "core", "stages")


def copy(folder: Path, changes: Mapping[str, object]) -> None:
    """Copy the pipeline into a folder, which is emptied first. `changes` are other values of params.

    Of the data sets, only the chosen one has its files in the copy.

    Raises InputError, and leaves the folder alone, if the params are bad. The copy is no git repository.
    """
    settings = _settings(changes)
    shutil.rmtree(folder, ignore_errors=True)
    for name in PIPELINE:
        source, target = CHECKOUT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    for card in (folder / datasets.FOLDER).glob("*.yaml"):
        (folder / datasets.SOURCES / card.stem).mkdir(parents=True)
    chosen = datasets.SOURCES / str(settings["dataset"]["name"])
    if (CHECKOUT / chosen).is_dir():
        shutil.copytree(CHECKOUT / chosen, folder / chosen, dirs_exist_ok=True)
    atomic.write_json(folder / params.PATH, settings)
    atomic.write_text(folder / ".dvc/config.local", "[core]\n    no_scm = true\n")


def write_params(folder: Path, changes: Mapping[str, object]) -> None:
    """Write the checkout's params.yaml into a folder. `changes` are other values, by names such as train.epochs."""
    atomic.write_json(folder / params.PATH, _settings(changes))  # JSON is YAML


def _settings(changes: Mapping[str, object]) -> dict[str, dict[str, object]]:
    settings = params.load(CHECKOUT / params.PATH).model_dump()
    for key, value in changes.items():
        section, name = key.split(".")
        settings[section][name] = value
    return settings
