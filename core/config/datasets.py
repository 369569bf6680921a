"""Define what datasets.yaml may say: an entry for each data set, which is downloaded, drawn, or an image folder.

In each case the stage `download` writes four IDX files, one for each role, and the class names beside them as CLASSES.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, HttpUrl, TypeAdapter, ValidationError, ValidationInfo, field_validator

from core.cli.errors import InputError, Problem
from core.config import schema, yaml
from core.config.schema import ClassNames, Name, Strict, Text

PATH = Path("datasets.yaml")
PARAM = "params.yaml: dataset.name"  # where the name of the data set stands, unless a user types it

CLASSES = "classes.json"

# The stage `download` draws this number of kinds of clothing, on squares of this number of pixels a side.
DRAWN_CLASSES = 10
DRAWN_SIDE = 28

# The names of the files that `download` makes; an archive keeps the name that its publisher gave it.
FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}

Side = Annotated[int, Field(ge=1, le=4096)]
DrawnSide = Annotated[int, Field(ge=DRAWN_SIDE, le=DRAWN_SIDE)]
Count = Annotated[int, Field(ge=10, le=10_000_000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Archive(Strict):
    """One file, as every mirror must serve it. Without size and sha256 it can only be pinned, not used."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
    size: Annotated[int, Field(ge=1, le=4 << 30)] = 0
    sha256: Sha256 = ""

    def is_pinned(self) -> bool:
        """Return whether size and sha256 are known."""
        return bool(self.size and self.sha256)


class Archives(Strict):
    train_images: Archive
    train_labels: Archive
    test_images: Archive
    test_labels: Archive


class Described(Strict):
    """What every data set has."""

    title: Text
    description: Text
    licence: Text
    image_shape: Annotated[list[Side], Field(min_length=2, max_length=2)]
    classes: ClassNames

    def files(self) -> dict[str, str]:
        """Return the file name of each role."""
        return FILES


def is_folder(mirror: str) -> bool:
    """Return whether a mirror is a folder on this machine, and not an address."""
    return mirror.startswith(("/", "./", "../"))


def _mirror(mirror: str) -> str:
    """Return a folder as it is, and an address in its normal form. Raises ValueError if it is neither."""
    try:
        return mirror if is_folder(mirror) else str(TypeAdapter(HttpUrl).validate_python(mirror))
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from error


class Downloaded(Described):
    """A data set whose archives are fetched from mirrors, tried in turn."""

    source: Literal["download"]
    mirrors: Annotated[list[Annotated[str, AfterValidator(_mirror)]], Field(min_length=1, max_length=20)]
    archives: Archives

    @field_validator("archives")
    @classmethod
    def _usable(cls, archives: Archives, others: ValidationInfo) -> Archives:
        """Refuse two files that would overwrite each other, and archives on the network that are not pinned."""
        if len({archive.file.casefold() for _, archive in archives}) < len(FILES):
            raise ValueError("two archives have the same file name")
        bare = [role for role, archive in archives if not archive.is_pinned()]
        if bare and not all(map(is_folder, others.data.get("mirrors", []))):
            raise ValueError(f"{', '.join(bare)}: size and sha256 are needed unless every mirror is a local folder")
        return archives

    def files(self) -> dict[str, str]:
        """Return the file name of each role."""
        return {role: archive.file for role, archive in self.archives}

    def on_this_machine(self, file: str) -> Path | None:
        """Return the path of a file in the first local mirror that has it, or None."""
        paths = (Path(mirror) / file for mirror in self.mirrors if is_folder(mirror))
        return next(filter(Path.is_file, paths), None)


class Images(Strict):
    """How many images to draw."""

    train: Count
    test: Count


class Generated(Described):
    """A data set that is drawn from a seed."""

    source: Literal["generate"]
    image_shape: Annotated[list[DrawnSide], Field(min_length=2, max_length=2)]
    classes: Annotated[ClassNames, Field(min_length=DRAWN_CLASSES, max_length=DRAWN_CLASSES)]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    images: Images


class ImageFolder(Described):
    """An image folder, with a folder in it for each class. All images are brought to one shape."""

    source: Literal["images"]
    folder: Text
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0  # if not given, the folder has a train and a test folder
    classes: ClassNames = Field(default_factory=list)  # if not given, the names of the folders
    invert: Literal["auto", "yes", "no"] = "no"
    background: Annotated[int, Field(ge=0, le=255)] = 255  # the grey value behind transparent pixels
    sha256: Sha256 = ""  # of the list of all files and their hashes; without it, the entry can only be pinned


Entry: TypeAlias = Annotated[Downloaded | Generated | ImageFolder, Field(discriminator="source")]


def load(path: Path = PATH) -> dict[str, Entry]:
    """Return all of datasets.yaml. Raises InputError with every problem in it."""
    return schema.check(yaml.load(path), dict[Name, Entry], path)


def entry(name: str, path: Path = PATH, *, given_as: str = PARAM) -> Entry:
    """Return one entry of datasets.yaml, and ignore the others. Raises InputError with every problem in the entry.

    `given_as` says where a wrong name stands.
    """
    entries = yaml.load(path)
    require(name, entries, path, given_as=given_as)
    return schema.check({name: entries[name]}, dict[Name, Entry], path)[name]


def require(name: str, entries: Mapping[str, object], path: Path = PATH, *, given_as: str = PARAM) -> None:
    """Raise InputError unless there is an entry of that name."""
    if name not in entries:
        what, known = f"no such data set{schema.nearest(name, entries)}", schema.one_of(entries)
        fix = f"choose one of {path} in params.yaml, then dvc repro"
        if given_as != PARAM:
            fix = f"name one of {path}, or add an entry there"
        raise InputError(Problem(given_as, what, expected=known, got=name, fix=fix))
