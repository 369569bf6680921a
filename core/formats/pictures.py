"""Read pictures from a folder, a zip or a tar file, one after the other, with little memory.

Folders name their classes (core/formats/class_folders.py), or a table does (core/formats/labels_table.py). Files are
pictures by their suffix. The hash of a picture's pixels decides on its place in the data set, and on its split if the
card has a test_fraction: a new picture moves no other one, and equal pictures share a split, whatever their format.
"""

import posixpath
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from core.cli.errors import DataError, Problem, printable
from core.formats import class_folders, encoded, labels_table, roles
from core.formats.blocks import Block, Contents
from core.formats.class_folders import Place
from core.formats.picture_files import Encoded
from core.images import decoding, suffixes
from core.sources import datasets
from core.sources.archives import is_archive
from core.sources.tree import Tree

TABLES = ("labels.csv", "train.csv")  # that are found beside pictures in no class folders


def read(tree: Tree, card: datasets.Pictures, longest: int | None = None) -> Contents:
    """Return the images of a card in blocks. Raises DataError with every problem of the layout."""
    keys = found(tree) or {} if card.folder is None else {"folder": card.folder}
    folder, table = keys.get("folder", ""), tree.only(card.table) if card.table else keys.get("table", "")
    files = _files(tree, folder)
    if not any(map(suffixes.is_picture, files)):
        fix = "put pictures there, or correct folder in the card"
        raise class_folders.unreadable(tree, folder, files, "no pictures", fix)
    if table:
        classes, places = labels_table.places(tree, table, files, card)
    else:
        classes, places = class_folders.places(tree, files, card)
    places = {file: places[file] for file in files if file in places}  # in the order in which they are read
    return Contents(_blocks(tree, folder, files, places, table, card, longest), classes, len(places))


def found(tree: Tree) -> dict[str, str] | None:
    """Return the keys of a card for the pictures in a tree, or None. Raises DataError if several files hold some."""
    tops = ["", *filter(is_archive, tree.files)]
    holding = [top for top in tops if any(map(suffixes.is_image, _files(tree, top)))]
    if len(holding) > 1:
        got = ", ".join(top or "pictures in folders" for top in holding)[:200]
        raise tree.error("", "pictures in several places", "name one as folder in the card", expected="one", got=got)
    if not holding:
        return None
    keys = {"folder": holding[0]} if holding[0] else {}
    files = _files(tree, holding[0])
    tables = [file for file in {*tree.files, *files} if posixpath.basename(file) in TABLES]
    folders = sorted({posixpath.dirname(file) for file in files if suffixes.is_image(file)})
    splits = {roles.split_of(posixpath.basename(folder)): folder for folder in folders}
    if tables and len(folders) == 1:
        keys["table"] = min(tables)
    elif tables and "train" in splits and None not in splits and len(splits) == len(folders):  # one has no labels
        keys |= {"folder": splits["train"], "table": min(tables)}
    return keys


def _files(tree: Tree, folder: str) -> list[str]:
    """Return the files in a folder, in the order of their archive, or sorted and then the empty folders, with /."""
    archive = next((name for name in tree.files if is_archive(name) and f"{folder}/".startswith(f"{name}/")), "")
    loose = [*(name for name in tree.files if not is_archive(name)), *(f"{name}/" for name in tree.empty)]
    files = tree.members(archive) if archive else loose
    return [file for file in files if not folder or file.startswith(f"{folder}/")]


def _blocks(
    tree: Tree,
    folder: str,
    files: list[str],
    places: dict[str, Place],
    table: str,
    card: datasets.Pictures,
    longest: int | None,
) -> Iterator[Block]:
    """Yield the pictures, then print which files are left out."""
    bar = tqdm(places.items(), f"{tree.shown}/{folder}", unit=" pictures", leave=False, disable=None)
    is_loose = next(iter(places)) in tree.files
    pictures = (Encoded(file, *place, _data(tree, file, is_loose)) for file, place in bar)
    yield from encoded.blocks_of(tree, pictures, card, table or folder, longest)
    others = suffixes.others(file for file in files if file != table)
    for line in suffixes.left_out(f"{tree.shown}/{folder}".rstrip("/"), others)[:1]:  # describe has the command
        print(line)
    if table and (without := sum(map(suffixes.is_picture, files)) - len(places)):
        print(printable(f"{tree.shown}/{table}: pictures without a row are left out: {without:,}"))


def _data(tree: Tree, file: str, is_loose: bool) -> bytes | Sequence[Problem]:
    """Return the bytes of a picture, one more than allowed at most, or why it can't be read."""
    try:
        if is_loose:
            return decoding.read(f"{tree.folder}/{file}")
        with tree.open(file) as stream:
            return stream.read(decoding.MOST_FILE_BYTES + 1)
    except DataError as error:
        return error.problems
