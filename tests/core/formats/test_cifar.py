"""CIFAR's binary files: the records are spelt out from the definition of the format."""

import numpy as np
import pytest

from tests.layouts import tarred

RED, GREEN, BLUE = (np.arange(1024, dtype=np.uint32) * factor % 256 for factor in (1, 3, 5))
PLANES = np.concatenate([RED, GREEN, BLUE]).astype(np.uint8).tobytes()
OTHER = PLANES[::-1]


def test_cifar_10_keeps_the_order_of_the_batches_and_has_its_class_names(tmp_path, read):
    """The members lie in the order of the published archive."""
    files = {f"data_batch_{number}.bin": bytes([number]) + PLANES for number in (1, 3, 4, 5, 2)}
    files |= {"test_batch.bin": b"\7" + OTHER, "batches.meta.txt": b"airplane\nautomobile\n\n"}
    members = {f"cifar-10-batches-bin/{name}": data for name, data in files.items()}
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(tarred(members, "w:gz"))

    splits, contents = read("cifar")

    images, labels = splits["train"]
    assert labels.tolist() == [1, 2, 3, 4, 5] and images.shape == (5, 32, 32, 3)
    for row, column in ((0, 0), (0, 31), (1, 0), (17, 5)):
        place = 32 * row + column
        assert images[4, row, column].tolist() == [place % 256, 3 * place % 256, 5 * place % 256]
    assert splits["test"][1].tolist() == [7]
    assert (contents.classes, contents.images) == (["airplane", "automobile"], 6)


@pytest.mark.parametrize(("kind", "labels", "names"), [("fine", [50, 60], ["apple"]), ("coarse", [5, 6], ["fish"])])
def test_cifar_100_has_fine_and_coarse_labels(tmp_path, read, kind, labels, names):
    (tmp_path / "train.bin").write_bytes(bytes([5, 50]) + PLANES + bytes([6, 60]) + OTHER)
    (tmp_path / "test.bin").write_bytes(bytes([6, 60]) + PLANES)
    (tmp_path / "fine_label_names.txt").write_text("apple\n")
    (tmp_path / "coarse_label_names.txt").write_text("fish\n")

    splits, contents = read("cifar", label=kind)

    assert splits["train"][1].tolist() == labels and splits["train"][0][0, 0, 1].tolist() == [1, 3, 5]
    assert contents.classes == names


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-100-python.tar.gz"])
@pytest.mark.fault("CIFAR's python version, which is pickled")
def test_the_python_version_is_refused_and_the_binary_one_named(tmp_path, refused, name):
    (tmp_path / name).write_bytes(tarred({"cifar-10-batches-py/data_batch_1": b"\x80\4."}, "w:gz"))

    line = refused("cifar")

    assert line.startswith(f"mine/{name}: the python version of CIFAR, which is pickled: not read; fix: get the binary")
    line = refused("cifar", files={"train": f"{name}/*/data_batch_1"})
    assert "not CIFAR's binary version (expected records of 3073 or 3074 bytes, got 3)" in line
