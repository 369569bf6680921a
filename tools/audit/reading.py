"""Read a data set into a temporary folder, as the stages `download` and `normalize` do, and read a recipe."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from core.cli.errors import InputError
from core.config import params, schema
from core.files import arrays, atomic, class_names
from core.files.arrays import Split
from core.sources import datasets
from stages.download import __main__ as download
from stages.download import storing
from stages.normalize import __main__ as normalize
from tools import recipe as recipes


class Pictures(NamedTuple):
    """classes: the class names. splits: the images and labels of train, test and, if there is one, validation. files:
    the file of each image of a split; none if the files are not pictures.
    """

    classes: list[str]
    splits: Mapping[str, Split]
    files: Mapping[str, list[str]]

    def name(self, split: str, index: int) -> str:
        """Return the file of an image, or else its split and index, as in test:12."""
        return self.files[split][index] if self.files.get(split) else f"{split}:{index}"


@contextmanager
def reading(name: str, folder: Path) -> Iterator[Pictures]:
    """Yield the images of a data set, mapped from files beside `folder`.

    Raises InputError, DataError or NetworkError.
    """
    card, source = datasets.load(name, given_as=f"python -m tools.audit {name}"), datasets.SOURCES / name
    if problems := datasets.missing(name, card):
        raise InputError(*problems)
    with atomic.beside(folder) as temporary:
        raw, train, test, classes = (temporary / part for part in ("raw", "train", "test", "classes.json"))
        with redirect_stdout(None), download.reading(card, source, raw) as contents:  # stages say what they wrote
            files = storing.store(contents, card, raw, storing.Problems(str(source), datasets.path_of(name)))
            normalize.main(raw, train, test, classes)
        names = class_names.read(classes)
        splits = {"train": arrays.read_split(train, len(names)), "test": arrays.read_split(test, len(names))}
        if validation := arrays.read_validation(train, len(names)):
            splits[arrays.VALIDATION] = validation
        yield Pictures(names, splits, files)


def with_recipe(settings: params.Train, recipe: str) -> params.Train:
    """Return the settings with the changes of a recipe to them, if one is named. Raises InputError if there is none.

    Mirroring is left as it is in params.yaml: it suits clothes, but not digits.
    """
    changes = recipes.load(recipe).params if recipe else {}
    own = {key.removeprefix("train."): value for key, value in changes.items() if key.startswith("train.")}
    own.pop("augmentation_flip", None)
    return schema.check(settings.model_dump() | own, params.Train, recipes.PATH)
