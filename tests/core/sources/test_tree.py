"""Files, and members of archives as zip, tar and other programs write them."""

import io
import os
import tarfile
import tempfile
import tracemalloc
import zipfile
from types import SimpleNamespace

import pytest

from core.cli.errors import DataError, StageError
from core.sources import archives
from core.sources.tree import Tree
from tests.layouts import tarred, zipped

MIB = 1 << 20


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
        others = dict.fromkeys(("a/", "__MACOSX/a/._1.png", "a/.DS_Store"), b"")
        path.write_bytes(zipped(members | others, zipfile.ZIP_DEFLATED))
    else:
        mode = {"tar": "w", "tgz": "w:gz"}.get(kind, f"w:{kind[4:]}")
        path.write_bytes(tarred(members | {"./.hidden": b"", "./README.md": b""}, mode))

    with Tree(tmp_path) as tree:
        names = [f"inner/set.{kind}/{name}" for name in ("b/2 [x].png", "a/1.png", "c/3.png", "ü/4.png")]
        assert tree.members(f"inner/set.{kind}") == names
        assert tree.names == [f"inner/set.{kind}", *names]
        for index in (3, 1, 0, 2, 0):
            data = list(members.values())[index]
            assert (contents(tree, names[index]), tree.size(names[index])) == (data, len(data))
        assert tree.match(f"inner/set.{kind}/*/?.png") == sorted(names[1:])
        assert tree.only("inner/*/b/2 [x].png") == names[0]


def linked(path, kind, name, target):
    """Write a tar file with a/1.png, a link to it or elsewhere, and a link to that link."""
    with tarfile.open(path, "w") as tar:
        for member, of_kind, to in (("./a/1.png", tarfile.REGTYPE, ""), (name, kind, target), ("c", kind, name)):
            info = tarfile.TarInfo(member)
            info.type, info.linkname, info.size = of_kind, to, 3 * (not to)
            tar.addfile(info, io.BytesIO(b"one"))


@pytest.mark.parametrize(
    ("kind", "name", "target"), [(tarfile.LNKTYPE, "b/2.png", "./a/1.png"), (tarfile.SYMTYPE, "b/2.png", "../a/1.png")]
)
@pytest.mark.fault("links in a tar file, to other members or elsewhere")
def test_links_in_a_tar_file_are_the_files_to_which_they_lead(tmp_path, kind, name, target):
    linked(tmp_path / "a.tar", kind, name, target)

    with Tree(tmp_path) as tree:
        assert tree.members("a.tar") == ["a.tar/a/1.png", "a.tar/b/2.png", "a.tar/c"]
        for each in tree.members("a.tar"):
            assert (contents(tree, each), tree.size(each)) == (b"one", 3)


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd", "nothing", "../a", "2.png"])
@pytest.mark.fault("links in a tar file, to other members or elsewhere")
def test_a_link_that_leads_to_no_file_of_the_archive_is_refused(tmp_path, target):
    linked(tmp_path / "a.tar", tarfile.SYMTYPE, "b/2.png", target)

    with Tree(tmp_path, "mine") as tree, pytest.raises(DataError) as caught:
        tree.members("a.tar")

    assert str(caught.value) == (
        f"mine/a.tar/b/2.png: a link that leads to no file of the archive (expected a member, got {target}); "
        "fix: pack the archive again with tar --dereference, then dvc repro"
    )


@pytest.mark.fault("a link to a folder, which DVC does not follow")
def test_a_linked_folder_is_refused_and_a_linked_file_is_read(tmp_path):
    (tmp_path / "else/b").mkdir(parents=True)
    (tmp_path / "else/b/1.png").write_bytes(b"1")
    (tmp_path / "own/a").mkdir(parents=True)
    (tmp_path / "own/a/2.png").symlink_to("../../else/b/1.png")
    (tmp_path / "linked").symlink_to("own")

    for root in ("own", "linked"):
        with Tree(tmp_path / root) as tree:
            assert tree.files == ["a/2.png"] and contents(tree, "a/2.png") == b"1"
    (tmp_path / "own/.hidden").symlink_to("../else")
    (tmp_path / "own/a/b").symlink_to("../../else/b")
    with Tree(tmp_path / "own", "mine") as tree, pytest.raises(DataError) as caught:
        print(tree.files)
    fix = "copy the folder to this place instead, then dvc repro"
    assert str(caught.value) == f"mine/a/b: a link to a folder, which DVC does not follow; fix: {fix}"


@pytest.mark.fault("a compressed tar file that would fill the disk")
def test_a_compressed_tar_is_unpacked_beside_the_results_and_leaves_room(tmp_path, monkeypatch):
    (tmp_path / "a.tar.gz").write_bytes(tarred({"x": bytes(8 * MIB)}, "w:gz"))
    asked = []

    def usage(folder):
        asked.append(folder)
        return SimpleNamespace(free=archives.RESERVE + (4 - len(asked)) * MIB)

    made, temporary = [], tempfile.TemporaryFile
    noted = lambda **keys: made.append(keys["dir"]) or temporary(**keys)  # noqa: E731
    monkeypatch.setattr(archives.tempfile, "TemporaryFile", noted)
    monkeypatch.setattr(archives.shutil, "disk_usage", usage)
    (tmp_path / "scratch").mkdir()
    with Tree(tmp_path, "mine", tmp_path / "scratch") as tree, pytest.raises(StageError) as caught:
        tree.members("a.tar.gz")

    assert (asked, made) == ([tmp_path / "scratch"] * 5, [tmp_path / "scratch"])
    assert list((tmp_path / "scratch").iterdir()) == []
    assert str(caught.value) == (
        f"{tmp_path}/scratch: no room to unpack a.tar.gz (expected 0.3 GB that stay free, got 0.3 GB); "
        "fix: free some disk, or pack the files as zip, then dvc repro"
    )


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
                "shown/a/1.bin: no such file: did you mean a/[1].bin? "
                "(expected a file, got a/[1].bin, a/b/train-2.bin, a/train-1.bin, train-3.bin); ",
            ),
            ("*/*", "shown/*/*: several files (expected one, got a/[1].bin, a/train-1.bin)"),
        ):
            with pytest.raises(DataError) as caught:
                tree.only(path)
            assert str(caught.value).startswith(line)


def test_empty_folders_are_those_without_files_and_folders(tmp_path):
    for name in ("a/b", "c/.git", "d/e", ".f/g"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("c/.hidden", "d/1.png", "c/README.md"):
        (tmp_path / name).touch()

    with Tree(tmp_path) as tree:
        assert (tree.empty, tree.files) == (["a/b", "c", "d/e"], ["d/1.png"])
    with Tree(tmp_path / "d/1.png") as tree:
        assert tree.empty == []


def test_a_file_is_a_tree_of_its_own(tmp_path):
    (tmp_path / "b.zip").touch()
    (tmp_path / "a.tar").write_bytes(tarred({"x": b"1"}))

    with Tree(tmp_path / "a.tar") as tree:
        assert tree.names == ["a.tar", "a.tar/x"]


@pytest.mark.fault("a zip file with a password")
def test_a_password_is_told(tmp_path):
    """The bit that says so, which zipfile cannot write, is set in both headers of the member."""
    data = bytearray(zipped({"x": b"1" * 100}))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)

    with Tree(tmp_path, "mine") as tree, pytest.raises(DataError) as caught:
        contents(tree, "a.zip/x")

    fix = "pack it again without a password, then dvc repro"
    assert str(caught.value) == f"mine/a.zip/x: protected by a password; fix: {fix}"


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.fault("an archive that is cut anywhere")
def test_no_cut_archive_is_taken_for_a_whole_one(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    members = {name: bytes(range(1, 101)) * 3 for name in ("x", "y", "zz")}
    mode = {"tar": "w"}.get(kind, f"w:{kind[4:]}")
    whole = zipped(members, zipfile.ZIP_DEFLATED) if kind == "zip" else tarred(members, mode)
    end = whole.rindex(b"zz") + 1024 if kind == "tar" else len(whole)  # a tar file ends in many zeros

    for length in {*range(0, end, 37), end - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError) as caught, Tree(tmp_path, "mine") as tree:
            assert all(contents(tree, f"a.{kind}/{name}") == data for name, data in members.items())
        assert str(caught.value).startswith(f"mine/a.{kind}: damaged or cut short: ")


@pytest.mark.fault("a changed byte in an archive")
@pytest.mark.fault("damaged members of an archive")
def test_a_changed_byte_of_a_member_is_noticed_by_its_checksum(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"x": b"1" * 100}).replace(b"11", b"12", 1))

    with Tree(tmp_path, "mine") as tree, pytest.raises(DataError) as caught:
        contents(tree, "a.zip/x")

    assert str(caught.value).startswith("mine/a.zip/x: damaged or cut short: Bad CRC")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.fault("a zip bomb")
def test_a_bomb_is_read_in_blocks(tmp_path, kind):
    members = {"x": bytes(64 * MIB)}
    bomb = zipped(members, zipfile.ZIP_DEFLATED) if kind == "zip" else tarred(members, "w:gz")
    (tmp_path / f"a.{kind}").write_bytes(bomb)

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
