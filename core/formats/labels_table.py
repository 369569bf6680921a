"""A table of the labels of pictures: a CSV file with the columns file and label.

The file is the path of a picture, or the end of its path, with or without the suffix. The label is the name of a class,
or a number.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence

from core.cli.errors import DataError, Problem
from core.formats import table_labels
from core.formats.class_folders import Place, refuse
from core.images import suffixes
from core.sources import datasets
from core.sources.tree import Tree

FILE = ("file", "filename", "image", "id")  # the names that the column of the files may have
LABEL = "label"


def places(tree: Tree, table: str, files: Sequence[str], card: datasets.Pictures) -> tuple[list[str], dict[str, Place]]:
    """Return the class names, and the place of each picture that has a row. Raises DataError with every problem."""
    ends = _ends(filter(suffixes.is_picture, files))
    labels: dict[str, str] = {}
    lines: dict[str, int] = {}  # the first line of each label
    problems: list[Problem] = []
    for line, end, label in _rows(tree, table):
        pictures = ends.get(end, [])
        if len(pictures) == 1 and pictures[0] not in labels:
            labels[pictures[0]] = label
            lines.setdefault(label, line)
            continue
        what = "no such picture" if not pictures else "several pictures" if pictures[1:] else "a picture listed twice"
        problems += _error(tree, table, line, what, "correct the row, or remove it", "one picture", end).problems
    refuse(problems)
    if not labels:
        raise tree.error(table, "no rows", "add a row for each picture")
    classes = card.classes or sorted(lines, key=int if all(map(table_labels.NUMBER.fullmatch, lines)) else str)
    named, numbers = card.model_copy(update={"classes": classes}), {}
    for label, line in lines.items():
        try:
            numbers[label] = table_labels.number(label, named)
        except ValueError as error:
            raise tree.error(f"{table}: line {line}", str(error), table_labels.FIX) from error
    return classes, {file: Place("train", numbers[label]) for file, label in labels.items()}


def _rows(tree: Tree, table: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the file and the label of each row."""
    with tree.open(table) as file:
        reader = csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
        try:
            names = [name.strip().lower() for name in next(reader, [])]
            columns = [name for name in FILE if name in names][:1] + [LABEL] * (LABEL in names)
            if len(columns) < 2:
                fix, got = "name the columns in the first line, with commas between them", ", ".join(names)[:100]
                raise tree.error(table, "no such columns", fix, expected="file and label", got=got or "nothing")
            places = [names.index(column) for column in columns]
            for row in filter(None, reader):
                if len(row) <= max(places):
                    fix, expected = "give each row all columns", f"{len(names)} values"
                    raise _error(tree, table, reader.line_num, "a row that is too short", fix, expected, str(len(row)))
                yield reader.line_num, row[places[0]].strip(), row[places[1]].strip()
        except (csv.Error, UnicodeDecodeError) as error:
            raise tree.error(table, f"no table: {error}", "save it as a CSV file in UTF-8") from error


def _ends(pictures: Iterable[str]) -> dict[str, list[str]]:
    """Return the pictures by each end of their paths, with and without the suffix."""
    ends: dict[str, list[str]] = {}
    for picture in pictures:
        parts = picture.split("/")
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            for text in (end, os.path.splitext(end)[0]):
                ends.setdefault(text, []).append(picture)
    return ends


def _error(tree: Tree, table: str, line: int, what: str, fix: str, expected: str, got: str) -> DataError:
    return tree.error(f"{table}: line {line}", what, fix, expected=expected, got=got[:100] or "nothing")
