"""Attacks by the archive: names that lead elsewhere, members more, less or twice, sizes that are lies, and damage."""

import io
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from core.cli.errors import DataError
from core.networks import models
from stages.evaluate import networks

NAMES = ["config.json", "metadata.json", "model.weights.h5"]
Members = dict[str, bytes]
ATTACKS: dict[str, Callable[[Members], bytes]] = {}


def attack(function: Callable[[Members], bytes]) -> Callable[[Members], bytes]:
    ATTACKS[function.__name__] = function
    return function


def packed(members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive of members of any name, the same name twice too."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the name that stands twice
        for name, content in members:
            archive.writestr(name, content)
    return output.getvalue()


@attack
def member_above_the_folder(members):
    return models.archive(members | {"../canary": b""})


@attack
def member_in_place_of_another(members):
    return models.archive({name.replace("config.json", "../canary"): content for name, content in members.items()})


@attack
def member_under_an_absolute_path(members):
    return models.archive(members | {"/tmp/canary": b""})


@attack
def member_under_a_drive(members):
    return models.archive(members | {"C:\\canary": b""})


@attack
def asset(members):
    return models.archive(members | {"assets/vocabulary.txt": b"canary"})


@attack
def weights_in_another_form_too(members):
    return models.archive(members | {"model.weights.npz": b""})


@attack
def folder(members):
    return models.archive(members | {"assets/": b""})


@attack
def link(members):
    info = zipfile.ZipInfo("model.weights.h5", models.EARLIEST)
    info.external_attr = 0o120777 << 16
    return packed([*((name, members[name]) for name in NAMES[:2]), (info, b"/etc/passwd")])


@attack
def member_twice(members):
    return packed([*members.items(), ("model.weights.h5", members["model.weights.h5"])])


@attack
def config_twice(members):
    return packed([("config.json", b"{}"), *members.items()])


@attack
def no_config(members):
    return models.archive({name: members[name] for name in NAMES[1:]})


@attack
def no_weights(members):
    return models.archive({name: members[name] for name in NAMES[:2]})


@attack
def no_member(members):
    return models.archive({})


@attack
def other_order(members):
    return packed([(zipfile.ZipInfo(name, models.EARLIEST), members[name]) for name in reversed(NAMES)])


@attack
def other_date(members):
    return packed([(zipfile.ZipInfo(name, (2031, 5, 6, 7, 8, 8)), members[name]) for name in NAMES])


@attack
def compressed(members):
    return packed(members.items(), zipfile.ZIP_DEFLATED)


@attack
def bomb(members):
    return packed((members | {"model.weights.h5": bytes(2**26)}).items(), zipfile.ZIP_DEFLATED)


@attack
def comment(members):
    whole = models.archive(members)
    return whole[:-2] + struct.pack("<H", 6) + b"canary"


@attack
def something_before_it(members):
    return b"<html><script>canary()</script></html>" + models.archive(members)


@attack
def something_behind_it(members):
    return models.archive(members) + b"canary"


@attack
def another_archive_before_it(members):
    return models.archive({}) + models.archive(members)


@attack
def hdf5_file(members):
    return members["model.weights.h5"]


@attack
def nothing(members):
    return b""


@attack
def html(members):
    return b"<!DOCTYPE html><html><title>Sign in</title></html>"


@attack
def signature_alone(members):
    return b"PK\x03\x04"


def changed(members: Members, offset: int, form: str, value: int) -> bytes:
    """Return the archive with another value in the central directory's entry of the weights."""
    whole = bytearray(models.archive(members))
    struct.pack_into(form, whole, whole.rindex(b"PK\x01\x02") + offset, value)
    return bytes(whole)


@attack
def size_of_four_gigabytes(members):
    return changed(members, 24, "<I", 2**32 - 2)


@attack
def both_sizes_of_four_gigabytes(members):
    return changed(members, 20, "<Q", (2**32 - 2) * (2**32 + 1))


@attack
def sizes_that_need_a_field_that_is_not_there(members):
    return changed(members, 20, "<Q", 2**64 - 1)


@attack
def unknown_compression(members):
    return changed(members, 10, "<H", 99)


@attack
def encrypted(members):
    return changed(members, 8, "<H", 1)


@attack
def other_checksum(members):
    return changed(members, 16, "<I", 0)


@attack
def place_of_another_member(members):
    return changed(members, 42, "<I", 0)


@attack
def place_beyond_the_end(members):
    return changed(members, 42, "<I", 2**31)


@attack
def hundred_thousand_members(members):
    whole = models.archive(members)
    entry = whole[whole.rindex(b"PK\x01\x02") : whole.rindex(b"PK\x05\x06")]
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 65535, 65535, 65535 * len(entry), 0, 0)
    return entry * 65535 + end


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.fault("members that lead elsewhere, or more than there should be")
@pytest.mark.fault("HDF5 under another name, an archive that is cut, empty or a web page")
def test_an_archive_that_training_would_not_write_is_refused(name, members, refusal):
    line = refusal(ATTACKS[name](members))

    assert f"(expected a zip archive of {', '.join(NAMES)}, got " in line


@pytest.mark.fault("members that lead elsewhere, or more than there should be")
@pytest.mark.fault("a changed byte, weights missing, JSON that is none")
def test_what_is_in_the_archive_is_named(members, refusal):
    expected = "expected a zip archive of config.json, metadata.json, model.weights.h5"

    assert refusal(no_weights(members)) == (
        f"other members than a network has ({expected}, got config.json, metadata.json)"
    )
    assert refusal(hdf5_file(members)) == f"not a .keras file ({expected}, got File is not a zip file)"
    assert refusal(other_checksum(members)) == (
        f"not a .keras file ({expected}, got Bad CRC-32 for file 'model.weights.h5')"
    )


@pytest.mark.fault("bombs: of the archive, of shapes, of HDF5")
def test_a_bomb_goes_off_in_no_memory(members, refusal):
    content = bomb(members)
    tracemalloc.start()
    try:
        refusal(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(content) < 2**18
    assert peak < 2**23


@pytest.mark.fault("bombs: of the archive, of shapes, of HDF5")
def test_a_file_larger_than_any_network_is_not_read(honest, tmp_path, victim):
    victim(honest)
    with open(tmp_path / "model/0.keras", "r+b") as file:
        file.truncate(2**31 + 1)  # a hole, which takes no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(
            DataError, match=r"larger than any network \(expected at most 2147483648 bytes, got 2147483649\)"
        ):
            networks.read(tmp_path / "model", tmp_path / "training.json", ["Coat", "Dress", "Bag"], (4, 6))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2**20


@pytest.mark.fault("a changed byte, weights missing, JSON that is none")
def test_any_byte_changed_is_noticed_even_if_it_were_recorded(honest, refusal):
    """Those of the weights are under the archive's checksum, the others under ours."""
    random = np.random.default_rng(0)
    places = [*random.integers(0, len(honest), 60), *range(40), *range(len(honest) - 100, len(honest))]
    for place in places:
        content = bytearray(honest)
        content[place] ^= 1 << random.integers(8)

        refusal(bytes(content))


@pytest.mark.fault("HDF5 under another name, an archive that is cut, empty or a web page")
def test_any_end_cut_off_is_noticed_even_if_it_were_recorded(honest, refusal):
    for length in np.random.default_rng(0).integers(0, len(honest), 40):
        refusal(honest[:length])


def test_nothing_but_the_recorded_bytes_is_parsed(honest, tmp_path, victim, monkeypatch):
    """The SHA-256 comes before all else."""
    victim(honest)
    (tmp_path / "model/0.keras").write_bytes(honest[:-1])
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("parsed"))

    with pytest.raises(DataError, match="not the file that training left"):
        networks.read(tmp_path / "model", tmp_path / "training.json", ["Coat", "Dress", "Bag"], (4, 6))
