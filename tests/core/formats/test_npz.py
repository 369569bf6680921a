"""Arrays that NumPy saves, with the names that publishers give them."""

import zipfile

import numpy as np
import pytest

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([2, 0, 1])
FILES = {"train_images": "a.npz/x", "train_labels": "a.npz/y"}


def test_keras_and_medmnist_and_kmnist_are_found_by_their_names(tmp_path, read):
    test = IMAGES[:, ::-1]
    saved = {
        "keras": {"mnist.npz": {"x_train": IMAGES, "y_train": LABELS, "x_test": test, "y_test": LABELS}},
        "medmnist": {
            "bloodmnist.npz": {
                **{f"{split}_images": IMAGES for split in ("train", "val")},
                **{f"{split}_labels": LABELS[:, None] for split in ("train", "val", "test")},
                "test_images": test,
            }
        },
        "kmnist": {
            "k49-train-imgs.npz": {"arr_0": IMAGES},
            "k49-train-labels.npz": {"arr_0": LABELS},
            "k49-test-imgs.npz": {"arr_0": test},
            "k49-test-labels.npz": {"arr_0": LABELS},
        },
    }
    for name, files in saved.items():
        for path in tmp_path.iterdir():
            path.unlink()
        for file, arrays in files.items():
            np.savez_compressed(tmp_path / file, **arrays)

        splits, contents = read("npz")

        assert splits.keys() == ({"train", "validation", "test"} if name == "medmnist" else {"train", "test"})
        for split, (images, labels) in splits.items():
            assert np.array_equal(images, test if split == "test" else IMAGES)
            assert labels.tolist() == [2, 0, 1]
        assert contents.images == 3 * len(splits)


@pytest.mark.fault("a misspelt array of an .npz file")
@pytest.mark.fault("a card that names the wrong file, key or column")
def test_a_misspelt_array_has_the_one_that_is_meant_and_all_names(tmp_path, refused):
    names = [f"{split}_{kind}" for split in ("train", "val", "test") for kind in ("images", "labels")]
    np.savez(tmp_path / "bloodmnist.npz", **dict.fromkeys(names, LABELS))
    files = {"train_images": "bloodmnist.npz/valid_images", "train_labels": "bloodmnist.npz/train_labels"}

    listed = ", ".join(f"bloodmnist.npz/{name}" for name in names)
    assert refused("npz", files=files) == (
        "mine/bloodmnist.npz/valid_images: no such file: did you mean bloodmnist.npz/val_images? "
        f"(expected a file, got {listed}); fix: correct the path in the card, then dvc repro"
    )


@pytest.mark.parametrize("dtype", ["int8", ">i4", "uint64", "int64"])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 1), (3, 4, 5, 3)])
def test_one_channel_or_three_and_labels_of_any_integer(tmp_path, read, shape, dtype):
    images = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    np.savez(tmp_path / "a.npz", x=images, y=LABELS.astype(dtype))

    splits, _ = read("npz", files=FILES, test_fraction=0.5)

    found, labels = splits["train"]
    assert found.shape == ((3, 4, 5, 3) if shape[3:] == (3,) else (3, 4, 5)) and found.tobytes() == images.tobytes()
    assert labels.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"x": IMAGES / 255}, "a.npz/x.npy: not images (expected uint8 (n, height, width) or (n, height, width, 3), "
         'got float64 (3, 4, 5)); fix: save them as np.rint(x * 255).astype("uint8") if they end at 1'),
        ({"x": IMAGES.astype(np.int64)}, 'as x.astype("uint8") if at 255'),
        ({"x": IMAGES[0]}, "not images (expected uint8 (n, height, width) or (n, height, width, 3), got uint8 (4, 5))"),
        ({"x": np.zeros((3, 4, 5, 2), np.uint8)}, "got uint8 (3, 4, 5, 2)"),
        ({"x": np.zeros((4, 3, 28, 28), np.uint8)}, "(4, 3, 28, 28)); fix: save x.transpose(0, 2, 3, 1), with"),
        ({"y": np.array(["b", "a", "b"])}, "got str32 (3,)); fix: save np.unique(y, return_inverse=True)[1]"),
        ({"x": np.zeros((3, 0, 5), np.uint8)}, "images of no size"),
        ({"x": np.array([[[1]], "2"], object)}, "pickled objects, which are never read"),
        ({"x": np.asfortranarray(IMAGES)}, "columns before rows (expected C order, got Fortran order); fix: save np"),
        ({"y": np.ones((3, 14), np.int64)}, "a.npz/y.npy: not one label for each image (expected integers (n,), got "
         "int64 (3, 14)); fix: save labels.argmax(axis=1) if each row has one 1; else see Other formats in"),
        ({"y": LABELS / 2}, "not one label for each image (expected integers (n,), got float64 (3,))"),
        ({"y": np.int64(3)}, "not one label for each image"),
        ({"y": LABELS[:2]}, "images and labels differ in number (expected 3 labels, got 2)"),
    ],
)  # fmt: skip
@pytest.mark.fault("arrays of another type, shape or order")
@pytest.mark.fault("pickled objects in an .npz file, which run code when they are read")
def test_other_arrays_are_refused_with_a_way_to_convert_them(tmp_path, refused, arrays, line):
    np.savez(tmp_path / "a.npz", **{"x": IMAGES, "y": LABELS} | arrays)

    assert line in refused("npz", files=FILES)


def test_the_printed_ways_to_convert_arrays_work(tmp_path, read):
    x, y = np.arange(4 * 3 * 28 * 28).reshape(4, 3, 28, 28).astype(np.uint8), np.array(["cat", "ant", "bee", "cat"])
    np.savez(tmp_path / "a.npz", x=x.transpose(0, 2, 3, 1), y=np.unique(y, return_inverse=True)[1])

    images, labels = read("npz", files=FILES)[0]["train"]

    assert images[3, 5, 7].tolist() == x[3, :, 5, 7].tolist()
    assert np.unique(y)[labels].tolist() == y.tolist()


def header(shape, descr="|u1", version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (header((2**40, 28, 28)) + bytes(5000), "cut short (expected 862017116176384 bytes of values, got 5000)"),
        (header((3, 4, 5)) + bytes(61), "longer than an array of the shape (3, 4, 5)"),
        (header((-1, 4, 5)), "images of no size"),
        (header("(" * 90), "not a whole array"),
        (header((3, 4, 5), version=2) + bytes(60), "not a whole array"),
        (header("eval('1')"), "not a whole array"),
        (b"", "not a whole array"),
    ],
)
@pytest.mark.fault("a header that claims terabytes")
def test_damaged_arrays_are_refused_before_memory_is_taken(tmp_path, refused, data, line):
    count = 2**40 if b"1099511627776" in data else 3
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", data)
        file.writestr("y.npy", header((count,)) + bytes(3))

    assert line in refused("npz", files=FILES)


def test_blocks_know_their_place(tmp_path, read, monkeypatch):
    monkeypatch.setattr("core.formats.blocks.ROWS", 2)
    np.savez(tmp_path / "a.npz", x=IMAGES, y=LABELS)

    images, labels = read("npz", files=FILES)[0]["train"]

    assert np.array_equal(images, IMAGES) and labels.tolist() == [2, 0, 1]


def test_two_sets_in_a_folder_are_not_mixed(tmp_path, refused):
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, x_train=IMAGES, y_train=LABELS)

    assert refused("npz").startswith("mine: the file names do not tell which files to read")
