"""Files appear whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from core.files import atomic

C_LOCALE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


def test_a_new_file_has_its_folder_made_and_nothing_beside_it(tmp_path):
    atomic.write_bytes(tmp_path / "a" / "b" / "file", b"new")

    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path / "a" / "b") == ["file"]


@pytest.mark.fault("an output that is half written")
def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with atomic.replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.parent == tmp_path, "a move between file systems is a copy, which can be interrupted"

    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.fault("an output that is half written")
def test_an_interrupted_write_leaves_all_as_it_was(tmp_path, error, old):
    path = tmp_path / "file"
    if old:
        path.write_bytes(old)

    with pytest.raises(error), atomic.replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise error

    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([old] if old else [])


def test_a_killed_write_leaves_the_old_file(tmp_path, run_main):
    (tmp_path / "file").write_bytes(b"old")

    ended = run_main(
        "with atomic.replacing(Path('file')) as temporary:",
        "    temporary.write_bytes(b'ne')",
        "    os.kill(os.getpid(), signal.SIGKILL)",
    )

    assert ended.code == -9
    assert (tmp_path / "file").read_bytes() == b"old"


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    """The other way round, a power cut could leave an empty file of the right name."""
    calls = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, call=call: (calls.append(name), call(*args)))

    atomic.write_bytes(tmp_path / "file", b"new")

    assert calls == ["fsync", "replace"]


def test_what_is_flushed_to_the_disk_is_open_for_writing(tmp_path, monkeypatch):
    """Windows refuses to flush any other file. To write nothing fails as well where one may not write."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.write(descriptor, b""))

    atomic.write_bytes(tmp_path / "file", b"new")

    assert (tmp_path / "file").read_bytes() == b"new"


def test_others_may_read_the_file_as_the_umask_says(tmp_path):
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


def test_a_folder_in_the_way_is_named_and_not_the_temporary_file(tmp_path):
    (tmp_path / "file").mkdir()

    with pytest.raises(IsADirectoryError) as caught:
        atomic.write_bytes(tmp_path / "file", b"new")

    assert caught.value.filename == str(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_or_a_device_keeps_its_place(tmp_path):
    """Whoever wants no history might say /dev/null; of root, the move would put a file in its place."""
    path = tmp_path / "null"
    os.mkfifo(path)

    with pytest.raises(FileExistsError) as caught:
        atomic.write_bytes(path, b"new")

    assert caught.value.filename == str(path)
    assert path.is_fifo() and os.listdir(tmp_path) == ["null"]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_is_no_name_of_a_file_is_an_error_of_the_system(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError) as caught:
        atomic.write_bytes(Path(name), b"new")

    assert caught.value.filename == str(Path(name))
    assert os.listdir(tmp_path) == []


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"old")

    with pytest.raises(FileExistsError) as caught:
        atomic.write_bytes(tmp_path / "a" / "file", b"new")

    assert caught.value.filename == str(tmp_path / "a")


def test_an_error_about_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, atomic.replacing(tmp_path / "file") as temporary:
        temporary.write_bytes((tmp_path / "source").read_bytes())

    assert caught.value.filename == str(tmp_path / "source")


def test_json_has_one_form(tmp_path):
    atomic.write_json(tmp_path / "file", {"b": [1, 0.5, True, None], "a": "Ärmel"})

    assert (tmp_path / "file").read_bytes() == (
        b'{\n  "a": "\xc3\x84rmel",\n  "b": [\n    1,\n    0.5,\n    true,\n    null\n  ]\n}\n'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.fault("a score that is no number")
def test_json_has_no_numbers_that_json_does_not_know(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(tmp_path / "file", {"accuracy": value})

    assert os.listdir(tmp_path) == []


def test_newlines_stay_as_they_are(tmp_path):
    atomic.write_text(tmp_path / "file", "a\nb\r\nc\r")

    assert (tmp_path / "file").read_bytes() == b"a\nb\r\nc\r"


@pytest.mark.fault("a locale that has no letters beyond ASCII")
def test_text_is_utf_8_whatever_the_locale(tmp_path, run_main):
    ended = run_main(
        r"atomic.write_text(Path('text'), '\u00c4')", r"atomic.write_json(Path('json'), '\u670d')", **C_LOCALE
    )

    assert (ended.code, ended.stderr) == (0, "")
    assert ended.after["text"] == b"\xc3\x84"
    assert ended.after["json"] == b'"\xe6\x9c\x8d"\n'
