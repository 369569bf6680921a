"""Files appear whole or not at all."""

import os
import stat

import pytest

from core.files import atomic

C_LOCALE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


@pytest.mark.fault("an output that is half written")
def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with atomic.replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.parent == tmp_path, "a rename between file systems is a copy, which can be interrupted"

    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.fault("an output that is half written")
def test_an_interrupted_write_leaves_all_files_as_before(tmp_path, error, old):
    path = tmp_path / "file"
    if old:
        path.write_bytes(old)

    with pytest.raises(error), atomic.replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise error

    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([old] if old else [])


@pytest.mark.fault("temporary files of killed runs")
def test_a_killed_write_leaves_the_old_file_and_a_temporary_file_that_a_sweep_removes(tmp_path, run_main):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / ".file.tmp").write_bytes(b"somebody else's")

    ended = run_main(
        "with atomic.replacing(Path('file')) as temporary, atomic.replacing(Path('a/b')) as in_a_folder:",
        "    temporary.write_bytes(b'ne')",
        "    in_a_folder.write_bytes(b'ne')",
        "    os.kill(os.getpid(), signal.SIGKILL)",
    )
    assert ended.code == -9
    assert len(list(tmp_path.glob(".file.*.tmp"))) == len(list(tmp_path.glob("a/.b.*.tmp"))) == 1

    atomic.sweep([tmp_path / "file", tmp_path / "a", tmp_path / "not_there"])

    assert (tmp_path / "file").read_bytes() == b"old" and (tmp_path / ".file.tmp").exists()
    assert not list(tmp_path.glob(".file.*.tmp")) and not list((tmp_path / "a").iterdir())


@pytest.mark.fault("temporary files of killed runs")
def test_a_temporary_folder_is_on_the_same_disk_and_removed_now_or_by_a_sweep(tmp_path, run_main):
    with atomic.beside(tmp_path / "a" / "raw") as folder:
        (folder / "big").write_bytes(b"x")
        assert folder.parent == tmp_path / "a"
    assert list((tmp_path / "a").iterdir()) == []

    ended = run_main(
        "with atomic.beside(Path('a/raw')) as folder:",
        "    (folder / 'big').write_bytes(b'x')",
        "    os.kill(os.getpid(), signal.SIGKILL)",
    )
    assert ended.code == -9 and len(list((tmp_path / "a").iterdir())) == 1

    atomic.sweep([tmp_path / "a" / "raw"])

    assert list((tmp_path / "a").iterdir()) == []


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    """Otherwise a power cut could leave an empty file with the right name."""
    calls = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, call=call: (calls.append(name), call(*args)))

    atomic.write_bytes(tmp_path / "a" / "b" / "file", b"new")

    assert calls == ["fsync", "replace"]
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_other_users_may_read_the_file_as_the_umask_says(tmp_path):
    umask = os.umask(0o022)
    try:
        atomic.write_bytes(tmp_path / "file", b"new")
    finally:
        os.umask(umask)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


@pytest.mark.fault("a full disk while the network is saved")
def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, run_main, assert_clean_failure):
    (tmp_path / "file").write_bytes(b"old")

    ended = run_main(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))", "atomic.write_bytes(Path('file'), bytes(2000))"
    )

    assert_clean_failure(ended, 1, "error: file: File too large; fix: mend that, then dvc repro")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_keeps_its_place_and_is_named(tmp_path):
    """As root, the rename would replace /dev/null by a file."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "old").write_bytes(b"old")
    os.mkfifo(tmp_path / "pipe")

    for place, named in (("folder", "folder"), ("pipe", "pipe"), ("old/file", "old")):
        with pytest.raises(OSError) as caught:
            atomic.write_bytes(tmp_path / place, b"new")
        assert caught.value.filename == str(tmp_path / named)

    assert (tmp_path / "folder").is_dir() and (tmp_path / "pipe").is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["folder", "old", "pipe"]


def test_json_has_one_form(tmp_path):
    atomic.write_json(tmp_path / "file", {"b": [1, 0.5, True, None], "a": "Ärmel"})

    assert (tmp_path / "file").read_bytes() == (
        b'{\n  "a": "\xc3\x84rmel",\n  "b": [\n    1,\n    0.5,\n    true,\n    null\n  ]\n}\n'
    )


@pytest.mark.fault("a score that is no number")
def test_json_has_no_numbers_that_json_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(tmp_path / "file", {"accuracy": float("nan")})

    assert os.listdir(tmp_path) == []


@pytest.mark.fault("a locale that has no letters beyond ASCII")
def test_text_is_utf_8_with_its_own_newlines_in_every_locale(tmp_path, run_main):
    ended = run_main(
        r"atomic.write_text(Path('text'), '\u00c4\r\n\n')", r"atomic.write_json(Path('json'), '\u670d')", **C_LOCALE
    )

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.after["text"] == b"\xc3\x84\r\n\n"
    assert ended.after["json"] == b'"\xe6\x9c\x8d"\n'
