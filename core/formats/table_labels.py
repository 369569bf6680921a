"""The labels of tables: names of classes, or numbers."""

import re

from core.config.schema import MOST_CLASSES
from core.sources.datasets import FromFiles

NUMBER = re.compile("-?[0-9]{1,18}")
FIX = "correct the row, or list all classes under classes in the card"  # if `number` raises ValueError


class Seen(list[str]):
    """In a card in place of classes: takes up to MOST_CLASSES + 1 labels of a table, in their order of appearance."""


def number(label: object, card: FromFiles) -> int:
    """Return the label of a table as a number that counts from the card's first_label.

    A label that equals a class of the card is that class, also if both are numbers: with classes ["1", "2", "0"], the
    label 0 is the last class. Any other label is a number. Raises ValueError for another text, and for a number whose
    class has another number as its name. With `Seen` labels, it is the index there.
    """
    text, classes = "" if label is None else str(label).strip(), card.classes or []
    if isinstance(card.classes, Seen) and text:
        if text not in card.classes and len(card.classes) <= MOST_CLASSES:
            card.classes.append(text)
        return card.classes.index(text) if text in card.classes else MOST_CLASSES
    if text in classes:
        return classes.index(text) + card.first_label
    if NUMBER.fullmatch(text):
        named = dict(enumerate(classes, card.first_label)).get(int(text), text)
        if not NUMBER.fullmatch(named) or int(named) == int(text):
            return int(text)
    raise ValueError(f"{text[:40]!r} is neither a class nor the number of one")
