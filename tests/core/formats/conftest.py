"""The readers of formats on files in a temporary folder."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from core.cli.errors import DataError
from core.formats import formats
from core.sources import datasets
from core.sources.tree import Tree


@pytest.fixture
def read(tmp_path):
    """A function that reads the files in tmp_path with a card of the given keys, and returns the images and labels of
    each split, and the rest of the contents.
    """

    def read(format, **keys):
        common = {"title": "Mine", "description": "of a test", "licence": "none", "format": format}
        card = TypeAdapter(datasets.Card).validate_python(common | keys)
        with Tree(tmp_path, "mine") as tree:
            contents = formats.read(tree, card)
            splits = {}
            for block in contents.blocks:
                assert block.images.dtype == np.uint8 and len(block.images) == len(block.labels)
                before = [len(each.images) for each in splits.get(block.split, []) if each.file == block.file]
                assert block.first == sum(before)
                splits.setdefault(block.split, []).append(block)
        arrays = {
            split: (np.concatenate([each.images for each in parts]), np.concatenate([each.labels for each in parts]))
            for split, parts in splits.items()
        }
        return arrays, contents

    return read


@pytest.fixture
def refused(read):
    """A function that reads as `read` does, and returns the one line of its error."""

    def refused(format, **keys):
        with pytest.raises(DataError) as caught:
            read(format, **keys)
        [problem] = caught.value.problems
        return str(problem)

    return refused
