"""Define what a card may say: datasets/<name>.yaml describes the data set <name>.

The files of a data set lie in sources/<name>, or the card has mirrors from which `download` fetches them. A path in a
card is relative to that folder. It may lead into zip and tar files, as in `archive.zip/folder/file`, and may have the
wildcards * and ?.
"""

import os
import re
import shlex
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from core.cli.errors import InputError, Problem
from core.config import schema, yaml
from core.config.schema import ClassNames, Strict, Text

FOLDER = Path("datasets")
SOURCES = Path("sources")
PARAM = "params.yaml: dataset.name"  # where the name of the data set stands, unless a user types it
SPLITS = ("train", "validation", "test")

# The stage `download` draws this number of kinds of clothing, on squares of this number of pixels a side.
DRAWN_CLASSES = 10
DRAWN_SIDE = 28

Invert = Literal["auto", "yes", "no"]
Fit = Literal["pad", "crop"]

LONGEST = 4096  # side of an image, in pixels
Side = Annotated[int, Field(ge=1, le=LONGEST)]
Count = Annotated[int, Field(ge=10, le=10_000_000)]


def _shape(shape: list[int]) -> list[int]:
    if shape[2:] not in ([], [3]):
        raise ValueError("is neither [height, width] nor [height, width, 3]")
    return shape


ImageShape = Annotated[list[Side], Field(min_length=2, max_length=3), AfterValidator(_shape)]


def _inside(path: str) -> str:
    """Refuse a path that leads out of the folder of the data set."""
    if path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise ValueError("leads out of the folder of the data set; write it relative to that folder, with /")
    return path


FilePath = Annotated[Text, AfterValidator(_inside)]
# One path, or several whose images come one after the other.
FilePaths = Annotated[list[FilePath], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class Pin(Strict):
    """What every mirror must serve."""

    size: Annotated[int, Field(ge=1, le=64 << 30)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


ArchiveName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


def _address(mirror: str) -> str:
    """Return an address in its normal form. Raises ValueError if it is none."""
    try:
        return str(TypeAdapter(HttpUrl).validate_python(mirror))
    except ValidationError as error:
        raise ValueError(f"{error.errors()[0]['msg']}; files on this machine belong in sources/<name>") from error


class Described(Strict):
    """What every card says. Without `image_shape`, all images have the shape of the first one."""

    title: Text
    description: Text
    licence: Text
    image_shape: ImageShape | None = None
    classes: ClassNames | None = None  # in the order of the labels; if not given, those that the files name
    fit: Fit = "pad"  # what is done to pictures of other proportions
    invert: Invert = "no"  # whether light and dark are exchanged in grey pictures
    background: Annotated[int, Field(ge=0, le=255)] = 255  # the grey value behind transparent pixels


class FromFiles(Described):
    """A data set of files: in sources/<name>, or fetched from mirrors, tried in turn."""

    mirrors: Annotated[list[Annotated[str, AfterValidator(_address)]], Field(max_length=20)] = Field(
        default_factory=list
    )
    # What every mirror serves, by its name there.
    archives: dict[ArchiveName, Pin] = Field(default_factory=dict, validate_default=True)
    test_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None  # if not given, the files have test images
    first_label: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 0  # of the first class, in the files

    @field_validator("archives")
    @classmethod
    def _fetched(cls, archives: dict[str, Pin], others: ValidationInfo) -> dict[str, Pin]:
        if bool(archives) != bool(others.data.get("mirrors", archives)):
            raise ValueError("needs mirrors that serve them, and mirrors need archives")
        return archives


class Roles(Strict):
    """The file of each array. Images and labels of a split belong together."""

    train_images: FilePath
    train_labels: FilePath
    validation_images: FilePath | None = None
    validation_labels: FilePath | None = None
    test_images: FilePath | None = None
    test_labels: FilePath | None = None


class Splits(Strict):
    """The files of each split."""

    train: Annotated[FilePaths, Field(min_length=1)]
    validation: FilePaths = Field(default_factory=list)
    test: FilePaths = Field(default_factory=list)


class Idx(FromFiles):
    """IDX files, as of the MNIST family."""

    format: Literal["idx"]
    files: Roles | None = None
    transpose: bool = False  # exchanges rows and columns, as EMNIST needs


class Npz(FromFiles):
    """NumPy arrays: a path is that of a .npy file, or of an array in an .npz file, as in mnist.npz/x_train."""

    format: Literal["npz"]
    files: Roles | None = None


class Csv(FromFiles):
    """Tables with a row for each image: its label and its pixels."""

    format: Literal["csv"]
    files: Splits | None = None
    label: Text | None = None  # the column of the labels


class Parquet(FromFiles):
    """Parquet tables with a row for each image: its label, and the bytes of a PNG or JPEG file."""

    format: Literal["parquet"]
    files: Splits | None = None
    image: Text | None = None  # the columns
    label: Text | None = None


class Cifar(FromFiles):
    """The binary version of CIFAR-10 and CIFAR-100."""

    format: Literal["cifar"]
    files: Splits | None = None
    label: Literal["fine", "coarse"] = "fine"  # of CIFAR-100


class Pictures(FromFiles):
    """Pictures in folders named as their classes, or with a table of their labels."""

    format: Literal["pictures"]
    folder: FilePath | None = None  # or a zip or tar file; if not given, the only one
    table: FilePath | None = None  # a CSV file with the columns file and label


class Drawn(Strict):
    """How many images to draw."""

    train: Count
    test: Count


class Garments(Described):
    """Clothing that this project draws from a seed, in grey or in colour."""

    format: Literal["garments"]
    image_shape: ImageShape
    classes: Annotated[ClassNames, Field(min_length=DRAWN_CLASSES, max_length=DRAWN_CLASSES)]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    images: Drawn

    @field_validator("image_shape")
    @classmethod
    def _square(cls, shape: list[int]) -> list[int]:
        if shape[:2] != [DRAWN_SIDE, DRAWN_SIDE]:
            raise ValueError(f"is drawn as [{DRAWN_SIDE}, {DRAWN_SIDE}] or [{DRAWN_SIDE}, {DRAWN_SIDE}, 3] only")
        return shape


FITTED = (Parquet, Pictures)  # of picture files, each of which is brought to the shape of the card

Files: TypeAlias = Idx | Npz | Csv | Parquet | Cifar | Pictures
Card: TypeAlias = Annotated[Files | Garments, Field(discriminator="format")]


def path_of(name: str) -> Path:
    """Return the path of the card of a data set."""
    return FOLDER / f"{name}.yaml"


def names() -> list[str]:
    """Return the names of the data sets that have a card."""
    return sorted(path.stem for path in FOLDER.glob("[!.]*.yaml"))


def read(path: Path) -> Card:
    """Return a card. Raises InputError with every problem in it, or if its file name can't name a data set."""
    if not re.fullmatch(schema.NAME, path.stem):
        what, expected = "cannot name a data set", "a to z, 0 to 9 and _, a letter first, at most 64"
        fix = f"rename this file, and {SOURCES / path.stem} with it, then dvc repro"
        raise InputError(Problem(str(path), what, expected=expected, got=path.stem, fix=fix))
    card: Card = schema.check(yaml.load(path), Card, path)  # type: ignore[arg-type] # mypy takes a union for no type
    return card


def load(name: str, *, given_as: str = PARAM) -> Card:
    """Return the card of a data set. Raises InputError with every problem in it, or if there is none.

    `given_as` says where the name stands.
    """
    require(name, given_as=given_as)
    return read(path_of(name))


def require(name: str, *, given_as: str = PARAM) -> None:
    """Raise InputError unless a data set of that name has a card."""
    if name not in (known := names()):
        what, expected = f"no such data set{schema.nearest(name, known)}", schema.one_of(known)
        fix = f"choose a file of {FOLDER}/ in params.yaml, then dvc repro"
        if given_as != PARAM:
            own = "python -m tools.describe PATH --write-card --name NAME"
            fix = f"name a file of {FOLDER}/; for your own files: {own}"
        raise InputError(Problem(given_as, what, expected=expected, got=name, fix=fix))


def is_data(name: str) -> bool:
    """Return whether a file or folder of this name may belong to a data set. What `dvc add` writes does not."""
    return not name.startswith((".", "__MACOSX")) and name != "README.md" and not name.endswith(".dvc")


def has_validation(card: Card) -> bool | None:
    """Return whether a card names validation images, or None if only its files tell."""
    if isinstance(card, Garments):
        return False
    files = None if isinstance(card, Pictures) else card.files
    if files is None:
        return None
    return bool(files.validation if isinstance(files, Splits) else files.validation_images)


def missing(name: str, card: Card) -> list[Problem]:
    """Return the problem of a data set whose files are not there, or an empty list."""
    folder = SOURCES / name
    if absent := [str(path) for path in sorted(folder.glob("*.dvc")) if not path.with_suffix("").exists()]:
        return [Problem(str(folder), "not fetched from the remote", fix=shlex.join(["dvc", "pull", *absent]))]
    if folder.is_dir() and (isinstance(card, Garments) or card.mirrors or any(map(is_data, os.listdir(folder)))):
        return []
    what = "no files of this data set" if folder.is_dir() else "no such folder"
    fix = f"put the files of {name} there, or dvc pull, then dvc repro"
    return [Problem(str(folder), what, fix=fix)]
