"""The formats that a card can name, a module each."""

from core.config import datasets
from core.formats import idx, pictures
from core.formats.blocks import Contents
from core.formats.tree import Tree

READERS = {"idx": idx.read, "pictures": pictures.read}


def read(tree: Tree, card: datasets.Files) -> Contents:
    """Return the images of a card in blocks. Raises DataError if the files are damaged or do not fit the card."""
    return READERS[card.format](tree, card)
