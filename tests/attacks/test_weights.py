"""Attacks by model.weights.h5: HDF5 knows links into other files, arrays that are elsewhere, and arrays that are larger
than all memory. No byte of it is parsed here but the weights' own.
"""

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from core.networks import models

BIAS = "layers/dense/vars/1"  # of the hidden layer
ATTACKS: dict[str, Callable[[h5py.File, Path], None]] = {}


def attack(function: Callable[[h5py.File, Path], None]) -> Callable[[h5py.File, Path], None]:
    ATTACKS[function.__name__] = function
    return function


def edited(weights: bytes, edit: Callable[[h5py.File], None]) -> bytes:
    file = io.BytesIO(weights)
    with h5py.File(file, "r+") as opened:
        edit(opened)
    return file.getvalue()


def instead(file: h5py.File, **options: object) -> None:
    """Put another array in place of the bias."""
    del file[BIAS]
    file.create_dataset(BIAS, **options)


@attack
def link_into_another_file(file, folder):
    del file[BIAS]
    file[BIAS] = h5py.ExternalLink(str(folder / "other.h5"), "/secret")


@attack
def link_into_this_file(file, folder):
    del file[BIAS]
    file[BIAS] = h5py.SoftLink("/layers/dense_1/vars/1")


@attack
def link_to_itself(file, folder):
    del file[BIAS]
    file[BIAS] = h5py.SoftLink("/" + BIAS)


@attack
def group_that_contains_itself(file, folder):
    file["layers/dense/again"] = file["layers"]


@attack
def array_in_another_file(file, folder):
    instead(file, shape=(5,), dtype="<f4", external=[(str(folder / "secret.bin"), 0, 20)])


@attack
def array_put_together_from_other_files(file, folder):
    layout = h5py.VirtualLayout(shape=(5,), dtype="<f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", shape=(5,))
    del file[BIAS]
    file.create_virtual_dataset(BIAS, layout)


@attack
def array_larger_than_memory(file, folder):
    instead(file, shape=(2**40,), dtype="<f4", chunks=(2**20,), compression="gzip")


@attack
def array_larger_than_the_file(file, folder):
    instead(file, shape=(2**34,), dtype="<f4")


@attack
def compressed_array(file, folder):
    instead(file, data=np.zeros(5, "<f4"), chunks=(5,), compression="gzip")


@attack
def array_of_another_shape(file, folder):
    instead(file, data=np.zeros((5, 1), "<f4"))


@attack
def array_of_another_precision(file, folder):
    instead(file, data=np.zeros(5, "<f8"))


@attack
def array_in_another_byte_order(file, folder):
    instead(file, data=np.zeros(5, ">f4"))


@attack
def array_of_texts(file, folder):
    instead(file, data=[b"canary"] * 5, dtype=h5py.string_dtype())


@attack
def array_of_references(file, folder):
    instead(file, data=[file["layers"].ref] * 5, dtype=h5py.ref_dtype)


@attack
def array_missing(file, folder):
    del file[BIAS]


@attack
def array_more(file, folder):
    file["layers/dense/vars/2"] = np.zeros(5, "<f4")


@attack
def note_more(file, folder):
    file["layers/dense"].attrs["note"] = "canary"


@attack
def group_in_place_of_an_array(file, folder):
    del file[BIAS]
    file.create_group(BIAS)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.fault("HDF5 that links into other files")
def test_a_file_that_keras_would_not_write_of_these_layers_is_refused(name, members, refusal, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones(5, "<f4")
    (tmp_path / "secret.bin").write_bytes(np.ones(5, "<f4").tobytes())
    weights = edited(members["model.weights.h5"], lambda file: ATTACKS[name](file, tmp_path))

    line = refusal(models.archive(members | {"model.weights.h5": weights}))

    assert line.startswith("model.weights.h5: not what Keras saves of these layers (expected b'")


def test_bytes_that_are_no_hdf5_are_refused(members, refusal):
    weights = members["model.weights.h5"]
    for other in (weights[:-1], weights + b"\0", weights[1:], bytes(len(weights)), b"<html>" + weights[6:]):
        line = refusal(models.archive(members | {"model.weights.h5": other}))
        assert line.startswith("model.weights.h5: not what Keras saves")


def test_a_file_too_small_for_its_layers_is_refused_before_they_are_built(members, refusal):
    for size in (0, 6, 571):
        line = refusal(models.archive(members | {"model.weights.h5": members["model.weights.h5"][:size]}))
        assert line.endswith(f"got 143 weights in {size} bytes)")


def test_each_byte_outside_of_the_weights_counts_and_each_of_the_weights_is_taken(members, victim, refusal):
    """The checksum of the archive is made anew here, so that no more than our own comparison is left."""
    weights = bytearray(members["model.weights.h5"])
    with h5py.File(io.BytesIO(weights)) as file:
        bias = file[BIAS].id.get_offset()
        places = {
            place
            for name in ("dense/vars/0", "dense/vars/1", "dense_1/vars/0", "dense_1/vars/1")
            for place in _bytes(file[f"layers/{name}"])
        }
    outside = sorted(set(range(len(weights))) - places)

    for place in np.random.default_rng(0).choice(outside, 60, replace=False):
        changed = bytearray(weights)
        changed[place] ^= 1
        refusal(models.archive(members | {"model.weights.h5": bytes(changed)}))

    weights[bias : bias + 20] = np.arange(5, dtype="<f4").tobytes()
    (network,) = victim(models.archive(members | {"model.weights.h5": bytes(weights)}))
    assert network.get_weights()[1].tolist() == [0, 1, 2, 3, 4]


def _bytes(array: h5py.Dataset) -> range:
    start = array.id.get_offset()
    return range(start, start + array.size * 4)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.fault("weights or probabilities that are no numbers")
def test_a_weight_that_is_no_number_is_named(number, members, refusal):
    def spoil(file: h5py.File) -> None:
        file[BIAS][3] = number

    weights = edited(members["model.weights.h5"], spoil)

    assert refusal(models.archive(members | {"model.weights.h5": weights})) == (
        "dense/hidden_0/bias: weights that are no numbers (expected finite ones, got NaN or infinity)"
    )


def test_a_file_made_for_another_network_is_refused(members, refusal, tmp_path):
    """Its config.json is honest, and so are its weights; but they are not each other's."""
    config = members["config.json"].replace(b'"units": 5', b'"units": 4')

    assert refusal(models.archive(members | {"config.json": config})).startswith("config.json: not what Keras saves")
