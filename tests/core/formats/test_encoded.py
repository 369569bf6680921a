"""Picture files to blocks of images, against Pillow and against pixels worked out by hand."""

import numpy as np
import pytest

from core.cli.errors import DataError
from core.formats import blocks, encoded
from core.formats.picture_files import Encoded
from core.sources.tree import Tree
from tests.layouts import card, picture


def read(tmp_path, *given, **keys):
    files = [Encoded(f"{number}.png", "train", number, data) for number, data in enumerate(given)]
    return list(encoded.blocks_of(Tree(tmp_path), files, card(**keys), "own"))


GREY = [[1, 2, 3], [4, 5, 6]]
COLOUR = [[[9, 8, 7], [6, 5, 4], [3, 2, 1]], [[0, 0, 0], [255, 255, 255], [1, 1, 1]]]


@pytest.mark.fault("a grey picture as the first of a set in colour")
def test_the_first_picture_sets_the_size_and_any_of_the_first_the_channels(tmp_path):
    [grey] = read(tmp_path, picture(GREY), picture(COLOUR), image_shape=[2, 3])
    [colour] = read(tmp_path, picture(COLOUR), picture(GREY))
    [colour_late] = read(tmp_path, picture(GREY), picture(GREY), picture(COLOUR))
    [without] = read(tmp_path, picture(GREY), picture(GREY))

    assert (colour_late.images.shape, without.images.shape) == ((3, 2, 3, 3), (2, 2, 3))
    assert grey.images.tolist() == [GREY, [[8, 5, 2], [0, 255, 1]]]  # by the weights of ITU-R 601
    assert grey.notes == ((), ("made grey",))
    assert colour.images.tolist() == [COLOUR, [[[value] * 3 for value in row] for row in GREY]]
    assert colour.notes == ((), ("made colour",))
    assert grey.labels.tolist() == [0, 1] and grey.file == "own"


def test_keys_are_of_the_whole_picture_in_the_channels_of_the_data_set(tmp_path):
    """The order of a grey set has always been by its grey values before they are inverted and resized."""
    [block] = read(tmp_path, picture(GREY), picture(COLOUR), image_shape=[1, 1], invert="yes")

    greys = [GREY, [[8, 5, 2], [0, 255, 1]]]
    assert list(block.keys) == [blocks.key(np.array(rows, np.uint8)) for rows in greys]
    assert block.images.shape == (2, 1, 1)
    assert block.notes[1] == ("made grey", "inverted, as asked", "resized (3x2)")


@pytest.mark.fault("pictures of mixed sizes")
def test_mixed_sizes_need_an_image_shape(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, picture(COLOUR), picture(COLOUR), picture([[1, 2]]))

    assert str(caught.value) == (
        f"{tmp_path}/2.png: mixed sizes (expected 2 x 3, as 0.png, got 1 x 2); "
        "fix: set image_shape: [2, 3, 3] in the card, then dvc repro"
    )
    assert read(tmp_path, picture(COLOUR), picture([[1, 2]]), image_shape=[2, 3, 3])[0].images.shape == (2, 2, 3, 3)


def test_blocks_are_full_except_the_last_of_each_split(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "ROWS", 3)
    files = [Encoded(f"{n}.png", "test" if n % 3 == 2 else "train", n, picture([[n]])) for n in range(13)]

    made = list(encoded.blocks_of(Tree(tmp_path), files, card(), "own"))

    assert [(block.split, block.labels.tolist()) for block in made] == [
        ("train", [0, 1, 3]),
        ("train", [4, 6, 7]),
        ("test", [2, 5, 8]),
        ("train", [9, 10, 12]),
        ("test", [11]),
    ]


@pytest.mark.fault("hundreds of pictures that can't be read")
def test_the_first_twenty_unreadable_pictures_are_named_at_the_end(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, picture(GREY), *[b"<html>"] * 25, picture(GREY))

    assert [problem.subject for problem in caught.value.problems[:20]] == [f"{tmp_path}/{n}.png" for n in range(1, 21)]
    assert caught.value.problems[20].what == "5 more problems"
