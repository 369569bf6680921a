"""What datasets.yaml may say: an entry for each data set, downloaded from mirrors, generated, or a folder of pictures.

In each case `download` leaves four IDX files, a role each, and the class names in CLASSES beside them.
"""

import ipaddress
import re
import unicodedata
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from core.cli.errors import InputError, Problem
from core.config import schema, strict_yaml
from core.config.schema import Name, Strict

PATH = Path("datasets.yaml")
PARAM = "params.yaml: dataset.name"  # where the name of a data set stands, unless somebody types it

MOST_ARCHIVE_BYTES = 4 << 30

CLASSES = "classes.json"

# What stages.download.garments draws: so many kinds of clothing, on squares of so many pixels a side.
DRAWN_CLASSES = 10
DRAWN_SIDE = 28

# The names of the files that are made here; those of an archive are its publisher's.
FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


def _shown(text: str) -> str:
    """Refuse control characters, line breaks, what turns the direction of writing, and other invisible ones."""
    for index, character in enumerate(text):
        if not character.isprintable():
            raise ValueError(f"character {index} can't be shown: {character!r}")
    return text


Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_shown)]
Address = Annotated[str, Field(min_length=1, max_length=2000)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Count = Annotated[int, Field(ge=10, le=10_000_000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _each_once(names: list[str]) -> list[str]:
    """Refuse names that can't be told apart or shown; return them as a folder's name is read, accents not apart."""
    flaws: list[str] = []
    seen: dict[str, int] = {}
    composed = [unicodedata.normalize("NFC", name) for name in names]
    for index, name in enumerate(names):
        if not name.isprintable() or name != name.strip():
            flaws.append(f"class {index} has characters that can't be shown or blanks around it: {name!r}")
        first = seen.setdefault(composed[index].casefold(), index)
        if first < index:
            flaws.append(f"classes {first} and {index} have the same name: {name}")
    if flaws:
        raise ValueError(*flaws)
    return composed


ClassNames = Annotated[schema.ClassNames, AfterValidator(_each_once)]


class Archive(Strict):
    """One file as every mirror must serve it; without its pins, 0 and "", it is good for nothing but to be pinned."""

    file: FileName
    size: Annotated[int, Field(ge=1, le=MOST_ARCHIVE_BYTES)] = 0
    sha256: Sha256 = ""

    def is_pinned(self) -> bool:
        """Return whether its bytes are known."""
        return bool(self.size and self.sha256)


class Archives(Strict):
    train_images: Archive
    train_labels: Archive
    test_images: Archive
    test_labels: Archive

    @model_validator(mode="after")
    def differ(self) -> "Archives":
        """Refuse two files of one name, and two of the same bytes: but labels that are sorted may well be equal."""
        flaws = []
        for (role, one), (other_role, other) in combinations(self, 2):
            if one.file.lower() == other.file.lower():
                flaws.append(f"{role} and {other_role} have the same file")
            if one.sha256 and one.sha256 == other.sha256 and (role, other_role) != ("train_labels", "test_labels"):
                flaws.append(f"{role} and {other_role} have the same sha256")
        if flaws:
            raise ValueError(*flaws)
        return self


class Described(Strict):
    """What every data set has."""

    title: Text
    description: Text
    licence: Text
    image_shape: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)]

    def files(self) -> dict[str, str]:
        """Return the file name of each role."""
        return FILES


# A host's name (RFC 1123), in the form of IDNA where it has other letters; or an IPv6 address.
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)\.?|[0-9a-f:.]*:[0-9a-f:.]*"
)


def is_folder(mirror: str) -> bool:
    """Return whether a mirror is a folder on this machine; without a beginning that says so, it is an address."""
    return mirror.startswith(("/", "./", "../"))


def _flaw(mirror: str) -> str:
    """Return what is wrong with a mirror, or an empty text; it quotes nothing: a password may be there."""
    return _flaw_of_folder(mirror) if is_folder(mirror) else _flaw_of_address(mirror)


def _flaw_of_folder(folder: str) -> str:
    if not folder.isprintable() or folder != folder.strip():
        return "has characters that can't be shown or blanks around it"
    return ""


def _flaw_of_address(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
        if "[" in parts.netloc:
            ipaddress.IPv6Address(host)  # which Python 3.10 does not look at
    except ValueError:  # brackets that hold no IPv6 address, a port that is none
        return "is not an https address with a host"
    if parts.scheme != "https" or not host:
        return "is not an https address with a host"
    if "@" in parts.netloc:
        return "has a user name or a password in it"
    if not re.fullmatch(r"[!-~]+", address) or set(address) & set('\\"<>^`{|}'):
        return "has a character that no address has"
    if not _HOST.fullmatch(host) or port == 0:
        return "has a host or a port that there can't be"
    if "#" in address or "?" in address:
        return "has a ? or a #, after which no file name can stand"
    return ""


class Downloaded(Described):
    """A data set whose archives are brought from mirrors, tried in turn."""

    source: Literal["download"]
    classes: ClassNames
    mirrors: Annotated[list[Address], Field(min_length=1, max_length=20)]
    archives: Archives

    @field_validator("mirrors")
    @classmethod
    def trust_each_mirror_once(cls, mirrors: list[str]) -> list[str]:
        flaws = []
        for index, mirror in enumerate(mirrors):
            if flaw := _flaw(mirror):
                flaws.append(f"mirror {index} {flaw}")
            if mirror.rstrip("/") in (m.rstrip("/") for m in mirrors[:index]):
                flaws.append(f"mirror {index} stands there twice")
        if flaws:
            raise ValueError(*flaws)
        return mirrors

    @field_validator("archives")
    @classmethod
    def pin_what_others_keep(cls, archives: Archives, others: ValidationInfo) -> Archives:
        bare = [role for role, archive in archives if not archive.is_pinned()]
        if bare and not all(map(is_folder, others.data.get("mirrors", []))):  # they stand above, or are wrong
            raise ValueError(*(f"{role} is not on this machine, and so needs size and sha256" for role in bare))
        return archives

    def files(self) -> dict[str, str]:
        """Return the file name of each role."""
        return {role: archive.file for role, archive in self.archives}

    def on_this_machine(self, file: str) -> Path | None:
        """Return where a file is in the first of the mirrors that are folders and have it; None if none has."""
        paths = (Path(mirror) / file for mirror in self.mirrors if is_folder(mirror))
        return next(filter(Path.is_file, paths), None)


class Images(Strict):
    """How many images to draw."""

    train: Count
    test: Count


class Generated(Described):
    """A data set that is drawn here, from a seed."""

    source: Literal["generate"]
    classes: ClassNames
    seed: Seed
    images: Images

    @field_validator("classes")
    @classmethod
    def name_what_is_drawn(cls, classes: list[str]) -> list[str]:
        if len(classes) != DRAWN_CLASSES:
            raise ValueError(f"{DRAWN_CLASSES} kinds of clothing are drawn, and {len(classes)} are named")
        return classes

    @field_validator("image_shape")
    @classmethod
    def say_how_large_it_is_drawn(cls, image_shape: list[int]) -> list[int]:
        if image_shape != [DRAWN_SIDE, DRAWN_SIDE]:
            raise ValueError(f"what is drawn has a shape of {[DRAWN_SIDE, DRAWN_SIDE]}, not {image_shape}")
        return image_shape


class Pictured(Described):
    """A folder of pictures, a folder in it for each class; all are brought to one shape."""

    source: Literal["images"]
    folder: Text
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0  # without it, the folder says which are for testing
    classes: ClassNames = Field(default_factory=list)  # without them, the names of the folders
    invert: Literal["auto", "yes", "no"] = "no"
    background: Annotated[int, Field(ge=0, le=255)] = 255  # what shows where a picture is transparent
    sha256: Sha256 = ""  # of the list of all files and their hashes; without it, the entry can but be pinned

    @field_validator("folder")
    @classmethod
    def name_a_place(cls, folder: str) -> str:
        if folder.startswith("~") or folder != folder.strip():
            raise ValueError("a ~ stands for nothing here, and blanks around it can't be meant")
        return folder


Entry: TypeAlias = Annotated[Downloaded | Generated | Pictured, Field(discriminator="source")]


def load(path: Path = PATH) -> dict[str, Entry]:
    """Return all of datasets.yaml. Raises InputError with every problem in it."""
    return schema.check(strict_yaml.load(path), dict[Name, Entry], path)


def entry(name: str, path: Path = PATH, *, given_as: str = PARAM) -> Entry:
    """Return one entry of datasets.yaml, and look at no other. Raises InputError with every problem in it.

    `given_as` says where the name stands that may be wrong.
    """
    entries = strict_yaml.load(path)
    require(name, entries, path, given_as=given_as)
    return schema.check(entries[name], cast("type[Entry]", Entry), path, under=name)


def require(name: str, entries: dict, path: Path = PATH, *, given_as: str = PARAM) -> None:
    """Raise InputError unless there is an entry of that name."""
    if name not in entries:
        what = f"no such data set{schema.nearest(name, entries)}"
        typed = f"name one of {path}, or add an entry there"
        fix = f"choose one of {path} in params.yaml, then dvc repro" if given_as == PARAM else typed
        raise InputError(Problem(given_as, what, expected=schema.one_of(entries), got=name, fix=fix))
