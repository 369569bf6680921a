"""A copy of the pipeline in a folder of its own, with params of its own: what runs there leaves the checkout alone."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from core.config import params
from core.files import atomic

CHECKOUT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-pillow.lock")
PIPELINE = ("dvc.yaml", "datasets.yaml", *LOCKS, ".dvcignore", ".dvc/config", ".dvc/plots", "core", "stages")


def copy(folder: Path, changes: Mapping[str, object]) -> None:
    """Copy the pipeline into an empty or new folder, with the checkout's params but for `changes`.

    The copy is no git repository, and DVC is told so. Raises InputError where the checkout's params are bad.
    """
    write_params(folder, changes)
    for name in PIPELINE:
        source, target = CHECKOUT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    atomic.write_text(folder / ".dvc/config.local", "[core]\n    no_scm = true\n")


def write_params(folder: Path, changes: Mapping[str, object]) -> None:
    """Write params.yaml into a folder: the checkout's, but for `changes`, values by their full names."""
    settings = params.load(CHECKOUT / params.PATH).model_dump()
    for key, value in changes.items():
        section, name = key.split(".")
        settings[section][name] = value
    atomic.write_json(folder / params.PATH, settings)  # JSON is YAML
