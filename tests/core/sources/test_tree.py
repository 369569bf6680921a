"""Files, and members of archives as zip, tar and other programs write them."""

import io
import os
import tarfile
import tracemalloc
import zipfile

import pytest

from core.cli.errors import DataError
from core.sources.tree import Tree

MIB = 1 << 20


def packed(path, mode="w", **members):
    """Write a tar file; the members' names have __ for /."""
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def contents(tree, name):
    with tree.open(name) as file:
        return file.read()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_members_are_read_in_any_order(tmp_path, kind):
    """Names begin with ./ as those of `tar czf x.tgz .` do, or have backslashes, blanks and brackets."""
    members = {"./b/2 [x].png": b"2" * 5000, "a/1.png": b"1", "c\\3.png": b"", "ü/4.png": b"4"}
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in members.items():
                file.writestr(name, data)
            file.writestr("a/", b"")
            file.writestr("__MACOSX/a/._1.png", b"")
            file.writestr("a/.DS_Store", b"")
    else:
        mode = {"tar": "w", "tgz": "w:gz"}.get(kind, f"w:{kind[4:]}")
        packed(path, mode, **members, **{"./.hidden": b"", "./README.md": b""})

    with Tree(tmp_path) as tree:
        names = [f"inner/set.{kind}/{name}" for name in ("b/2 [x].png", "a/1.png", "c/3.png", "ü/4.png")]
        assert tree.members(f"inner/set.{kind}") == names
        assert tree.names == [f"inner/set.{kind}", *names]
        for index in (3, 1, 0, 2, 0):
            data = list(members.values())[index]
            assert (contents(tree, names[index]), tree.size(names[index])) == (data, len(data))
        assert tree.match(f"inner/set.{kind}/*/?.png") == sorted(names[1:])
        assert tree.only("inner/*/b/2 [x].png") == names[0]


def test_wildcards_do_not_reach_across_a_slash(tmp_path):
    for name in ("a/train-1.bin", "a/b/train-2.bin", "train-3.bin", ".git/x", "README.md", "a.dvc", "a/[1].bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())

    with Tree(tmp_path, "shown") as tree:
        assert tree.files == ["a/[1].bin", "a/b/train-2.bin", "a/train-1.bin", "train-3.bin"]
        assert tree.match("*/train-*.bin") == ["a/train-1.bin"]
        assert tree.match("a/[1].bin") == ["a/[1].bin"]
        assert contents(tree, "train-3.bin") == b"train-3.bin"
        for path, line in (
            (
                "a/1.bin",
                "shown/a/1.bin: no such file (expected a file, got a/[1].bin, a/b/train-2.bin, a/train-1.bin, ",
            ),
            ("*/*", "shown/*/*: several files (expected one, got a/[1].bin, a/train-1.bin)"),
        ):
            with pytest.raises(DataError) as caught:
                tree.only(path)
            assert str(caught.value).startswith(line)


def test_a_file_is_a_tree_of_its_own(tmp_path):
    (tmp_path / "b.zip").touch()
    packed(tmp_path / "a.tar", **{"x": b"1"})

    with Tree(tmp_path / "a.tar") as tree:
        assert tree.names == ["a.tar", "a.tar/x"]


def encrypted(path):
    """Set the bit that says so, which zipfile cannot write, in both headers of a member."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x", b"1" * 100)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)


@pytest.mark.fault("a zip file with a password")
def test_a_password_is_told(tmp_path):
    encrypted(tmp_path / "a.zip")

    with Tree(tmp_path, "mine") as tree, pytest.raises(DataError) as caught:
        contents(tree, "a.zip/x")

    fix = "pack it again without a password, then dvc repro"
    assert str(caught.value) == f"mine/a.zip/x: protected by a password; fix: {fix}"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.fault("an archive that is cut anywhere")
def test_no_cut_archive_is_taken_for_a_whole_one(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    members = {name: bytes(range(1, 101)) * 3 for name in ("x", "y", "zz")}
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in members.items():
                file.writestr(name, data)
    else:
        packed(path, {"tar": "w"}.get(kind, f"w:{kind[4:]}"), **members)
    whole = path.read_bytes()
    end = whole.rindex(b"zz") + 1024 if kind == "tar" else len(whole)  # a tar file ends in many zeros

    for length in {*range(0, end, 37), end - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError) as caught, Tree(tmp_path, "mine") as tree:
            assert all(contents(tree, f"a.{kind}/{name}") == data for name, data in members.items())
        assert str(caught.value).startswith(f"mine/a.{kind}: damaged or cut short: ")


@pytest.mark.fault("a changed byte in an archive")
def test_a_changed_byte_of_a_member_is_noticed_by_its_checksum(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("x", b"1" * 100)
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"11", b"12", 1))

    with Tree(tmp_path, "mine") as tree, pytest.raises(DataError) as caught:
        contents(tree, "a.zip/x")

    assert str(caught.value).startswith("mine/a.zip/x: damaged or cut short: Bad CRC")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.fault("a zip bomb")
def test_a_bomb_is_read_in_blocks(tmp_path, kind):
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file, file.open("x", "w") as member:
            for _ in range(64):
                member.write(bytes(MIB))
    else:
        packed(tmp_path / "a.tar.gz", "w:gz", x=bytes(64 * MIB))

    tracemalloc.start()
    with Tree(tmp_path) as tree, tree.open(f"a.{kind}/x") as file:
        assert tree.size(f"a.{kind}/x") == 64 * MIB and file.read(10) == bytes(10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 * MIB


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        print(Tree(tmp_path).files)
