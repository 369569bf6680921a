"""Files against hashlib's own hash of their bytes."""

import hashlib

import pytest

from core.files import hashes


@pytest.mark.parametrize("size", [0, 1, hashes.BLOCK, hashes.BLOCK + 1])
def test_size_and_hash_are_those_of_all_bytes(tmp_path, size):
    data = (b"0123456789" * (size // 10 + 1))[:size]
    (tmp_path / "file").write_bytes(data)

    assert hashes.of_file(tmp_path / "file") == (size, hashlib.sha256(data).hexdigest())
