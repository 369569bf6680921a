"""Tables of pixels, as Kaggle, pandas and spreadsheets write them."""

import numpy as np
import pytest

PIXELS = np.arange(2 * 16).reshape(2, 16)
HEADER = ",".join(f"pixel{number}" for number in range(16))
ROWS = [",".join(map(str, row)) for row in PIXELS]


def write(path, *lines, end="\n"):
    path.write_bytes("".join(line + end for line in lines).encode())


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ([f"label,{HEADER}", f"7,{ROWS[0]}", f"1,{ROWS[1]}"], {}),
        ([f"{HEADER},Label", f"{ROWS[0]},7", "", f"{ROWS[1]},1"], {}),
        ([f"digit,{HEADER}", f"7,{ROWS[0]}", f"1,{ROWS[1]}"], {}),
        ([f"{HEADER},class", f"{ROWS[0]},7", f"{ROWS[1]},1"], {}),  # as OpenML has MNIST
        ([f"{HEADER.replace('pixel', 'p')},target", f"{ROWS[0]},7", f"{ROWS[1]},1"], {}),
        ([",".join(map(str, range(17))), f"7,{ROWS[0]}", f"1,{ROWS[1]}"], {}),  # as pandas names columns without names
        ([f"{HEADER},digit", f"{ROWS[0]},7", f"{ROWS[1]},1"], {"label": "Digit"}),
        ([f",label,{HEADER}", f"0,7,{ROWS[0]}", f"1000,1,{ROWS[1]}"], {}),  # the index that pandas writes
        ([f"7,{ROWS[0]}", f"1,{ROWS[1]}"], {}),
        ([f"\ufefflabel,{HEADER}", f'"7","{ROWS[0].replace(",", chr(34) + "," + chr(34))}"', f"1,{ROWS[1]}"], {}),
        ([f"label,{HEADER}", f"hat,{ROWS[0]}", f"cap,{ROWS[1]}"], {"classes": ["hat", "cap"]}),
        (
            [f"label,{HEADER}", f'"hat, red",{ROWS[0]}', f"cap,{ROWS[1]}"],
            {"classes": ["a", "hat, red", "cap"], "first_label": 1},
        ),
        ([f"hat,{ROWS[0]}", f"cap,{ROWS[1]}"], {"classes": ["hat", "cap"]}),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_label_is_found_and_all_other_columns_are_pixels(tmp_path, read, lines, keys, end):
    write(tmp_path / "train.csv", *lines, end=end)

    splits, _ = read("csv", **{"files": {"train": "train.csv"}} | keys)

    images, labels = splits["train"]
    assert images.tolist() == PIXELS.reshape(2, 4, 4).tolist()
    assert labels.tolist() == ([7, 1] if "classes" not in keys else [0, 1] if len(keys) == 1 else [2, 3])


@pytest.mark.fault("a column of pixels that is taken for the labels")
@pytest.mark.fault("a card that names the wrong file, key or column")
def test_the_first_of_equal_columns_is_no_label_nor_is_a_column_that_is_not_there(tmp_path, refused):
    write(tmp_path / "train.csv", f"{HEADER.replace('pixel', 'p')},digit", f"{ROWS[0]},7")

    assert "train.csv: no such column (expected a column label, class or target, got 17 columns, p0, " in refused("csv")
    assert "train.csv: no such column (expected a column class, got 17 columns, p0, " in refused("csv", label="class")


@pytest.mark.parametrize(
    ("classes", "labels", "expected"),
    [
        (["1", "2", "0"], ["1", "0"], [0, 2]),  # names come before numbers
        (["cat", "1", "dog"], ["0", "1", "2"], [0, 1, 2]),
        (["0", "1", "2"], ["2", "01"], [2, 1]),
        (["1", "2"], ["1", "0"], "got '0' is neither a class"),  # the class at 0 is another number
    ],
)
@pytest.mark.fault("labels that are numbers, and classes that are other numbers")
def test_a_label_is_a_name_before_it_is_a_number(tmp_path, read, refused, classes, labels, expected):
    write(tmp_path / "train.csv", f"label,{HEADER}", *(f"{label},{ROWS[0]}" for label in labels))

    if isinstance(expected, str):
        assert expected in refused("csv", classes=classes)
    else:
        assert read("csv", classes=classes)[0]["train"][1].tolist() == expected


@pytest.mark.parametrize(
    ("pixels", "given", "shape"),
    [
        (16, None, (4, 4)),
        (12, None, (2, 2, 3)),
        (12, [3, 4], (3, 4)),
        (36, [3, 4], (3, 4, 3)),
        (36, [3, 4, 3], (3, 4, 3)),
        (36, None, (6, 6)),
    ],
)
def test_shapes_are_those_of_the_card_or_squares(tmp_path, read, pixels, given, shape):
    write(tmp_path / "train.csv", "1," + ",".join(map(str, range(pixels))))

    splits, _ = read("csv", files={"train": "*.csv"}, **{"image_shape": given} if given else {})

    assert splits["train"][0].tolist() == np.arange(pixels).reshape(1, *shape).tolist()


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([HEADER, *ROWS], "train.csv: no labels: it is for predict alone (expected a column label"),
        ([f"label,{HEADER},pixel16", f"7,{ROWS[0]},0"], "the pixels of a row are no square (expected a label and "
         "pixels, got 18 columns, label, pixel0, pixel1, pixel2); fix: correct label or image_shape in the card"),
        ([f"label;{HEADER.replace(',', ';')}", "7;1"], "got 1 columns, label;pixel0"),
        ([f"label,{HEADER}", f"7,{ROWS[0]}", f"8,{ROWS[1]},5"], "row 3: not an image (expected a label and 16 pixels "
         "from 0 to 255, got 18 columns instead of 17)"),
        ([f"label,{HEADER}", f"7,{ROWS[0]}", "8,5"], "row 3: not an image"),
        ([f"label,{HEADER}", f"7,{ROWS[0]}", f"8,256{ROWS[1][2:]}"], "row 3: not an image (expected a label and 16 "
         "pixels from 0 to 255, got values from 17 to 256)"),
        ([f"label,{HEADER}", f"7,{ROWS[0]}", f"8,-1{ROWS[1][2:]}"], "got values from -1 to 31"),
        ([f"label,{HEADER}", "", f"8,0.5{ROWS[1][2:]}"], "row 3: not an image (expected a label and 16 pixels from 0 "
         "to 255, got could not convert string '0.5' to int64 at column 2.)"),
        ([f"label,{HEADER}", f"8,{ROWS[0]}", f"cat,{ROWS[1]}"], "row 3: not an image (expected a label and 16 pixels "
         "from 0 to 255, got 'cat' is neither a class nor the number of one); fix: correct the row, or list all"),
        ([f"label,{HEADER}", f"8,{ROWS[0]}", f"8.0,{ROWS[1]}"], "row 3"),
        ([f"label,{HEADER}", f"8,{ROWS[0]}", f",{ROWS[1]}"], "row 3"),
        ([f"label,{HEADER}", '"8', f'",{ROWS[0]}'], "row 2"),
        ([f"label,{HEADER}", f'"8,{ROWS[0]}', f'8",{ROWS[1]}'], "row 2"),
    ],
)  # fmt: skip
@pytest.mark.fault("a CSV file with a row of text, of another length, or of values outside 0 to 255")
def test_a_bad_row_is_named_as_a_spreadsheet_counts_it(tmp_path, refused, lines, line):
    write(tmp_path / "train.csv", *lines)

    assert line in refused("csv", files={"train": "train.csv"})


def test_train_and_test_are_found_and_other_tables_are_left(tmp_path, read, refused):
    write(tmp_path / "fashion-mnist_train.csv", f"label,{HEADER}", f"7,{ROWS[0]}")
    write(tmp_path / "fashion-mnist_test.csv", f"label,{HEADER}", f"1,{ROWS[1]}")
    write(tmp_path / "sample_submission.csv", "ImageId,Label", "1,0")

    splits, _ = read("csv")
    assert {split: labels.tolist() for split, (_, labels) in splits.items()} == {"train": [7], "test": [1]}

    (tmp_path / "fashion-mnist_train.csv").unlink()
    (tmp_path / "fashion-mnist_test.csv").unlink()
    assert "name the files in the card" in refused("csv")


@pytest.mark.fault("files of which only some names tell a split")
def test_no_table_of_images_is_left_out(tmp_path, read, refused):
    for number, name in enumerate(["train", "train2", "test1"]):
        write(tmp_path / f"{name}.csv", f"label,{HEADER}", f"{number},{ROWS[0]}")
    splits, _ = read("csv")
    assert {split: labels.tolist() for split, (_, labels) in splits.items()} == {"train": [0, 1], "test": [2]}

    write(tmp_path / "more.csv", f"label,{HEADER}", f"7,{ROWS[0]}")
    assert refused("csv").startswith("mine/more.csv: its name has no split, but other names have one; fix: put train")


@pytest.mark.parametrize("rows", [1, 5])
def test_blocks_do_not_change_the_images(tmp_path, read, rows, monkeypatch):
    monkeypatch.setattr("core.formats.blocks.ROWS", rows)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16))
    write(tmp_path / "a.csv", *(f"{number}," + ",".join(map(str, row)) for number, row in enumerate(pixels)))

    images, labels = read("csv")[0]["train"]

    assert images.reshape(12, 16).tolist() == pixels.tolist() and labels.tolist() == list(range(12))
